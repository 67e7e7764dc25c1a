//! The link to the coordinator: watches a sweep, reconnects by itself, carries requests.

use std::time::Duration;

use bitsweep_proto::v1::sweeps_client::SweepsClient;
use bitsweep_proto::{MAX_MESSAGE_BYTES, ProtocolChannel, connect, v1};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use crate::error::TuiError;
use crate::model::{Command, Event, Link};

/// Points asked for a series: a few for each dot of a wide terminal.
const POINTS: u32 = 2000;
/// First and longest wait between two tries to connect: soon enough after a restart of the
/// coordinator, seldom enough for one that is gone for the night.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Wait between two looks for a first sweep.
const NO_SWEEP_WAIT: Duration = Duration::from_secs(1);
/// A request that has no answer by then will have none.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// What is said then.
const LATE: &str = "the coordinator does not answer";

type Client = SweepsClient<ProtocolChannel>;

/// What is watched.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) address: String,
    /// Id, prefix of an id or name; `None`: the newest.
    pub(crate) sweep: Option<String>,
}

fn client(channel: ProtocolChannel) -> Client {
    SweepsClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES)
}

/// What follows from an answer of the coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// It has no sweep at all yet.
    NothingYet,
    /// It has no such sweep.
    NoSuchSweep,
    /// It will refuse again.
    Final,
    /// It may answer later.
    Passing,
}

fn refusal(code: Code, sweep_was_named: bool) -> Refusal {
    match code {
        Code::NotFound if sweep_was_named => Refusal::NoSuchSweep,
        Code::NotFound => Refusal::NothingYet,
        Code::InvalidArgument
        | Code::FailedPrecondition
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::Unimplemented => Refusal::Final,
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::AlreadyExists
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::OutOfRange
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => Refusal::Passing,
    }
}

/// The next wait after one of `wait`.
fn longer(wait: Duration) -> Duration {
    (wait * 2).min(LONGEST_WAIT)
}

/// A link that works in the background until it is dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    target: Target,
    events: mpsc::Sender<Event>,
    client: Client,
    stop: CancellationToken,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Connection {
    /// Connects and starts to watch; what comes goes to `events`.
    ///
    /// # Errors
    /// When nobody answers, or the coordinator refuses for good.
    pub(crate) async fn open(
        target: Target,
        events: mpsc::Sender<Event>,
    ) -> Result<Self, TuiError> {
        let mut client = client(connect(&target.address).await?);
        let stream = match watch(&mut client, &target).await {
            Ok(stream) => Some(stream),
            Err(status) => match refusal(status.code(), target.sweep.is_some()) {
                Refusal::NoSuchSweep => {
                    let sweep = target.sweep.clone().unwrap_or_default();
                    return Err(TuiError::NoSuchSweep { address: target.address, sweep });
                }
                Refusal::Final => {
                    let message = status.message().to_owned();
                    return Err(TuiError::Refused { address: target.address, message });
                }
                Refusal::NothingYet | Refusal::Passing => None,
            },
        };
        let stop = CancellationToken::new();
        let watcher = Watcher { target: target.clone(), events: events.clone() };
        let stopped = stop.clone();
        let watching = client.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                () = watcher.run(watching, stream) => {}
            }
        });
        Ok(Self { target, events, client, stop })
    }

    /// Asks for the points of a trial; the answer comes as an event.
    pub(crate) fn fetch_series(&self, trial_id: String) {
        let mut client = self.client.clone();
        let id = trial_id.clone();
        let request = async move {
            let request = v1::SeriesRequest {
                trial_id: trial_id.clone(),
                metrics: vec![v1::Metric::StepLoss.into()],
                max_points: POINTS,
            };
            let answer = client.read_series(request).await;
            let series = answer
                .map(|a| a.into_inner().series)
                .map_err(|s| format!("no points of {trial_id}: {}", s.message()));
            Event::Series { trial_id, series }
        };
        self.spawn(request, || Event::Series { trial_id: id, series: Err(LATE.to_owned()) });
    }

    /// Asks for the layers of a trial; the answer comes as an event.
    pub(crate) fn fetch_layers(&self, trial_id: String) {
        let mut client = self.client.clone();
        let id = trial_id.clone();
        let request = async move {
            let request = v1::LayersRequest { trial_id: trial_id.clone() };
            let answer = client.read_layers(request).await;
            let layers = answer
                .map(|a| a.into_inner().reports)
                .map_err(|s| format!("no layers of {trial_id}: {}", s.message()));
            Event::Layers { trial_id, layers }
        };
        self.spawn(request, || Event::Layers { trial_id: id, layers: Err(LATE.to_owned()) });
    }

    /// Sends a command; the answer comes as an event.
    pub(crate) fn send(&self, command: Command, sweep: String) {
        let mut client = self.client.clone();
        let address = self.target.address.clone();
        let request = async move {
            let plural = |n: u32| if n == 1 { "" } else { "s" };
            let answer = match command {
                Command::Cancel => client
                    .cancel(v1::CancelRequest { sweep })
                    .await
                    .map(|a| a.into_inner().cancelled)
                    .map(|n| format!("cancelled {n} trial{}; R resumes", plural(n))),
                Command::Resume => client
                    .resume(v1::ResumeRequest { sweep })
                    .await
                    .map(|a| a.into_inner().resumed)
                    .map(|n| format!("resumed {n} trial{}", plural(n))),
            };
            Event::CommandDone(answer.map_err(|s| format!("{address}: {}", s.message())))
        };
        self.spawn(request, || Event::CommandDone(Err(LATE.to_owned())));
    }

    /// Sends the answer to a request, or `late` when there is none in time.
    fn spawn(
        &self,
        request: impl Future<Output = Event> + Send + 'static,
        late: impl FnOnce() -> Event + Send + 'static,
    ) {
        let (events, stop) = (self.events.clone(), self.stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                answer = tokio::time::timeout(REQUEST_TIMEOUT, request) => {
                    // A closed receiver is a dashboard that was left.
                    let _ = events.send(answer.unwrap_or_else(|_| late())).await;
                }
            }
        });
    }
}

async fn watch(
    client: &mut Client,
    target: &Target,
) -> Result<tonic::Streaming<v1::WatchUpdate>, Status> {
    let sweep = target.sweep.clone().unwrap_or_default();
    Ok(client.watch(v1::WatchRequest { sweep }).await?.into_inner())
}

struct Watcher {
    target: Target,
    events: mpsc::Sender<Event>,
}

impl Watcher {
    /// Watches until nobody listens any more.
    async fn run(self, mut client: Client, mut open: Option<tonic::Streaming<v1::WatchUpdate>>) {
        let mut wait = FIRST_WAIT;
        loop {
            let stream = match open.take() {
                Some(stream) => Ok(stream),
                None => watch(&mut client, &self.target).await,
            };
            let status = match stream {
                Ok(stream) => {
                    let (received, end) = self.drain(stream).await;
                    if received {
                        wait = FIRST_WAIT;
                    }
                    end
                }
                Err(status) => status,
            };
            let named = self.target.sweep.is_some();
            let nothing = refusal(status.code(), named) == Refusal::NothingYet;
            let link = if nothing { Link::NoSweep } else { Link::Down { reason: reason(&status) } };
            if self.events.send(Event::Link(link)).await.is_err() {
                return;
            }
            tokio::time::sleep(if nothing { NO_SWEEP_WAIT } else { wait }).await;
            wait = longer(wait);
        }
    }

    /// Passes updates on; says whether there were any, and how the stream ended.
    async fn drain(&self, mut stream: tonic::Streaming<v1::WatchUpdate>) -> (bool, Status) {
        let mut received = false;
        loop {
            match stream.message().await {
                Ok(Some(update)) => {
                    received = true;
                    if self.events.send(Event::Update(Box::new(update))).await.is_err() {
                        return (received, Status::cancelled("left"));
                    }
                }
                Ok(None) => {
                    return (received, Status::unavailable("the coordinator ended the watch"));
                }
                Err(status) => return (received, status),
            }
        }
    }
}

/// One line for people.
fn reason(status: &Status) -> String {
    match status.message().lines().next() {
        Some(line) if !line.is_empty() => line.to_owned(),
        _ => status.code().description().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_cap() {
        let waits: Vec<u64> = std::iter::successors(Some(FIRST_WAIT), |w| Some(longer(*w)))
            .take(6)
            .map(|w| w.as_millis() as u64)
            .collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 5000, 5000]);
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        assert_eq!(refusal(Code::Unavailable, true), Refusal::Passing);
        assert_eq!(refusal(Code::NotFound, true), Refusal::NoSuchSweep);
        assert_eq!(refusal(Code::NotFound, false), Refusal::NothingYet);
        assert_eq!(refusal(Code::FailedPrecondition, false), Refusal::Final);
    }
}
