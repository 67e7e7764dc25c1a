//! What the services ask of the desk.

use std::collections::HashSet;
use std::sync::Arc;

use bitsweep_proto::v1;
use bitsweep_sweep::{Plan, SweepId};
use tokio::sync::{OwnedSemaphorePermit, broadcast, mpsc, oneshot};
use tonic::Status;
use v1::coordinator_message::Message as Down;
use v1::worker_message::Message as Up;

use super::{After, Desk, Published};
use crate::convert::{attempt_id, attempt_ref};
use crate::scheduler::{Hello, WorkerId};
use crate::store::{Change, NewSweep};

/// The way to a linked worker.
#[derive(Debug)]
pub(crate) struct WorkerLink {
    pub(crate) outbound: mpsc::Sender<Result<v1::CoordinatorMessage, Status>>,
}

/// An answer on its way back.
pub(crate) type Answer<T> = oneshot::Sender<Result<T, Status>>;

/// A snapshot and every change after it.
pub(crate) type Watch = (v1::SweepSnapshot, broadcast::Receiver<Arc<Published>>);

/// What the services ask of the desk.
pub(crate) enum Request {
    /// A worker opened its link; answered with the number of the connection.
    Hello {
        hello: v1::Hello,
        link: WorkerLink,
        answer: Answer<u64>,
    },
    /// A message on a worker's link.
    Message {
        worker: WorkerId,
        connection: u64,
        message: Up,
        /// Its share of the memory for messages that wait.
        room: Option<OwnedSemaphorePermit>,
    },
    /// A worker's link is gone.
    Gone {
        worker: WorkerId,
        connection: u64,
    },
    Submit {
        request: v1::SubmitRequest,
        plan: Box<Plan>,
        key: String,
        answer: Answer<v1::SubmitResponse>,
    },
    List {
        answer: Answer<v1::ListResponse>,
    },
    Get {
        sweep: String,
        answer: Answer<v1::SweepSnapshot>,
    },
    Cancel {
        sweep: String,
        answer: Answer<v1::CancelResponse>,
    },
    Resume {
        sweep: String,
        answer: Answer<v1::ResumeResponse>,
    },
    Watch {
        sweep: String,
        answer: Answer<Watch>,
    },
    /// Hand out trials of this sweep only.
    Only {
        sweep: Option<SweepId>,
    },
}

impl Desk {
    pub(super) fn take(&mut self, request: Request, now: i64) {
        match request {
            Request::Hello { hello, link, answer } => self.hello(hello, link, answer, now),
            Request::Message { worker, connection, message, room } => {
                drop(room);
                // Of a link that was replaced: the worker says it again on the new one.
                if self.connections.get(&worker) == Some(&connection) {
                    self.message(&worker, message, now);
                }
            }
            Request::Gone { worker, connection } => {
                if self.links.get(&worker).is_some_and(|(number, _)| *number == connection) {
                    self.links.remove(&worker);
                }
                self.disconnect(&worker, connection, now);
            }
            Request::Submit { request, plan, key, answer } => {
                let response = self.submit(&request, *plan, key, now);
                self.answer(answer, Ok(response));
            }
            Request::List { answer } => {
                let sweeps = self.board.summaries();
                self.answer(answer, Ok(v1::ListResponse { sweeps }));
            }
            Request::Get { sweep, answer } => {
                let found = self.find(&sweep);
                self.after.push(After::Answer(Box::new(move |desk| {
                    let snapshot = found.and_then(|id| desk.snapshot(&id, now));
                    let _ = answer.send(snapshot);
                })));
            }
            Request::Watch { sweep, answer } => {
                let found = self.find(&sweep);
                self.after.push(After::Answer(Box::new(move |desk| {
                    // Everything up to this snapshot has been published, nothing after it has.
                    let receiver = desk.watchers.subscribe();
                    let snapshot = found.and_then(|id| desk.snapshot(&id, now));
                    let _ = answer.send(snapshot.map(|snapshot| (snapshot, receiver)));
                })));
            }
            Request::Cancel { sweep, answer } => {
                let response = self.find(&sweep).map(|id| {
                    let before = self.settled(&id);
                    let commands = self.scheduler.cancel(&id, now);
                    self.carry_out(commands, now);
                    let cancelled = self.settled(&id).saturating_sub(before) as u32;
                    v1::CancelResponse { cancelled }
                });
                self.answer(answer, response);
            }
            Request::Resume { sweep, answer } => {
                let response = self.find(&sweep).map(|id| {
                    let before = self.settled(&id);
                    let commands = self.scheduler.resume(&id, now);
                    self.carry_out(commands, now);
                    self.reopen(&id);
                    // A lease that runs out just now may settle a trial in between.
                    let resumed = before.saturating_sub(self.settled(&id)) as u32;
                    v1::ResumeResponse { resumed }
                });
                self.answer(answer, response);
            }
            Request::Only { sweep } => {
                let commands = self.scheduler.only(sweep, now);
                self.carry_out(commands, now);
            }
        }
    }

    fn answer<T: Send + 'static>(&mut self, to: Answer<T>, response: Result<T, Status>) {
        self.after.push(After::Answer(Box::new(move |_| {
            // Whoever asked may have gone.
            let _ = to.send(response);
        })));
    }

    fn find(&self, sweep: &str) -> Result<SweepId, Status> {
        self.board.find(sweep).map_err(Status::not_found)
    }

    fn snapshot(&self, id: &SweepId, now: i64) -> Result<v1::SweepSnapshot, Status> {
        let snapshot = self.board.snapshot(id, self.cursor, now);
        snapshot.ok_or_else(|| Status::not_found(format!("no sweep \"{id}\"")))
    }

    /// Trials of a sweep that nothing changes any more.
    fn settled(&self, id: &SweepId) -> usize {
        use v1::TrialState::{Blocked, Cancelled, Failed, Finished};
        let trials = self.board.sweeps.get(id).map(|sweep| sweep.trials.as_slice());
        let states = trials.unwrap_or_default().iter().filter_map(|t| self.board.trials.get(t));
        states
            .filter(|t| [Blocked, Cancelled, Failed, Finished].contains(&t.status.state()))
            .count()
    }

    /// A sweep that has something to do again has not ended.
    fn reopen(&mut self, id: &SweepId) {
        let active = self.board.summary(id).is_some_and(|s| s.state() == v1::SweepState::Active);
        if active
            && let Some(sweep) = self.board.sweeps.get_mut(id)
            && sweep.ended_ms.take().is_some()
        {
            self.changes.push(Change::SweepEnded { sweep: id.clone(), ended_ms: None });
            self.changed_sweeps.insert(id.clone());
        }
    }

    fn submit(
        &mut self,
        request: &v1::SubmitRequest,
        plan: Plan,
        key: String,
        now: i64,
    ) -> v1::SubmitResponse {
        let known = self.board.sweeps.iter().find(|(_, sweep)| sweep.key == key);
        if let Some((id, _)) = known {
            return v1::SubmitResponse { sweep_id: id.to_string(), created: false };
        }
        let id = self.free_id(&plan.name, &key);
        self.board.add_sweep(&id, &key, &request.file, &plan, now);
        self.changes.push(Change::AddSweep(Box::new(NewSweep {
            id: id.clone(),
            key,
            file: request.file.clone(),
            plan: plan.clone(),
            created_ms: now,
        })));
        let commands = self.scheduler.submit(&id, &plan, now);
        self.carry_out(commands, now);
        v1::SubmitResponse { sweep_id: id.to_string(), created: true }
    }

    /// `<name>-<start of the key>`, longer where that is taken.
    fn free_id(&self, name: &str, key: &str) -> SweepId {
        let starts = (6..=key.len()).filter_map(|length| key.get(..length));
        // A key that is the start of another sweep's key may find all of these taken.
        let numbered = (2..).map(|number| format!("{key}-{number}"));
        let short = (key.len() < 6).then_some(key);
        let ends = short.into_iter().chain(starts).map(str::to_owned).chain(numbered);
        let mut ids = ends.map(|end| SweepId::new(format!("{name}-{end}")));
        let is_free = |id: &SweepId| !self.board.sweeps.contains_key(id);
        ids.find(is_free).unwrap_or_else(|| SweepId::new(format!("{name}-{key}")))
    }

    fn hello(&mut self, hello: v1::Hello, link: WorkerLink, answer: Answer<u64>, now: i64) {
        let worker = WorkerId::new(&hello.worker_id);
        let known: HashSet<_> = hello.attempts.iter().filter_map(|a| attempt_id(Some(a))).collect();
        let (welcome, commands) = self.scheduler.worker_connected(
            Hello {
                worker: worker.clone(),
                name: hello.name.clone(),
                slots: hello.slots.max(1),
                attempts: known.into_iter().collect(),
            },
            now,
        );
        let status = v1::WorkerStatus {
            worker_id: hello.worker_id.clone(),
            name: hello.name,
            program_version: hello.program_version,
            slots: hello.slots,
            threads: hello.threads,
            devices: hello.devices,
            running: hello.attempts,
            last_heard_ms: now,
            connected_ms: now,
            ..Default::default()
        };
        self.board.workers.insert(hello.worker_id.clone(), status);
        self.changed_workers.insert(hello.worker_id);
        // After whatever this batch still sends over the link before it: Welcome comes first on this one.
        self.after.push(After::Link(worker.clone(), welcome.connection, link));
        self.connections.insert(worker.clone(), welcome.connection);
        let timing = self.timing;
        let verdicts = welcome.verdicts.iter().map(|verdict| v1::Verdict {
            attempt: Some(attempt_ref(&verdict.attempt)),
            keep: verdict.keep,
            durable_sequence: self
                .board
                .trials
                .get(&verdict.attempt.trial)
                .filter(|_| verdict.keep)
                .map_or(0, |trial| trial.last_sequence),
        });
        let message = Down::Welcome(v1::Welcome {
            heartbeat_interval_ms: u32::try_from(timing.heartbeat_ms).unwrap_or(u32::MAX),
            lease_ms: u32::try_from(timing.lease_ms).unwrap_or(u32::MAX),
            verdicts: verdicts.collect(),
        });
        self.send_later(&worker, message);
        self.carry_out(commands, now);
        self.answer(answer, Ok(welcome.connection));
    }

    fn message(&mut self, worker: &WorkerId, message: Up, now: i64) {
        match message {
            Up::Heartbeat(heartbeat) => {
                let running: Vec<_> =
                    heartbeat.running.iter().filter_map(|a| attempt_id(Some(a))).collect();
                if let Some(status) = self.board.workers.get_mut(worker.as_str()) {
                    status.running = heartbeat.running;
                    status.telemetry = heartbeat.telemetry;
                    status.last_heard_ms = now;
                }
                self.changed_workers.insert(worker.as_str().to_owned());
                let commands = self.scheduler.heartbeat(worker, &running, now);
                self.carry_out(commands, now);
            }
            Up::Reports(reports) => {
                for report in reports.reports {
                    self.report(worker, report, now);
                }
            }
            Up::Draining(_) => {
                let commands = self.scheduler.worker_draining(worker, now);
                self.carry_out(commands, now);
            }
            // Only the first message is one, and the service took it.
            Up::Hello(_) => {}
        }
    }
}
