//! What the store gives back.

use bitsweep_proto::v1;
use bitsweep_sweep::{
    AttemptEnd, EpochSummary, FinalResult, Level, Plan, Provenance, SweepId, TrialId,
};

/// A sweep.
#[derive(Clone, Debug)]
pub(crate) struct SweepRow {
    pub(crate) id: SweepId,
    pub(crate) key: String,
    pub(crate) file: String,
    pub(crate) plan: Plan,
    pub(crate) created_ms: i64,
    pub(crate) ended_ms: Option<i64>,
}

/// A trial without its series.
#[derive(Clone, Debug)]
pub(crate) struct TrialRow {
    pub(crate) id: TrialId,
    pub(crate) state: v1::TrialState,
    pub(crate) attempts_used: u32,
    pub(crate) retry_at_ms: Option<i64>,
    pub(crate) parameters: u64,
    pub(crate) provenance: Option<Provenance>,
    pub(crate) result: Option<FinalResult>,
    pub(crate) attempts: Vec<AttemptRow>,
    pub(crate) epochs: Vec<EpochSummary>,
    pub(crate) newest_checkpoint: Option<CheckpointRow>,
    pub(crate) final_checkpoint: Option<CheckpointRow>,
}

/// One attempt.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AttemptRow {
    pub(crate) attempt: u32,
    pub(crate) worker_id: String,
    pub(crate) worker_name: String,
    pub(crate) started_ms: i64,
    pub(crate) ended_ms: Option<i64>,
    pub(crate) end: Option<AttemptEnd>,
    pub(crate) message: String,
    pub(crate) from_step: u64,
    /// Reports up to here are stored.
    pub(crate) last_sequence: u64,
}

/// A checkpoint that has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CheckpointRow {
    pub(crate) epoch: u32,
    pub(crate) step: u64,
    pub(crate) hash: String,
    pub(crate) bytes: u64,
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogRow {
    pub(crate) time_ms: i64,
    pub(crate) level: Level,
    /// Empty: the coordinator itself.
    pub(crate) worker_name: String,
    /// Empty: of no trial.
    pub(crate) trial_id: String,
    pub(crate) message: String,
}
