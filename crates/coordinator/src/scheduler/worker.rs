//! Workers: how they come and go, and what they say they run.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use bitsweep_sweep::{AttemptEnd, Level};

use super::Scheduler;
use super::value::{
    AttemptId, Command, Hello, Liveness, Timestamp, Timing, Verdict, Welcome, WorkerId,
};

/// A worker that was gone for so long is forgotten.
const FORGET_AFTER_MS: i64 = 24 * 3_600_000;

#[derive(Debug)]
pub(super) struct Worker {
    pub(super) name: String,
    pub(super) slots: u32,
    /// Number of the connection; `None`: not connected.
    pub(super) connection: Option<u64>,
    pub(super) connected_at: Timestamp,
    pub(super) is_draining: bool,
    pub(super) last_heard: Timestamp,
    /// Attempts whose lease it holds.
    pub(super) running: BTreeSet<AttemptId>,
    /// Attempts it was told to stop; they take a slot until their processes are gone.
    pub(super) stopping: BTreeSet<AttemptId>,
    /// Free slots under which it is listed in [`Scheduler::free`].
    pub(super) listed: Option<u32>,
}

impl Worker {
    pub(super) fn new(name: String, slots: u32, now: Timestamp) -> Self {
        Self {
            name,
            slots,
            connection: None,
            connected_at: now,
            is_draining: false,
            last_heard: now,
            running: BTreeSet::new(),
            stopping: BTreeSet::new(),
            listed: None,
        }
    }

    pub(super) fn free_slots(&self) -> u32 {
        let taken = self.running.len() + self.stopping.len();
        self.slots.saturating_sub(u32::try_from(taken).unwrap_or(u32::MAX))
    }

    pub(super) fn liveness(&self, timing: &Timing, now: Timestamp) -> Liveness {
        let silent_ms = now - self.last_heard;
        if self.connection.is_none() && self.is_draining && self.running.is_empty() {
            Liveness::Left
        } else if silent_ms > timing.lease_ms {
            Liveness::Lost
        } else if self.connection.is_none() || silent_ms > timing.silent_after() {
            Liveness::Silent
        } else {
            Liveness::Connected
        }
    }
}

impl Scheduler {
    /// A worker opened its link. It keeps what is its own; what it was given and does not know of
    /// goes to somebody else at once, and uses up no attempt.
    pub fn worker_connected(&mut self, hello: Hello, now: Timestamp) -> (Welcome, Vec<Command>) {
        self.connections += 1;
        let connection = self.connections;
        let id = hello.worker;
        let known = self.workers.contains_key(&id);
        let worker = self
            .workers
            .entry(id.clone())
            .or_insert_with(|| Worker::new(hello.name.clone(), hello.slots, now));
        worker.name = hello.name;
        worker.slots = hello.slots;
        worker.connection = Some(connection);
        worker.connected_at = now;
        worker.last_heard = now;
        worker.stopping.clear();
        let unknown: Vec<AttemptId> =
            worker.running.iter().filter(|a| !hello.attempts.contains(a)).cloned().collect();
        let word = if known { "is connected again" } else { "is connected" };
        let message = format!("{} {word}, {} slots", worker.name, worker.slots);
        self.log(Level::Info, None, message);
        for attempt in unknown {
            let message = format!("attempt {} never reached the worker", attempt.attempt);
            self.end_attempt(&attempt.trial, AttemptEnd::Drained, message, now);
        }
        let mut verdicts = Vec::new();
        for attempt in hello.attempts {
            let keep = self.keeps(&id, &attempt, now);
            let is_over = keep || self.has_reported_end(&attempt);
            if !is_over && let Some(worker) = self.workers.get_mut(&id) {
                worker.stopping.insert(attempt.clone());
            }
            verdicts.push(Verdict { attempt, keep });
        }
        self.update_free(&id);
        (Welcome { connection, verdicts }, self.finish(now))
    }

    /// The link `connection` of a worker is gone. Nothing ends: only silence ends leases.
    pub fn worker_disconnected(
        &mut self,
        worker: &WorkerId,
        connection: u64,
        now: Timestamp,
    ) -> Vec<Command> {
        // The end of a link that a newer one has replaced says nothing.
        if let Some(state) = self.workers.get_mut(worker)
            && state.connection == Some(connection)
        {
            state.connection = None;
            let message = match (state.is_draining, state.running.len()) {
                (true, 0) => format!("{} left", state.name),
                (_, 0) => format!("{} is no longer connected", state.name),
                (_, 1) => {
                    format!("{} is no longer connected; it may go on with its trial", state.name)
                }
                (_, n) => format!(
                    "{} is no longer connected; it may go on with its {n} trials",
                    state.name
                ),
            };
            self.update_free(worker);
            self.log(Level::Info, None, message);
        }
        self.finish(now)
    }

    /// A worker says which attempts it holds. Only this renews leases; what is not its own it is
    /// told to stop.
    pub fn heartbeat(
        &mut self,
        worker: &WorkerId,
        running: &[AttemptId],
        now: Timestamp,
    ) -> Vec<Command> {
        if let Some(state) = self.workers.get_mut(worker) {
            state.last_heard = now;
            state.stopping.retain(|attempt| running.contains(attempt));
            self.update_free(worker);
            for attempt in running {
                if !self.keeps(worker, attempt, now) && !self.has_reported_end(attempt) {
                    self.stop(worker, attempt, "it is no longer this worker's");
                }
            }
        }
        self.finish(now)
    }

    /// A worker takes no more trials and leaves when its own have ended.
    pub fn worker_draining(&mut self, worker: &WorkerId, now: Timestamp) -> Vec<Command> {
        self.drain(worker);
        self.finish(now)
    }

    pub(super) fn drain(&mut self, worker: &WorkerId) {
        if let Some(state) = self.workers.get_mut(worker)
            && !std::mem::replace(&mut state.is_draining, true)
        {
            let message = format!("{} takes no more trials", state.name);
            self.update_free(worker);
            self.log(Level::Info, None, message);
        }
    }

    /// Renews the attempt's lease or, if it ran out and nobody else was given the trial, gives it
    /// back; `false` when the attempt is not the worker's.
    fn keeps(&mut self, worker: &WorkerId, attempt: &AttemptId, now: Timestamp) -> bool {
        if self.holds_lease(attempt) {
            let is_own = self.leases.get(&attempt.trial).is_some_and(|l| l.worker == *worker);
            if is_own {
                self.leases.renew(&attempt.trial, now + self.timing.lease_ms);
            }
            return is_own;
        }
        let Some(trial) = self.trials.get_mut(&attempt.trial) else { return false };
        if !trial.is_revivable(attempt.attempt, worker) {
            return false;
        }
        if self.workers.get(worker).is_none_or(|w| w.free_slots() == 0) {
            // It will be told to stop, and is not to be taken up again meanwhile.
            trial.last_end = Some(AttemptEnd::Cancelled);
            return false;
        }
        self.revive(attempt, now);
        true
    }

    /// Whether the worker itself has told how the attempt ended: it names it until it has heard
    /// that its last report is stored.
    fn has_reported_end(&self, attempt: &AttemptId) -> bool {
        self.trials.get(&attempt.trial).is_some_and(|trial| {
            let told = [None, Some(AttemptEnd::Lost), Some(AttemptEnd::Cancelled)];
            trial.last_attempt == attempt.attempt && !told.contains(&trial.last_end)
        })
    }

    /// Tells a worker to stop an attempt that is not, or no longer, its own.
    pub(super) fn stop(&mut self, worker: &WorkerId, attempt: &AttemptId, reason: &str) {
        if let Some(state) = self.workers.get_mut(worker)
            && state.connection.is_some()
        {
            state.stopping.insert(attempt.clone());
            self.update_free(worker);
            let (worker, attempt) = (worker.clone(), attempt.clone());
            self.out.push(Command::CancelAttempt { worker, attempt, reason: reason.to_owned() });
        }
    }

    /// The process of an attempt that was to be stopped is gone.
    pub(super) fn stopped(&mut self, attempt: &AttemptId) {
        let Some(trial) = self.trials.get(&attempt.trial) else { return };
        let mut workers: Vec<WorkerId> = trial.last_worker.iter().cloned().collect();
        if trial.last_attempt != attempt.attempt {
            workers = self.workers.keys().cloned().collect();
        }
        for id in workers {
            if self.workers.get_mut(&id).is_some_and(|w| w.stopping.remove(attempt)) {
                self.update_free(&id);
            }
        }
    }

    /// Lists the worker by its free slots, or not at all.
    pub(super) fn update_free(&mut self, id: &WorkerId) {
        let Some(worker) = self.workers.get_mut(id) else { return };
        let free = worker.free_slots();
        let is_eligible = worker.connection.is_some() && !worker.is_draining && free > 0;
        let listed = is_eligible.then_some(free);
        if let Some(before) = std::mem::replace(&mut worker.listed, listed) {
            self.free.remove(&(Reverse(before), id.clone()));
        }
        if let Some(free) = listed {
            self.free.insert((Reverse(free), id.clone()));
        }
    }

    /// Workers that are gone for a day and hold nothing.
    pub(super) fn forget_workers(&mut self, now: Timestamp) {
        self.workers.retain(|_, worker| {
            worker.connection.is_some()
                || !worker.running.is_empty()
                || now - worker.last_heard < FORGET_AFTER_MS
        });
    }
}
