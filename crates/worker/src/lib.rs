//! The worker: takes leases from a coordinator, runs each trial as a process of its own, and
//! delivers what the trials report until the coordinator has made it durable.
//!
//! [`session`] decides (state + event + now → effects) and does no I/O; [`supervisor`] performs the
//! effects: the link, the trial processes, the transfers and the clock. A trial process is anything
//! that speaks the pipe protocol of `trial.proto`; the worker contains no training code.

mod directory;
mod error;
mod link;
mod options;
mod session;
mod supervisor;
mod telemetry;
mod transfer;
mod trial;

pub use error::WorkerError;
pub use options::{Device, WorkerOptions};

use tokio_util::sync::CancellationToken;

/// A worker process's whole life.
#[derive(Debug)]
pub struct Worker;

impl Worker {
    /// Serves the coordinator until `shutdown` is cancelled, the coordinator sends the worker away,
    /// or nothing further can be done.
    ///
    /// Cancelling `shutdown` asks every trial for a checkpoint, delivers what is left and gives the
    /// leases back, within [`WorkerOptions::grace`]. Dropping the future kills the trial processes
    /// at once: that is the answer to a second signal.
    ///
    /// # Errors
    /// When the work directory cannot be used, the address is not one, nobody answers there at the
    /// start, or the coordinator refuses this worker for good (another protocol, no permission). A
    /// coordinator that goes away later is waited for.
    pub async fn run(
        options: WorkerOptions,
        shutdown: CancellationToken,
    ) -> Result<(), WorkerError> {
        supervisor::run(options, shutdown).await
    }
}
