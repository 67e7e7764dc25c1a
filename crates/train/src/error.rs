//! Why a trial cannot go on.

use std::io;
use std::path::{Path, PathBuf};

use bitsweep_sweep::{AttemptEnd, Failure};
use thiserror::Error;

/// Events cannot be delivered any more: whoever read them is gone.
#[derive(Debug, Error)]
#[error("the reader of this trial's events is gone ({0})")]
pub struct EmitError(#[from] pub io::Error);

/// Why a trial cannot go on. Every message is one line: what happened and what to do.
#[derive(Debug, Error)]
pub enum TrainError {
    /// The images cannot be used.
    #[error("{0}")]
    Data(String),
    /// The specification asks for something that cannot be trained.
    #[error("{0}")]
    Spec(String),
    /// A checkpoint file is damaged or not one of ours.
    #[error("checkpoint {path}: {problem}")]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The loss became NaN or infinite.
    #[error("{0}")]
    Diverged(String),
    /// The device has too little memory.
    #[error("{0}")]
    OutOfMemory(String),
    /// A file cannot be read or written.
    #[error("cannot {action} {path}: {source}{advice}")]
    Io {
        /// What was tried, for example `write`.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
        /// What to do, starting with `; `, or nothing.
        advice: &'static str,
    },
    /// Events cannot be delivered.
    #[error(transparent)]
    Emit(#[from] EmitError),
    /// The engine failed where it must not.
    #[error("the engine failed while {doing}: {message}")]
    Engine {
        /// What was being done.
        doing: &'static str,
        /// What the engine said.
        message: String,
    },
}

impl TrainError {
    /// The kind of end that this is.
    pub fn reason(&self) -> AttemptEnd {
        match self {
            Self::Data(_) | Self::Spec(_) | Self::Checkpoint { .. } => AttemptEnd::BadInput,
            Self::Diverged(_) => AttemptEnd::Diverged,
            Self::OutOfMemory(_) => AttemptEnd::OutOfMemory,
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::OutOfMemory => AttemptEnd::OutOfMemory,
                io::ErrorKind::NotFound => AttemptEnd::BadInput,
                _ => AttemptEnd::Crashed,
            },
            Self::Emit(_) | Self::Engine { .. } => AttemptEnd::Crashed,
        }
    }

    /// The last event of a trial that ends this way.
    pub fn failure(&self) -> Failure {
        Failure { reason: self.reason(), message: self.to_string() }
    }

    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let advice = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "; free some space and start the trial again, the previous checkpoint is intact"
            }
            io::ErrorKind::PermissionDenied => "; check who owns the folder",
            _ => "",
        };
        Self::Io { action, path: path.to_owned(), source, advice }
    }

    pub(crate) fn checkpoint(path: &Path, problem: impl Into<String>) -> Self {
        Self::Checkpoint { path: path.to_owned(), problem: problem.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_retryable_and_says_what_to_do() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let error = TrainError::io("write", Path::new("/x/c.safetensors"), full);
        assert!(error.reason().is_retryable());
        let message = error.failure().message;
        assert!(message.contains("/x/c.safetensors"), "{message}");
        assert!(message.contains("free some space"), "{message}");
        assert!(!message.contains('\n'));
    }

    #[test]
    fn what_the_same_specification_would_meet_again_is_not_retried() {
        for error in [
            TrainError::Data(String::new()),
            TrainError::Spec(String::new()),
            TrainError::Diverged(String::new()),
            TrainError::checkpoint(Path::new("x"), ""),
        ] {
            assert!(!error.reason().is_retryable(), "{error:?}");
        }
    }
}
