//! A trial as the coordinator last described it.

use bitsweep_proto::{ConvertError, v1};
use bitsweep_sweep::{
    AttemptEnd, EpochSummary, FinalResult, Progress, Provenance, TrialId, TrialSpec,
};

/// Where a trial stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TrialState {
    /// Its parent has not finished.
    Waiting,
    /// Nothing is missing but a free slot.
    Ready,
    Running,
    Finished,
    Failed,
    /// An ancestor failed or was cancelled.
    Blocked,
    Cancelled,
}

impl TrialState {
    /// Whether nothing more happens to it by itself.
    pub(crate) fn is_final(self) -> bool {
        !matches!(self, Self::Waiting | Self::Ready | Self::Running)
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Ready => "next",
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Blocked => "blocked",
            Self::Cancelled => "cancelled",
        }
    }

    fn read(number: i32) -> Result<Self, String> {
        use v1::TrialState as Message;
        match Message::try_from(number) {
            Ok(Message::Waiting) => Ok(Self::Waiting),
            Ok(Message::Ready) => Ok(Self::Ready),
            Ok(Message::Running) => Ok(Self::Running),
            Ok(Message::Finished) => Ok(Self::Finished),
            Ok(Message::Failed) => Ok(Self::Failed),
            Ok(Message::Blocked) => Ok(Self::Blocked),
            Ok(Message::Cancelled) => Ok(Self::Cancelled),
            Ok(Message::Unspecified) | Err(_) => Err(format!("trial state {number} is unknown")),
        }
    }
}

/// One attempt at a trial.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) number: u32,
    pub(crate) worker_id: String,
    pub(crate) worker_name: String,
    pub(crate) started_ms: i64,
    /// `None` while it runs.
    pub(crate) ended_ms: Option<i64>,
    /// `None` while it runs.
    pub(crate) end: Option<AttemptEnd>,
    pub(crate) message: String,
    pub(crate) from_step: u64,
}

/// A trial.
#[derive(Clone, Debug)]
pub(crate) struct Trial {
    pub(crate) id: TrialId,
    pub(crate) spec: TrialSpec,
    pub(crate) state: TrialState,
    pub(crate) attempts: Vec<Attempt>,
    /// Of the running attempt.
    pub(crate) progress: Option<Progress>,
    pub(crate) epochs: Vec<EpochSummary>,
    pub(crate) result: Option<FinalResult>,
    pub(crate) provenance: Option<Provenance>,
    pub(crate) parameters: u64,
    pub(crate) retry_at_ms: Option<i64>,
    pub(crate) checkpoint_step: Option<u64>,
}

impl Trial {
    /// Percent: final when finished, otherwise the newest epoch's.
    pub(crate) fn top1(&self) -> Option<f64> {
        match &self.result {
            Some(result) => Some(result.top1),
            None => self.epochs.last().map(|e| e.top1),
        }
    }

    /// The running attempt, or the newest that was.
    pub(crate) fn newest_attempt(&self) -> Option<&Attempt> {
        self.attempts.last()
    }

    /// Fraction of its steps done; `None` before the first progress.
    pub(crate) fn fraction(&self) -> Option<f64> {
        if self.state == TrialState::Finished {
            return Some(1.0);
        }
        let progress = self.progress.filter(|p| p.total_steps > 0)?;
        Some((progress.step as f64 / progress.total_steps as f64).clamp(0.0, 1.0))
    }

    /// Seconds its attempts took so far, by the coordinator's clock.
    pub(crate) fn seconds(&self, server_now_ms: i64) -> f64 {
        let total: i64 = self
            .attempts
            .iter()
            .map(|a| (a.ended_ms.unwrap_or(server_now_ms) - a.started_ms).max(0))
            .sum();
        total as f64 / 1000.0
    }

    /// Why it is not finished: of the newest attempt that ended badly.
    pub(crate) fn failure(&self) -> Option<&Attempt> {
        self.attempts.iter().rev().find(|a| a.end.is_some_and(|e| e != AttemptEnd::Finished))
    }

    /// Reads the message.
    ///
    /// # Errors
    /// One line naming what cannot be understood: the coordinator is newer than this program.
    pub(crate) fn read(status: v1::TrialStatus) -> Result<Self, String> {
        let plain = |error: ConvertError| error.to_string();
        let spec = status.spec.ok_or("trial without a specification")?;
        Ok(Self {
            id: TrialId::new(status.trial_id),
            spec: spec.try_into().map_err(plain)?,
            state: TrialState::read(status.state)?,
            attempts: status.attempts.into_iter().map(read_attempt).collect(),
            progress: status.progress.map(Progress::try_from).transpose().map_err(plain)?,
            epochs: status.epochs.into_iter().map(EpochSummary::from).collect(),
            result: status.result.map(FinalResult::from),
            provenance: status.provenance.map(Provenance::from),
            parameters: status.parameters,
            retry_at_ms: status.retry_at_ms,
            checkpoint_step: status.checkpoint_step,
        })
    }
}

fn read_attempt(status: v1::AttemptStatus) -> Attempt {
    let end = v1::AttemptEnd::try_from(status.end).ok().and_then(|e| e.try_into().ok());
    Attempt {
        number: status.attempt,
        worker_id: status.worker_id,
        worker_name: status.worker_name,
        started_ms: status.started_ms,
        ended_ms: status.ended_ms,
        end: end.filter(|_| status.ended_ms.is_some()),
        message: status.message,
        from_step: status.from_step,
    }
}
