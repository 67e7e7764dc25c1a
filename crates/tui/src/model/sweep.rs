//! A sweep as folded from the coordinator's updates, live or recorded.

pub(crate) mod speeds;
mod trials;

use std::collections::HashMap;

use bitsweep_proto::v1;
use bitsweep_sweep::{Comparison, PairedTest, Progress, TrialName, TrialOutcome};
use v1::watch_update::Update;

pub(crate) use trials::Trials;

use super::layers::{Collapsed, LayerHistory};
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
    pub(crate) trials: Trials,
    pub(crate) workers: Vec<Worker>,
    workers_by_id: HashMap<String, usize>,
    pub(crate) log: Log,
    /// Points of the trials that were looked at, by trial id.
    pub(crate) series: HashMap<String, TrialSeries>,
    /// Layers of the trials that were looked at, by trial id.
    pub(crate) layers: HashMap<String, LayerHistory>,
    /// Trials with layers that do not compute any more, by trial id.
    pub(crate) collapsed: HashMap<String, Collapsed>,
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
            trials: Trials::default(),
            workers: Vec::new(),
            workers_by_id: HashMap::new(),
            log: Log::default(),
            // Points may have been missed: whoever looks at a trial fetches them again.
            series: HashMap::new(),
            layers: HashMap::new(),
            collapsed: HashMap::new(),
            unreadable: 0,
            clock_ahead_ms: snapshot.now_ms - now_ms,
        };
        if let Some(previous) = previous {
            sweep.log = previous.log;
            sweep.collapsed = previous.collapsed;
        }
        sweep.log.rebase(snapshot.log.into_iter().map(LogEntry::read).collect());
        snapshot.workers.into_iter().map(Worker::read).for_each(|w| sweep.put_worker(w));
        for status in snapshot.trials {
            match Trial::read(status) {
                Ok(trial) => {
                    sweep.trials.put(trial);
                }
                Err(_) => sweep.unreadable += 1,
            }
        }
        sweep.trials.link_all();
        sweep
    }

    fn put_worker(&mut self, worker: Worker) {
        match self.workers_by_id.get(&worker.id) {
            Some(&at) => self.workers[at] = worker,
            None => {
                self.workers_by_id.insert(worker.id.clone(), self.workers.len());
                self.workers.push(worker);
            }
        }
    }

    fn change(&mut self, update: Update) {
        match update {
            Update::Snapshot(_) => {}
            Update::Trial(status) => {
                let Ok(trial) = Trial::read(status) else { return };
                let id = trial.id.as_str();
                // An epoch more has layers that are not here yet.
                if let Some(known) = self.layers.get_mut(id)
                    && trial.epochs.last().is_some_and(|e| !known.has(e.epoch))
                {
                    known.outdated = true;
                }
                self.trials.put(trial);
            }
            Update::Progress(update) => {
                if let Some(progress) = update.progress.and_then(|p| Progress::try_from(p).ok()) {
                    self.trials.progress(&update.trial_id, progress);
                }
            }
            Update::Points(points) => {
                if let Some(series) = self.series.get_mut(&points.trial_id) {
                    series.add(points.series, points.truncated_after);
                }
            }
            Update::Worker(status) => self.put_worker(Worker::read(status)),
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
        self.trials.index(name).map(|at| &self.trials[at])
    }

    /// Trials in any of these states.
    pub(crate) fn count(&self, states: &[TrialState]) -> usize {
        self.trials.count(states)
    }

    pub(crate) fn worker(&self, id: &str) -> Option<&Worker> {
        self.workers_by_id.get(id).map(|&at| &self.workers[at])
    }

    /// Whether a running trial's worker has not been heard from lately.
    pub(crate) fn is_silent(&self, trial: &Trial) -> bool {
        let worker = || trial.newest_attempt().and_then(|attempt| self.worker(&attempt.worker_id));
        trial.state == TrialState::Running
            && worker().is_some_and(|w| w.liveness != Liveness::Connected)
    }

    /// Images a second, all running trials together; those of silent workers do not count.
    pub(crate) fn images_per_second(&self) -> f64 {
        let heard = self.trials.running().filter(|t| !self.is_silent(t));
        heard.filter_map(|t| t.progress).map(|p| p.images_per_second).sum()
    }

    /// The trial that the gap of `trial` refers to.
    pub(crate) fn reference(&self, trial: &Trial) -> Option<&Trial> {
        let at = self.trials.index(&trial.spec.name)?;
        self.trials.reference(at).map(|at| &self.trials[at])
    }

    /// Points between the trial at `at` and its reference, and whether both are final.
    pub(crate) fn gap_at(&self, at: usize) -> Option<(f64, bool)> {
        let (own, other) = (&self.trials[at], &self.trials[self.trials.reference(at)?]);
        let gap = bitsweep_sweep::gap(own.top1()?, other.top1()?);
        Some((gap, own.result.is_some() && other.result.is_some()))
    }

    /// McNemar's test of a trial against its reference, where both finished on the same images.
    pub(crate) fn paired_test(&self, trial: &Trial) -> Option<PairedTest> {
        let reference = self.reference(trial)?;
        let (own, other) = (trial.result.as_ref()?, reference.result.as_ref()?);
        let fingerprint = |t: &Trial| t.provenance.as_ref().map(|p| p.data_fingerprint.clone());
        if fingerprint(trial) != fingerprint(reference) {
            return None;
        }
        PairedTest::new(&own.correct, &other.correct, self.validation_images(trial)?)
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
        self.trials.images(trial).map(|(_, validation)| validation)
    }
}
