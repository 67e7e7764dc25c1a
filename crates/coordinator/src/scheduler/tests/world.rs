//! Workers on links that break, and what must hold whatever happens.

use std::collections::{BTreeMap, BTreeSet};

use bitsweep_sweep::{AttemptEnd, SweepId, TrialId};

use super::scene::{Row, TIMING, id, plan};
use crate::scheduler::{
    AttemptId, Checkpoint, Command, Hello, RestoredLease, RestoredSweep, RestoredTrial, Scheduler,
    TrialState, WorkerId,
};

const ROWS: &[Row<'_>] = &[
    ("a", "", 4.0),
    ("b", "a", 2.0),
    ("c", "b", 1.0),
    ("d", "a", 3.0),
    ("x", "", 1.0),
    ("y", "x", 5.0),
];
const ATTEMPTS: u32 = 3;

/// A worker process as it sees itself.
#[derive(Debug, Default)]
struct Process {
    id: String,
    slots: u32,
    /// The connection as the coordinator numbers it.
    connection: Option<u64>,
    /// Whether messages get through; the coordinator may not have noticed yet that they do not.
    is_linked: bool,
    /// Whether this coordinator process was told that it drains.
    is_draining: bool,
    held: BTreeSet<AttemptId>,
}

pub(super) struct World {
    pub(super) scheduler: Scheduler,
    now: i64,
    processes: Vec<Process>,
    started: u32,
    /// The model: leases, states and numbers as the commands tell of them.
    live: BTreeMap<TrialId, (u32, WorkerId)>,
    states: BTreeMap<TrialId, TrialState>,
    last_attempt: BTreeMap<TrialId, u32>,
}

impl World {
    pub(super) fn new() -> Self {
        let mut world = Self {
            scheduler: Scheduler::new(TIMING),
            now: 0,
            processes: Vec::new(),
            started: 0,
            live: BTreeMap::new(),
            states: ROWS.iter().map(|row| (id(row.0), TrialState::Waiting)).collect(),
            last_attempt: BTreeMap::new(),
        };
        for slots in 1..=3 {
            let process = world.process(slots);
            world.processes.push(process);
        }
        let commands = world.scheduler.submit(&SweepId::new("s"), &plan(ROWS, ATTEMPTS), 0);
        world.obey(commands);
        world
    }

    fn process(&mut self, slots: u32) -> Process {
        self.started += 1;
        Process { id: format!("w{}", self.started), slots, ..Process::default() }
    }

    /// Another process in the place of worker `index`; its trials die with the old one.
    pub(super) fn replace(&mut self, index: usize) {
        self.notice_cut(index);
        self.processes[index] = self.process(self.processes[index].slots);
    }

    pub(super) fn connect(&mut self, index: usize) {
        let process = &mut self.processes[index];
        let attempts: Vec<AttemptId> = process.held.iter().cloned().collect();
        let hello = Hello {
            worker: WorkerId::new(&process.id),
            name: process.id.clone(),
            slots: process.slots,
            attempts,
        };
        process.is_linked = true;
        let (welcome, commands) = self.scheduler.worker_connected(hello, self.now);
        process.connection = Some(welcome.connection);
        for verdict in welcome.verdicts.iter().filter(|verdict| !verdict.keep) {
            process.held.remove(&verdict.attempt);
        }
        self.obey(commands);
    }

    /// Messages no longer get through, and nobody has noticed.
    pub(super) fn cut(&mut self, index: usize) {
        self.processes[index].is_linked = false;
    }

    pub(super) fn notice_cut(&mut self, index: usize) {
        let process = &mut self.processes[index];
        process.is_linked = false;
        if let Some(connection) = process.connection.take() {
            let worker = WorkerId::new(&process.id);
            let commands = self.scheduler.worker_disconnected(&worker, connection, self.now);
            self.obey(commands);
        }
    }

    pub(super) fn heartbeat(&mut self, index: usize) {
        let process = &self.processes[index];
        if process.is_linked {
            let held: Vec<AttemptId> = process.held.iter().cloned().collect();
            let worker = WorkerId::new(&process.id);
            let commands = self.scheduler.heartbeat(&worker, &held, self.now);
            self.obey(commands);
        }
    }

    pub(super) fn drain(&mut self, index: usize) {
        let process = &mut self.processes[index];
        if process.is_linked {
            process.is_draining = true;
            let commands = self.scheduler.worker_draining(&WorkerId::new(&process.id), self.now);
            self.obey(commands);
        }
    }

    fn held(&self, index: usize, nth: usize) -> Option<AttemptId> {
        let process = &self.processes[index];
        let count = process.held.len().max(1);
        process.held.iter().nth(nth % count).filter(|_| process.is_linked).cloned()
    }

    pub(super) fn checkpoint(&mut self, index: usize, nth: usize, step: u64) {
        if let Some(attempt) = self.held(index, nth) {
            self.store(&attempt, step, false);
        }
    }

    fn store(&mut self, attempt: &AttemptId, step: u64, is_final: bool) {
        let checkpoint = Checkpoint { hash: String::new(), bytes: 1, step };
        let commands = self.scheduler.checkpoint(attempt, checkpoint, is_final, self.now);
        self.obey(commands);
    }

    pub(super) fn end(&mut self, index: usize, nth: usize, end: AttemptEnd) {
        if let Some(attempt) = self.held(index, nth) {
            self.processes[index].held.remove(&attempt);
            // A refused report tells nothing of its worker either; the message Draining does.
            if end == AttemptEnd::Drained && self.scheduler.accepts(&attempt) {
                self.processes[index].is_draining = true;
            }
            self.report_end(&attempt, end);
        }
    }

    /// The end of any attempt, also of one that never was.
    pub(super) fn report_end(&mut self, attempt: &AttemptId, end: AttemptEnd) {
        if end == AttemptEnd::Finished {
            self.store(attempt, 1_000, true);
        }
        let is_accepted = self.scheduler.accepts(attempt);
        let before = self.states[&attempt.trial];
        let commands = self.scheduler.ended(attempt, end, "", self.now);
        self.obey(commands);
        if is_accepted && end == AttemptEnd::Finished {
            assert_eq!(self.states[&attempt.trial], TrialState::Finished);
        } else if before == TrialState::Finished {
            assert!(!is_accepted);
        }
    }

    pub(super) fn stray_end(&mut self, trial: usize, number: u32, end: AttemptEnd) {
        let attempt = AttemptId::new(id(ROWS[trial % ROWS.len()].0), number);
        // Only a worker that has the attempt can report its end under the valid fence.
        if !self.scheduler.accepts(&attempt) {
            self.report_end(&attempt, end);
        }
    }

    pub(super) fn wait(&mut self, ms: i64) {
        self.now += ms;
        let commands = self.scheduler.tick(self.now);
        self.obey(commands);
        assert!(self.scheduler.next_deadline().is_none_or(|at| at > self.now));
    }

    pub(super) fn cancel(&mut self) {
        let commands = self.scheduler.cancel(&SweepId::new("s"), self.now);
        self.obey(commands);
    }

    pub(super) fn resume(&mut self) {
        let commands = self.scheduler.resume(&SweepId::new("s"), self.now);
        self.obey(commands);
    }

    /// The coordinator stops and starts again from what is stored.
    pub(super) fn restart(&mut self) {
        let row = |(trial, t): (&TrialId, &crate::scheduler::Trial)| RestoredTrial {
            trial: trial.clone(),
            state: t.state,
            attempts_used: t.attempts_used,
            last_attempt: t.last_attempt,
            last_end: t.last_end,
            last_worker: t.last_worker.clone(),
            retry_at: t.retry_at,
            newest: t.newest.clone(),
            final_checkpoint: t.final_checkpoint.clone(),
        };
        let trials = self.scheduler.trials.iter().map(row).collect();
        let sweep = RestoredSweep { id: SweepId::new("s"), plan: plan(ROWS, ATTEMPTS), trials };
        let lease = |(trial, (number, worker)): (&TrialId, &(u32, WorkerId))| RestoredLease {
            attempt: AttemptId::new(trial.clone(), *number),
            worker: worker.clone(),
            worker_name: worker.to_string(),
        };
        let leases = self.live.iter().map(lease).collect();
        for process in &mut self.processes {
            process.is_linked = false;
            process.connection = None;
            process.is_draining = false;
        }
        let (scheduler, commands) = Scheduler::restore(TIMING, vec![sweep], leases, self.now);
        assert!(commands.is_empty(), "a restart decides nothing: {commands:?}");
        self.scheduler = scheduler;
        self.check();
    }

    /// Everybody stays and works; `true` when every trial finished.
    pub(super) fn calm(&mut self) -> bool {
        for index in 0..self.processes.len() {
            self.replace(index);
        }
        // The leases of the processes that are gone may use up attempts; then it is calm.
        self.wait(TIMING.lease_ms);
        self.resume();
        for index in 0..self.processes.len() {
            self.connect(index);
        }
        for _ in 0..200 {
            self.wait(TIMING.heartbeat_ms);
            for index in 0..self.processes.len() {
                self.heartbeat(index);
                self.end(index, 0, AttemptEnd::Finished);
            }
        }
        self.states.values().all(|state| *state == TrialState::Finished)
    }

    fn process_of(&mut self, worker: &WorkerId) -> Option<&mut Process> {
        self.processes.iter_mut().find(|p| p.id == worker.as_str() && p.is_linked)
    }

    /// Follows the commands in the model, delivers them where links are up, checks each.
    fn obey(&mut self, commands: Vec<Command>) {
        for command in commands {
            match command {
                Command::Assign { worker, attempt, resume, from_step, .. } => {
                    self.begin(&worker, &attempt);
                    assert_eq!(from_step, resume.map_or(0, |checkpoint| checkpoint.step));
                }
                Command::CancelAttempt { worker, attempt, .. } => {
                    if let Some(process) = self.process_of(&worker) {
                        process.held.remove(&attempt);
                    }
                }
                Command::AttemptEnded { attempt, .. } => {
                    let live = self.live.remove(&attempt.trial);
                    assert_eq!(live.map(|l| l.0), Some(attempt.attempt), "only leases end");
                }
                Command::AttemptRevived { attempt, worker } => {
                    assert_eq!(self.last_attempt[&attempt.trial], attempt.attempt);
                    let before = self.live.insert(attempt.trial, (attempt.attempt, worker));
                    assert_eq!(before, None, "one lease for a trial");
                }
                Command::TrialChanged { trial, state, attempts_used, .. } => {
                    let before = self.states.insert(trial, state);
                    assert_ne!(before, Some(TrialState::Finished), "finished is final");
                    assert!(attempts_used <= ATTEMPTS);
                }
                Command::SweepEnded { .. } => {
                    assert!(self.states.values().all(|state| state.is_settled()));
                }
                Command::Log { .. } => {}
            }
        }
        self.check();
    }

    fn begin(&mut self, worker: &WorkerId, attempt: &AttemptId) {
        let before = self.live.insert(attempt.trial.clone(), (attempt.attempt, worker.clone()));
        assert_eq!(before, None, "one lease for a trial");
        let last = self.last_attempt.insert(attempt.trial.clone(), attempt.attempt);
        assert!(last.unwrap_or(0) < attempt.attempt, "attempt numbers grow");
        let row = ROWS.iter().find(|row| id(row.0) == attempt.trial).expect("a planned trial");
        assert!(row.1.is_empty() || self.states[&id(row.1)] == TrialState::Finished);
        if let Some(process) = self.process_of(worker) {
            assert!(!process.is_draining, "draining workers get nothing");
            process.held.insert(attempt.clone());
        }
    }

    /// What holds between any two events.
    fn check(&self) {
        for (trial, state) in &self.states {
            assert_eq!(self.scheduler.trials[trial].state, *state, "{trial}");
            assert_eq!(self.live.contains_key(trial), *state == TrialState::Running, "{trial}");
        }
        for process in &self.processes {
            let leases = self.live.values().filter(|l| l.1.as_str() == process.id).count();
            assert!(leases <= process.slots as usize, "slots of {}", process.id);
        }
    }
}
