//! What tensors look like against their intervals, counted in one parallel pass.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::weights::last_below;
use super::{ActivationInterval, WeightInterval, factor, position};
use crate::blocks::TASK;
use crate::dispatch::dispatch;

/// Bins of the histogram of magnitudes.
pub const HISTOGRAM_BINS: usize = 64;

/// Histograms that are filled in turn, because two increments of one counter wait for each other.
const TURNS: usize = 4;

/// Counts of weights. NaN is in none but [`not_a_number`](Self::not_a_number).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightCounts {
    /// Magnitude below `center - half_width`: behind the lower end of the interval.
    pub below: u64,
    /// Quantized to zero.
    pub zero: u64,
    /// Magnitude above `center + half_width`: clipped.
    pub above: u64,
    /// NaN.
    pub not_a_number: u64,
    /// Finite magnitudes in equal bins over `[0, histogram_max]`; larger ones are in the last.
    pub histogram: [u64; HISTOGRAM_BINS],
}

/// Counts of activations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ActivationCounts {
    /// Quantized to zero.
    pub zero: u64,
    /// Above `center + half_width`.
    pub clipped: u64,
}

/// Largest finite magnitude; zero if there is none.
pub fn largest_magnitude(values: &[f32]) -> f32 {
    let part = |values: &[f32]| dispatch(Largest(values));
    values.par_chunks(TASK).map(part).reduce(|| 0.0, f32::max)
}

struct Largest<'a>(&'a [f32]);

impl WithSimd for Largest<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f32 {
        let mut lanes = [0.0f32; 32];
        let (chunks, rest) = self.0.as_chunks::<32>();
        for chunk in chunks {
            for (lane, value) in lanes.iter_mut().zip(chunk) {
                let magnitude = value.abs();
                let larger = magnitude > *lane && magnitude < f32::INFINITY;
                *lane = if larger { magnitude } else { *lane };
            }
        }
        let rest = rest.iter().map(|value| value.abs()).filter(|value| value.is_finite());
        lanes.into_iter().chain(rest).fold(0.0, f32::max)
    }
}

/// Counts of weights against their interval, exactly as
/// [`quantize_weights`](super::quantize_weights) treats them.
///
/// `histogram_max` is usually [`largest_magnitude`]; where it is not positive, all finite magnitudes are
/// in the first bin.
///
/// # Panics
/// If `levels` is zero.
pub fn weight_counts(
    weights: &[f32],
    interval: WeightInterval,
    levels: u32,
    histogram_max: f32,
) -> WeightCounts {
    let factor = factor(levels);
    let bins = HISTOGRAM_BINS as f32;
    let per_unit = if histogram_max > 0.0 { bins / histogram_max } else { 0.0 };
    let zero_until = match interval.gamma == 1.0 {
        true => last_zero(factor),
        false => last_below(0, levels, interval.gamma),
    };
    let part = |weights: &[f32]| dispatch(Weights { weights, interval, zero_until, per_unit });
    weights.par_chunks(TASK).map(part).reduce(WeightCounts::none, WeightCounts::plus)
}

/// Largest position whose product with the levels rounds to zero.
fn last_zero(levels: f32) -> f32 {
    let near = (0.5 / levels).next_up().next_up();
    let down = std::iter::successors(Some(near), |position| Some(position.next_down()));
    let mut zero = down.filter(|position| (position * levels).round_ties_even() == 0.0);
    zero.next().unwrap_or(0.0)
}

impl WeightCounts {
    fn none() -> Self {
        Self { below: 0, zero: 0, above: 0, not_a_number: 0, histogram: [0; HISTOGRAM_BINS] }
    }

    fn plus(mut self, other: Self) -> Self {
        self.below += other.below;
        self.zero += other.zero;
        self.above += other.above;
        self.not_a_number += other.not_a_number;
        for (sum, count) in self.histogram.iter_mut().zip(other.histogram) {
            *sum += count;
        }
        self
    }
}

struct Weights<'a> {
    weights: &'a [f32],
    interval: WeightInterval,
    zero_until: f32,
    per_unit: f32,
}

impl WithSimd for Weights<'_> {
    type Output = WeightCounts;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> WeightCounts {
        let Self { weights, interval, zero_until, per_unit } = self;
        let (lower, upper) =
            (interval.center - interval.half_width, interval.center + interval.half_width);
        let width = 2.0 * interval.half_width;
        // A task has fewer elements than `u32` counts.
        let (mut below, mut zero, mut above, mut not_a_number) = (0u32, 0u32, 0u32, 0u32);
        for weight in weights {
            let magnitude = weight.abs();
            below += u32::from(magnitude < lower);
            zero += u32::from(position(magnitude, lower, width) <= zero_until || magnitude == 0.0);
            above += u32::from(magnitude > upper);
            not_a_number += u32::from(magnitude.is_nan());
        }
        let mut turns = [[0u32; HISTOGRAM_BINS]; TURNS];
        for weights in weights.chunks(TURNS) {
            for (weight, counts) in weights.iter().zip(&mut turns) {
                let magnitude = weight.abs();
                if magnitude < f32::INFINITY {
                    counts[((magnitude * per_unit) as usize).min(HISTOGRAM_BINS - 1)] += 1;
                }
            }
        }
        let bin = |bin: usize| turns.iter().map(|counts| u64::from(counts[bin])).sum();
        WeightCounts {
            below: below.into(),
            zero: zero.into(),
            above: above.into(),
            not_a_number: not_a_number.into(),
            histogram: std::array::from_fn(bin),
        }
    }
}

/// Counts of activations against their interval, exactly as
/// [`quantize_activations`](super::quantize_activations) treats them. NaN is in neither.
///
/// # Panics
/// If `levels` is zero.
pub fn activation_counts(
    input: &[f32],
    interval: ActivationInterval,
    levels: u32,
) -> ActivationCounts {
    let zero_until = last_zero(factor(levels));
    let part = |input: &[f32]| dispatch(Activations { input, interval, zero_until });
    let plus = |one: ActivationCounts, other: ActivationCounts| ActivationCounts {
        zero: one.zero + other.zero,
        clipped: one.clipped + other.clipped,
    };
    input.par_chunks(TASK).map(part).reduce(ActivationCounts::default, plus)
}

struct Activations<'a> {
    input: &'a [f32],
    interval: ActivationInterval,
    zero_until: f32,
}

impl WithSimd for Activations<'_> {
    type Output = ActivationCounts;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> ActivationCounts {
        let ActivationInterval { center, half_width } = self.interval;
        let (lower, upper, width) = (center - half_width, center + half_width, 2.0 * half_width);
        let (mut zero, mut clipped) = (0u32, 0u32);
        for &value in self.input {
            zero += u32::from(position(value, lower, width) <= self.zero_until);
            clipped += u32::from(value > upper);
        }
        ActivationCounts { zero: zero.into(), clipped: clipped.into() }
    }
}
