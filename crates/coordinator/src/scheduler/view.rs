//! What services read of the state.

use bitsweep_sweep::{SweepId, TrialId};

use super::Scheduler;
use super::sweep::SweepCounts;
use super::value::{AttemptId, Checkpoint, Liveness, Timestamp, TrialState, WorkerId};

/// A trial as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialView {
    /// Its state.
    pub state: TrialState,
    /// Attempts used up since it was submitted or resumed.
    pub attempts_used: u32,
    /// Number of the newest attempt; 0: never tried.
    pub last_attempt: u32,
    /// Who ran the newest attempt.
    pub last_worker: Option<WorkerId>,
    /// When it may be tried again; `None` unless backing off.
    pub retry_at: Option<Timestamp>,
    /// Newest checkpoint.
    pub newest: Option<Checkpoint>,
    /// The checkpoint that children start from.
    pub final_checkpoint: Option<Checkpoint>,
}

/// A worker as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerView {
    /// The process.
    pub id: WorkerId,
    /// For people.
    pub name: String,
    /// How it can be reached.
    pub liveness: Liveness,
    /// Trials side by side; 0 after a restart until it connects.
    pub slots: u32,
    /// Attempts whose lease it holds.
    pub running: Vec<AttemptId>,
    /// When it last connected or sent a heartbeat.
    pub last_heard: Timestamp,
    /// When its newest connection began.
    pub connected_at: Timestamp,
    /// Whether it takes no more trials.
    pub is_draining: bool,
}

impl Scheduler {
    /// The trial, if there is one of that id.
    pub fn trial(&self, id: &TrialId) -> Option<TrialView> {
        self.trials.get(id).map(|trial| TrialView {
            state: trial.state,
            attempts_used: trial.attempts_used,
            last_attempt: trial.last_attempt,
            last_worker: trial.last_worker.clone(),
            retry_at: trial.retry_at,
            newest: trial.newest.clone(),
            final_checkpoint: trial.final_checkpoint.clone(),
        })
    }

    /// How many trials of the sweep are in which state.
    pub fn sweep_counts(&self, sweep: &SweepId) -> Option<SweepCounts> {
        self.sweeps.get(sweep).map(|sweep| sweep.counts)
    }

    /// Every worker that was heard from within a day, by id.
    pub fn workers(&self, now: Timestamp) -> Vec<WorkerView> {
        self.workers.keys().filter_map(|id| self.worker(id, now)).collect()
    }

    /// The worker, if it is known.
    pub fn worker(&self, id: &WorkerId, now: Timestamp) -> Option<WorkerView> {
        self.workers.get(id).map(|worker| WorkerView {
            id: id.clone(),
            name: worker.name.clone(),
            liveness: worker.liveness(&self.timing, now),
            slots: worker.slots,
            running: worker.running.iter().cloned().collect(),
            last_heard: worker.last_heard,
            connected_at: worker.connected_at,
            is_draining: worker.is_draining,
        })
    }

    /// The worker that holds the attempt's lease, for the checks of whoever reports under it.
    pub fn holder(&self, attempt: &AttemptId) -> Option<&WorkerId> {
        let lease = self.leases.get(&attempt.trial)?;
        (lease.attempt == attempt.attempt).then_some(&lease.worker)
    }
}
