//! All that a trial needs to continue bit-exactly, in one safetensors file.
//!
//! Tensors, by prefix:
//! - [`MODEL`]: the state that evaluations use, that children start from and that exports write;
//! - [`TRAINED`]: the state that the next step starts from, where it is another: evaluations may use an
//!   average over steps;
//! - [`TEACHER`]: the full-precision network that a distilled trial learns from, until the trial is over;
//! - [`MOMENTUM`]: every momentum buffer, flat, in the order of this program's own layout;
//! - [`INITIAL`]: every interval's first half-width, whose share is its floor;
//! - [`IMAGES`]: `mean` and `deviation` of the evaluated images' channels, for exports.
//!
//! The metadata key `bitsweep` holds [`Header`] as JSON. Real numbers of the header are stored as their
//! bits, so that reading gives back exactly what was written.

mod file;

use bitsweep_models::State;
use bitsweep_sweep::{Bits, ModelSpec, OutputScale};
use serde::{Deserialize, Serialize};

pub(crate) use file::{Directory, decode, load};

/// The layout that this program writes and reads.
pub(crate) const FORMAT: u32 = 1;

/// What children start from, evaluations use and exports write.
pub(crate) const MODEL: &str = "model.";
/// What the next step starts from, where it is not the same.
pub(crate) const TRAINED: &str = "trained.";
/// The network that a distilled trial learns from.
pub(crate) const TEACHER: &str = "teacher.";
/// Momentum of the optimizer.
pub(crate) const MOMENTUM: &str = "optimizer.momentum.";
/// Half-widths that training started from.
pub(crate) const INITIAL: &str = "quantizer.initial.";
/// How the evaluated images are normalized.
pub(crate) const IMAGES: &str = "images.";

/// Where a trial stands between two steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Epochs trained and evaluated.
    pub epochs_done: u32,
    /// Steps of the whole trial.
    pub step: u64,
    /// Steps of the epoch under way.
    pub batch: u64,
    /// Whether an evaluation comes before the next step.
    pub evaluation_due: bool,
}

/// What an epoch has come to so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct EpochSums {
    /// Sum over images of their loss.
    pub loss: f64,
    /// Images trained on.
    pub images: u64,
    /// Seconds of training.
    pub seconds: f64,
}

/// Everything of a checkpoint that is not a tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Header {
    /// [`FORMAT`].
    pub format: u32,
    /// Of the writer.
    pub program_version: String,
    /// Of the trial; resuming needs the same.
    pub spec_hash: String,
    /// The network.
    pub model: ModelSpec,
    /// Its bit-widths.
    pub bits: Bits,
    /// Scale of its quantized layers' outputs.
    #[serde(default)]
    pub output_scale: OutputScale,
    /// Where the trial stands.
    pub position: Position,
    /// Bits of [`EpochSums`].
    epoch_loss: u64,
    epoch_images: u64,
    epoch_seconds: u64,
    /// Whether the trial is over.
    pub is_final: bool,
}

impl Header {
    /// The header of a trial at `position`.
    pub(crate) fn new(
        spec_hash: &str,
        model: ModelSpec,
        (bits, output_scale): (Bits, OutputScale),
        position: Position,
        sums: EpochSums,
        is_final: bool,
    ) -> Self {
        Self {
            format: FORMAT,
            program_version: env!("CARGO_PKG_VERSION").to_owned(),
            spec_hash: spec_hash.to_owned(),
            model,
            bits,
            output_scale,
            position,
            epoch_loss: sums.loss.to_bits(),
            epoch_images: sums.images,
            epoch_seconds: sums.seconds.to_bits(),
            is_final,
        }
    }

    /// What the epoch had come to.
    pub(crate) fn sums(&self) -> EpochSums {
        EpochSums {
            loss: f64::from_bits(self.epoch_loss),
            images: self.epoch_images,
            seconds: f64::from_bits(self.epoch_seconds),
        }
    }
}

/// A trial between two steps.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Checkpoint {
    /// Everything but the tensors.
    pub header: Header,
    /// All tensors by name.
    pub tensors: State,
}

impl Checkpoint {
    /// Adds `group` under `prefix`.
    pub(crate) fn insert_group(&mut self, prefix: &str, group: State) {
        let renamed = group.into_iter().map(|(name, array)| (format!("{prefix}{name}"), array));
        self.tensors.extend(renamed);
    }

    /// The tensors whose name starts with `prefix`, under the rest of their name.
    pub(crate) fn group(&self, prefix: &str) -> State {
        self.tensors
            .iter()
            .filter_map(|(name, array)| {
                Some((name.strip_prefix(prefix)?.to_owned(), array.clone()))
            })
            .collect()
    }
}
