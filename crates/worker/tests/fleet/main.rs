//! The worker with real trial processes and a real gRPC link to a coordinator that a test controls.

#![allow(clippy::unwrap_used, missing_docs)]

mod coordinator;
mod link;
mod trials;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bitsweep_proto::v1;
use bitsweep_worker::{Worker, WorkerError, WorkerOptions};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use coordinator::{Coordinator, Key};

/// The stand-in for a trial program, built as an example of this package.
fn stand_in() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("examples/stand_in");
    assert!(path.exists(), "{} is missing; cargo test -p builds it", path.display());
    path
}

/// A worker under test.
struct Running {
    shutdown: CancellationToken,
    worker: JoinHandle<Result<(), WorkerError>>,
    directory: tempfile::TempDir,
}

impl Running {
    fn start(coordinator: &Coordinator, mode: &str) -> Self {
        Self::start_with(coordinator, vec![stand_in().into(), mode.into()])
    }

    fn start_with(coordinator: &Coordinator, command: Vec<OsString>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut options =
            WorkerOptions::new(coordinator.address.to_string(), directory.path(), command);
        options.threads = 3;
        let shutdown = CancellationToken::new();
        let worker = tokio::spawn(Worker::run(options, shutdown.clone()));
        Self { shutdown, worker, directory }
    }

    async fn leave(self) -> Result<(), WorkerError> {
        self.shutdown.cancel();
        self.ended().await
    }

    async fn ended(self) -> Result<(), WorkerError> {
        tokio::time::timeout(Duration::from_secs(120), self.worker).await.unwrap().unwrap()
    }

    fn files(&self) -> Vec<PathBuf> {
        files_below(self.directory.path())
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files.retain(|path| !path.ends_with("lock"));
    files
}

fn key(trial: &str) -> Key {
    (format!("sweep/{trial}"), 1)
}

/// The process that an attempt said it was.
async fn process(coordinator: &Coordinator, key: &Key) -> PathBuf {
    let number = coordinator
        .wait(|record| {
            record.durable.get(key)?.iter().find_map(|report| match report.content.as_ref()? {
                v1::report::Content::Event(v1::TrialEvent {
                    event: Some(v1::trial_event::Event::Log(line)),
                }) => line.message.strip_prefix("process ").map(str::to_owned),
                _ => None,
            })
        })
        .await;
    Path::new("/proc").join(number)
}

/// Waits until a process is gone and not even a zombie of it is left.
async fn gone(process: &Path) {
    let left = async {
        while process.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), left).await.expect("the process stays");
}
