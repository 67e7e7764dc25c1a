//! Moving blobs to and from the coordinator.
//!
//! A transfer outlives the coordinator's absence: it waits and tries again, sooner once the
//! coordinator has welcomed the worker back. It ends when it is done, when trying again cannot help,
//! or when its future is dropped.

mod download;
mod upload;

use std::time::Duration;

use bitsweep_proto::v1::artifacts_client::ArtifactsClient;
use bitsweep_proto::{ConnectError, MAX_MESSAGE_BYTES, NameVersion, ProtocolChannel, endpoint};
use tokio::sync::watch;
use tonic::service::interceptor::InterceptedService;
use tonic::{Code, Status};

use crate::session::delay;

pub(crate) use download::download;
pub(crate) use upload::upload;

/// Bytes of a blob a message carries.
const CHUNK_BYTES: usize = 1 << 20;

/// A blob that arrives damaged so often is damaged at its source.
const MAX_DAMAGED: u32 = 3;

/// The artifact service, connected when needed.
#[derive(Clone, Debug)]
pub(crate) struct Depot {
    client: ArtifactsClient<ProtocolChannel>,
    /// Changes whenever the coordinator has welcomed the worker.
    welcomes: watch::Receiver<u64>,
}

/// Why a transfer cannot succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransferError {
    #[error("{0}")]
    File(#[from] std::io::Error),
    #[error("the coordinator refuses it: {}", .0.message())]
    Refused(Status),
    #[error("the coordinator does not have checkpoint {hash}")]
    Missing { hash: String },
    #[error("checkpoint {hash} arrived damaged {MAX_DAMAGED} times")]
    Damaged { hash: String },
    #[error("\"{hash}\" is not the hash of a checkpoint")]
    NoHash { hash: String },
}

/// One failure of a try.
#[derive(Debug)]
enum Failure {
    Permanent(TransferError),
    /// Trying again may help.
    Passing(String),
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Permanent(error.into())
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        match status.code() {
            Code::Ok
            | Code::Cancelled
            | Code::Unknown
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Aborted
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss => {
                Self::Passing(format!("{}: {}", status.code().description(), status.message()))
            }
            Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Unauthenticated => Self::Permanent(TransferError::Refused(status)),
        }
    }
}

impl Depot {
    /// The artifact service at `address`.
    pub(crate) fn new(address: &str, welcomes: watch::Receiver<u64>) -> Result<Self, ConnectError> {
        let channel = InterceptedService::new(endpoint(address)?.connect_lazy(), NameVersion);
        let client = ArtifactsClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES);
        Ok(Self { client, welcomes })
    }

    /// Waits after the failure number `failures` in a row, at most until the next welcome.
    async fn wait(&mut self, failures: u32, problem: &str) {
        let wait = delay(failures, jitter());
        tracing::warn!(
            "transfer interrupted ({problem}); next try within {} s",
            wait.as_secs() + 1
        );
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            // A worker that is leaving no longer changes it: then only the time counts.
            Ok(()) = self.welcomes.changed() => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// A random number in `[0, 1)`.
fn jitter() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0) as f64 / u64::MAX as f64
}

/// Whether the text is a blake3 hash as the contract writes it.
fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
