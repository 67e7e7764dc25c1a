//! Which trial runs where: the decisions of the coordinator, without I/O and without a clock.
//!
//! [`Scheduler`] is a state machine. Every event (a submitted sweep, a heartbeat, the end of an
//! attempt) is a method that takes the time and returns the [`Command`]s to carry out, in order.
//! Whoever calls it stores what the commands say before acting on it, sends what has to be sent,
//! and calls [`Scheduler::tick`] at [`Scheduler::next_deadline`].

mod attempt;
mod dispatch;
mod lease;
mod restore;
mod sweep;
mod value;
mod view;
mod worker;

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use bitsweep_sweep::{AttemptEnd, Level, Plan, SweepId, TrialId};

pub use restore::{RestoredLease, RestoredSweep, RestoredTrial};
pub use sweep::SweepCounts;
pub use value::{
    AttemptId, Checkpoint, Command, Hello, Liveness, SweepState, Timestamp, Timing, TrialState,
    Verdict, Welcome, WorkerId,
};
pub use view::{TrialView, WorkerView};

use lease::Leases;
use sweep::{Rank, Sweep, Trial};
use worker::Worker;

/// The state machine. See the module.
#[derive(Debug)]
pub struct Scheduler {
    timing: Timing,
    sweeps: BTreeMap<SweepId, Sweep>,
    sweeps_seen: u64,
    trials: BTreeMap<TrialId, Trial>,
    /// Ready and not backing off, first to be handed out first.
    ready: BTreeMap<Rank, TrialId>,
    /// Ready and backing off, by the end of the wait.
    backoffs: BTreeSet<(Timestamp, TrialId)>,
    leases: Leases,
    workers: BTreeMap<WorkerId, Worker>,
    /// Connected workers with free slots that do not drain, most free slots first.
    free: BTreeSet<(Reverse<u32>, WorkerId)>,
    connections: u64,
    focus: Option<SweepId>,
    /// Commands of the event at work.
    out: Vec<Command>,
}

impl Scheduler {
    /// Nothing to do and nobody to do it.
    pub fn new(timing: Timing) -> Self {
        Self {
            timing,
            sweeps: BTreeMap::new(),
            sweeps_seen: 0,
            trials: BTreeMap::new(),
            ready: BTreeMap::new(),
            backoffs: BTreeSet::new(),
            leases: Leases::default(),
            workers: BTreeMap::new(),
            free: BTreeSet::new(),
            connections: 0,
            focus: None,
            out: Vec::new(),
        }
    }

    /// A new sweep. One that is known already is left as it is.
    pub fn submit(&mut self, sweep: &SweepId, plan: &Plan, now: Timestamp) -> Vec<Command> {
        if !self.sweeps.contains_key(sweep) {
            self.insert_sweep(sweep, plan);
            self.requeue_sweep(sweep, &[TrialState::Waiting]);
            self.end_sweep_if_settled(sweep);
        }
        self.finish(now)
    }

    /// Stops the sweep's running trials and takes those that have not begun out of the queue.
    /// Finished, failed and blocked trials stay what they are.
    pub fn cancel(&mut self, sweep: &SweepId, now: Timestamp) -> Vec<Command> {
        let trials = self.sweeps.get(sweep).map(|s| s.trials.clone()).unwrap_or_default();
        // Children first, so that they are cancelled and not blocked by their parent.
        for id in trials.into_iter().rev() {
            match self.trials[&id].state {
                TrialState::Running => self.cancel_running(&id),
                TrialState::Waiting | TrialState::Ready => {
                    self.set_state(&id, TrialState::Cancelled, None);
                }
                _ => {}
            }
        }
        self.finish(now)
    }

    /// Gives the sweep's failed and cancelled trials a fresh set of attempts, from their newest
    /// checkpoints; what they blocked waits again. Attempt numbers go on growing.
    pub fn resume(&mut self, sweep: &SweepId, now: Timestamp) -> Vec<Command> {
        let settled = [TrialState::Failed, TrialState::Cancelled, TrialState::Blocked];
        self.requeue_sweep(sweep, &settled);
        self.finish(now)
    }

    /// From now on only trials of `sweep` are handed out; `None`: of any sweep. What runs goes on.
    pub fn only(&mut self, sweep: Option<SweepId>, now: Timestamp) -> Vec<Command> {
        self.focus = sweep;
        self.finish(now)
    }

    /// Ends leases and waits that are over.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Command> {
        self.forget_workers(now);
        self.finish(now)
    }

    /// The coordinator itself did nothing for `ms` (a disk that hung or was full, a machine that slept)
    /// and could hear nobody. That time counts against no lease.
    pub fn stood_still(&mut self, ms: i64) {
        self.leases.extend(ms);
    }

    /// When [`tick`](Self::tick) next has something to do; `None`: not before another event.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let backoff = self.backoffs.first().map(|(at, _)| *at);
        [self.leases.next_expiry(), backoff].into_iter().flatten().min()
    }

    /// What every event ends with: time passes, slots are filled, the commands are handed out.
    fn finish(&mut self, now: Timestamp) -> Vec<Command> {
        self.expire_leases(now);
        self.end_backoffs(now);
        self.dispatch(now);
        std::mem::take(&mut self.out)
    }

    fn insert_sweep(&mut self, id: &SweepId, plan: &Plan) {
        let (sweep, trials) = sweep::build(id, plan, self.sweeps_seen);
        self.sweeps_seen += 1;
        self.sweeps.insert(id.clone(), sweep);
        self.trials.extend(trials);
    }

    /// Puts the sweep's trials that are in one of `from` back to where their parents let them be.
    fn requeue_sweep(&mut self, sweep: &SweepId, from: &[TrialState]) {
        let trials = self.sweeps.get(sweep).map(|s| s.trials.clone()).unwrap_or_default();
        for id in trials {
            if !from.contains(&self.trials[&id].state) {
                continue;
            }
            let state = self.state_before_running(&id);
            if let Some(trial) = self.trials.get_mut(&id) {
                trial.attempts_used = 0;
            }
            self.set_state(&id, state, None);
        }
    }

    /// Waiting, ready or blocked, as the parent has it.
    fn state_before_running(&self, id: &TrialId) -> TrialState {
        let Some(parent) = &self.trials[id].parent else { return TrialState::Ready };
        match self.trials.get(parent) {
            // Not in the plan: it will never finish.
            None => TrialState::Blocked,
            Some(parent) => match parent.state {
                TrialState::Finished if parent.final_checkpoint.is_some() => TrialState::Ready,
                TrialState::Failed | TrialState::Blocked | TrialState::Cancelled => {
                    TrialState::Blocked
                }
                _ => TrialState::Waiting,
            },
        }
    }

    /// Moves a trial and everything that is derived from its state.
    fn set_state(&mut self, id: &TrialId, state: TrialState, retry_at: Option<Timestamp>) {
        let Some(trial) = self.trials.get_mut(id) else { return };
        let before = std::mem::replace(&mut trial.state, state);
        if let Some(at) = std::mem::replace(&mut trial.retry_at, retry_at) {
            self.backoffs.remove(&(at, id.clone()));
        }
        self.ready.remove(&trial.rank);
        match (state, retry_at) {
            (TrialState::Ready, Some(at)) => _ = self.backoffs.insert((at, id.clone())),
            (TrialState::Ready, None) => _ = self.ready.insert(trial.rank.clone(), id.clone()),
            _ => {}
        }
        let attempts_used = trial.attempts_used;
        let sweep = trial.sweep.clone();
        self.out.push(Command::TrialChanged { trial: id.clone(), state, attempts_used, retry_at });
        if let Some(sweep) = self.sweeps.get_mut(&sweep) {
            sweep.counts.moved(before, state);
        }
        self.update_children(id, state);
        self.end_sweep_if_settled(&sweep);
    }

    /// Lets children that wait for `id` follow it. Goes down the chain through their own changes.
    fn update_children(&mut self, id: &TrialId, state: TrialState) {
        if !state.is_settled() {
            return;
        }
        for child in self.trials[id].children.clone() {
            if self.trials[&child].state != TrialState::Waiting {
                continue;
            }
            let state = self.state_before_running(&child);
            if state != TrialState::Waiting {
                self.set_state(&child, state, None);
            }
        }
    }

    fn end_sweep_if_settled(&mut self, id: &SweepId) {
        let Some(sweep) = self.sweeps.get_mut(id) else { return };
        let is_settled = sweep.counts.state() != SweepState::Active;
        if is_settled && !sweep.is_ended {
            self.out.push(Command::SweepEnded { sweep: id.clone() });
        }
        sweep.is_ended = is_settled;
    }

    fn cancel_running(&mut self, id: &TrialId) {
        let Some(lease) = self.leases.get(id).cloned() else { return };
        let reason = "its sweep was cancelled";
        self.stop(&lease.worker, &lease.id(id), reason);
        self.close_attempt(id, AttemptEnd::Cancelled, reason.to_owned());
        self.set_state(id, TrialState::Cancelled, None);
    }

    fn log(&mut self, level: Level, trial: Option<&TrialId>, message: String) {
        self.out.push(Command::Log { level, trial: trial.cloned(), message });
    }
}
