//! Sweep files: strict TOML, with messages that name line, key, value and what would be valid.

mod dataset;
mod read;
mod section;
mod settings;
mod train;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::trial::{Bits, Network, Stem};

pub(crate) use dataset::{DatasetSection, IMAGENET_SIZE_FROM};
pub(crate) use train::TrainPatch;

/// A sweep file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// The file as the user named it.
    pub file: String,
    /// From 1; 0 when the whole file is meant.
    pub line: usize,
    /// From 1; 0 when the whole file is meant.
    pub column: usize,
    /// Key, value, what is wrong, what would be valid.
    pub message: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            write!(f, "{}: {}", self.file, self.message)
        } else {
            write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
        }
    }
}

impl std::error::Error for FileError {}

/// Where a key stands and what it says, for errors found when the trials are planned.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mark {
    line: usize,
    column: usize,
    /// `key = value`, or the name of a table.
    what: String,
}

impl Mark {
    /// An error in `file` that names key and value.
    pub(crate) fn error(&self, file: &str, problem: impl fmt::Display) -> FileError {
        FileError {
            file: file.to_owned(),
            line: self.line,
            column: self.column,
            message: format!("{}: {problem}", self.what),
        }
    }
}

/// A value of the file and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Given<T> {
    pub(crate) value: T,
    pub(crate) mark: Mark,
}

/// How often and how soon a trial is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetrySettings {
    /// Attempts in all that may be used up before the trial has failed.
    pub attempts: u32,
    /// Wait before the second attempt; doubles each time.
    pub backoff_seconds: f64,
}

/// From which trial each width starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Order {
    /// From the next wider one (QIL §3: 32 → 5 → 4 → 3 → 2).
    Progressive,
    /// From the baseline.
    Direct,
}

/// Training keys for the trials that match.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Override {
    /// Empty: any.
    pub(crate) networks: Vec<Network>,
    /// Empty: any.
    pub(crate) bits: Vec<Bits>,
    /// Empty: any.
    pub(crate) seeds: Vec<u64>,
    pub(crate) patch: TrainPatch,
}

impl Override {
    pub(crate) fn matches(&self, network: Network, bits: Bits, seed: u64) -> bool {
        (self.networks.is_empty() || self.networks.contains(&network))
            && (self.bits.is_empty() || self.bits.contains(&bits))
            && (self.seeds.is_empty() || self.seeds.contains(&seed))
    }
}

/// A sweep file, every value checked.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepFile {
    pub(crate) file: String,
    pub(crate) name: String,
    pub(crate) networks: Vec<Network>,
    /// Full precision first, then descending.
    pub(crate) bits: Vec<Bits>,
    pub(crate) seeds: Vec<u64>,
    pub(crate) order: Order,
    /// Where `control = true` stands.
    pub(crate) control: Option<Mark>,
    pub(crate) dataset: DatasetSection,
    /// What quantized trials are trained on, where it is not `dataset`.
    pub(crate) training_dataset: Option<DatasetSection>,
    pub(crate) width: f64,
    pub(crate) stem: Option<Stem>,
    /// Weights files that baselines start from.
    pub(crate) init: Vec<(Network, String)>,
    pub(crate) train: TrainPatch,
    pub(crate) overrides: Vec<Override>,
    pub(crate) retry: RetrySettings,
}

impl SweepFile {
    /// Reads `text`; `file` is its name in messages.
    ///
    /// # Errors
    /// The first problem, with line and column, the key, its value and what would be valid.
    pub fn parse(text: &str, file: &str) -> Result<Self, FileError> {
        read::sweep_file(text, file)
    }

    /// The sweep's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The training keys for a trial of `network`, `bits` and `seed`: those of `[train]`, then those of each
    /// override that matches.
    pub(crate) fn train_keys(&self, network: Network, bits: Bits, seed: u64) -> TrainPatch {
        let mut keys = self.train.clone();
        for later in self.overrides.iter().filter(|o| o.matches(network, bits, seed)) {
            keys.lay_over(&later.patch);
        }
        keys
    }
}
