//! A sweep as folded from the coordinator's updates, live or recorded.

use std::collections::HashMap;

use bitsweep_proto::v1;
use bitsweep_sweep::{Comparison, Progress, TrialName, TrialOutcome};
use v1::watch_update::Update;

use super::log::{Log, LogEntry};
use super::series::TrialSeries;
use super::trial::{Trial, TrialState};
use super::worker::{Liveness, Worker};

/// Where a sweep stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SweepState {
    Active,
    Finished,
    Failed,
    Cancelled,
}

impl SweepState {
    fn read(state: v1::SweepState) -> Self {
        match state {
            v1::SweepState::Active | v1::SweepState::Unspecified => Self::Active,
            v1::SweepState::Finished => Self::Finished,
            v1::SweepState::Failed => Self::Failed,
            v1::SweepState::Cancelled => Self::Cancelled,
        }
    }
}

/// A sweep with its trials, workers and log.
#[derive(Clone, Debug)]
pub(crate) struct Sweep {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) state: SweepState,
    pub(crate) created_ms: i64,
    pub(crate) ended_ms: Option<i64>,
    /// In plan order.
    pub(crate) trials: Vec<Trial>,
    pub(crate) workers: Vec<Worker>,
    pub(crate) log: Log,
    /// Points of the trials that were looked at, by trial id.
    pub(crate) series: HashMap<String, TrialSeries>,
    /// Trials that this program cannot read: the coordinator is newer.
    pub(crate) unreadable: usize,
    /// Coordinator's clock minus ours.
    pub(crate) clock_ahead_ms: i64,
}

impl Sweep {
    /// Folds an update into the sweep; the first one must be a snapshot, others before it are nothing.
    pub(crate) fn fold(current: &mut Option<Self>, update: Update, now_ms: i64) {
        match (current, update) {
            (current, Update::Snapshot(snapshot)) => {
                let previous = current.take();
                *current = Some(Self::from_snapshot(snapshot, previous, now_ms));
            }
            (Some(sweep), update) => sweep.change(update),
            (None, _) => {}
        }
    }

    fn from_snapshot(snapshot: v1::SweepSnapshot, previous: Option<Self>, now_ms: i64) -> Self {
        let summary = snapshot.summary.unwrap_or_default();
        let previous = previous.filter(|p| p.id == summary.sweep_id);
        let mut sweep = Self {
            state: SweepState::read(summary.state()),
            id: summary.sweep_id,
            name: summary.name,
            created_ms: summary.created_ms,
            ended_ms: summary.ended_ms,
            trials: Vec::with_capacity(snapshot.trials.len()),
            workers: snapshot.workers.into_iter().map(Worker::read).collect(),
            log: previous.map(|p| p.log).unwrap_or_default(),
            // Points may have been missed: whoever looks at a trial fetches them again.
            series: HashMap::new(),
            unreadable: 0,
            clock_ahead_ms: snapshot.now_ms - now_ms,
        };
        sweep.log.rebase(snapshot.log.into_iter().map(LogEntry::read).collect());
        for status in snapshot.trials {
            match Trial::read(status) {
                Ok(trial) => sweep.trials.push(trial),
                Err(_) => sweep.unreadable += 1,
            }
        }
        sweep
    }

    fn change(&mut self, update: Update) {
        match update {
            Update::Snapshot(_) => {}
            Update::Trial(status) => {
                let Ok(trial) = Trial::read(status) else { return };
                match self.trials.iter_mut().find(|t| t.id == trial.id) {
                    Some(known) => *known = trial,
                    None => self.trials.push(trial),
                }
            }
            Update::Progress(update) => {
                let progress = update.progress.and_then(|p| Progress::try_from(p).ok());
                let trial = self.trials.iter_mut().find(|t| t.id.as_str() == update.trial_id);
                if let (Some(trial), Some(progress)) = (trial, progress) {
                    trial.progress = Some(progress);
                }
            }
            Update::Points(points) => {
                if let Some(series) = self.series.get_mut(&points.trial_id) {
                    series.add(points.series, points.truncated_after);
                }
            }
            Update::Worker(status) => {
                let worker = Worker::read(status);
                match self.workers.iter_mut().find(|w| w.id == worker.id) {
                    Some(known) => *known = worker,
                    None => self.workers.push(worker),
                }
            }
            Update::Log(entry) => self.log.push(LogEntry::read(entry)),
            Update::Summary(summary) => {
                self.state = SweepState::read(summary.state());
                self.name = summary.name;
                self.created_ms = summary.created_ms;
                self.ended_ms = summary.ended_ms;
            }
        }
    }

    pub(crate) fn trial(&self, name: &TrialName) -> Option<&Trial> {
        self.trials.iter().find(|t| t.spec.name == *name)
    }

    /// Trials in any of these states.
    pub(crate) fn count(&self, states: &[TrialState]) -> usize {
        self.trials.iter().filter(|t| states.contains(&t.state)).count()
    }

    /// Whether a running trial's worker has not been heard from lately.
    pub(crate) fn is_silent(&self, trial: &Trial) -> bool {
        let worker = trial
            .newest_attempt()
            .and_then(|attempt| self.workers.iter().find(|w| w.id == attempt.worker_id));
        trial.state == TrialState::Running
            && worker.is_some_and(|w| w.liveness != Liveness::Connected)
    }

    /// Images a second, all running trials together; those of silent workers do not count.
    pub(crate) fn images_per_second(&self) -> f64 {
        let running = self.trials.iter().filter(|t| t.state == TrialState::Running);
        running
            .filter(|t| !self.is_silent(t))
            .filter_map(|t| t.progress)
            .map(|p| p.images_per_second)
            .sum()
    }

    /// Network × bits with top-1 and gap.
    pub(crate) fn comparison(&self) -> Comparison {
        let outcomes: Vec<TrialOutcome<'_>> = self
            .trials
            .iter()
            .map(|trial| TrialOutcome {
                spec: &trial.spec,
                top1: trial.top1(),
                is_final: trial.result.is_some(),
            })
            .collect();
        Comparison::new(&outcomes)
    }

    /// Validation images behind a top-1 of `trial`; `None` while no trial of its data has started.
    pub(crate) fn validation_images(&self, trial: &Trial) -> Option<u64> {
        let of = |t: &Trial| t.provenance.as_ref().map(|p| p.validation_images);
        of(trial)
            .or_else(|| self.trials.iter().filter(|t| t.spec.data == trial.spec.data).find_map(of))
    }
}
