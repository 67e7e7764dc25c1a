//! A trial as the coordinator last described it.

use bitsweep_proto::{ConvertError, v1};
use bitsweep_sweep::{
    Architecture, AttemptEnd, EpochSummary, FinalResult, Progress, Provenance, TrialId, TrialSpec,
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
    /// In the order of their numbers.
    pub(crate) const ALL: [Self; 7] = [
        Self::Waiting,
        Self::Ready,
        Self::Running,
        Self::Finished,
        Self::Failed,
        Self::Blocked,
        Self::Cancelled,
    ];

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

/// What a network costs whoever uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    /// Of an image.
    pub(crate) multiply_accumulates: u64,
    /// Of an image: a multiply-accumulate of m by n bits counts m · n.
    pub(crate) bit_operations: u64,
    /// Of the stored model.
    pub(crate) bytes: u64,
}

impl Size {
    /// `None` where the network does not fit the images.
    pub(crate) fn of(spec: &TrialSpec) -> Option<Self> {
        let shape = Architecture::new(&spec.model, spec.data.resolution).ok()?;
        let (weights, inputs) = (u64::from(spec.bits.weights), u64::from(spec.bits.activations));
        let bits = |quantized| if quantized { weights * inputs } else { 32 * 32 };
        let operations =
            shape.layers.iter().map(|l| l.multiply_accumulates() * bits(l.quantized)).sum();
        Some(Self {
            multiply_accumulates: shape.multiply_accumulates(),
            bit_operations: operations,
            bytes: shape.model_bytes(spec.bits),
        })
    }
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
    /// Set when it joins a sweep.
    pub(crate) size: Option<Size>,
    /// Place of its data set among those of the sweep; set when it joins one.
    pub(crate) data: usize,
}

impl Trial {
    /// Percent: final when finished, otherwise the newest epoch's.
    pub(crate) fn top1(&self) -> Option<f64> {
        match &self.result {
            Some(result) => Some(result.top1),
            None => self.epochs.last().map(|e| e.top1),
        }
    }

    /// Percent: the best of its epochs, and the epoch.
    pub(crate) fn best(&self) -> Option<(f64, u32)> {
        let better = |a: &&EpochSummary, b: &&EpochSummary| a.top1.total_cmp(&b.top1);
        self.epochs.iter().rev().max_by(better).map(|e| (e.top1, e.epoch))
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
            size: None,
            data: 0,
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
