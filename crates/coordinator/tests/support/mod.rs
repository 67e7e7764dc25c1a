//! A coordinator in this process, and workers and clients that speak to it over loopback.
// Every test file uses a part of it.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

pub mod worker;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bitsweep_coordinator::{Coordinator, CoordinatorError, CoordinatorOptions, RunningCoordinator};
use bitsweep_proto::{ProtocolChannel, connect, v1};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use v1::artifacts_client::ArtifactsClient;
use v1::sweeps_client::SweepsClient;

/// Longer than anything here takes; never what a test measures.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// One chain: 32 bits, then 4.
pub const CHAIN: &str = "name = \"chain\"\nnetworks = [\"resnet18\"]\nbits = [32, 4]\n\
    dataset = { name = \"fashion-mnist-mini\" }\ntrain = { epochs = 2 }\n\
    retry = { attempts = 3, backoff-seconds = 0 }\n";

/// Options with a lease that no test outlives.
pub fn patient(state: &Path) -> CoordinatorOptions {
    let mut options =
        CoordinatorOptions::new(state.to_path_buf(), SocketAddr::from(([127, 0, 0, 1], 0)));
    options.heartbeat = PATIENCE;
    options.lease = 2 * PATIENCE;
    options
}

/// Options with a lease of one second.
pub fn impatient(state: &Path) -> CoordinatorOptions {
    let mut options = patient(state);
    options.heartbeat = Duration::from_millis(300);
    options.lease = Duration::from_secs(1);
    options
}

/// A coordinator with a runtime of its own, so that it can be killed.
pub struct Killable {
    runtime: Option<Runtime>,
    running: Option<RunningCoordinator>,
    stop: CancellationToken,
    pub address: String,
}

impl Drop for Killable {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Killable {
    pub async fn start(options: CoordinatorOptions) -> Result<Self, CoordinatorError> {
        let runtime = Runtime::new().unwrap();
        let stop = CancellationToken::new();
        let token = stop.clone();
        let started =
            runtime.spawn(async move { Coordinator::start(options, token).await }).await.unwrap();
        match started {
            Ok(running) => {
                let address = running.address();
                Ok(Self { runtime: Some(runtime), running: Some(running), stop, address })
            }
            Err(error) => {
                runtime.shutdown_background();
                Err(error)
            }
        }
    }

    /// Ends it in the middle of whatever it does, as SIGKILL would; its sockets and locks go with it.
    pub fn kill(mut self) {
        drop(self.running.take());
        let runtime = self.runtime.take().unwrap();
        std::thread::spawn(move || runtime.shutdown_timeout(PATIENCE)).join().unwrap();
    }

    /// Asks it to end and waits for it.
    pub async fn stop(&mut self) -> Result<(), CoordinatorError> {
        self.stop.cancel();
        self.running.take().unwrap().join().await
    }

    pub async fn sweeps(&self) -> SweepsClient<ProtocolChannel> {
        SweepsClient::new(connect(&self.address).await.unwrap())
            .max_decoding_message_size(bitsweep_proto::MAX_MESSAGE_BYTES)
    }

    pub async fn submit(&self, file: &str) -> String {
        self.sweeps().await.submit(submission(file)).await.unwrap().into_inner().sweep_id
    }

    pub async fn snapshot(&self) -> v1::SweepSnapshot {
        let newest = v1::GetRequest { sweep: String::new() };
        self.sweeps().await.get(newest).await.unwrap().into_inner()
    }

    /// The trial of that name in the newest sweep.
    pub async fn trial(&self, name: &str) -> v1::TrialStatus {
        let named = |trial: &v1::TrialStatus| trial.spec.as_ref().is_some_and(|s| s.name == name);
        self.snapshot().await.trials.into_iter().find(named).unwrap()
    }

    /// Asks for the trial until `is_so` holds of it.
    pub async fn until(
        &self,
        name: &str,
        is_so: impl Fn(&v1::TrialStatus) -> bool,
    ) -> v1::TrialStatus {
        let mut last = None;
        for _ in 0..PATIENCE.as_millis() / 20 {
            let trial = self.trial(name).await;
            if is_so(&trial) {
                return trial;
            }
            last = Some(trial);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{name} never got there: {last:?}");
    }

    /// Every point of one metric of a trial.
    pub async fn series(&self, trial_id: &str, metric: v1::Metric) -> Vec<(u64, f64)> {
        let request = v1::SeriesRequest {
            trial_id: trial_id.to_owned(),
            metrics: vec![metric.into()],
            max_points: 0,
        };
        let series = self.sweeps().await.read_series(request).await.unwrap().into_inner().series;
        series.into_iter().flat_map(|batch| batch.steps.into_iter().zip(batch.values)).collect()
    }

    pub async fn upload(&self, content: &[u8]) -> v1::ArtifactRef {
        let announced = artifact(content);
        self.send_blob(announced, content).await.unwrap()
    }

    pub async fn send_blob(
        &self,
        announced: v1::ArtifactRef,
        content: &[u8],
    ) -> Result<v1::ArtifactRef, tonic::Status> {
        let mut chunks: Vec<v1::UploadChunk> = content
            .chunks(7)
            .map(|data| v1::UploadChunk { announced: None, data: data.to_vec() })
            .collect();
        chunks[0].announced = Some(announced);
        let mut client = ArtifactsClient::new(connect(&self.address).await.unwrap());
        client.upload(tokio_stream::iter(chunks)).await.map(tonic::Response::into_inner)
    }

    pub async fn download(&self, hash: &str, offset: u64) -> Result<Vec<u8>, tonic::Status> {
        let mut client = ArtifactsClient::new(connect(&self.address).await.unwrap());
        let request = v1::DownloadRequest { hash: hash.to_owned(), offset };
        let mut stream = client.download(request).await?.into_inner();
        let mut content = Vec::new();
        while let Some(chunk) = stream.message().await? {
            content.extend(chunk.data);
        }
        Ok(content)
    }
}

pub fn artifact(content: &[u8]) -> v1::ArtifactRef {
    v1::ArtifactRef {
        hash: blake3::hash(content).to_hex().to_string(),
        bytes: content.len() as u64,
    }
}

pub fn submission(file: &str) -> v1::SubmitRequest {
    v1::SubmitRequest {
        file: file.to_owned(),
        file_name: "test.toml".to_owned(),
        base_directory: String::new(),
        key: None,
    }
}

/// A state folder, removed at the end.
pub fn state() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    (folder, state)
}
