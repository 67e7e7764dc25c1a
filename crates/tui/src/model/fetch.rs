//! Which points and layers are asked for: those on screen, and a few that were.

use bitsweep_proto::v1;

use super::event::Effect;
use super::layers::LayerHistory;
use super::series::{Fetch, TrialSeries};
use super::{Model, Screen};
use crate::screens::compare::Quantity;

/// Trials whose points and layers are kept; the longest unseen goes when another is opened.
const KEPT: usize = 12;

/// Trials up to which the layers of all are asked for, so that a collapse shows wherever it happens.
const WATCH_LAYERS_OF: usize = 64;

/// Answers about layers that are awaited at once.
const AT_ONCE: usize = 2;

impl Model {
    /// What is to be asked for now.
    pub(super) fn wanted(&mut self) -> Vec<Effect> {
        if self.is_stale() || self.sweep.is_none() {
            return Vec::new();
        }
        let series = self.series_on_screen();
        let layers = self.layers_on_screen();
        for id in series.iter().chain(&layers) {
            self.seen.retain(|seen| seen != id);
            self.seen.push(id.clone());
        }
        let Some(sweep) = self.sweep.as_mut() else { return Vec::new() };
        while self.seen.len() > KEPT {
            let forgotten = self.seen.remove(0);
            sweep.series.remove(&forgotten);
            sweep.layers.remove(&forgotten);
        }
        let mut effects = Vec::new();
        for trial_id in series {
            if !sweep.series.contains_key(&trial_id) {
                sweep.series.insert(trial_id.clone(), TrialSeries::pending());
                effects.push(Effect::FetchSeries { trial_id });
            }
        }
        for trial_id in layers {
            let known = sweep.layers.entry(trial_id.clone());
            let mut fresh = false;
            let history = known.or_insert_with(|| {
                fresh = true;
                LayerHistory::pending()
            });
            if fresh || (history.outdated && !history.pending) {
                (history.pending, history.outdated) = (true, false);
                effects.push(Effect::FetchLayers { trial_id });
            }
        }
        effects.extend(self.layers_to_check());
        effects
    }

    fn series_on_screen(&self) -> Vec<String> {
        let id = |t: &super::trial::Trial| t.id.as_str().to_owned();
        match self.screen {
            Screen::Trial => self.selected().map(id).into_iter().collect(),
            Screen::Compare if self.compare_screen.quantity == Quantity::StepLoss => {
                self.compared().into_iter().map(id).collect()
            }
            _ => Vec::new(),
        }
    }

    fn layers_on_screen(&self) -> Vec<String> {
        if self.screen != Screen::Layers {
            return Vec::new();
        }
        let quantized = |t: &&super::trial::Trial| !t.spec.bits.is_full();
        let shown = [self.selected(), self.beside()].into_iter().flatten().filter(quantized);
        shown.map(|t| t.id.as_str().to_owned()).collect()
    }

    /// In a small sweep, trials whose newest epoch was not looked through for collapsed layers.
    fn layers_to_check(&mut self) -> Vec<Effect> {
        let Some(sweep) = self.sweep.as_mut() else { return Vec::new() };
        if sweep.trials.len() > WATCH_LAYERS_OF {
            return Vec::new();
        }
        let mut room = AT_ONCE.saturating_sub(self.checking.len());
        let mut effects = Vec::new();
        for trial in sweep.trials.iter().filter(|t| !t.spec.bits.is_full()) {
            let Some(epoch) = trial.epochs.last().map(|e| e.epoch) else { continue };
            let id = trial.id.as_str();
            let known = sweep.collapsed.get(id).is_some_and(|c| c.epoch >= epoch);
            let asked =
                sweep.layers.get(id).is_some_and(|h| h.pending) || self.checking.contains(id);
            if known || asked || self.checked.contains(&(id.to_owned(), epoch)) {
                continue;
            }
            if room == 0 {
                break;
            }
            room -= 1;
            self.checking.insert(id.to_owned());
            self.checked.insert((id.to_owned(), epoch));
            effects.push(Effect::FetchLayers { trial_id: id.to_owned() });
        }
        effects
    }

    pub(super) fn take_layers(
        &mut self,
        trial_id: &str,
        answer: Result<Vec<v1::LayerReport>, String>,
    ) {
        let checked = self.checking.remove(trial_id);
        let Some(sweep) = self.sweep.as_mut() else { return };
        self.changed = true;
        match answer {
            Ok(reports) => {
                let mut history = LayerHistory::pending();
                history.answer(reports);
                if let Some(collapsed) = history.collapsed() {
                    sweep.collapsed.insert(trial_id.to_owned(), collapsed);
                }
                // Only what is on screen is kept whole.
                if let Some(shown) = sweep.layers.get_mut(trial_id) {
                    *shown = history;
                }
            }
            Err(error) => {
                let shown = sweep.layers.get_mut(trial_id);
                let on_screen = shown.is_some();
                if let Some(history) = shown {
                    history.pending = false;
                }
                if on_screen || !checked {
                    self.note(Err(error));
                }
            }
        }
    }

    pub(super) fn take_series(
        &mut self,
        trial_id: &str,
        answer: Result<Vec<v1::PointBatch>, String>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(sweep) = self.sweep.as_mut() else { return };
        let Some(series) = sweep.series.get_mut(trial_id) else { return };
        self.changed = true;
        match answer {
            Ok(batches) => {
                if !series.answer(batches) {
                    effects.push(Effect::FetchSeries { trial_id: trial_id.to_owned() });
                }
            }
            Err(error) => {
                series.fetch = Fetch::Idle;
                self.note(Err(error));
            }
        }
    }
}
