//! What must survive the coordinator: sweeps, trials, attempts, and everything trials report.
//!
//! The trait is the border: one caller, one transaction per [`Store::apply`]. What `apply` returned from is
//! durable and may be acknowledged.

mod downsample;
mod lock;
mod row;
mod schema;
mod sqlite;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use bitsweep_proto::v1;
use bitsweep_sweep::{AttemptEnd, LayerReport, Plan, PointBatch, SweepId, TrialId};

pub(crate) use downsample::downsample;
pub(crate) use lock::StateLock;
pub(crate) use row::{AttemptRow, CheckpointRow, LogRow, SweepRow, TrialRow};
pub(crate) use sqlite::SqliteStore;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No space left.
    #[error("the disk of {folder} is full; free space and it goes on by itself", folder = folder.display())]
    DiskFull {
        /// State folder.
        folder: PathBuf,
    },
    /// Written by a later version.
    #[error("{file} was written by a later bitsweep (schema {found}, this one knows {known}); use that version", file = file.display())]
    Newer {
        /// The database.
        file: PathBuf,
        /// Its schema.
        found: i64,
        /// This program's.
        known: i64,
    },
    /// Not a database, or a broken one.
    #[error("{file} is damaged ({reason}); restore it from a backup, or move the folder away to start anew", file = file.display())]
    Damaged {
        /// The database.
        file: PathBuf,
        /// In SQLite's words.
        reason: String,
    },
    /// Another coordinator is at work there.
    #[error("another coordinator already uses {folder}; `bitsweep tui --state {folder}` watches it, --state DIR chooses another place", folder = folder.display())]
    Locked {
        /// State folder.
        folder: PathBuf,
    },
    /// A folder cannot be used.
    #[error("{folder} cannot be used ({source}); choose another place with --state DIR", folder = folder.display())]
    Folder {
        /// State folder.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The disk or somebody else's lock is in the way.
    #[error("{file} cannot be written for now ({reason}); it goes on by itself once it can", file = file.display())]
    Busy {
        /// The database.
        file: PathBuf,
        /// In SQLite's words.
        reason: String,
    },
    /// Anything else.
    #[error("the store failed: {0}")]
    Other(String),
}

impl StoreError {
    /// Whether the same may succeed later, without anybody touching the database.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::DiskFull { .. } | Self::Busy { .. } => true,
            Self::Newer { .. }
            | Self::Damaged { .. }
            | Self::Locked { .. }
            | Self::Folder { .. }
            | Self::Other(_) => false,
        }
    }
}

/// One change; many make a transaction.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    AddSweep(Box<NewSweep>),
    /// Also removes what earlier attempts measured after `from_step`, and their result.
    StartAttempt {
        trial: TrialId,
        attempt: AttemptRow,
    },
    /// A report with a sequence number, under the newest attempt.
    Report(Box<v1::Report>),
    EndAttempt {
        trial: TrialId,
        attempt: u32,
        end: AttemptEnd,
        message: String,
        ended_ms: i64,
    },
    /// An expired attempt whose worker came back.
    ReviveAttempt {
        trial: TrialId,
        attempt: u32,
    },
    Trial {
        trial: TrialId,
        state: v1::TrialState,
        attempts_used: u32,
        retry_at_ms: Option<i64>,
    },
    SweepEnded {
        sweep: SweepId,
        ended_ms: Option<i64>,
    },
    Log(LogRow),
}

/// A sweep as it was submitted.
#[derive(Clone, Debug)]
pub(crate) struct NewSweep {
    pub(crate) id: SweepId,
    pub(crate) key: String,
    pub(crate) file: String,
    pub(crate) plan: Plan,
    pub(crate) created_ms: i64,
}

/// Durable state of a coordinator.
pub(crate) trait Store: Send {
    /// Makes all changes or none.
    fn apply(&mut self, changes: &[Change]) -> Result<(), StoreError>;

    /// Every sweep, oldest first.
    fn sweeps(&self) -> Result<Vec<SweepRow>, StoreError>;

    /// A sweep's trials in plan order.
    fn trials(&self, sweep: &SweepId) -> Result<Vec<TrialRow>, StoreError>;

    /// The newest lines of all sweeps, oldest first.
    fn log(&self, limit: u32) -> Result<Vec<LogRow>, StoreError>;
}

/// Reads what is too large to be kept in memory; beside a writing [`Store`].
pub(crate) trait SeriesStore: Send {
    /// A trial's points by metric; no metrics: all of them.
    fn series(
        &self,
        trial: &TrialId,
        metrics: &[bitsweep_sweep::Metric],
    ) -> Result<Vec<PointBatch>, StoreError>;

    /// A trial's layer states by epoch.
    fn layers(&self, trial: &TrialId) -> Result<Vec<LayerReport>, StoreError>;
}
