//! A recorded sweep under the same fold: time is a slider.

use std::sync::Arc;

use super::Model;
use super::action::ReplayAction;
use super::event::{Effect, LeaveQuestion, Link};
use super::sweep::Sweep;
use crate::recording::Recording;

/// How long a whole recording plays at first.
const PLAYED_MS: i64 = 60_000;
/// Steps of the slider.
const STEPS: i64 = 50;
/// Slowest and fastest, in recorded milliseconds a millisecond.
const SPEEDS: (i64, i64) = (1, 1 << 20);

/// Where a recording stands.
#[derive(Clone, Debug)]
pub(crate) struct Replay {
    recording: Arc<Recording>,
    /// The recorded moment that is shown.
    pub(crate) at_ms: i64,
    /// The first update that has not happened yet.
    next: usize,
    pub(crate) playing: bool,
    pub(crate) speed: i64,
}

impl Replay {
    /// How much of it lies behind, from 0 to 1.
    pub(crate) fn fraction(&self) -> f64 {
        let (start, end) = self.recording.span();
        (self.at_ms - start) as f64 / (end - start).max(1) as f64
    }
}

impl Model {
    /// A model that plays `recording` from its start, at the time `now_ms` (Unix milliseconds).
    pub fn replaying(recording: Recording, now_ms: i64) -> Self {
        let mut model = Self::new(LeaveQuestion::Plain, now_ms);
        let (start, end) = recording.span();
        let speed = ((end - start) / PLAYED_MS).clamp(SPEEDS.0, SPEEDS.1);
        model.replay = Some(Replay {
            recording: Arc::new(recording),
            at_ms: start,
            next: 0,
            playing: true,
            speed,
        });
        model.link = Link::Connected;
        model.seek(start);
        model.follow_data();
        model
    }

    /// Time passed: what is recorded moves on.
    pub(super) fn play(&mut self, passed_ms: i64) {
        let Some(replay) = self.replay.as_ref().filter(|r| r.playing) else { return };
        let to_ms = replay.at_ms + passed_ms.max(0) * replay.speed;
        self.seek(to_ms);
    }

    pub(super) fn change_replay(&mut self, action: ReplayAction) {
        let Some(replay) = self.replay.as_mut() else { return };
        let (start, end) = replay.recording.span();
        let step = ((end - start) / STEPS).max(1);
        let to = match action {
            ReplayAction::PlayPause => {
                replay.playing ^= true;
                // At its end it starts again.
                if replay.playing && replay.at_ms >= end { start } else { replay.at_ms }
            }
            ReplayAction::Back => replay.at_ms - step,
            ReplayAction::Forward => replay.at_ms + step,
            ReplayAction::Start => start,
            ReplayAction::End => end,
            ReplayAction::Slower => {
                replay.speed = (replay.speed / 2).max(SPEEDS.0);
                replay.at_ms
            }
            ReplayAction::Faster => {
                replay.speed = (replay.speed * 2).min(SPEEDS.1);
                replay.at_ms
            }
        };
        self.seek(to);
    }

    /// Shows the recorded moment `to_ms`: what happened since is folded in, or everything from the
    /// start when that lies in the past.
    fn seek(&mut self, to_ms: i64) {
        let Some(replay) = self.replay.as_mut() else { return };
        let (start, end) = replay.recording.span();
        let to_ms = to_ms.clamp(start, end);
        if to_ms < replay.at_ms {
            replay.next = 0;
            self.sweep = None;
            self.checking.clear();
            self.checked.clear();
        }
        replay.at_ms = to_ms;
        replay.playing &= to_ms < end;
        let recording = Arc::clone(&replay.recording);
        while let Some((time_ms, update)) = recording.updates.get(replay.next) {
            if *time_ms > to_ms {
                break;
            }
            replay.next += 1;
            if let Some(update) = update.update.clone() {
                Sweep::fold(&mut self.sweep, update, self.now_ms);
            }
        }
        if let Some(sweep) = &mut self.sweep {
            sweep.clock_ahead_ms = to_ms - self.now_ms;
        }
        self.updated_ms = self.now_ms;
        self.reckoned = None;
        self.changed = true;
    }

    /// Answers what is asked of a coordinator from the recording, as far as it had happened.
    pub(super) fn answer_from_recording(&mut self, effects: Vec<Effect>) -> Vec<Effect> {
        let Some(recording) = self.replay.as_ref().map(|r| Arc::clone(&r.recording)) else {
            return effects;
        };
        let mut left = Vec::new();
        let mut asked = effects;
        loop {
            if asked.is_empty() {
                // An answer may leave room for the next question.
                asked = self.wanted();
            }
            let Some(effect) = asked.pop() else { break };
            match effect {
                Effect::FetchSeries { trial_id } => {
                    let step = self.reached(&trial_id).0;
                    let mut series = recording.series.get(&trial_id).cloned().unwrap_or_default();
                    for batch in &mut series {
                        let known = batch.steps.partition_point(|s| *s <= step);
                        batch.steps.truncate(known);
                        batch.values.truncate(known);
                    }
                    self.take_series(&trial_id, Ok(series), &mut asked);
                }
                Effect::FetchLayers { trial_id } => {
                    let epoch = self.reached(&trial_id).1;
                    let mut layers = recording.layers.get(&trial_id).cloned().unwrap_or_default();
                    layers.retain(|report| report.epoch <= epoch);
                    self.take_layers(&trial_id, Ok(layers));
                }
                Effect::Send { .. } => {
                    self.note(Err("this is a recording: nothing of it can be changed".to_owned()));
                }
                other => left.push(other),
            }
        }
        left
    }

    /// The newest step and epoch of a trial.
    fn reached(&self, trial_id: &str) -> (u64, u32) {
        let trial = self
            .sweep
            .as_ref()
            .and_then(|sweep| sweep.trials.index_of_id(trial_id).map(|at| &sweep.trials[at]));
        trial.and_then(|t| t.epochs.last()).map_or((0, 0), |e| (e.step, e.epoch))
    }
}
