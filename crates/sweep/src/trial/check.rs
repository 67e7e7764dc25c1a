//! Whether a specification can mean anything: what comes over the wire has not been through a sweep file.

use std::fmt::Display;
use std::ops::RangeInclusive;

use super::{
    Bits, DataSpec, GroupSettings, ModelSpec, QuantizerLearningRate, Schedule, TrainSettings,
    TrialSpec,
};
use crate::limit::{self, Numbers};

/// A field of a specification that holds a value it cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct InvalidField {
    /// Path of the field within the specification, for example `train.learning_rate`.
    pub field: String,
    /// The value, and which would be valid.
    pub problem: String,
}

impl TrialSpec {
    /// Whether every value is one that its field may have.
    ///
    /// # Errors
    /// The first field that holds NaN, infinity or a value out of its range.
    pub fn check(&self) -> Result<(), InvalidField> {
        width("bits.weights", self.bits.weights)?;
        width("bits.activations", self.bits.activations)?;
        model(&self.model)?;
        data("data", &self.data)?;
        if let Some(training) = &self.training_data {
            data("training_data", training)?;
        }
        train(&self.train)
    }
}

fn invalid(field: impl Display, problem: String) -> InvalidField {
    InvalidField { field: field.to_string(), problem }
}

fn width(field: impl Display, bits: u8) -> Result<(), InvalidField> {
    if Bits::is_valid_width(bits) {
        return Ok(());
    }
    Err(invalid(field, format!("is {bits}; must be 2 to 8 or 32")))
}

fn number(field: impl Display, value: f64, valid: Numbers) -> Result<(), InvalidField> {
    if valid.allow(value) {
        return Ok(());
    }
    Err(invalid(field, format!("is {value}; must be {}", valid.wanted)))
}

fn integer(
    field: impl Display,
    value: u32,
    valid: &RangeInclusive<u64>,
) -> Result<(), InvalidField> {
    if valid.contains(&u64::from(value)) {
        return Ok(());
    }
    let (first, last) = (valid.start(), valid.end());
    Err(invalid(field, format!("is {value}; must be from {first} to {last}")))
}

fn model(model: &ModelSpec) -> Result<(), InvalidField> {
    number("model.width", model.width, limit::WIDTH)?;
    integer("model.in_channels", model.in_channels, &limit::CHANNELS)?;
    integer("model.classes", model.classes, &limit::CLASSES)
}

fn data(path: &str, data: &DataSpec) -> Result<(), InvalidField> {
    integer(format_args!("{path}.resolution"), data.resolution, &limit::RESOLUTION)?;
    if let Some(images) = data.train_images {
        integer(format_args!("{path}.train_images"), images, &limit::IMAGES)?;
    }
    if let Some(images) = data.validation_images {
        integer(format_args!("{path}.validation_images"), images, &limit::IMAGES)?;
    }
    integer(format_args!("{path}.crop_padding"), data.crop_padding, &limit::CROP_PADDING)?;
    if let Some([smallest, largest]) = data.random_resized_crop {
        number(format_args!("{path}.random_resized_crop"), smallest, limit::CROP_AREA)?;
        number(format_args!("{path}.random_resized_crop"), largest, limit::CROP_AREA)?;
        if smallest > largest {
            let problem = format!("{smallest} is above {largest}; must ascend");
            return Err(invalid(format_args!("{path}.random_resized_crop"), problem));
        }
    }
    if let Some([brightness, contrast, saturation, hue]) = data.color_jitter {
        for value in [brightness, contrast, saturation] {
            number(format_args!("{path}.color_jitter"), value, limit::COLOR_JITTER)?;
        }
        number(format_args!("{path}.color_jitter"), hue, limit::HUE_JITTER)?;
    }
    if let Some(side) = data.validation_resize {
        integer(format_args!("{path}.validation_resize"), side, &limit::VALIDATION_RESIZE)?;
        if side < data.resolution {
            let problem = format!("is {side}, below the resolution {}", data.resolution);
            return Err(invalid(format_args!("{path}.validation_resize"), problem));
        }
    }
    Ok(())
}

fn train(train: &TrainSettings) -> Result<(), InvalidField> {
    integer("train.epochs", train.epochs, &limit::EPOCHS)?;
    integer("train.batch_size", train.batch_size, &limit::BATCH_SIZE)?;
    number("train.learning_rate", train.learning_rate, limit::LEARNING_RATE)?;
    schedule(&train.schedule)?;
    number("train.warmup_epochs", train.warmup_epochs, limit::WARMUP_EPOCHS)?;
    number("train.momentum", train.momentum, limit::MOMENTUM)?;
    number("train.weight_decay", train.weight_decay, limit::WEIGHT_DECAY)?;
    let scale = "train.batch_norm.learning_rate_scale";
    group(&train.batch_norm, scale, "train.batch_norm.weight_decay")?;
    group(&train.bias, "train.bias.learning_rate_scale", "train.bias.weight_decay")?;
    if let QuantizerLearningRate::Scale(scale) = train.quantizer_learning_rate {
        number("train.quantizer_learning_rate_scale", scale, limit::LEARNING_RATE_SCALE)?;
    }
    let gamma_scale = train.gamma_learning_rate_scale;
    number("train.gamma_learning_rate_scale", gamma_scale, limit::LEARNING_RATE_SCALE)?;
    number("train.quantizer_weight_decay", train.quantizer_weight_decay, limit::WEIGHT_DECAY)?;
    number("train.interval_step_limit", train.interval_step_limit, limit::INTERVAL_STEP_LIMIT)?;
    integer("train.calibration_images", train.calibration_images, &limit::CALIBRATION_IMAGES)?;
    number("train.label_smoothing", train.label_smoothing, limit::LABEL_SMOOTHING)?;
    if let Some(norm) = train.gradient_clip_norm {
        number("train.gradient_clip_norm", norm, limit::GRADIENT_CLIP_NORM)?;
    }
    if let Some(decay) = train.ema_decay {
        number("train.ema_decay", decay, limit::EMA_DECAY)?;
    }
    Ok(())
}

fn group(group: &GroupSettings, scale: &str, decay: &str) -> Result<(), InvalidField> {
    number(scale, group.learning_rate_scale, limit::LEARNING_RATE_SCALE)?;
    number(decay, group.weight_decay, limit::WEIGHT_DECAY)
}

fn schedule(schedule: &Schedule) -> Result<(), InvalidField> {
    match schedule {
        Schedule::Cosine { final_fraction } => {
            number("train.schedule.final_fraction", *final_fraction, limit::FINAL_FRACTION)
        }
        Schedule::Step { epochs, factor } => {
            for epoch in epochs {
                integer("train.schedule.epochs", *epoch, &limit::STEP_EPOCH)?;
            }
            if epochs.is_empty() || !epochs.is_sorted_by(|a, b| a < b) {
                let problem = format!("is {epochs:?}; must be at least one epoch, ascending");
                return Err(invalid("train.schedule.epochs", problem));
            }
            number("train.schedule.factor", *factor, limit::STEP_FACTOR)
        }
        Schedule::Constant => Ok(()),
    }
}
