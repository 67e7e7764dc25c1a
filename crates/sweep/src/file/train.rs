//! The keys of `[train]` and of overrides.

use super::section::{Entry, Section};
use super::{FileError, Given, Mark};
use crate::limit::{self, Numbers};
use crate::trial::{
    BatchNormStatistics, ConvolutionAlgorithm, Gamma, IntervalInit, Loss, OutputScale, Precision,
    QuantizerLearningRate, TrainedParameters,
};

/// A schedule by name; its numbers are keys of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScheduleName {
    Cosine,
    Step,
    Constant,
}

impl ScheduleName {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Cosine => "cosine",
            Self::Step => "step",
            Self::Constant => "constant",
        }
    }
}

macro_rules! train_patch {
    ($($field:ident: $type:ty),+ $(,)?) => {
        /// Training keys that were given; the rest stays as it was.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub(crate) struct TrainPatch {
            $(pub(crate) $field: Option<Given<$type>>),+
        }

        impl TrainPatch {
            /// Lays the keys of a later table over these.
            pub(crate) fn lay_over(&mut self, later: &Self) {
                if later.schedule.is_some() {
                    // Another schedule: the numbers of the earlier one are not meant for it.
                    self.final_fraction = None;
                    self.step_epochs = None;
                    self.step_factor = None;
                }
                $(if let Some(given) = &later.$field {
                    self.$field = Some(given.clone());
                })+
            }
        }
    };
}

train_patch! {
    epochs: u32,
    batch_size: u32,
    learning_rate: f64,
    schedule: ScheduleName,
    final_fraction: f64,
    step_epochs: Vec<u32>,
    step_factor: f64,
    warmup_epochs: f64,
    momentum: f64,
    nesterov: bool,
    weight_decay: f64,
    batch_norm_weight_decay: f64,
    bias_weight_decay: f64,
    batch_norm_learning_rate_scale: f64,
    bias_learning_rate_scale: f64,
    quantizer_learning_rate: QuantizerLearningRate,
    gamma_learning_rate_scale: f64,
    quantizer_weight_decay: f64,
    interval_step_limit: f64,
    // `None`: by the width.
    gamma: Option<Gamma>,
    interval_init: IntervalInit,
    calibration_images: u32,
    parameters: TrainedParameters,
    loss: Loss,
    label_smoothing: f64,
    gradient_clip_norm: Option<f64>,
    ema_decay: Option<f64>,
    // `None`: by what is trained.
    output_scale: Option<OutputScale>,
    // `None`: by what is trained.
    batch_norm_statistics: Option<BatchNormStatistics>,
    precision: Precision,
    convolution: ConvolutionAlgorithm,
}

impl TrainPatch {
    /// Takes the training keys; the caller finishes the section.
    pub(super) fn read(section: &mut Section<'_>) -> Result<Self, FileError> {
        let mut keys = Keys(section);
        Ok(Self {
            epochs: keys.integer("epochs", limit::EPOCHS)?,
            batch_size: keys.integer("batch-size", limit::BATCH_SIZE)?,
            learning_rate: keys.number("learning-rate", limit::LEARNING_RATE)?,
            schedule: keys.choice(
                "schedule",
                &[ScheduleName::Cosine, ScheduleName::Step, ScheduleName::Constant]
                    .map(|name| (name.as_str(), name)),
            )?,
            final_fraction: keys.number("final-learning-rate-fraction", limit::FINAL_FRACTION)?,
            step_epochs: keys.given("step-epochs", step_epochs)?,
            step_factor: keys.number("step-factor", limit::STEP_FACTOR)?,
            warmup_epochs: keys.number("warmup-epochs", limit::WARMUP_EPOCHS)?,
            momentum: keys.number("momentum", limit::MOMENTUM)?,
            nesterov: keys.given("nesterov", |entry| entry.boolean())?,
            weight_decay: keys.number("weight-decay", limit::WEIGHT_DECAY)?,
            batch_norm_weight_decay: keys.number("batch-norm-weight-decay", limit::WEIGHT_DECAY)?,
            bias_weight_decay: keys.number("bias-weight-decay", limit::WEIGHT_DECAY)?,
            batch_norm_learning_rate_scale: keys
                .number("batch-norm-learning-rate-scale", limit::LEARNING_RATE_SCALE)?,
            bias_learning_rate_scale: keys
                .number("bias-learning-rate-scale", limit::LEARNING_RATE_SCALE)?,
            quantizer_learning_rate: keys
                .given("quantizer-learning-rate-scale", quantizer_learning_rate)?,
            gamma_learning_rate_scale: keys
                .number("gamma-learning-rate-scale", limit::LEARNING_RATE_SCALE)?,
            quantizer_weight_decay: keys.number("quantizer-weight-decay", limit::WEIGHT_DECAY)?,
            interval_step_limit: keys.number("interval-step-limit", limit::INTERVAL_STEP_LIMIT)?,
            gamma: keys.choice(
                "gamma",
                &[("auto", None), ("fixed", Some(Gamma::Fixed)), ("learned", Some(Gamma::Learned))],
            )?,
            interval_init: keys.choice(
                "interval-init",
                &[("search", IntervalInit::Search), ("inherit", IntervalInit::Inherit)],
            )?,
            calibration_images: keys.integer("calibration-images", limit::CALIBRATION_IMAGES)?,
            parameters: keys.choice(
                "parameters",
                &[
                    ("joint", TrainedParameters::Joint),
                    ("quantizers-only", TrainedParameters::QuantizersOnly),
                ],
            )?,
            loss: keys.choice(
                "loss",
                &[("cross-entropy", Loss::CrossEntropy), ("distillation", Loss::Distillation)],
            )?,
            label_smoothing: keys.number("label-smoothing", limit::LABEL_SMOOTHING)?,
            gradient_clip_norm: keys
                .number_or_none("gradient-clip-norm", limit::GRADIENT_CLIP_NORM)?,
            ema_decay: keys.number_or_none("ema-decay", limit::EMA_DECAY)?,
            output_scale: keys.choice(
                "output-scale",
                &[
                    ("auto", None),
                    ("none", Some(OutputScale::None)),
                    ("interval", Some(OutputScale::Interval)),
                ],
            )?,
            batch_norm_statistics: keys.choice(
                "batch-norm-statistics",
                &[
                    ("auto", None),
                    ("recomputed", Some(BatchNormStatistics::Recomputed)),
                    ("running", Some(BatchNormStatistics::Running)),
                    ("parent", Some(BatchNormStatistics::Parent)),
                ],
            )?,
            precision: keys.choice(
                "precision",
                &[("single", Precision::Single), ("mixed", Precision::Mixed)],
            )?,
            convolution: keys.choice(
                "convolution",
                &[
                    ("winograd", ConvolutionAlgorithm::Winograd),
                    ("direct", ConvolutionAlgorithm::Direct),
                ],
            )?,
        })
    }

    /// The first key that says something about quantizers, which 32-bit trials do not have.
    pub(super) fn of_quantizers(&self) -> Option<&Mark> {
        fn mark<T>(given: Option<&Given<T>>) -> Option<&Mark> {
            given.map(|given| &given.mark)
        }
        [
            mark(self.quantizer_learning_rate.as_ref()),
            mark(self.gamma_learning_rate_scale.as_ref()),
            mark(self.quantizer_weight_decay.as_ref()),
            mark(self.interval_step_limit.as_ref()),
            mark(self.gamma.as_ref()),
            mark(self.interval_init.as_ref()),
            mark(self.parameters.as_ref()),
            mark(self.loss.as_ref()),
            mark(self.output_scale.as_ref()),
            mark(self.batch_norm_statistics.as_ref()),
        ]
        .into_iter()
        .flatten()
        .next()
    }
}

/// Takes keys of a table with the places where they stand.
struct Keys<'s, 'a>(&'s mut Section<'a>);

impl<'a> Keys<'_, 'a> {
    fn given<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&Entry<'a>) -> Result<T, FileError>,
    ) -> Result<Option<Given<T>>, FileError> {
        self.0
            .take(key)
            .map(|entry| Ok(Given { value: read(&entry)?, mark: entry.mark() }))
            .transpose()
    }

    fn integer(
        &mut self,
        key: &str,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<Option<Given<u32>>, FileError> {
        self.given(key, |entry| entry.small_integer(range))
    }

    fn number(&mut self, key: &str, valid: Numbers) -> Result<Option<Given<f64>>, FileError> {
        self.given(key, |entry| entry.number(valid))
    }

    /// A number, or `"none"`.
    fn number_or_none(
        &mut self,
        key: &str,
        valid: Numbers,
    ) -> Result<Option<Given<Option<f64>>>, FileError> {
        self.given(key, |entry| {
            if entry.is_string("none") {
                return Ok(None);
            }
            entry.number(valid).map(Some).map_err(|mut error| {
                error.message.push_str(", or \"none\"");
                error
            })
        })
    }

    fn choice<T: Copy>(
        &mut self,
        key: &str,
        choices: &[(&str, T)],
    ) -> Result<Option<Given<T>>, FileError> {
        self.given(key, |entry| entry.choice(choices))
    }
}

/// A number, or `"per-layer"`.
fn quantizer_learning_rate(entry: &Entry<'_>) -> Result<QuantizerLearningRate, FileError> {
    if entry.is_string("per-layer") {
        return Ok(QuantizerLearningRate::PerLayer);
    }
    entry.number(limit::LEARNING_RATE_SCALE).map(QuantizerLearningRate::Scale).map_err(
        |mut error| {
            error.message.push_str(", or \"per-layer\"");
            error
        },
    )
}

fn step_epochs(entry: &Entry<'_>) -> Result<Vec<u32>, FileError> {
    let epochs = entry
        .clone()
        .list(false)?
        .iter()
        .map(|epoch| epoch.small_integer(limit::STEP_EPOCH))
        .collect::<Result<Vec<_>, _>>()?;
    if epochs.is_empty() || !epochs.is_sorted_by(|a, b| a < b) {
        return Err(entry.error("must be at least one epoch, ascending"));
    }
    Ok(epochs)
}
