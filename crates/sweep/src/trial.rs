//! What one trial is: everything needed to run it, nothing of where it runs.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::TrialName;

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

/// How pixels are normalized.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Normalization {
    /// By mean and deviation of the data set's own training images.
    #[default]
    Dataset,
    /// By ImageNet's mean (0.485, 0.456, 0.406) and deviation (0.229, 0.224, 0.225).
    ImageNet,
}

/// What becomes of an image that cannot be decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CorruptImages {
    /// The trial ends and names the file.
    #[default]
    Fail,
    /// Left out, named and counted.
    Skip,
}

/// The images of a trial.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DataSpec {
    /// Name of a known data set.
    pub name: String,
    /// Folder on the worker; `None` for embedded data and for the data set's usual place.
    pub path: Option<String>,
    /// Side of the square network input, in pixels.
    pub resolution: u32,
    /// Training images to use, balanced over the classes; `None`: all.
    pub train_images: Option<u32>,
    /// Validation images to use, balanced over the classes; `None`: all.
    pub validation_images: Option<u32>,
    /// Random horizontal flip of training images.
    pub flip: bool,
    /// Zero-padding in pixels before a random crop; 0: no crop.
    pub crop_padding: u32,
    /// Training images are a random part of the image, resized: smallest and largest share of its area.
    /// `None`: the whole image, which must fit the resolution.
    pub random_resized_crop: Option<[f64; 2]>,
    /// Largest relative change of brightness, contrast, saturation and hue of training images.
    pub color_jitter: Option<[f64; 4]>,
    /// Shorter side that validation images are resized to before a centre crop of the resolution;
    /// `None`: not resized.
    pub validation_resize: Option<u32>,
    /// How pixels are normalized.
    pub normalization: Normalization,
    /// What becomes of images that cannot be decoded.
    pub corrupt_images: CorruptImages,
}

/// Whether the exponent of the weight transformer is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gamma {
    /// Stays 1.
    Fixed,
    /// Trained from 1.
    Learned,
}

/// Where a quantized trial takes its intervals from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IntervalInit {
    /// Searched on the parent's weights and activations.
    Search,
    /// The parent's own intervals; searched where the parent has none.
    Inherit,
}

/// Learning rate after warm-up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// Half a cosine down to this fraction of the peak.
    Cosine {
        /// Of the peak.
        final_fraction: f64,
    },
    /// Multiplied by a factor at the end of each of these epochs.
    Step {
        /// Epochs done, ascending.
        epochs: Vec<u32>,
        /// The factor.
        factor: f64,
    },
    /// The peak throughout.
    Constant,
}

/// Learning rate of c, d and γ.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QuantizerLearningRate {
    /// That of the weights times this.
    Scale(f64),
    /// That of the weights divided by √(values of the tensor · levels), as LSQ scales its gradients
    /// (Esser et al. 2020, section 2.2).
    PerLayer,
}

/// What is trained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrainedParameters {
    /// Weights and quantizers together (the paper's joint training).
    #[default]
    Joint,
    /// Intervals only; weights, biases and batch-norm stay as they are.
    QuantizersOnly,
}

/// What is minimised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Cross-entropy with the labels.
    #[default]
    CrossEntropy,
    /// Kullback-Leibler divergence, at temperature 1, from the logits of the same network in full
    /// precision with the weights that the trial started from.
    Distillation,
}

/// Scale of a quantized layer's output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputScale {
    /// Values in `[−1, 1] × [0, 1]`, as in the paper; batch-norm absorbs the scale.
    #[default]
    None,
    /// Times the upper ends of the quantized intervals, (c + d) of weights and of activations, as constants.
    Interval,
}

/// Which batch-norm statistics evaluations of quantized networks use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BatchNormStatistics {
    /// Recomputed on the calibration images before every evaluation.
    #[default]
    Recomputed,
    /// The running averages of the training, which start from statistics recomputed once.
    Running,
    /// Those of the initial weights, never changed; training normalizes with them too.
    Parent,
}

/// Numbers that a training step computes with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floating point.
    #[default]
    Single,
    /// Convolutions in 16-bit floating point, on CUDA.
    Mixed,
}

/// How 3×3 convolutions are computed on a CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConvolutionAlgorithm {
    /// Winograd F(4×4, 3×3) where it is faster, otherwise directly.
    #[default]
    Winograd,
    /// Directly, with the smallest rounding error.
    Direct,
}

/// Learning-rate scale and weight decay of one kind of parameter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupSettings {
    /// Learning rate relative to that of the weights.
    pub learning_rate_scale: f64,
    /// L2.
    pub weight_decay: f64,
}

/// How a trial is trained. The default is that of sweep files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainSettings {
    /// Passes over the training images.
    pub epochs: u32,
    /// Images a step.
    pub batch_size: u32,
    /// Peak learning rate of the weights.
    pub learning_rate: f64,
    /// Learning rate after warm-up.
    pub schedule: Schedule,
    /// Linear warm-up in epochs; may be a fraction.
    pub warmup_epochs: f64,
    /// Momentum of SGD.
    pub momentum: f64,
    /// Nesterov's form of momentum.
    pub nesterov: bool,
    /// L2 of convolution and linear weights.
    pub weight_decay: f64,
    /// Batch-norm scales and shifts.
    pub batch_norm: GroupSettings,
    /// Biases.
    pub bias: GroupSettings,
    /// Learning rate of c, d and γ.
    pub quantizer_learning_rate: QuantizerLearningRate,
    /// Learning rate of γ relative to that of c and d.
    pub gamma_learning_rate_scale: f64,
    /// L2 of c, d and γ.
    pub quantizer_weight_decay: f64,
    /// Largest relative change of c or d in one step.
    pub interval_step_limit: f64,
    /// Whether γ is trained.
    pub gamma: Gamma,
    /// Where intervals start.
    pub interval_init: IntervalInit,
    /// Training images used to search activation intervals and to recompute batch-norm statistics.
    pub calibration_images: u32,
    /// What is trained.
    pub parameters: TrainedParameters,
    /// What is minimised.
    pub loss: Loss,
    /// Share of the target spread evenly over all classes.
    pub label_smoothing: f64,
    /// Largest L2 norm of the gradient of weights, biases and batch-norm together; larger ones are scaled
    /// down to it.
    pub gradient_clip_norm: Option<f64>,
    /// Evaluations use an exponential moving average of all parameters with this decay a step.
    pub ema_decay: Option<f64>,
    /// Scale of a quantized layer's output.
    pub output_scale: OutputScale,
    /// Statistics that evaluations of quantized networks use.
    pub batch_norm_statistics: BatchNormStatistics,
    /// Numbers computed with.
    pub precision: Precision,
    /// How 3×3 convolutions are computed on a CPU.
    pub convolution: ConvolutionAlgorithm,
}

impl Default for TrainSettings {
    fn default() -> Self {
        let plain = GroupSettings { learning_rate_scale: 1.0, weight_decay: 0.0 };
        Self {
            epochs: 1,
            batch_size: 64,
            learning_rate: 0.05,
            schedule: Schedule::Cosine { final_fraction: 0.0 },
            warmup_epochs: 0.0,
            momentum: 0.9,
            nesterov: false,
            weight_decay: 1e-4,
            batch_norm: plain,
            bias: plain,
            quantizer_learning_rate: QuantizerLearningRate::Scale(0.01),
            gamma_learning_rate_scale: 1.0,
            quantizer_weight_decay: 0.0,
            interval_step_limit: 0.05,
            gamma: Gamma::Fixed,
            interval_init: IntervalInit::Search,
            calibration_images: 1024,
            parameters: TrainedParameters::Joint,
            loss: Loss::CrossEntropy,
            label_smoothing: 0.0,
            gradient_clip_norm: None,
            ema_decay: None,
            output_scale: OutputScale::None,
            batch_norm_statistics: BatchNormStatistics::Recomputed,
            precision: Precision::Single,
            convolution: ConvolutionAlgorithm::Winograd,
        }
    }
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
    /// Other images to train on, whose labels need not be the network's; their validation images are not used.
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
