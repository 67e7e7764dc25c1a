//! Sweep files: strict TOML, with messages that name line, key, value and what would be valid.

mod read;
mod section;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::trial::{
    Bits, Gamma, IntervalInit, Network, QuantizerLearningRate, Schedule, Stem, TrainSettings,
};

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
    /// From the next wider one (QIL §3: 32 → 4 → 3 → 2).
    Progressive,
    /// From the baseline.
    Direct,
}

/// The images, as the file asks for them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DatasetSection {
    pub(crate) name: String,
    pub(crate) path: Option<String>,
    pub(crate) resolution: Option<u32>,
    pub(crate) train_images: Option<u32>,
    pub(crate) validation_images: Option<u32>,
    pub(crate) flip: bool,
    pub(crate) crop_padding: u32,
}

/// Training keys that were given; the rest stays as it was.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TrainPatch {
    pub(crate) epochs: Option<u32>,
    pub(crate) batch_size: Option<u32>,
    pub(crate) learning_rate: Option<f64>,
    pub(crate) final_learning_rate_fraction: Option<f64>,
    pub(crate) warmup_epochs: Option<f64>,
    pub(crate) momentum: Option<f64>,
    pub(crate) nesterov: Option<bool>,
    pub(crate) weight_decay: Option<f64>,
    pub(crate) quantizer_learning_rate_scale: Option<f64>,
    pub(crate) gamma: Option<Option<Gamma>>,
    pub(crate) interval_init: Option<IntervalInit>,
    pub(crate) calibration_images: Option<u32>,
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
    pub(crate) control: bool,
    pub(crate) dataset: DatasetSection,
    pub(crate) width: f64,
    pub(crate) stem: Option<Stem>,
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
}

impl TrainPatch {
    /// Lays the given keys over `settings`. `gamma = "auto"` is settled by `weight_bits`.
    pub(crate) fn apply(&self, settings: &mut TrainSettings, weight_bits: u8) {
        fn set<T: Copy>(target: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *target = value;
            }
        }
        set(&mut settings.epochs, self.epochs);
        set(&mut settings.batch_size, self.batch_size);
        set(&mut settings.learning_rate, self.learning_rate);
        if let Some(final_fraction) = self.final_learning_rate_fraction {
            settings.schedule = Schedule::Cosine { final_fraction };
        }
        set(&mut settings.warmup_epochs, self.warmup_epochs);
        set(&mut settings.momentum, self.momentum);
        set(&mut settings.nesterov, self.nesterov);
        set(&mut settings.weight_decay, self.weight_decay);
        let scale = self.quantizer_learning_rate_scale.map(QuantizerLearningRate::Scale);
        set(&mut settings.quantizer_learning_rate, scale);
        set(&mut settings.gamma, self.gamma.map(|g| g.unwrap_or(automatic_gamma(weight_bits))));
        set(&mut settings.interval_init, self.interval_init);
        set(&mut settings.calibration_images, self.calibration_images);
    }
}

/// γ is trained at 2 bits only, as the paper appears to do.
pub(crate) fn automatic_gamma(weight_bits: u8) -> Gamma {
    if weight_bits == 2 { Gamma::Learned } else { Gamma::Fixed }
}
