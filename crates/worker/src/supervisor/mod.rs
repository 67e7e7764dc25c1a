//! What a worker does: feeds the session and performs its effects.

mod parent;
mod running;

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bitsweep_proto::{endpoint, v1};
use tokio::sync::mpsc::{self, OwnedPermit};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use v1::worker_message::Message;

use crate::directory::WorkDirectory;
use crate::error::WorkerError;
use crate::link::{Link, LinkEvent};
use crate::options::{Device, WorkerOptions};
use crate::session::{Effect, Event, Identity, Limits, Moment, Outcome, Session};
use crate::telemetry::Host;
use crate::transfer::Depot;
use running::RunningTrials;

/// Events waiting for the session.
const INBOX: usize = 256;

/// How long the coordinator may take to close its half of the stream after the worker's last word.
const FAREWELL: Duration = Duration::from_secs(2);

/// See [`crate::Worker::run`].
pub(crate) async fn run(
    options: WorkerOptions,
    shutdown: CancellationToken,
) -> Result<(), WorkerError> {
    if options.trial_command.is_empty() {
        return Err(WorkerError::NoTrialCommand);
    }
    endpoint(&options.coordinator)?;
    let worker_id = format!("{:016x}", random());
    let directory = WorkDirectory::open(&options.directory, &worker_id)?;
    let parent_gone = CancellationToken::new();
    if options.exit_with_parent {
        parent::watch(parent_gone.clone());
    }
    let mut supervisor = Supervisor::new(options, worker_id, directory)?;
    let result = tokio::select! {
        () = parent_gone.cancelled() => Ok(()),
        result = supervisor.serve(shutdown) => result,
    };
    supervisor.trials.kill_all().await;
    result
}

/// A random number, from the entropy that the standard library gives its hash tables.
fn random() -> u64 {
    RandomState::new().hash_one(SystemTime::now())
}

struct Supervisor {
    address: String,
    session: Session,
    started: Instant,
    link: Option<Link>,
    /// Number of the next stream.
    next_stream: u64,
    link_events: (mpsc::Sender<LinkEvent>, mpsc::Receiver<LinkEvent>),
    trials: RunningTrials,
    trial_events: mpsc::Receiver<Event>,
    welcomes: watch::Sender<u64>,
    host: Host,
}

impl Supervisor {
    fn new(
        options: WorkerOptions,
        worker_id: String,
        directory: WorkDirectory,
    ) -> Result<Self, WorkerError> {
        let mut options = options;
        if options.devices.is_empty() {
            options.devices.push(Device::embedded());
        }
        let identity = Identity {
            worker_id,
            name: options.name.clone(),
            slots: options.slots.max(1),
            threads: options.threads.max(1),
            devices: options.devices.iter().map(Into::into).collect(),
        };
        let limits = Limits { grace: options.grace, patience: options.patience };
        let (events, trial_events) = mpsc::channel(INBOX);
        let (welcomes, welcomed) = watch::channel(0);
        let depot = Depot::new(&options.coordinator, welcomed)?;
        Ok(Self {
            address: options.coordinator.clone(),
            session: Session::new(identity, limits, random()),
            started: Instant::now(),
            link: None,
            next_stream: 1,
            link_events: mpsc::channel(INBOX),
            trials: RunningTrials::new(options, directory, depot, events),
            trial_events,
            welcomes,
            host: Host::default(),
        })
    }

    async fn serve(&mut self, shutdown: CancellationToken) -> Result<(), WorkerError> {
        let mut leaving = false;
        self.feed(Event::Tick);
        loop {
            let now = self.now();
            if let Some(outcome) = self.session.outcome(now) {
                return self.end(outcome).await;
            }
            let deadline = self.session.deadline(now).map(|elapsed| self.started + elapsed);
            let outgoing = self.link.as_ref().and_then(|link| link.outgoing.clone());
            let outgoing = outgoing.filter(|_| self.session.has_message(now));
            tokio::select! {
                biased;
                () = shutdown.cancelled(), if !leaving => {
                    leaving = true;
                    self.feed(Event::ShutDown);
                }
                () = sleep_until(deadline) => self.feed(Event::Tick),
                Some(event) = self.link_events.1.recv() => self.hear(event),
                permit = reserve(outgoing) => self.send(permit),
                Some(event) = self.trial_events.recv() => self.feed(event),
            }
        }
    }

    /// Takes an event in and performs what follows.
    fn feed(&mut self, event: Event) {
        let now = self.now();
        for effect in self.session.handle(event, now) {
            self.perform(effect);
        }
    }

    fn hear(&mut self, LinkEvent { stream, event }: LinkEvent) {
        if self.link.as_ref().is_none_or(|link| link.stream != stream) {
            return;
        }
        match &event {
            Event::Lost { reason } => {
                tracing::warn!("no link to the coordinator: {reason}");
                self.link = None;
            }
            Event::Refused { .. } => self.link = None,
            _ => {}
        }
        self.feed(event);
    }

    fn send(&mut self, permit: OwnedPermit<v1::WorkerMessage>) {
        let now = self.now();
        let Some(mut message) = self.session.take_message(now) else { return };
        if let Some(Message::Heartbeat(heartbeat)) = &mut message.message {
            heartbeat.telemetry = Some(self.host.read());
        }
        permit.send(message);
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Connect(hello) => {
                let stream = self.next_stream;
                self.next_stream += 1;
                let events = self.link_events.0.clone();
                self.link = Some(Link::open(stream, self.address.clone(), hello, events));
            }
            Effect::Disconnect => self.link = None,
            Effect::Welcomed => {
                tracing::info!("the coordinator at {} has welcomed this worker", self.address);
                self.welcomes.send_modify(|count| *count += 1);
            }
            effect => self.trials.perform(effect),
        }
    }

    async fn end(&mut self, outcome: Outcome) -> Result<(), WorkerError> {
        match outcome {
            Outcome::Left => {
                self.say_goodbye().await;
                Ok(())
            }
            Outcome::Unusable { problem } => {
                self.say_goodbye().await;
                let source = std::io::Error::other(problem);
                Err(WorkerError::WorkDirectory { path: self.trials.work_directory(), source })
            }
            Outcome::Refused { message } => Err(WorkerError::Refused { message }),
            Outcome::Unreachable { seconds, tries, reason } => Err(WorkerError::Unreachable {
                address: self.address.clone(),
                seconds,
                tries,
                reason,
            }),
        }
    }

    /// Ends the worker's half of the stream and waits until the coordinator has read it.
    async fn say_goodbye(&mut self) {
        let Some(link) = &mut self.link else { return };
        link.outgoing = None;
        let stream = link.stream;
        let events = &mut self.link_events.1;
        let closed = async {
            while let Some(heard) = events.recv().await {
                let last = matches!(heard.event, Event::Lost { .. } | Event::Refused { .. });
                if heard.stream == stream && last {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(FAREWELL, closed).await;
    }

    fn now(&self) -> Moment {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment {
            elapsed: self.started.elapsed(),
            unix_ms: i64::try_from(unix.as_millis()).unwrap_or(i64::MAX),
        }
    }
}

/// Sleeps until `deadline`, without one for ever.
async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

/// Room for one message, once there is; never without a stream.
async fn reserve(
    outgoing: Option<mpsc::Sender<v1::WorkerMessage>>,
) -> OwnedPermit<v1::WorkerMessage> {
    match outgoing {
        Some(outgoing) => match outgoing.reserve_owned().await {
            Ok(permit) => permit,
            // The stream has ended, and will say so.
            Err(_) => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}
