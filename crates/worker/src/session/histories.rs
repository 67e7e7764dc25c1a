//! Random histories of one attempt against a model of the coordinator: whatever is lost in between,
//! everything said becomes durable once and in order, and all of the budget comes back.

use std::collections::VecDeque;
use std::time::Duration;

use bitsweep_proto::v1;
use bitsweep_sweep::{CheckpointSaved, Level, LogLine, TrialEvent, TrialId};
use rand_pcg::Pcg32;
use rand_pcg::rand_core::{RngCore, SeedableRng};
use v1::coordinator_message::Message as Down;
use v1::report::Content;
use v1::trial_event;
use v1::worker_message::Message as Up;

use super::*;
use crate::trial::{FinalWord, ProcessEnd, Status};

const COST: u32 = 3;

struct History {
    random: Pcg32,
    session: Session,
    now: Moment,
    key: AttemptKey,
    /// What the trial has said.
    said: u64,
    released: u64,
    uploads: Vec<u64>,
    connected: bool,
    /// On their way to the coordinator and back; lost with the stream.
    up: VecDeque<v1::Report>,
    down: VecDeque<u64>,
    durable: Vec<v1::Report>,
    cleaned_up: bool,
}

impl History {
    fn new(seed: u64) -> Self {
        let identity = Identity {
            worker_id: "w".into(),
            name: "w".into(),
            slots: 1,
            threads: 1,
            devices: Vec::new(),
        };
        let limits = Limits { grace: Duration::from_secs(30), patience: Duration::from_secs(1) };
        let mut history = Self {
            random: Pcg32::seed_from_u64(seed),
            session: Session::new(identity, limits, seed),
            now: Moment { elapsed: Duration::ZERO, unix_ms: 0 },
            key: AttemptKey { trial: TrialId::new("s/t"), attempt: 1 },
            said: 0,
            released: 0,
            uploads: Vec::new(),
            connected: false,
            up: VecDeque::new(),
            down: VecDeque::new(),
            durable: Vec::new(),
            cleaned_up: false,
        };
        history.connect();
        let attempt = Some(history.key.reference());
        history.receive(Down::Assign(v1::Assign { attempt, ..Default::default() }));
        history
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.random.next_u32().is_multiple_of(n)
    }

    fn feed(&mut self, event: Event) {
        for effect in self.session.handle(event, self.now) {
            match effect {
                Effect::Release { cost, .. } => self.released += u64::from(cost),
                Effect::Upload { sequence, .. } => self.uploads.push(sequence),
                Effect::CleanUp(_) => self.cleaned_up = true,
                Effect::Kill(_) | Effect::Discard(_) => panic!("nobody asked for {effect:?}"),
                _ => {}
            }
        }
    }

    fn receive(&mut self, message: Down) {
        self.feed(Event::Received(Box::new(v1::CoordinatorMessage { message: Some(message) })));
    }

    fn connect(&mut self) {
        self.now.elapsed += Duration::from_secs(20);
        self.feed(Event::Tick);
        self.feed(Event::Connected);
        let verdict = v1::Verdict {
            attempt: Some(self.key.reference()),
            keep: true,
            durable_sequence: self.durable.len() as u64,
        };
        let verdicts = if self.said > 0 { vec![verdict] } else { Vec::new() };
        self.receive(Down::Welcome(v1::Welcome { verdicts, ..Default::default() }));
        self.connected = true;
    }

    fn cut(&mut self) {
        self.connected = false;
        self.up.clear();
        self.down.clear();
        self.feed(Event::Lost { reason: "cut".into() });
    }

    fn say(&mut self) {
        self.said += 1;
        let event = if self.one_in(5) {
            let path = "file".into();
            TrialEvent::Checkpoint(CheckpointSaved {
                epoch: 1,
                step: self.said,
                is_final: false,
                path,
            })
        } else {
            let message = self.said.to_string();
            TrialEvent::Log(LogLine { level: Level::Info, message, time_ms: 0 })
        };
        self.feed(Event::Trial { key: self.key.clone(), event, cost: COST });
    }

    fn send(&mut self) {
        while let Some(message) = self.session.take_message(self.now) {
            if let Some(Up::Reports(reports)) = message.message {
                self.up.extend(reports.reports);
            }
        }
    }

    fn upload(&mut self) {
        if let Some(sequence) = self.uploads.pop() {
            let result = Ok(v1::ArtifactRef { hash: sequence.to_string(), bytes: 1 });
            self.feed(Event::Uploaded { key: self.key.clone(), sequence, result });
        }
    }

    /// One report arrives and is stored, as the contract wants it.
    fn arrive(&mut self) {
        let Some(report) = self.up.pop_front() else { return };
        let next = self.durable.len() as u64 + 1;
        assert!(report.sequence <= next, "a hole: {} after {}", report.sequence, next - 1);
        if report.sequence == next {
            self.durable.push(report);
        }
        self.down.push_back(self.durable.len() as u64);
    }

    fn acknowledge(&mut self) {
        if let Some(sequence) = self.down.pop_front() {
            let attempt = Some(self.key.reference());
            self.receive(Down::Acknowledge(v1::Acknowledge { attempt, sequence }));
        }
    }

    fn step(&mut self) {
        match self.random.next_u32() % 16 {
            0..5 => self.say(),
            5..8 if self.connected => self.send(),
            8..11 => self.arrive(),
            11..14 => self.acknowledge(),
            14 => self.upload(),
            _ if !self.connected => self.connect(),
            _ if self.one_in(3) => self.cut(),
            _ => {}
        }
    }

    /// The trial ends, and everything that is on its way arrives.
    fn finish(&mut self) {
        let end = ProcessEnd {
            status: Status::Code(0),
            last: Some(FinalWord::Finished),
            broke_protocol: None,
            log: Vec::new(),
            host_out_of_memory: false,
        };
        self.feed(Event::Exited { key: self.key.clone(), end });
        if !self.connected {
            self.connect();
        }
        for _ in 0..10_000 {
            if self.cleaned_up {
                return;
            }
            self.upload();
            self.send();
            self.arrive();
            self.acknowledge();
        }
        panic!("not everything arrives, or the worker does not know it: {:?}", self.session);
    }
}

fn content(report: &v1::Report) -> String {
    match &report.content {
        Some(Content::Event(v1::TrialEvent { event: Some(event) })) => match event {
            trial_event::Event::Log(line) => line.message.clone(),
            trial_event::Event::Checkpoint(checkpoint) => {
                let artifact =
                    checkpoint.artifact.as_ref().expect("uploaded before it is reported");
                assert_eq!(artifact.hash, report.sequence.to_string());
                checkpoint.step.to_string()
            }
            other => panic!("{other:?}"),
        },
        Some(Content::Ended(ended)) => format!("{:?}", ended.reason()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn everything_said_becomes_durable_once_and_in_order_whatever_is_lost() {
    for seed in 0..2000 {
        let mut history = History::new(seed);
        for _ in 0..200 {
            history.step();
        }
        history.finish();
        let durable: Vec<String> = history.durable.iter().map(content).collect();
        let mut said: Vec<String> = (1..=history.said).map(|number| number.to_string()).collect();
        said.push("Finished".into());
        assert_eq!(durable, said, "seed {seed}");
        assert_eq!(history.released, history.said * u64::from(COST), "seed {seed}");
    }
}
