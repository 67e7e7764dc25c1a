//! Rows of a few channels taken together, so that inner loops are long whatever the channels.

use crate::blocks::{TASK, same_length};

/// Least elements of a period.
const LEAST: usize = 256;

/// Length of whole rows, at least [`LEAST`] elements; inner loops run over one period.
pub(super) fn length(channels: usize) -> usize {
    channels * LEAST.div_ceil(channels)
}

/// Length of whole periods that one task takes.
pub(super) fn task(channels: usize) -> usize {
    let period = length(channels);
    period * TASK.div_ceil(period)
}

/// One value per channel, repeated over a period.
pub(super) fn repeat(values: &[f32]) -> Vec<f32> {
    values.repeat(LEAST.div_ceil(values.len()))
}

/// Adds the elements of a period to their channels.
#[inline(always)]
pub(super) fn fold(period: &[f32], sums: &mut [f64]) {
    for row in period.chunks_exact(sums.len()) {
        for (sum, &value) in sums.iter_mut().zip(row) {
            *sum += f64::from(value);
        }
    }
}

/// Panics unless `length` is made of whole rows.
#[track_caller]
pub(super) fn check(length: usize, channels: usize) {
    assert!(channels > 0, "batch normalization needs at least one channel");
    same_length("the input", length, "whole rows", length / channels * channels);
}
