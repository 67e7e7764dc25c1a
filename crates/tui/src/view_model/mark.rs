//! Marks that carry meaning without colour.

use crate::model::trial::{Trial, TrialState};

/// What a gap says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Above the reference by more than noise.
    Better,
    /// No difference shown.
    Within,
    /// Below the reference by more than noise.
    Worse,
    /// Too early to say.
    Early,
}

impl Verdict {
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::Better => "▲",
            Self::Within => "≈",
            Self::Worse => "▼",
            Self::Early => "~",
        }
    }
}

/// How a trial stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Done,
    Running,
    Waiting,
    Failed,
    /// Blocked or cancelled: nothing will come of it by itself.
    Stopped,
    /// Running as far as anybody knows.
    Stale,
}

impl Mark {
    /// The mark of a trial; `stale` when nothing has been heard of it for too long.
    pub(crate) fn of(trial: &Trial, stale: bool) -> Self {
        match trial.state {
            TrialState::Finished => Self::Done,
            TrialState::Running if stale => Self::Stale,
            TrialState::Running => Self::Running,
            TrialState::Waiting | TrialState::Ready => Self::Waiting,
            TrialState::Failed => Self::Failed,
            TrialState::Blocked | TrialState::Cancelled => Self::Stopped,
        }
    }

    /// One column; the spinner turns with `now_ms`.
    pub(crate) fn symbol(self, now_ms: i64) -> &'static str {
        const SPINNER: [&str; 8] = ["⠋", "⠙", "⠸", "⢰", "⣠", "⣄", "⡆", "⠇"];
        match self {
            Self::Done => "✔",
            Self::Running => SPINNER[(now_ms / SPINNER_MS).rem_euclid(8) as usize],
            Self::Waiting => "·",
            Self::Failed => "✖",
            Self::Stopped => "⊘",
            Self::Stale => "?",
        }
    }
}

/// Milliseconds a spinner frame: slow enough for a slow line.
pub(crate) const SPINNER_MS: i64 = 250;
