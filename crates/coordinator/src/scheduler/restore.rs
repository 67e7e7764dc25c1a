//! From stored rows back to the state, after the coordinator was restarted.

use bitsweep_sweep::{AttemptEnd, Plan, SweepId, TrialId};

use super::Scheduler;
use super::lease::Lease;
use super::value::{AttemptId, Checkpoint, Command, Timestamp, Timing, TrialState, WorkerId};
use super::worker::Worker;

/// A stored sweep.
#[derive(Clone, Debug)]
pub struct RestoredSweep {
    /// The sweep.
    pub id: SweepId,
    /// Its plan.
    pub plan: Plan,
    /// What is stored of its trials; one without a row was never tried.
    pub trials: Vec<RestoredTrial>,
}

/// What is stored of a trial.
#[derive(Clone, Debug)]
pub struct RestoredTrial {
    /// The trial.
    pub trial: TrialId,
    /// The state that was last stored.
    pub state: TrialState,
    /// Attempts used up.
    pub attempts_used: u32,
    /// Number of the newest attempt; 0: never tried.
    pub last_attempt: u32,
    /// How the newest attempt ended; `None`: it has not.
    pub last_end: Option<AttemptEnd>,
    /// Who ran the newest attempt.
    pub last_worker: Option<WorkerId>,
    /// When it may be tried again.
    pub retry_at: Option<Timestamp>,
    /// Newest checkpoint.
    pub newest: Option<Checkpoint>,
    /// The checkpoint that children start from.
    pub final_checkpoint: Option<Checkpoint>,
}

/// An attempt that had not ended when the coordinator stopped.
#[derive(Clone, Debug)]
pub struct RestoredLease {
    /// The attempt.
    pub attempt: AttemptId,
    /// Who runs it.
    pub worker: WorkerId,
    /// The worker's name.
    pub worker_name: String,
}

impl Scheduler {
    /// The state that the rows tell of. Sweeps in the order in which they were submitted. Leases
    /// begin anew, so that workers have time to come back. The commands put right what the rows
    /// had not caught up with.
    pub fn restore(
        timing: Timing,
        sweeps: Vec<RestoredSweep>,
        leases: Vec<RestoredLease>,
        now: Timestamp,
    ) -> (Self, Vec<Command>) {
        let mut scheduler = Self::new(timing);
        for sweep in &sweeps {
            scheduler.insert_sweep(&sweep.id, &sweep.plan);
        }
        for row in sweeps.iter().flat_map(|sweep| &sweep.trials) {
            scheduler.restore_trial(row);
        }
        for lease in leases {
            scheduler.restore_lease(lease, now);
        }
        for sweep in &sweeps {
            scheduler.put_right(sweep);
        }
        let commands = scheduler.finish(now);
        (scheduler, commands)
    }

    fn restore_trial(&mut self, row: &RestoredTrial) {
        let Some(trial) = self.trials.get_mut(&row.trial) else { return };
        trial.attempts_used = row.attempts_used;
        trial.last_attempt = row.last_attempt;
        trial.last_end = row.last_end;
        trial.last_worker = row.last_worker.clone();
        trial.newest = row.newest.clone();
        trial.final_checkpoint = row.final_checkpoint.clone();
        if matches!(row.state, TrialState::Finished | TrialState::Failed | TrialState::Cancelled) {
            trial.state = row.state;
            if let Some(sweep) = self.sweeps.get_mut(&trial.sweep) {
                sweep.counts.moved(TrialState::Waiting, row.state);
            }
        }
    }

    fn restore_lease(&mut self, row: RestoredLease, now: Timestamp) {
        let RestoredLease { attempt, worker, worker_name } = row;
        let Some(trial) = self.trials.get_mut(&attempt.trial) else { return };
        if trial.state != TrialState::Waiting || trial.last_attempt > attempt.attempt {
            return;
        }
        trial.last_attempt = attempt.attempt;
        trial.last_end = None;
        trial.last_worker = Some(worker.clone());
        trial.state = TrialState::Running;
        if let Some(sweep) = self.sweeps.get_mut(&trial.sweep) {
            sweep.counts.moved(TrialState::Waiting, TrialState::Running);
        }
        // How many slots it has it says when it is back.
        let known = self.workers.entry(worker.clone());
        known.or_insert_with(|| Worker::new(worker_name, 0, now)).running.insert(attempt.clone());
        let expires = now + self.timing.lease_ms;
        self.leases.insert(attempt.trial, Lease { attempt: attempt.attempt, worker, expires });
    }

    /// Sets the states that follow from those of the parents; reports those that differ.
    fn put_right(&mut self, sweep: &RestoredSweep) {
        let trials = self.sweeps.get(&sweep.id).map(|s| s.trials.clone()).unwrap_or_default();
        for id in trials {
            let row = sweep.trials.iter().find(|row| row.trial == id);
            if self.trials[&id].state == TrialState::Waiting {
                let state = self.state_before_running(&id);
                let retry_at =
                    row.and_then(|row| row.retry_at).filter(|_| state == TrialState::Ready);
                self.set_state(&id, state, retry_at);
            }
            let (state, retry_at) = (self.trials[&id].state, self.trials[&id].retry_at);
            if row.is_some_and(|row| row.state == state && row.retry_at == retry_at) {
                let is_news = |command: &Command| !matches!(command, Command::TrialChanged { trial, .. } if *trial == id);
                self.out.retain(is_news);
            }
        }
        // What ended before the restart was announced then.
        self.out.retain(|c| !matches!(c, Command::SweepEnded { sweep: id } if *id == sweep.id));
        if let Some(state) = self.sweeps.get_mut(&sweep.id) {
            state.is_ended = state.counts.state() != super::SweepState::Active;
        }
    }
}
