//! What one trial is: everything needed to run it, nothing of where it runs.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::TrialName;

mod check;
mod data;
mod train;

pub use check::InvalidField;
pub use data::{CorruptImages, DataSpec, Normalization};
pub use train::{
    BatchNormStatistics, ConvolutionAlgorithm, Gamma, GroupSettings, IntervalInit, Loss,
    OutputScale, Precision, QuantizerLearningRate, Schedule, TrainSettings, TrainedParameters,
};

/// A network that bitsweep trains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// He et al. 2016, 18 layers.
    ResNet18,
    /// He et al. 2016, 34 layers.
    ResNet34,
    /// Krizhevsky 2014 in torchvision's shape, with batch-norm.
    AlexNet,
}

impl Network {
    /// All networks, in the order of tables.
    pub const ALL: [Self; 3] = [Self::ResNet18, Self::ResNet34, Self::AlexNet];

    /// The name in sweep files, torchvision's.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ResNet18 => "resnet18",
            Self::ResNet34 => "resnet34",
            Self::AlexNet => "alexnet",
        }
    }

    /// The network of that name in sweep files.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|n| n.as_str() == name)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Bit-widths of a trial; 32 is full precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Bits {
    /// Of the quantized layers' weights.
    pub weights: u8,
    /// Of the quantized layers' inputs.
    pub activations: u8,
}

impl Bits {
    /// Full precision.
    pub const FULL: Self = Self { weights: 32, activations: 32 };

    /// The same width for weights and activations.
    pub fn both(bits: u8) -> Self {
        Self { weights: bits, activations: bits }
    }

    /// Whether nothing is quantized.
    pub fn is_full(self) -> bool {
        self == Self::FULL
    }

    /// Whether bitsweep can train this width: 2 to 8, or 32.
    pub fn is_valid_width(bits: u8) -> bool {
        matches!(bits, 2..=8 | 32)
    }
}

impl fmt::Display for Bits {
    /// `4` where both are the same, otherwise `w2a32`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.weights == self.activations {
            f.pad(&self.weights.to_string())
        } else {
            f.pad(&format!("w{}a{}", self.weights, self.activations))
        }
    }
}

/// Why a trial is in its sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The 32-bit trial of a network and seed.
    Baseline,
    /// A trial below 32 bits.
    Quantized,
    /// A 32-bit trial continued from the baseline for as many epochs as a quantized one had in all.
    Control,
}

/// How the first layers treat the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stem {
    /// torchvision's first layers, for images of about 224 pixels.
    ImageNet,
    /// Small strides, for images of about 32 pixels.
    Small,
}

/// The network of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelSpec {
    /// Which network.
    pub network: Network,
    /// Channel multiplier; 1 is the published network.
    pub width: f64,
    /// First layers.
    pub stem: Stem,
    /// Channels of the image.
    pub in_channels: u32,
    /// Outputs of the classifier.
    pub classes: u32,
}

/// One trial: network × bits × seed on a data set, and how it is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialSpec {
    /// Unique within the sweep.
    pub name: TrialName,
    /// Bit-widths.
    pub bits: Bits,
    /// Seed of initialisation, data order and augmentation.
    pub seed: u64,
    /// Why the trial is there.
    pub role: Role,
    /// The trial whose final checkpoint initialises this one; `None`: from scratch.
    pub parent: Option<TrialName>,
    /// The trial that this one's gap refers to; `None` for baselines and controls.
    pub reference: Option<TrialName>,
    /// The network.
    pub model: ModelSpec,
    /// Weights file that a trial without parent starts from, on the worker: torchvision's names, `.pth` or
    /// `.safetensors`; `None`: random initial values.
    #[serde(default)]
    pub initial_weights: Option<String>,
    /// The images: those it is evaluated on and, unless `training_data` says otherwise, trained on.
    pub data: DataSpec,
    /// Other images to train on and to calibrate with, whose labels need not be the network's; their validation
    /// images are not used. They are normalized as those of `data` are, because the network expects that.
    #[serde(default)]
    pub training_data: Option<DataSpec>,
    /// The training.
    pub train: TrainSettings,
}

impl TrialSpec {
    /// blake3 of the specification in canonical JSON, lower-case hexadecimal.
    pub fn hash(&self) -> String {
        let json = serde_json::to_vec(self).expect("a specification is plain values");
        blake3::hash(&json).to_hex().to_string()
    }
}
