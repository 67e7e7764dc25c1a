//! What happens to a session, and what it wants done.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use bitsweep_proto::v1;
use bitsweep_sweep::{AttemptEnd, TrialEvent, TrialId};

use crate::trial::ProcessEnd;

/// One attempt among all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct AttemptKey {
    pub(crate) trial: TrialId,
    /// From 1; a later attempt fences all earlier ones.
    pub(crate) attempt: u32,
}

impl AttemptKey {
    /// Reads a reference; `None` when it names nothing.
    pub(crate) fn read(reference: Option<v1::AttemptRef>) -> Option<Self> {
        let v1::AttemptRef { trial_id, attempt } = reference?;
        (attempt > 0 && !trial_id.is_empty())
            .then(|| Self { trial: TrialId::new(trial_id), attempt })
    }

    pub(crate) fn reference(&self) -> v1::AttemptRef {
        v1::AttemptRef { trial_id: self.trial.to_string(), attempt: self.attempt }
    }
}

impl fmt::Display for AttemptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (attempt {})", self.trial, self.attempt)
    }
}

/// A reading of both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Since the worker started; never goes back.
    pub(crate) elapsed: Duration,
    /// Unix milliseconds, for people and reports.
    pub(crate) unix_ms: i64,
}

/// What happens to a session.
#[derive(Debug)]
pub(crate) enum Event {
    /// The stream to the coordinator is open and carries the Hello.
    Connected,
    /// The stream ended or could not be opened.
    Lost {
        reason: String,
    },
    /// The coordinator will never take this worker as it is.
    Refused {
        message: String,
    },
    Received(Box<v1::CoordinatorMessage>),
    /// A trial said something. `cost` was taken from the attempt's budget.
    Trial {
        key: AttemptKey,
        event: TrialEvent,
        cost: u32,
    },
    /// The trial's process is gone and everything it said has been handed over.
    Exited {
        key: AttemptKey,
        end: ProcessEnd,
    },
    /// There never was a process.
    NotStarted {
        key: AttemptKey,
        reason: AttemptEnd,
        message: String,
    },
    /// There never was a process because this worker cannot write in its folder.
    Unusable {
        key: AttemptKey,
        problem: String,
    },
    Uploaded {
        key: AttemptKey,
        sequence: u64,
        result: Result<v1::ArtifactRef, String>,
    },
    /// Leave in good order.
    ShutDown,
    /// A deadline named by the session has come.
    Tick,
}

/// What a session wants done.
#[derive(Debug, PartialEq)]
pub(crate) enum Effect {
    /// Open a stream whose first message is this Hello.
    Connect(v1::Hello),
    /// Give up the present stream; no `Lost` is expected for it.
    Disconnect,
    /// The coordinator has (again) taken this worker: transfers that wait may try now.
    Welcomed,
    /// Fetch what the assignment names and start its process on the device of `slot`.
    Start { key: AttemptKey, slot: u32, assignment: Box<v1::Assign> },
    /// Ask the process for a checkpoint and its end.
    Stop(AttemptKey),
    /// Kill the process; what it has said still counts.
    Kill(AttemptKey),
    /// Kill the process; nobody wants what it has said.
    Discard(AttemptKey),
    /// Upload a file; answered with `Uploaded`.
    Upload { key: AttemptKey, sequence: u64, path: PathBuf },
    /// Give so much of its budget back to the attempt.
    Release { key: AttemptKey, cost: u32 },
    /// The attempt is over: remove its folder.
    CleanUp(AttemptKey),
}
