//! A coordinator that schedules nothing: it keeps what a worker delivers and says what a test wants.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use bitsweep_proto::v1;
use futures_util::Stream;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};
use v1::artifacts_server::{Artifacts, ArtifactsServer};
use v1::coordinator_message::Message as Down;
use v1::worker_message::Message as Up;
use v1::workers_server::{Workers, WorkersServer};

pub(crate) type Key = (String, u32);

/// What has been delivered, and how to answer.
#[derive(Default)]
pub(crate) struct Record {
    pub(crate) durable: HashMap<Key, Vec<v1::Report>>,
    pub(crate) blobs: HashMap<String, Vec<u8>>,
    pub(crate) hellos: Vec<v1::Hello>,
    pub(crate) heartbeats: Vec<v1::Heartbeat>,
    pub(crate) drainings: usize,
    /// Breaches of the contract.
    pub(crate) breaches: Vec<String>,
    /// Uploads answered with an error first.
    pub(crate) failing_uploads: usize,
    /// Attempts that are no longer the worker's.
    pub(crate) fenced: Vec<Key>,
    /// Reports are kept but not acknowledged.
    pub(crate) silent: bool,
    /// Workers are refused with this.
    pub(crate) refusal: Option<String>,
    down: Option<mpsc::Sender<Result<v1::CoordinatorMessage, Status>>>,
}

#[derive(Clone)]
pub(crate) struct Coordinator {
    pub(crate) address: SocketAddr,
    record: Arc<Mutex<Record>>,
    changed: watch::Sender<()>,
    stop: CancellationToken,
}

impl Coordinator {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let coordinator = Self {
            address,
            record: Arc::default(),
            changed: watch::channel(()).0,
            stop: CancellationToken::new(),
        };
        coordinator.serve(listener);
        coordinator
    }

    fn serve(&self, listener: TcpListener) {
        let (this, stop) = (self.clone(), self.stop.clone());
        tokio::spawn(async move {
            let serving = Server::builder()
                .add_service(WorkersServer::new(this.clone()).max_decoding_message_size(64 << 20))
                .add_service(ArtifactsServer::new(this))
                .serve_with_incoming(TcpListenerStream::new(listener));
            tokio::select! {
                served = serving => served.unwrap(),
                () = stop.cancelled() => {}
            }
        });
    }

    /// Dies, keeping what is durable; what was said and not heard is lost.
    pub(crate) fn die(&mut self) {
        self.stop.cancel();
        self.stop = CancellationToken::new();
        self.with(|record| record.down = None);
    }

    /// Comes back at the same address.
    pub(crate) async fn come_back(&self) {
        let listener = loop {
            match TcpListener::bind(self.address).await {
                Ok(listener) => break listener,
                // The one that died is about to let go.
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                }
                Err(error) => panic!("{error}"),
            }
        };
        self.serve(listener);
    }

    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut Record) -> T) -> T {
        let result = f(&mut self.record.lock().unwrap());
        self.changed.send_replace(());
        result
    }

    /// Waits until `f` finds what it looks for.
    pub(crate) async fn wait<T>(&self, mut f: impl FnMut(&Record) -> Option<T>) -> T {
        let mut changed = self.changed.subscribe();
        let found = async {
            loop {
                if let Some(found) = f(&self.record.lock().unwrap()) {
                    return found;
                }
                changed.changed().await.unwrap();
            }
        };
        let limit = std::time::Duration::from_secs(120);
        tokio::time::timeout(limit, found).await.expect("what the test waits for never came")
    }

    pub(crate) async fn say(&self, message: Down) {
        let down = self.wait(|record| record.down.clone()).await;
        down.send(Ok(v1::CoordinatorMessage { message: Some(message) })).await.unwrap();
    }

    pub(crate) async fn assign(&self, key: &Key) {
        self.assign_with(key, None, None).await;
    }

    pub(crate) async fn assign_with(
        &self,
        key: &Key,
        parent_checkpoint: Option<v1::ArtifactRef>,
        resume_checkpoint: Option<v1::ArtifactRef>,
    ) {
        self.say(Down::Assign(v1::Assign {
            attempt: Some(reference(key)),
            spec: Some(v1::TrialSpec::default()),
            parent_checkpoint,
            resume_checkpoint,
        }))
        .await;
    }

    /// Waits for the last report of an attempt.
    pub(crate) async fn end(&self, key: &Key) -> v1::Ended {
        self.wait(|record| {
            let last = record.durable.get(key)?.last()?;
            match &last.content {
                Some(v1::report::Content::Ended(ended)) => Some(ended.clone()),
                _ => None,
            }
        })
        .await
    }

    /// Waits until so many reports of an attempt are durable.
    pub(crate) async fn reports(&self, key: &Key, count: usize) {
        self.wait(|record| (record.durable.get(key)?.len() >= count).then_some(())).await;
    }

    /// Events of an attempt so far.
    pub(crate) fn events(&self, key: &Key) -> Vec<v1::trial_event::Event> {
        self.with(|record| {
            let reports = record.durable.get(key).into_iter().flatten();
            reports
                .filter_map(|report| match &report.content {
                    Some(v1::report::Content::Event(event)) => event.event.clone(),
                    _ => None,
                })
                .collect()
        })
    }
}

pub(crate) fn reference((trial, attempt): &Key) -> v1::AttemptRef {
    v1::AttemptRef { trial_id: trial.clone(), attempt: *attempt }
}

fn read(reference: Option<v1::AttemptRef>) -> Key {
    let reference = reference.expect("an attempt");
    (reference.trial_id, reference.attempt)
}

impl Record {
    /// Takes reports in; the attempts and sequences to acknowledge.
    fn keep(&mut self, reports: Vec<v1::Report>) -> Vec<v1::Acknowledge> {
        let mut acknowledge = Vec::new();
        for report in reports.into_iter().filter(|report| report.sequence > 0) {
            let key = read(report.attempt.clone());
            let kept = self.durable.entry(key.clone()).or_default();
            let next = kept.len() as u64 + 1;
            if report.sequence > next {
                self.breaches.push(format!("{key:?}: {} after {}", report.sequence, next - 1));
            } else if report.sequence == next {
                kept.push(report);
            }
            let sequence = kept.len() as u64;
            acknowledge.push(v1::Acknowledge { attempt: Some(reference(&key)), sequence });
        }
        if self.silent { Vec::new() } else { acknowledge }
    }

    fn hear(&mut self, message: Up) -> Vec<Down> {
        match message {
            Up::Hello(hello) => {
                let verdicts = hello.attempts.iter().map(|attempt| {
                    let key = (attempt.trial_id.clone(), attempt.attempt);
                    v1::Verdict {
                        attempt: Some(attempt.clone()),
                        keep: !self.fenced.contains(&key),
                        durable_sequence: self.durable.get(&key).map_or(0, Vec::len) as u64,
                    }
                });
                let verdicts = verdicts.collect();
                self.hellos.push(hello);
                vec![Down::Welcome(v1::Welcome {
                    heartbeat_interval_ms: 50,
                    lease_ms: 5000,
                    verdicts,
                })]
            }
            Up::Heartbeat(heartbeat) => {
                self.heartbeats.push(heartbeat);
                Vec::new()
            }
            Up::Reports(reports) => {
                self.keep(reports.reports).into_iter().map(Down::Acknowledge).collect()
            }
            Up::Draining(_) => {
                self.drainings += 1;
                Vec::new()
            }
        }
    }
}

#[tonic::async_trait]
impl Workers for Coordinator {
    type LinkStream = ReceiverStream<Result<v1::CoordinatorMessage, Status>>;

    async fn link(
        &self,
        request: Request<Streaming<v1::WorkerMessage>>,
    ) -> Result<Response<Self::LinkStream>, Status> {
        if let Some(refusal) = self.with(|record| record.refusal.clone()) {
            return Err(Status::failed_precondition(refusal));
        }
        bitsweep_proto::check_version(request.metadata())?;
        let mut up = request.into_inner();
        let (down, messages) = mpsc::channel(1024);
        let (this, stop) = (self.clone(), self.stop.clone());
        tokio::spawn(async move {
            let listening = async {
                while let Ok(Some(message)) = up.message().await {
                    let message = message.message.expect("a message");
                    let greeting = matches!(message, Up::Hello(_));
                    for answer in this.with(|record| record.hear(message)) {
                        let answer = v1::CoordinatorMessage { message: Some(answer) };
                        let _ = down.send(Ok(answer)).await;
                    }
                    if greeting {
                        this.with(|record| record.down = Some(down.clone()));
                    }
                }
            };
            tokio::select! {
                () = listening => {}
                () = stop.cancelled() => {}
            }
            this.with(|record| {
                if record.down.as_ref().is_some_and(|present| present.same_channel(&down)) {
                    record.down = None;
                }
            });
        });
        Ok(Response::new(ReceiverStream::new(messages)))
    }
}

type Chunks = Pin<Box<dyn Stream<Item = Result<v1::DownloadChunk, Status>> + Send>>;

#[tonic::async_trait]
impl Artifacts for Coordinator {
    type DownloadStream = Chunks;

    async fn upload(
        &self,
        request: Request<Streaming<v1::UploadChunk>>,
    ) -> Result<Response<v1::ArtifactRef>, Status> {
        let mut chunks = request.into_inner();
        let mut data = Vec::new();
        let mut announced = None;
        while let Some(chunk) = chunks.message().await? {
            announced = announced.or(chunk.announced);
            data.extend_from_slice(&chunk.data);
        }
        let announced = announced.expect("announced in the first chunk");
        self.with(|record| {
            if record.failing_uploads > 0 {
                record.failing_uploads -= 1;
                return Err(Status::unavailable("not now"));
            }
            let hash = blake3::hash(&data).to_hex().to_string();
            if hash != announced.hash || data.len() as u64 != announced.bytes {
                return Err(Status::data_loss("not what was announced"));
            }
            record.blobs.insert(hash, data);
            Ok(Response::new(announced))
        })
    }

    async fn download(
        &self,
        request: Request<v1::DownloadRequest>,
    ) -> Result<Response<Chunks>, Status> {
        let v1::DownloadRequest { hash, offset } = request.into_inner();
        let blob = self.with(|record| record.blobs.get(&hash).cloned());
        let blob = blob.ok_or_else(|| Status::not_found("no such artifact"))?;
        let chunks: Vec<_> = blob[offset as usize..]
            .chunks(3)
            .map(|data| Ok(v1::DownloadChunk { data: data.to_vec() }))
            .collect();
        Ok(Response::new(Box::pin(tokio_stream::iter(chunks))))
    }

    async fn stat(
        &self,
        request: Request<v1::ArtifactRef>,
    ) -> Result<Response<v1::StatResponse>, Status> {
        let present = self.with(|record| record.blobs.contains_key(&request.get_ref().hash));
        Ok(Response::new(v1::StatResponse { present }))
    }
}
