//! Why a worker gives up.

use std::path::PathBuf;

use bitsweep_proto::ConnectError;

/// Why a worker cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The coordinator's address is not one.
    #[error(transparent)]
    Address(#[from] ConnectError),
    /// Nobody answered at the start.
    #[error(
        "no coordinator answers at {address} after {seconds} s and {tries} tries ({reason}); \
         start one with `bitsweep coordinator` or check the address"
    )]
    Unreachable {
        /// Where.
        address: String,
        /// How long it was tried.
        seconds: u64,
        /// How often.
        tries: u32,
        /// The last failure.
        reason: String,
    },
    /// The coordinator will never take this worker as it is.
    #[error("the coordinator refuses this worker: {message}")]
    Refused {
        /// The coordinator's words; for another protocol they name both versions.
        message: String,
    },
    /// The work directory is not usable.
    #[error(
        "cannot use the work directory {}: {source}; free space there or give another folder",
        path.display()
    )]
    WorkDirectory {
        /// Which folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is no program to run trials with.
    #[error("no trial command was given; the worker needs a program to start for each trial")]
    NoTrialCommand,
}
