//! Which values every setting may have, for sweep files and for messages alike.

use std::ops::RangeInclusive;

/// The numbers a setting may have; never NaN or infinite.
#[derive(Clone, Copy)]
pub(crate) struct Numbers {
    /// In words, as messages say it after "must be".
    pub(crate) wanted: &'static str,
    valid: fn(f64) -> bool,
}

impl Numbers {
    pub(crate) fn allow(&self, value: f64) -> bool {
        value.is_finite() && (self.valid)(value)
    }
}

const FRACTION: Numbers =
    Numbers { wanted: "a number from 0 to 1", valid: |v| (0.0..=1.0).contains(&v) };
const FROM_ZERO: Numbers = Numbers { wanted: "a number from 0", valid: |v| v >= 0.0 };
const POSITIVE: Numbers = Numbers { wanted: "a number above 0", valid: |v| v > 0.0 };
const BELOW_ONE: Numbers =
    Numbers { wanted: "a number from 0 to below 1", valid: |v| (0.0..1.0).contains(&v) };

pub(crate) const EPOCHS: RangeInclusive<u64> = 0..=100_000;
pub(crate) const BATCH_SIZE: RangeInclusive<u64> = 2..=65_536;
pub(crate) const CALIBRATION_IMAGES: RangeInclusive<u64> = 64..=1_000_000;
pub(crate) const LEARNING_RATE: Numbers = POSITIVE;
pub(crate) const FINAL_FRACTION: Numbers = FRACTION;
pub(crate) const STEP_EPOCH: RangeInclusive<u64> = 1..=100_000;
pub(crate) const STEP_FACTOR: Numbers =
    Numbers { wanted: "a number above 0 and below 1", valid: |v| v > 0.0 && v < 1.0 };
pub(crate) const WARMUP_EPOCHS: Numbers = FROM_ZERO;
pub(crate) const MOMENTUM: Numbers = BELOW_ONE;
pub(crate) const WEIGHT_DECAY: Numbers = FROM_ZERO;
pub(crate) const LEARNING_RATE_SCALE: Numbers = FROM_ZERO;
pub(crate) const INTERVAL_STEP_LIMIT: Numbers =
    Numbers { wanted: "a number above 0, at most 1", valid: |v| v > 0.0 && v <= 1.0 };
pub(crate) const LABEL_SMOOTHING: Numbers = BELOW_ONE;
pub(crate) const GRADIENT_CLIP_NORM: Numbers = POSITIVE;
pub(crate) const EMA_DECAY: Numbers =
    Numbers { wanted: "a number above 0 and below 1", valid: |v| v > 0.0 && v < 1.0 };

pub(crate) const RESOLUTION: RangeInclusive<u64> = 1..=1024;
/// A limit on the images used.
pub(crate) const IMAGES: RangeInclusive<u64> = 1..=4_294_967_295;
pub(crate) const CROP_PADDING: RangeInclusive<u64> = 0..=16;
pub(crate) const VALIDATION_RESIZE: RangeInclusive<u64> = 1..=2048;
/// Share of the image's area.
pub(crate) const CROP_AREA: Numbers =
    Numbers { wanted: "a number above 0, at most 1", valid: |v| v > 0.0 && v <= 1.0 };
pub(crate) const COLOR_JITTER: Numbers = FRACTION;
/// Half a turn of the colour wheel is as far as a hue can go.
pub(crate) const HUE_JITTER: Numbers =
    Numbers { wanted: "a number from 0 to 0.5", valid: |v| (0.0..=0.5).contains(&v) };

pub(crate) const CLASSES: RangeInclusive<u64> = 1..=65_536;
pub(crate) const CHANNELS: RangeInclusive<u64> = 1..=4;
pub(crate) const WIDTH: Numbers = Numbers {
    wanted: "a number from 0.015625 (one channel) to 4",
    valid: |v| (0.015_625..=4.0).contains(&v),
};

pub(crate) const BACKOFF_SECONDS: Numbers = Numbers {
    wanted: "a number of seconds from 0 to 86400",
    valid: |v| (0.0..=86_400.0).contains(&v),
};
