//! How a trial is trained.

use bitsweep_sweep as domain;

use super::{ConvertError, enums, read_enum, required, same_fields};
use crate::v1;
use v1::train_settings::{QuantizerLearningRate, Schedule};

enums! {
    domain::Gamma as v1::Gamma => "gamma" { Fixed = Fixed, Learned = Learned }
    domain::IntervalInit as v1::IntervalInit => "interval_init" { Search = Search, Inherit = Inherit }
    domain::TrainedParameters as v1::TrainedParameters => "parameters" {
        Joint = Joint, QuantizersOnly = QuantizersOnly,
    }
    domain::Loss as v1::Loss => "loss" {
        CrossEntropy = CrossEntropy, Distillation = Distillation,
    }
    domain::OutputScale as v1::OutputScale => "output_scale" { None = None, Interval = Interval }
    domain::BatchNormStatistics as v1::BatchNormStatistics => "batch_norm_statistics" {
        Recomputed = Recomputed, Running = Running, Parent = Parent,
    }
    domain::Precision as v1::Precision => "precision" { Single = Single, Mixed = Mixed }
    domain::ConvolutionAlgorithm as v1::ConvolutionAlgorithm => "convolution" {
        Winograd = Winograd, Direct = Direct,
    }
}

same_fields! {
    GroupSettings { learning_rate_scale, weight_decay }
}

impl From<&domain::Schedule> for Schedule {
    fn from(schedule: &domain::Schedule) -> Self {
        match schedule {
            domain::Schedule::Cosine { final_fraction } => {
                Self::Cosine(v1::CosineSchedule { final_fraction: *final_fraction })
            }
            domain::Schedule::Step { epochs, factor } => {
                Self::Step(v1::StepSchedule { epochs: epochs.clone(), factor: *factor })
            }
            domain::Schedule::Constant => Self::Constant(v1::ConstantSchedule {}),
        }
    }
}

impl From<Schedule> for domain::Schedule {
    fn from(schedule: Schedule) -> Self {
        match schedule {
            Schedule::Cosine(cosine) => Self::Cosine { final_fraction: cosine.final_fraction },
            Schedule::Step(step) => Self::Step { epochs: step.epochs, factor: step.factor },
            Schedule::Constant(_) => Self::Constant,
        }
    }
}

impl From<domain::QuantizerLearningRate> for QuantizerLearningRate {
    fn from(rate: domain::QuantizerLearningRate) -> Self {
        match rate {
            domain::QuantizerLearningRate::Scale(scale) => Self::QuantizerLearningRateScale(scale),
            domain::QuantizerLearningRate::PerLayer => {
                Self::QuantizerLearningRatePerLayer(v1::PerLayerLearningRate {})
            }
        }
    }
}

impl From<QuantizerLearningRate> for domain::QuantizerLearningRate {
    fn from(rate: QuantizerLearningRate) -> Self {
        match rate {
            QuantizerLearningRate::QuantizerLearningRateScale(scale) => Self::Scale(scale),
            QuantizerLearningRate::QuantizerLearningRatePerLayer(_) => Self::PerLayer,
        }
    }
}

impl From<&domain::TrainSettings> for v1::TrainSettings {
    fn from(train: &domain::TrainSettings) -> Self {
        Self {
            epochs: train.epochs,
            batch_size: train.batch_size,
            learning_rate: train.learning_rate,
            schedule: Some((&train.schedule).into()),
            warmup_epochs: train.warmup_epochs,
            momentum: train.momentum,
            nesterov: train.nesterov,
            weight_decay: train.weight_decay,
            batch_norm: Some(train.batch_norm.into()),
            bias: Some(train.bias.into()),
            quantizer_learning_rate: Some(train.quantizer_learning_rate.into()),
            gamma_learning_rate_scale: train.gamma_learning_rate_scale,
            quantizer_weight_decay: train.quantizer_weight_decay,
            interval_step_limit: train.interval_step_limit,
            gamma: v1::Gamma::from(train.gamma).into(),
            interval_init: v1::IntervalInit::from(train.interval_init).into(),
            calibration_images: train.calibration_images,
            parameters: v1::TrainedParameters::from(train.parameters).into(),
            loss: v1::Loss::from(train.loss).into(),
            label_smoothing: train.label_smoothing,
            gradient_clip_norm: train.gradient_clip_norm,
            ema_decay: train.ema_decay,
            output_scale: v1::OutputScale::from(train.output_scale).into(),
            batch_norm_statistics: v1::BatchNormStatistics::from(train.batch_norm_statistics)
                .into(),
            precision: v1::Precision::from(train.precision).into(),
            convolution: v1::ConvolutionAlgorithm::from(train.convolution).into(),
        }
    }
}

/// Reads an enum of the settings by the name of its field.
macro_rules! setting {
    ($train:ident.$field:ident: $kind:ident) => {
        read_enum::<v1::$kind, _>(concat!("train.", stringify!($field)), $train.$field)
    };
}

impl TryFrom<v1::TrainSettings> for domain::TrainSettings {
    type Error = ConvertError;

    fn try_from(train: v1::TrainSettings) -> Result<Self, ConvertError> {
        let rate = train.quantizer_learning_rate;
        Ok(Self {
            epochs: train.epochs,
            batch_size: train.batch_size,
            learning_rate: train.learning_rate,
            schedule: required("train.schedule", train.schedule)?.into(),
            warmup_epochs: train.warmup_epochs,
            momentum: train.momentum,
            nesterov: train.nesterov,
            weight_decay: train.weight_decay,
            batch_norm: required("train.batch_norm", train.batch_norm)?.into(),
            bias: required("train.bias", train.bias)?.into(),
            quantizer_learning_rate: required("train.quantizer_learning_rate", rate)?.into(),
            gamma_learning_rate_scale: train.gamma_learning_rate_scale,
            quantizer_weight_decay: train.quantizer_weight_decay,
            interval_step_limit: train.interval_step_limit,
            gamma: setting!(train.gamma: Gamma)?,
            interval_init: setting!(train.interval_init: IntervalInit)?,
            calibration_images: train.calibration_images,
            parameters: setting!(train.parameters: TrainedParameters)?,
            loss: setting!(train.loss: Loss)?,
            label_smoothing: train.label_smoothing,
            gradient_clip_norm: train.gradient_clip_norm,
            ema_decay: train.ema_decay,
            output_scale: setting!(train.output_scale: OutputScale)?,
            batch_norm_statistics: setting!(train.batch_norm_statistics: BatchNormStatistics)?,
            precision: setting!(train.precision: Precision)?,
            convolution: setting!(train.convolution: ConvolutionAlgorithm)?,
        })
    }
}
