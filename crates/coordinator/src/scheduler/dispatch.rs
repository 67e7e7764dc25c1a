//! Which ready trial goes to which free slot.

use std::cmp::Reverse;

use bitsweep_sweep::{Level, TrialId};

use super::Scheduler;
use super::lease::Lease;
use super::value::{AttemptId, Command, Timestamp, TrialState, WorkerId};

impl Scheduler {
    /// Hands out ready trials, those with the most work behind them first, while slots are free.
    pub(super) fn dispatch(&mut self, now: Timestamp) {
        if self.free.is_empty() || self.ready.is_empty() {
            return;
        }
        let in_focus = |id: &&TrialId| {
            self.focus.as_ref().is_none_or(|focus| self.trials[*id].sweep == *focus)
        };
        let queue: Vec<TrialId> = self.ready.values().filter(in_focus).cloned().collect();
        for trial in queue {
            let Some(worker) = self.choose_worker(&trial, now) else { return };
            self.assign(trial, worker, now);
        }
    }

    /// The worker that ran the parent, whose disk has the checkpoint; otherwise the one with the
    /// most free slots, and if there is a choice not the one where the last attempt failed.
    fn choose_worker(&self, id: &TrialId, now: Timestamp) -> Option<WorkerId> {
        let trial = &self.trials[id];
        let failed_on = match trial.last_end {
            Some(end) if end.counts_against_retries() => trial.last_worker.as_ref(),
            _ => None,
        };
        let parent = trial.parent.as_ref().and_then(|parent| self.trials.get(parent));
        let near = parent.and_then(|parent| parent.last_worker.as_ref());
        if let Some(near) = near
            && failed_on != Some(near)
            && self.has_room(near, now)
        {
            return Some(near.clone());
        }
        let mut fallback = None;
        for (_, worker) in &self.free {
            if !self.has_room(worker, now) {
                continue;
            }
            if failed_on != Some(worker) {
                return Some(worker.clone());
            }
            fallback = Some(worker);
        }
        fallback.cloned()
    }

    /// Whether a worker is heard from and has a free slot.
    fn has_room(&self, id: &WorkerId, now: Timestamp) -> bool {
        self.workers.get(id).is_some_and(|worker| {
            worker.listed.is_some_and(|free| self.free.contains(&(Reverse(free), id.clone())))
                && now - worker.last_heard <= self.timing.silent_after()
        })
    }

    fn assign(&mut self, id: TrialId, worker: WorkerId, now: Timestamp) {
        let parent = self.trials[&id].parent.as_ref();
        let parent = parent.and_then(|p| self.trials.get(p)?.final_checkpoint.clone());
        let worker_name = self.worker_name(&worker);
        let Some(trial) = self.trials.get_mut(&id) else { return };
        trial.last_attempt += 1;
        trial.last_end = None;
        trial.last_worker = Some(worker.clone());
        let resume = trial.newest.clone();
        let from_step = resume.as_ref().map_or(0, |checkpoint| checkpoint.step);
        let attempt = AttemptId::new(id.clone(), trial.last_attempt);
        let message = match from_step {
            0 => format!("{} starts on {worker_name}", trial.name),
            step => format!("{} continues from step {step} on {worker_name}", trial.name),
        };
        let expires = now + self.timing.lease_ms;
        let lease = Lease { attempt: attempt.attempt, worker: worker.clone(), expires };
        self.leases.insert(id.clone(), lease);
        if let Some(state) = self.workers.get_mut(&worker) {
            state.running.insert(attempt.clone());
        }
        self.update_free(&worker);
        self.out.push(Command::Assign { worker, attempt, parent, resume, from_step });
        self.set_state(&id, TrialState::Running, None);
        self.log(Level::Info, Some(&id), message);
    }
}
