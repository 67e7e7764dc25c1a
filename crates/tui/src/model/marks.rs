//! Which trials are compared.

use bitsweep_sweep::Role;

use super::Model;
use super::trial::Trial;
use crate::theme::SERIES;

impl Model {
    /// The trials that are compared: the marked ones and what their gaps refer to, otherwise those of the
    /// chosen trial's network and seed, as many as have a colour.
    pub(crate) fn compared(&self) -> Vec<&Trial> {
        let Some(sweep) = &self.sweep else { return Vec::new() };
        let marked: Vec<&Trial> = self.marked.iter().filter_map(|name| sweep.trial(name)).collect();
        if !marked.is_empty() {
            let mut compared = marked.clone();
            for reference in marked.into_iter().filter_map(|t| sweep.reference(t)) {
                if !compared.iter().any(|t| t.id == reference.id) {
                    compared.push(reference);
                }
            }
            compared.truncate(SERIES);
            return compared;
        }
        let Some(chosen) = self.selected() else { return Vec::new() };
        let (network, seed) = (chosen.spec.model.network, chosen.spec.seed);
        let kin = sweep.trials.iter().filter(|t| {
            t.spec.model.network == network && t.spec.seed == seed && t.spec.role != Role::Control
        });
        kin.take(SERIES).collect()
    }

    pub(crate) fn is_marked(&self, trial: &Trial) -> bool {
        self.marked.contains(&trial.spec.name)
    }

    /// The trial beside the chosen one on the Layers screen, when two are shown: the first marked one
    /// that is another, otherwise the one it started from, otherwise one that started from it.
    pub(crate) fn beside(&self) -> Option<&Trial> {
        if !self.layers_screen.beside {
            return None;
        }
        let (sweep, chosen) = (self.sweep.as_ref()?, self.selected()?);
        let quantized = |t: &&Trial| !t.spec.bits.is_full() && t.id != chosen.id;
        let marked = self.marked.iter().filter_map(|name| sweep.trial(name)).find(quantized);
        let parent = || chosen.spec.parent.as_ref().and_then(|n| sweep.trial(n)).filter(quantized);
        let child =
            || sweep.trials.iter().find(|t| t.spec.parent.as_ref() == Some(&chosen.spec.name));
        marked.or_else(parent).or_else(child)
    }

    /// Marks the chosen trial, or unmarks it.
    pub(super) fn mark(&mut self) {
        let Some(name) = self.selected().map(|t| t.spec.name.clone()) else { return };
        // What runs changes; what was marked stays chosen.
        self.chosen = Some(name.clone());
        if let Some(at) = self.marked.iter().position(|m| *m == name) {
            self.marked.remove(at);
            self.note(Ok(format!("unmarked {name}, {} marked", self.marked.len())));
            return;
        }
        if self.marked.len() == SERIES {
            let text = format!("{SERIES} trials are marked already; m on one of them unmarks it");
            self.note(Err(text));
            return;
        }
        let marked = self.marked.len() + 1;
        self.note(Ok(format!("marked {name}, {marked} of at most {SERIES}; 2 compares them")));
        self.marked.push(name);
    }
}
