//! What a worker decides: a state machine over the link, the attempts it holds, and its leaving.
//!
//! [`Session::handle`] takes an event and the time and returns effects. What is to be sent is not an
//! effect: the stream asks for it with [`Session::take_message`] when it has room, so that progress
//! coalesces, reports travel in batches, and nothing is sent that a reconnection has overtaken.

mod attempt;
mod backoff;
mod connection;
#[cfg(test)]
mod histories;
mod message;
mod outbox;
#[cfg(test)]
mod tests;

use std::time::Duration;

use bitsweep_proto::v1;
use bitsweep_sweep::AttemptEnd;
use v1::coordinator_message::Message as FromCoordinator;
use v1::worker_message::Message as ToCoordinator;

use crate::trial::{Asked, classify};
use attempt::{Attempt, Stage};
use connection::Connection;

pub(crate) use backoff::delay;
pub(crate) use message::{AttemptKey, Effect, Event, Moment};

/// About how many bytes of reports a message carries.
const BATCH_BYTES: usize = 1 << 20;

/// How long reports may still be delivered once all processes are gone and the worker is leaving.
const DELIVERY: Duration = Duration::from_secs(5);

/// What a worker says of itself; fixed for its lifetime.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) worker_id: String,
    pub(crate) name: String,
    pub(crate) slots: u32,
    pub(crate) threads: u32,
    pub(crate) devices: Vec<v1::Device>,
}

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// For a checkpoint when leaving.
    pub(crate) grace: Duration,
    /// For the first connection.
    pub(crate) patience: Duration,
}

/// How a session is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// In good order, or as good as the grace allowed.
    Left,
    Refused {
        message: String,
    },
    Unreachable {
        seconds: u64,
        tries: u32,
        reason: String,
    },
    /// It cannot write in its folder, and has given its leases back.
    Unusable {
        problem: String,
    },
}

/// The state of a worker.
#[derive(Debug)]
pub(crate) struct Session {
    identity: Identity,
    limits: Limits,
    connection: Connection,
    heartbeat: Heartbeat,
    /// In order of arrival.
    attempts: Vec<Attempt>,
    /// Which attempt's reports come first in the next batch.
    turn: usize,
    leaving: Option<Leaving>,
    /// Why it cannot work, if it cannot.
    unusable: Option<String>,
    outcome: Option<Outcome>,
}

#[derive(Clone, Copy, Debug)]
struct Heartbeat {
    interval: Duration,
    due: Duration,
}

/// The worker takes no more trials and goes when it has none.
#[derive(Clone, Copy, Debug)]
struct Leaving {
    since: Duration,
    /// Told to the coordinator on the present stream.
    announced: bool,
    /// The grace is over.
    killed: bool,
}

impl Session {
    /// A worker that has nothing and connects at the first tick. `seed` spreads its reconnections.
    pub(crate) fn new(identity: Identity, limits: Limits, seed: u64) -> Self {
        Self {
            identity,
            limits,
            connection: Connection::new(limits.patience, seed),
            heartbeat: Heartbeat { interval: Duration::from_secs(1), due: Duration::ZERO },
            attempts: Vec::new(),
            turn: 0,
            leaving: None,
            unusable: None,
            outcome: None,
        }
    }

    /// Takes an event in; what is to be done.
    pub(crate) fn handle(&mut self, event: Event, now: Moment) -> Vec<Effect> {
        let mut effects = match event {
            Event::Tick => self.tick(now),
            Event::Connected => {
                self.connection.connected(now.elapsed);
                Vec::new()
            }
            Event::Lost { reason } => self.lost(reason, now),
            Event::Refused { message } => {
                self.outcome = Some(Outcome::Refused { message });
                Vec::new()
            }
            Event::Received(message) => self.received(*message, now),
            Event::Trial { key, event, cost } => match self.find(&key) {
                Some(attempt) => attempt.hear(event, cost, now.unix_ms),
                None => Vec::new(),
            },
            Event::Exited { key, end } => {
                let asked = self.find(&key).and_then(|attempt| attempt.asked);
                let (reason, message) = classify(&end, asked);
                self.ended(&key, reason, message, now)
            }
            Event::NotStarted { key, reason, message } => self.ended(&key, reason, message, now),
            Event::Unusable { key, problem } => {
                // The trial is not to blame: this costs it none of its attempts.
                let message = format!("the worker cannot write in its folder: {problem}");
                let mut effects = self.ended(&key, AttemptEnd::Drained, message, now);
                self.unusable = Some(problem);
                effects.extend(self.leave(now));
                effects
            }
            Event::Uploaded { key, sequence, result } => match self.find(&key) {
                Some(attempt) => attempt.uploaded(sequence, result, now.unix_ms),
                None => Vec::new(),
            },
            Event::ShutDown => self.leave(now),
        };
        effects.extend(self.fill_slots());
        effects
    }

    /// How the session is over; `None` while it is not.
    pub(crate) fn outcome(&self, now: Moment) -> Option<Outcome> {
        if self.outcome.is_some() {
            return self.outcome.clone();
        }
        let leaving = self.leaving?;
        let said = leaving.announced || !self.connection.is_open();
        let done = self.attempts.is_empty() && said;
        let late = now.elapsed >= leaving.since + self.limits.grace + DELIVERY;
        (done || late).then(|| match self.unusable.clone() {
            Some(problem) => Outcome::Unusable { problem },
            None => Outcome::Left,
        })
    }

    /// When [`Event::Tick`] is needed next.
    pub(crate) fn deadline(&self, now: Moment) -> Option<Duration> {
        let heartbeat = self.connection.is_open().then_some(self.heartbeat.due);
        let leaving = self.leaving.map(|leaving| {
            let kill = leaving.since + self.limits.grace;
            if leaving.killed { kill + DELIVERY } else { kill }
        });
        [
            self.connection.deadline(),
            // A due one is waiting for the stream and not for the clock.
            heartbeat.filter(|due| *due > now.elapsed),
            leaving,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Whether [`Self::take_message`] has something.
    pub(crate) fn has_message(&self, now: Moment) -> bool {
        self.connection.is_open()
            && (self.leaving.is_some_and(|leaving| !leaving.announced)
                || self.heartbeat.due <= now.elapsed
                || self.attempts.iter().any(Attempt::has_unsent))
    }

    /// The next message to the coordinator. A heartbeat comes without telemetry.
    pub(crate) fn take_message(&mut self, now: Moment) -> Option<v1::WorkerMessage> {
        if !self.has_message(now) {
            return None;
        }
        let message = if let Some(leaving) = self.leaving.as_mut().filter(|l| !l.announced) {
            leaving.announced = true;
            ToCoordinator::Draining(v1::Draining {})
        } else if self.heartbeat.due <= now.elapsed {
            self.heartbeat.due = now.elapsed + self.heartbeat.interval;
            ToCoordinator::Heartbeat(v1::Heartbeat {
                time_ms: now.unix_ms,
                running: self.held(),
                telemetry: None,
            })
        } else {
            let count = self.attempts.len().max(1);
            let mut reports = Vec::new();
            // Each begins in its turn: what does not fit beside the others goes first then.
            self.turn = (self.turn + 1) % count;
            let (before, from) = self.attempts.split_at_mut(self.turn);
            for attempt in from.iter_mut().chain(before) {
                attempt.take_unsent(&mut reports, BATCH_BYTES / count);
            }
            ToCoordinator::Reports(v1::Reports { reports })
        };
        Some(v1::WorkerMessage { message: Some(message) })
    }

    fn tick(&mut self, now: Moment) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.connection.is_unanswered(now.elapsed) {
            effects.push(Effect::Disconnect);
            let reason = "the coordinator accepts connections but does not answer".to_owned();
            effects.extend(self.lost(reason, now));
        }
        if self.connection.try_now(now.elapsed) {
            effects.push(Effect::Connect(self.hello()));
        }
        let grace_over = |l: &&mut Leaving| !l.killed && now.elapsed >= l.since + self.limits.grace;
        if let Some(leaving) = self.leaving.as_mut().filter(grace_over) {
            leaving.killed = true;
            for attempt in &mut self.attempts {
                if let (Stage::Running { .. }, Some(asked)) = (&attempt.stage, &mut attempt.asked) {
                    asked.killed = true;
                    effects.push(Effect::Kill(attempt.key.clone()));
                }
            }
        }
        effects
    }

    fn lost(&mut self, reason: String, now: Moment) -> Vec<Effect> {
        if let Err(gone) = self.connection.lost(now.elapsed) {
            self.outcome =
                Some(Outcome::Unreachable { seconds: gone.seconds, tries: gone.tries, reason });
        }
        if let Some(leaving) = &mut self.leaving {
            leaving.announced = false;
        }
        Vec::new()
    }

    fn received(&mut self, message: v1::CoordinatorMessage, now: Moment) -> Vec<Effect> {
        match message.message {
            Some(FromCoordinator::Welcome(welcome)) => self.welcomed(welcome, now),
            Some(FromCoordinator::Assign(assign)) => self.assigned(assign, now),
            Some(FromCoordinator::Cancel(cancel)) => {
                let key = AttemptKey::read(cancel.attempt);
                key.map(|key| self.discard(&key)).unwrap_or_default()
            }
            Some(FromCoordinator::Acknowledge(acknowledge)) => {
                let key = AttemptKey::read(acknowledge.attempt);
                key.map(|key| self.acknowledged(&key, acknowledge.sequence)).unwrap_or_default()
            }
            Some(FromCoordinator::Drain(_)) => self.leave(now),
            // A newer coordinator of the same protocol may say more than this worker knows.
            None => Vec::new(),
        }
    }

    fn welcomed(&mut self, welcome: v1::Welcome, now: Moment) -> Vec<Effect> {
        self.connection.welcomed(now.elapsed);
        let interval = Duration::from_millis(welcome.heartbeat_interval_ms.into());
        let interval = interval.clamp(Duration::from_millis(50), Duration::from_secs(60));
        self.heartbeat = Heartbeat { interval, due: now.elapsed };
        let mut effects = vec![Effect::Welcomed];
        for verdict in welcome.verdicts {
            let Some(key) = AttemptKey::read(verdict.attempt) else { continue };
            if !verdict.keep {
                effects.extend(self.discard(&key));
            } else if let Some(attempt) = self.find(&key) {
                let cost = attempt.outbox.rewind(verdict.durable_sequence);
                effects.extend(attempt.release(cost));
                effects.extend(self.remove_if_over(&key));
            }
        }
        effects
    }

    fn assigned(&mut self, assign: v1::Assign, now: Moment) -> Vec<Effect> {
        let Some(key) = AttemptKey::read(assign.attempt.clone()) else { return Vec::new() };
        if self.find(&key).is_some() {
            return Vec::new();
        }
        // A later attempt fences the earlier ones of its trial.
        let earlier =
            |attempt: &Attempt| attempt.key.trial == key.trial && attempt.key.attempt < key.attempt;
        let fenced: Vec<_> =
            self.attempts.iter().filter(|a| earlier(a)).map(|a| a.key.clone()).collect();
        let effects = fenced.iter().flat_map(|key| self.discard(key)).collect();
        let mut attempt = Attempt::new(key, assign);
        if self.leaving.is_some() {
            attempt.end(AttemptEnd::Drained, "the worker is leaving".to_owned(), now.unix_ms);
        }
        self.attempts.push(attempt);
        effects
    }

    fn acknowledged(&mut self, key: &AttemptKey, sequence: u64) -> Vec<Effect> {
        let Some(attempt) = self.find(key) else { return Vec::new() };
        let cost = attempt.outbox.acknowledge(sequence);
        let mut effects = attempt.release(cost);
        effects.extend(self.remove_if_over(key));
        effects
    }

    /// The process of an attempt is gone.
    fn ended(
        &mut self,
        key: &AttemptKey,
        reason: AttemptEnd,
        message: String,
        now: Moment,
    ) -> Vec<Effect> {
        let Some(attempt) = self.find(key) else { return Vec::new() };
        match attempt.stage {
            Stage::Running { .. } => {
                tracing::info!("{key} ended: {} {message}", reason.as_str());
                attempt.end(reason, message, now.unix_ms);
            }
            Stage::Discarded { .. } => return self.remove(key),
            Stage::Queued(_) | Stage::Ended => {}
        }
        Vec::new()
    }

    /// Nobody wants the attempt any more: its process dies, its reports are dropped.
    fn discard(&mut self, key: &AttemptKey) -> Vec<Effect> {
        let Some(attempt) = self.find(key) else { return Vec::new() };
        match attempt.stage {
            Stage::Running { slot } => {
                attempt.stage = Stage::Discarded { slot };
                vec![Effect::Discard(key.clone())]
            }
            Stage::Queued(_) | Stage::Ended => self.remove(key),
            Stage::Discarded { .. } => Vec::new(),
        }
    }

    /// Takes no more trials; asks those that run for a checkpoint.
    fn leave(&mut self, now: Moment) -> Vec<Effect> {
        if self.leaving.is_some() {
            return Vec::new();
        }
        self.leaving = Some(Leaving { since: now.elapsed, announced: false, killed: false });
        let mut effects = Vec::new();
        for attempt in &mut self.attempts {
            match attempt.stage {
                Stage::Queued(_) => {
                    let message = "the worker is leaving".to_owned();
                    attempt.end(AttemptEnd::Drained, message, now.unix_ms);
                }
                Stage::Running { .. } => {
                    attempt.asked = Some(Asked { reason: AttemptEnd::Drained, killed: false });
                    effects.push(Effect::Stop(attempt.key.clone()));
                }
                Stage::Discarded { .. } | Stage::Ended => {}
            }
        }
        effects
    }

    /// Starts what waits for a slot.
    fn fill_slots(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        for slot in 0..self.identity.slots {
            if self.attempts.iter().any(|attempt| attempt.slot() == Some(slot)) {
                continue;
            }
            let is_queued = |attempt: &&mut Attempt| matches!(attempt.stage, Stage::Queued(_));
            let Some(attempt) = self.attempts.iter_mut().find(is_queued) else { break };
            let before = std::mem::replace(&mut attempt.stage, Stage::Running { slot });
            if let Stage::Queued(assignment) = before {
                effects.push(Effect::Start { key: attempt.key.clone(), slot, assignment });
            }
        }
        effects
    }

    fn remove_if_over(&mut self, key: &AttemptKey) -> Vec<Effect> {
        let over = self.find(key).is_some_and(|attempt| attempt.is_over());
        if over { self.remove(key) } else { Vec::new() }
    }

    fn remove(&mut self, key: &AttemptKey) -> Vec<Effect> {
        self.attempts.retain(|attempt| attempt.key != *key);
        vec![Effect::CleanUp(key.clone())]
    }

    fn find(&mut self, key: &AttemptKey) -> Option<&mut Attempt> {
        self.attempts.iter_mut().find(|attempt| attempt.key == *key)
    }

    /// Attempts whose lease is to be kept.
    fn held(&self) -> Vec<v1::AttemptRef> {
        self.attempts.iter().filter(|a| a.is_held()).map(|a| a.key.reference()).collect()
    }

    fn hello(&self) -> v1::Hello {
        let Identity { worker_id, name, slots, threads, devices } = self.identity.clone();
        v1::Hello {
            worker_id,
            name,
            program_version: env!("CARGO_PKG_VERSION").to_owned(),
            slots,
            threads,
            devices,
            attempts: self.held(),
        }
    }
}
