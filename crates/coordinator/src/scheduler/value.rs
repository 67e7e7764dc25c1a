//! Plain values that go into the scheduler and come out of it.

use std::fmt;

use bitsweep_sweep::{AttemptEnd, Level, SweepId, TrialId};

/// Milliseconds since 1970 by the coordinator's clock.
pub type Timestamp = i64;

/// A worker process; it keeps its id over reconnections and gets another one when it restarts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkerId(String);

impl WorkerId {
    /// Takes the text as it is.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// One attempt at a trial. A later attempt fences all earlier ones.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttemptId {
    /// The trial.
    pub trial: TrialId,
    /// From 1.
    pub attempt: u32,
}

impl AttemptId {
    /// Attempt number `attempt` at `trial`.
    pub fn new(trial: TrialId, attempt: u32) -> Self {
        Self { trial, attempt }
    }
}

/// A stored checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Content hash of the artifact.
    pub hash: String,
    /// Size of the artifact.
    pub bytes: u64,
    /// Optimizer steps done.
    pub step: u64,
}

/// Periods of the link, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How often workers send heartbeats.
    pub heartbeat_ms: i64,
    /// A lease that was not renewed for so long is over.
    pub lease_ms: i64,
}

impl Timing {
    /// A worker not heard from for longer is silent: three heartbeats are missing.
    pub(super) fn silent_after(&self) -> i64 {
        3 * self.heartbeat_ms
    }
}

/// Where a trial stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TrialState {
    /// Its parent has not finished, or the parent's final checkpoint is not stored yet.
    Waiting,
    /// Nothing is missing but a free slot, or the end of its back-off.
    Ready,
    /// An attempt holds its lease.
    Running,
    /// Trained to its end. Never changes again.
    Finished,
    /// Ended in a way that another attempt does not help, or used up its attempts.
    Failed,
    /// An ancestor failed or was cancelled.
    Blocked,
    /// Somebody cancelled it.
    Cancelled,
}

impl TrialState {
    /// Whether nothing changes it but somebody's `resume`.
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Blocked | Self::Cancelled)
    }
}

/// Where a sweep stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SweepState {
    /// Some trial can still change.
    Active,
    /// Every trial finished.
    Finished,
    /// Nothing can run and some trial failed or is blocked.
    Failed,
    /// Nothing can run and some trial was cancelled, none failed.
    Cancelled,
}

/// How a worker can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// Linked and heard from.
    Connected,
    /// Not linked, or three heartbeats are missing.
    Silent,
    /// Not heard from for longer than a lease.
    Lost,
    /// Said goodbye.
    Left,
}

/// What a worker says of itself when it connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The process.
    pub worker: WorkerId,
    /// For people.
    pub name: String,
    /// Trials side by side.
    pub slots: u32,
    /// Attempts it still runs or still has reports of.
    pub attempts: Vec<AttemptId>,
}

/// Whether an attempt a worker came back with is still its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The attempt.
    pub attempt: AttemptId,
    /// `false`: the worker stops it and drops its reports.
    pub keep: bool,
}

/// The answer to [`Hello`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// Number of this connection, for the disconnect that ends it.
    pub connection: u64,
    /// One for each attempt named, in that order.
    pub verdicts: Vec<Verdict>,
}

/// What is to be done after an event, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Store a new attempt with its lease, then send it to the worker.
    Assign {
        /// Who runs it.
        worker: WorkerId,
        /// What it runs.
        attempt: AttemptId,
        /// Final checkpoint of the parent; `None`: no parent.
        parent: Option<Checkpoint>,
        /// Newest checkpoint of earlier attempts.
        resume: Option<Checkpoint>,
        /// Step it continues from; 0: from the beginning.
        from_step: u64,
    },
    /// Tell the worker to stop the attempt's process.
    CancelAttempt {
        /// Who runs it.
        worker: WorkerId,
        /// What it runs.
        attempt: AttemptId,
        /// For the worker's log.
        reason: String,
    },
    /// Store that the attempt ended; its lease is over.
    AttemptEnded {
        /// The attempt.
        attempt: AttemptId,
        /// Why.
        end: AttemptEnd,
        /// One line for people; empty when finished.
        message: String,
    },
    /// Store that an attempt taken for lost goes on under the same lease.
    AttemptRevived {
        /// The attempt.
        attempt: AttemptId,
        /// Who runs it, as before.
        worker: WorkerId,
    },
    /// Store where a trial stands.
    TrialChanged {
        /// The trial.
        trial: TrialId,
        /// Its state.
        state: TrialState,
        /// Attempts used up since it was submitted or resumed.
        attempts_used: u32,
        /// When it may be tried again; `None` unless backing off.
        retry_at: Option<Timestamp>,
    },
    /// Every trial of the sweep is settled.
    SweepEnded {
        /// The sweep.
        sweep: SweepId,
    },
    /// A line for people.
    Log {
        /// How much it matters.
        level: Level,
        /// Of which trial.
        trial: Option<TrialId>,
        /// The line.
        message: String,
    },
}
