//! How a trial is trained.

use serde::{Deserialize, Serialize};

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
