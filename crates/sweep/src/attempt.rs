//! Why an attempt ended, and what follows from it.

use serde::{Deserialize, Serialize};

/// Why one attempt at a trial ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttemptEnd {
    /// The training ran to its end.
    Finished,
    /// The loss became NaN or infinite.
    Diverged,
    /// The process died or broke its protocol.
    Crashed,
    /// The host or the device ran out of memory.
    OutOfMemory,
    /// It gave way to a more urgent trial, at a checkpoint.
    Preempted,
    /// Somebody cancelled it.
    Cancelled,
    /// Its lease ran out: the worker was not heard from.
    Lost,
    /// Its worker was asked to stop and gave the lease back.
    Drained,
    /// The specification or the data cannot be used.
    BadInput,
}

impl AttemptEnd {
    /// Whether another attempt can end otherwise.
    ///
    /// Divergence and bad input are properties of the specification: the same again ends the same.
    pub fn is_retryable(self) -> bool {
        match self {
            Self::Crashed | Self::OutOfMemory | Self::Preempted | Self::Lost | Self::Drained => {
                true
            }
            Self::Finished | Self::Diverged | Self::Cancelled | Self::BadInput => false,
        }
    }

    /// Whether the end uses up one of the attempts that the sweep file allows.
    ///
    /// Giving a lease back in good order does not: a fleet may be drained any number of times.
    pub fn counts_against_retries(self) -> bool {
        match self {
            Self::Crashed | Self::OutOfMemory | Self::Lost => true,
            Self::Finished
            | Self::Diverged
            | Self::Preempted
            | Self::Cancelled
            | Self::Drained
            | Self::BadInput => false,
        }
    }

    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Diverged => "diverged",
            Self::Crashed => "crashed",
            Self::OutOfMemory => "out of memory",
            Self::Preempted => "preempted",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
            Self::Drained => "drained",
            Self::BadInput => "bad input",
        }
    }
}
