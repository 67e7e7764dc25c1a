//! What attempts report, and what follows from their ends.

use bitsweep_sweep::{AttemptEnd, Level, TrialId};

use super::Scheduler;
use super::lease::Lease;
use super::sweep::{backoff_ms, describe};
use super::value::{AttemptId, Checkpoint, Command, Timestamp, TrialState, WorkerId};

impl Scheduler {
    /// Whether reports under `attempt` count: it holds its trial's lease, or the lease ran out and
    /// nobody else was given the trial since. Reports under any other attempt are refused.
    pub fn accepts(&self, attempt: &AttemptId) -> bool {
        self.holds_lease(attempt)
            || self.trials.get(&attempt.trial).is_some_and(|t| t.is_lost(attempt.attempt))
    }

    /// Whether a checkpoint of `attempt` counts: as [`accepts`](Self::accepts), and also the final
    /// one that arrives after the attempt finished its trial.
    pub fn accepts_checkpoint(&self, attempt: &AttemptId) -> bool {
        self.accepts(attempt)
            || self.trials.get(&attempt.trial).is_some_and(|trial| {
                trial.state == TrialState::Finished && trial.last_attempt == attempt.attempt
            })
    }

    /// A checkpoint is stored. Ignored unless [`accepts_checkpoint`](Self::accepts_checkpoint).
    pub fn checkpoint(
        &mut self,
        attempt: &AttemptId,
        checkpoint: Checkpoint,
        is_final: bool,
        now: Timestamp,
    ) -> Vec<Command> {
        if self.accepts_checkpoint(attempt)
            && let Some(trial) = self.trials.get_mut(&attempt.trial)
        {
            let is_running = trial.state != TrialState::Finished;
            if is_running && trial.newest.as_ref().is_none_or(|c| c.step <= checkpoint.step) {
                trial.newest = Some(checkpoint.clone());
            }
            if is_final && (is_running || trial.final_checkpoint.is_none()) {
                trial.final_checkpoint = Some(checkpoint);
            }
            let state = trial.state;
            self.update_children(&attempt.trial, state);
        }
        self.finish(now)
    }

    /// An attempt's process is gone and its last report is here. Under a fence it changes nothing
    /// but that the worker's slot is free.
    pub fn ended(
        &mut self,
        attempt: &AttemptId,
        end: AttemptEnd,
        message: &str,
        now: Timestamp,
    ) -> Vec<Command> {
        self.stopped(attempt);
        if self.accepts(attempt) {
            if !self.holds_lease(attempt) {
                self.revive(attempt, now);
            }
            if end == AttemptEnd::Drained
                && let Some(worker) = self.leases.get(&attempt.trial).map(|l| l.worker.clone())
            {
                // Otherwise it would be given the same trial again.
                self.drain(&worker);
            }
            if end == AttemptEnd::Finished && self.leaves_children_waiting(&attempt.trial) {
                let message = "finished without the final checkpoint that other trials start from";
                self.end_attempt(&attempt.trial, AttemptEnd::Crashed, message.to_owned(), now);
            } else {
                self.end_attempt(&attempt.trial, end, message.to_owned(), now);
            }
        }
        self.finish(now)
    }

    /// Whether trials would wait for ever if this one ended as it is: the end of an attempt is its last
    /// report, so a final checkpoint that is not here does not come any more.
    fn leaves_children_waiting(&self, id: &TrialId) -> bool {
        self.trials.get(id).is_some_and(|t| t.final_checkpoint.is_none() && !t.children.is_empty())
    }

    pub(super) fn holds_lease(&self, attempt: &AttemptId) -> bool {
        self.leases.get(&attempt.trial).is_some_and(|lease| lease.attempt == attempt.attempt)
    }

    /// Takes back that an attempt was lost.
    pub(super) fn revive(&mut self, attempt: &AttemptId, now: Timestamp) {
        let Some(trial) = self.trials.get_mut(&attempt.trial) else { return };
        let Some(worker) = trial.last_worker.clone() else { return };
        trial.attempts_used = trial.attempts_used.saturating_sub(1);
        trial.last_end = None;
        let name = trial.name.clone();
        let expires = now + self.timing.lease_ms;
        let lease = Lease { attempt: attempt.attempt, worker: worker.clone(), expires };
        self.leases.insert(attempt.trial.clone(), lease);
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.running.insert(attempt.clone());
        }
        self.update_free(&worker);
        self.out.push(Command::AttemptRevived { attempt: attempt.clone(), worker: worker.clone() });
        self.set_state(&attempt.trial, TrialState::Running, None);
        let message = format!("{} is back with {name}, which goes on", self.worker_name(&worker));
        self.log(Level::Info, Some(&attempt.trial), message);
    }

    /// Ends the attempt that holds the trial's lease, and decides what becomes of the trial.
    pub(super) fn end_attempt(
        &mut self,
        id: &TrialId,
        end: AttemptEnd,
        message: String,
        now: Timestamp,
    ) {
        let Some(attempt) = self.close_attempt(id, end, message.clone()) else { return };
        let Some(trial) = self.trials.get_mut(id) else { return };
        if end.counts_against_retries() {
            trial.attempts_used += 1;
        }
        let used = trial.attempts_used;
        let what = describe(&attempt, &trial.name);
        let again = trial.continuation("again ");
        let retry = self.sweeps[&trial.sweep].retry;
        let because = if message.is_empty() { String::new() } else { format!(": {message}") };
        match end {
            AttemptEnd::Finished => self.set_state(id, TrialState::Finished, None),
            AttemptEnd::Cancelled => self.set_state(id, TrialState::Cancelled, None),
            _ if !end.is_retryable() => {
                self.log(
                    Level::Error,
                    Some(id),
                    format!("{what} failed, {}{because}", end.as_str()),
                );
                self.set_state(id, TrialState::Failed, None);
            }
            _ if end.counts_against_retries() && used >= retry.attempts => {
                let message = format!(
                    "{what} failed, {}{because}; all {} attempts are used up",
                    end.as_str(),
                    retry.attempts
                );
                self.log(Level::Error, Some(id), message);
                self.set_state(id, TrialState::Failed, None);
            }
            // The lease that ran out was wait enough, and who was asked to leave is not to blame.
            AttemptEnd::Lost | AttemptEnd::Drained | AttemptEnd::Preempted => {
                self.set_state(id, TrialState::Ready, None);
            }
            _ => {
                let wait = backoff_ms(&retry, used);
                let message = format!(
                    "{what} ended, {}{because}; {again} in {} s",
                    end.as_str(),
                    (wait + 999) / 1000
                );
                self.log(Level::Warn, Some(id), message);
                self.set_state(id, TrialState::Ready, (wait > 0).then_some(now + wait));
            }
        }
    }

    /// Takes the trial's lease away and records the end of its attempt.
    pub(super) fn close_attempt(
        &mut self,
        id: &TrialId,
        end: AttemptEnd,
        message: String,
    ) -> Option<AttemptId> {
        let lease = self.leases.remove(id)?;
        let attempt = lease.id(id);
        if let Some(worker) = self.workers.get_mut(&lease.worker) {
            worker.running.remove(&attempt);
        }
        self.update_free(&lease.worker);
        if let Some(trial) = self.trials.get_mut(id) {
            trial.last_end = Some(end);
        }
        self.out.push(Command::AttemptEnded { attempt: attempt.clone(), end, message });
        Some(attempt)
    }

    pub(super) fn expire_leases(&mut self, now: Timestamp) {
        while let Some(id) = self.leases.next_expired(now) {
            let Some(lease) = self.leases.get(&id).cloned() else { return };
            self.expire(&id, &lease, now);
        }
    }

    fn expire(&mut self, id: &TrialId, lease: &Lease, now: Timestamp) {
        let name = self.worker_name(&lease.worker);
        let worker = self.workers.get(&lease.worker);
        let silent_ms = worker.map_or(0, |worker| now - worker.last_heard);
        let message = if silent_ms >= self.timing.lease_ms {
            format!("{name} has not been heard from for {} s", silent_ms / 1000)
        } else {
            format!("{name} no longer says that it runs attempt {}", lease.attempt)
        };
        self.end_attempt(id, AttemptEnd::Lost, message.clone(), now);
        let trial = &self.trials[id];
        if trial.state == TrialState::Ready {
            let message = format!("{message}; {} {}", trial.name, trial.continuation("elsewhere "));
            self.log(Level::Warn, Some(id), message);
        }
    }

    pub(super) fn end_backoffs(&mut self, now: Timestamp) {
        while let Some((at, id)) = self.backoffs.first().cloned() {
            if at > now {
                return;
            }
            self.set_state(&id, TrialState::Ready, None);
        }
    }

    pub(super) fn worker_name(&self, worker: &WorkerId) -> String {
        self.workers.get(worker).map_or_else(|| worker.to_string(), |worker| worker.name.clone())
    }
}
