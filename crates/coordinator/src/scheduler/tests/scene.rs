//! A scheduler, a clock, and short words for what happens to them.

use bitsweep_sweep::{
    AttemptEnd, Bits, DataSpec, ModelSpec, Network, Plan, PlannedTrial, RetrySettings, Role, Stem,
    SweepId, TrainSettings, TrialId, TrialName, TrialSpec,
};

use crate::scheduler::{
    AttemptId, Checkpoint, Command, Hello, Liveness, Scheduler, Timing, TrialState, Verdict,
    WorkerId,
};

pub(super) const TIMING: Timing = Timing { heartbeat_ms: 5_000, lease_ms: 30_000 };

/// Name, parent ("" for none) and cost.
pub(super) type Row<'a> = (&'a str, &'a str, f64);

pub(super) fn plan(rows: &[Row<'_>], attempts: u32) -> Plan {
    let trials = rows
        .iter()
        .map(|(name, parent, cost)| PlannedTrial { spec: spec(name, parent), cost: *cost })
        .collect();
    let retry = RetrySettings { attempts, backoff_seconds: 10.0 };
    Plan { name: "sweep".to_owned(), trials, retry }
}

fn spec(name: &str, parent: &str) -> TrialSpec {
    TrialSpec {
        name: TrialName::new(name),
        bits: Bits::both(4),
        seed: 0,
        role: Role::Quantized,
        parent: (!parent.is_empty()).then(|| TrialName::new(parent)),
        reference: None,
        model: ModelSpec {
            network: Network::ResNet18,
            width: 1.0,
            stem: Stem::Small,
            in_channels: 1,
            classes: 10,
        },
        initial_weights: None,
        data: DataSpec {
            name: "fashion-mnist-mini".to_owned(),
            resolution: 28,
            ..DataSpec::default()
        },
        training_data: None,
        train: TrainSettings::default(),
    }
}

pub(super) fn id(trial: &str) -> TrialId {
    TrialId::of(&SweepId::new("s"), &TrialName::new(trial))
}

pub(super) fn attempt(trial: &str, number: u32) -> AttemptId {
    AttemptId::new(id(trial), number)
}

/// All trials are of the sweep "s".
pub(super) struct Scene {
    pub(super) scheduler: Scheduler,
    pub(super) now: i64,
    /// Commands of the last event.
    pub(super) commands: Vec<Command>,
}

impl Scene {
    pub(super) fn new(rows: &[Row<'_>], attempts: u32) -> Self {
        let mut scene = Self { scheduler: Scheduler::new(TIMING), now: 0, commands: Vec::new() };
        scene.commands = scene.scheduler.submit(&SweepId::new("s"), &plan(rows, attempts), 0);
        scene
    }

    /// Connects a worker that runs nothing.
    pub(super) fn worker(&mut self, worker: &str, slots: u32) -> u64 {
        self.hello(worker, slots, &[]).0
    }

    pub(super) fn hello(
        &mut self,
        worker: &str,
        slots: u32,
        attempts: &[AttemptId],
    ) -> (u64, Vec<bool>) {
        let hello = Hello {
            worker: WorkerId::new(worker),
            name: worker.to_owned(),
            slots,
            attempts: attempts.to_vec(),
        };
        let (welcome, commands) = self.scheduler.worker_connected(hello, self.now);
        self.commands = commands;
        let keep = |verdict: &Verdict| verdict.keep;
        (welcome.connection, welcome.verdicts.iter().map(keep).collect())
    }

    pub(super) fn disconnect(&mut self, worker: &str, connection: u64) {
        let worker = WorkerId::new(worker);
        self.commands = self.scheduler.worker_disconnected(&worker, connection, self.now);
    }

    pub(super) fn heartbeat(&mut self, worker: &str, running: &[AttemptId]) {
        self.commands = self.scheduler.heartbeat(&WorkerId::new(worker), running, self.now);
    }

    pub(super) fn drain(&mut self, worker: &str) {
        self.commands = self.scheduler.worker_draining(&WorkerId::new(worker), self.now);
    }

    pub(super) fn wait(&mut self, ms: i64) {
        self.now += ms;
        self.commands = self.scheduler.tick(self.now);
    }

    pub(super) fn checkpoint(&mut self, attempt: &AttemptId, step: u64, is_final: bool) {
        let checkpoint = Checkpoint { hash: format!("{step}"), bytes: 1, step };
        self.commands = self.scheduler.checkpoint(attempt, checkpoint, is_final, self.now);
    }

    pub(super) fn end(&mut self, attempt: &AttemptId, end: AttemptEnd) {
        self.commands = self.scheduler.ended(attempt, end, "", self.now);
    }

    pub(super) fn finish(&mut self, attempt: &AttemptId) {
        self.checkpoint(attempt, 1_000, true);
        self.end(attempt, AttemptEnd::Finished);
    }

    pub(super) fn cancel(&mut self) {
        self.commands = self.scheduler.cancel(&SweepId::new("s"), self.now);
    }

    pub(super) fn resume(&mut self) {
        self.commands = self.scheduler.resume(&SweepId::new("s"), self.now);
    }

    pub(super) fn state(&self, trial: &str) -> TrialState {
        self.scheduler.trial(&id(trial)).expect("a trial of the scene").state
    }

    pub(super) fn liveness(&self, worker: &str) -> Liveness {
        let worker = self.scheduler.worker(&WorkerId::new(worker), self.now);
        worker.expect("a worker of the scene").liveness
    }

    /// What the last event handed out, as "trial#attempt@worker".
    pub(super) fn assigned(&self) -> Vec<String> {
        let assigned = |command: &Command| match command {
            Command::Assign { worker, attempt, .. } => {
                let (_, name) = attempt.trial.split()?;
                Some(format!("{name}#{}@{worker}", attempt.attempt))
            }
            _ => None,
        };
        self.commands.iter().filter_map(assigned).collect()
    }

    /// The lines that the last event told people.
    pub(super) fn lines(&self) -> Vec<String> {
        let line = |command: &Command| match command {
            Command::Log { message, .. } => Some(message.clone()),
            _ => None,
        };
        self.commands.iter().filter_map(line).collect()
    }

    pub(super) fn has(&self, what: impl Fn(&Command) -> bool) -> bool {
        self.commands.iter().any(what)
    }

    pub(super) fn sweep_ended(&self) -> bool {
        self.has(|c| matches!(c, Command::SweepEnded { .. }))
    }
}
