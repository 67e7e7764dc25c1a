//! Between what the scheduler, the store and the messages call the same thing.

use bitsweep_proto::v1;

use crate::scheduler;
use crate::store::{AttemptRow, CheckpointRow, LogRow};

impl From<scheduler::TrialState> for v1::TrialState {
    fn from(state: scheduler::TrialState) -> Self {
        match state {
            scheduler::TrialState::Waiting => Self::Waiting,
            scheduler::TrialState::Ready => Self::Ready,
            scheduler::TrialState::Running => Self::Running,
            scheduler::TrialState::Finished => Self::Finished,
            scheduler::TrialState::Failed => Self::Failed,
            scheduler::TrialState::Blocked => Self::Blocked,
            scheduler::TrialState::Cancelled => Self::Cancelled,
        }
    }
}

/// A state as the store has it; what no version of this program writes counts as waiting.
pub(crate) fn trial_state(state: v1::TrialState) -> scheduler::TrialState {
    match state {
        v1::TrialState::Unspecified | v1::TrialState::Waiting => scheduler::TrialState::Waiting,
        v1::TrialState::Ready => scheduler::TrialState::Ready,
        v1::TrialState::Running => scheduler::TrialState::Running,
        v1::TrialState::Finished => scheduler::TrialState::Finished,
        v1::TrialState::Failed => scheduler::TrialState::Failed,
        v1::TrialState::Blocked => scheduler::TrialState::Blocked,
        v1::TrialState::Cancelled => scheduler::TrialState::Cancelled,
    }
}

impl From<scheduler::Liveness> for v1::Liveness {
    fn from(liveness: scheduler::Liveness) -> Self {
        match liveness {
            scheduler::Liveness::Connected => Self::Connected,
            scheduler::Liveness::Silent => Self::Silent,
            scheduler::Liveness::Lost => Self::Lost,
            scheduler::Liveness::Left => Self::Left,
        }
    }
}

impl From<&AttemptRow> for v1::AttemptStatus {
    fn from(row: &AttemptRow) -> Self {
        Self {
            attempt: row.attempt,
            worker_id: row.worker_id.clone(),
            worker_name: row.worker_name.clone(),
            started_ms: row.started_ms,
            ended_ms: row.ended_ms,
            end: row.end.map_or(v1::AttemptEnd::Unspecified, v1::AttemptEnd::from).into(),
            message: row.message.clone(),
            from_step: row.from_step,
        }
    }
}

impl From<&LogRow> for v1::LogEntry {
    fn from(row: &LogRow) -> Self {
        Self {
            time_ms: row.time_ms,
            level: v1::Level::from(row.level).into(),
            worker_name: row.worker_name.clone(),
            trial_id: row.trial_id.clone(),
            message: row.message.clone(),
        }
    }
}

impl From<&scheduler::Checkpoint> for v1::ArtifactRef {
    fn from(checkpoint: &scheduler::Checkpoint) -> Self {
        Self { hash: checkpoint.hash.clone(), bytes: checkpoint.bytes }
    }
}

impl From<&CheckpointRow> for v1::ArtifactRef {
    fn from(row: &CheckpointRow) -> Self {
        Self { hash: row.hash.clone(), bytes: row.bytes }
    }
}

impl From<&CheckpointRow> for scheduler::Checkpoint {
    fn from(row: &CheckpointRow) -> Self {
        Self { hash: row.hash.clone(), bytes: row.bytes, step: row.step }
    }
}

/// An attempt as messages name it.
pub(crate) fn attempt_ref(id: &scheduler::AttemptId) -> v1::AttemptRef {
    v1::AttemptRef { trial_id: id.trial.to_string(), attempt: id.attempt }
}

/// An attempt a message names; `None` when it names none.
pub(crate) fn attempt_id(reference: Option<&v1::AttemptRef>) -> Option<scheduler::AttemptId> {
    let v1::AttemptRef { trial_id, attempt } = reference?;
    (*attempt > 0 && !trial_id.is_empty())
        .then(|| scheduler::AttemptId::new(bitsweep_sweep::TrialId::new(trial_id), *attempt))
}
