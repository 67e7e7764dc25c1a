//! The worker processes of `bitsweep run`: real ones, over real gRPC, that end with this process.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Times a worker that died is replaced before the run gives up on it.
const REPLACEMENTS: u32 = 3;

/// Time for a worker to save checkpoints and deliver them, a little over its own grace period.
const STOP_WITHIN: Duration = Duration::from_secs(40);

/// What all workers of a fleet share.
#[derive(Clone, Debug)]
pub(crate) struct FleetOptions {
    pub(crate) coordinator: String,
    pub(crate) threads: u32,
    /// Names of devices; workers take turns.
    pub(crate) devices: Vec<String>,
    pub(crate) state: PathBuf,
}

/// Worker processes of this one.
pub(crate) struct LocalFleet {
    stop: CancellationToken,
    workers: JoinSet<anyhow::Result<()>>,
}

impl LocalFleet {
    /// Starts `count` workers, each in a process group of its own so that Ctrl-C reaches only this process.
    pub(crate) fn start(count: u32, options: &FleetOptions) -> anyhow::Result<Self> {
        std::fs::create_dir_all(options.state.join("logs"))
            .with_context(|| format!("{} cannot be made", options.state.join("logs").display()))?;
        let stop = CancellationToken::new();
        let mut workers = JoinSet::new();
        for number in 1..=count {
            let worker = LocalWorker { number, options: options.clone(), stop: stop.clone() };
            workers.spawn(worker.keep_running());
        }
        Ok(Self { stop, workers })
    }

    /// Ends with an error once a worker could not be kept running; never ends otherwise.
    pub(crate) async fn given_up(&mut self) -> anyhow::Error {
        loop {
            match self.workers.join_next().await {
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(error))) => return error,
                Some(Err(error)) => return error.into(),
                None => std::future::pending::<()>().await,
            }
        }
    }

    /// Asks every worker to save and leave, and waits until all have.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        while self.workers.join_next().await.is_some() {}
    }
}

struct LocalWorker {
    number: u32,
    options: FleetOptions,
    stop: CancellationToken,
}

impl LocalWorker {
    async fn keep_running(self) -> anyhow::Result<()> {
        for _ in 0..=REPLACEMENTS {
            let mut child = self.spawn()?;
            // Waiting for a child closes its standard input, which tells a worker that its parent is gone.
            let _parent_is_here = child.stdin.take();
            let status = tokio::select! {
                status = child.wait() => status?,
                () = self.stop.cancelled() => return end(child).await,
            };
            tracing::warn!("worker {} ended with {status}", self.number);
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
                () = self.stop.cancelled() => return Ok(()),
            }
        }
        anyhow::bail!(
            "worker {} keeps ending; its last words: {}",
            self.number,
            last_line(&self.log_path()).unwrap_or_else(|| "none".to_owned())
        )
    }

    fn log_path(&self) -> PathBuf {
        self.options.state.join("logs").join(format!("worker-{}.log", self.number))
    }

    /// What this worker computes with; none is the default.
    fn device(&self) -> Option<&String> {
        let devices = &self.options.devices;
        devices.get((self.number as usize - 1) % devices.len().max(1))
    }

    fn spawn(&self) -> anyhow::Result<Child> {
        let path = self.log_path();
        let log =
            File::create(&path).with_context(|| format!("{} cannot be written", path.display()))?;
        let program = std::env::current_exe().context("this program's own path cannot be found")?;
        Command::new(program)
            .arg("worker")
            .args(["--coordinator", &self.options.coordinator])
            .args(["--name", &format!("local-{}", self.number)])
            .args(["--threads", &self.options.threads.to_string()])
            .args(self.device().map(|device| format!("--device={device}")))
            .arg("--work")
            .arg(self.options.state.join("work"))
            .arg("--exit-with-parent")
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("a worker process cannot be started")
    }
}

/// Asks a worker to leave; what has not left in time is killed and its lease runs out.
async fn end(mut child: Child) -> anyhow::Result<()> {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        kill_process(pid, Signal::TERM)?;
    }
    if tokio::time::timeout(STOP_WITHIN, child.wait()).await.is_err() {
        child.kill().await?;
    }
    Ok(())
}

fn last_line(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    text.lines().rev().find(|line| !line.trim().is_empty()).map(str::to_owned)
}
