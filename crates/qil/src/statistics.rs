//! What a layer's weights and inputs look like against their intervals.

use rayon::prelude::*;

use crate::interval::Interval;

/// Bins of the histogram of |w|.
pub const HISTOGRAM_BINS: usize = 64;

/// Values that one task looks at.
const TASK: usize = 1 << 15;

/// Fractions and histogram of one layer's weights.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightStatistics {
    /// Fraction with |w| < c − d.
    pub below_interval: f64,
    /// Fraction that quantizes to zero.
    pub zero: f64,
    /// Fraction with |w| > c + d.
    pub clipped: f64,
    /// Counts of |w| in [`HISTOGRAM_BINS`] equal bins over `[0, histogram_max]`.
    pub histogram: Vec<u64>,
    /// Largest finite |w|.
    pub histogram_max: f64,
}

/// Fractions of one layer's inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ActivationStatistics {
    /// Fraction that quantizes to zero.
    pub zero: f64,
    /// Fraction with x > c + d.
    pub clipped: f64,
}

/// |w| at and below which weights quantize to zero: c − d + 2d·(0.5/q)^(1/γ) (QIL Eq. 4, solved for |w|).
/// The tie itself rounds to the even level, which is zero.
pub fn zero_threshold(interval: Interval, gamma: f32, levels: u32) -> f64 {
    let (center, half_width) = (f64::from(interval.center), f64::from(interval.half_width));
    let share = (0.5 / f64::from(levels)).powf(1.0 / f64::from(gamma));
    center - half_width + 2.0 * half_width * share
}

/// Where one value lies; NaN lies nowhere.
#[derive(Clone, Copy)]
struct Thresholds {
    lower: f32,
    upper: f32,
    /// Largest `f32` that quantizes to zero.
    zero: f32,
}

impl Thresholds {
    fn new(interval: Interval, gamma: f32, levels: u32) -> Self {
        let exact = zero_threshold(interval, gamma, levels);
        let nearest = exact as f32;
        Self {
            lower: interval.center - interval.half_width,
            upper: interval.center + interval.half_width,
            zero: if f64::from(nearest) > exact { nearest.next_down() } else { nearest },
        }
    }
}

/// Counts of values; added up in any order they are the same.
#[derive(Clone, Copy)]
struct Counts {
    below: u64,
    zero: u64,
    clipped: u64,
    /// Largest finite value.
    max: f32,
}

impl Counts {
    const NONE: Self = Self { below: 0, zero: 0, clipped: 0, max: 0.0 };

    fn of(values: impl Iterator<Item = f32>, thresholds: Thresholds) -> Self {
        let mut counts = Self::NONE;
        for value in values {
            counts.below += u64::from(value < thresholds.lower);
            counts.zero += u64::from(value <= thresholds.zero);
            counts.clipped += u64::from(value > thresholds.upper);
            // Comparisons with NaN are false, and infinity is not below itself.
            if value > counts.max && value < f32::INFINITY {
                counts.max = value;
            }
        }
        counts
    }

    fn add(self, other: Self) -> Self {
        Self {
            below: self.below + other.below,
            zero: self.zero + other.zero,
            clipped: self.clipped + other.clipped,
            max: self.max.max(other.max),
        }
    }
}

fn count(values: &[f32], thresholds: Thresholds, magnitudes: bool) -> Counts {
    let part = |values: &[f32]| {
        if magnitudes {
            Counts::of(values.iter().map(|value| value.abs()), thresholds)
        } else {
            Counts::of(values.iter().copied(), thresholds)
        }
    };
    values.par_chunks(TASK).map(part).reduce(|| Counts::NONE, Counts::add)
}

fn histogram(values: &[f32], max: f32) -> Vec<u64> {
    if max == 0.0 {
        // Everything finite is zero; a width of zero has no bins.
        let mut bins = vec![0; HISTOGRAM_BINS];
        bins[0] = values.iter().filter(|value| value.is_finite()).count() as u64;
        return bins;
    }
    let last = HISTOGRAM_BINS - 1;
    let part = |values: &[f32]| {
        let mut bins = [0_u64; HISTOGRAM_BINS];
        for value in values.iter().map(|value| value.abs()).filter(|value| value.is_finite()) {
            // A quotient, because the largest value may be too small for its reciprocal.
            bins[((value / max * HISTOGRAM_BINS as f32) as usize).min(last)] += 1;
        }
        bins
    };
    let add = |mut bins: [u64; HISTOGRAM_BINS], other: [u64; HISTOGRAM_BINS]| {
        bins.iter_mut().zip(other).for_each(|(bin, count)| *bin += count);
        bins
    };
    values.par_chunks(TASK).map(part).reduce(|| [0; HISTOGRAM_BINS], add).to_vec()
}

fn fraction(count: u64, of: usize) -> f64 {
    if of == 0 { 0.0 } else { count as f64 / of as f64 }
}

/// Statistics of `weights` against their interval; all zero for no weights.
pub fn weight_statistics(
    weights: &[f32],
    interval: Interval,
    gamma: f32,
    levels: u32,
) -> WeightStatistics {
    let counts = count(weights, Thresholds::new(interval, gamma, levels), true);
    WeightStatistics {
        below_interval: fraction(counts.below, weights.len()),
        zero: fraction(counts.zero, weights.len()),
        clipped: fraction(counts.clipped, weights.len()),
        histogram: histogram(weights, counts.max),
        histogram_max: f64::from(counts.max),
    }
}

/// Statistics of a layer's inputs against their interval; all zero for no inputs.
pub fn activation_statistics(
    inputs: &[f32],
    interval: Interval,
    levels: u32,
) -> ActivationStatistics {
    let counts = count(inputs, Thresholds::new(interval, 1.0, levels), false);
    ActivationStatistics {
        zero: fraction(counts.zero, inputs.len()),
        clipped: fraction(counts.clipped, inputs.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitsweep_kernels::quantizer::{
        ActivationInterval, WeightInterval, quantize_activations, quantize_weights,
    };

    fn waves(count: usize) -> Vec<f32> {
        (0..count).map(|i| (i as f32 * 0.37).sin() * 0.8).collect()
    }

    #[test]
    fn the_zero_fraction_is_what_the_quantizer_makes_zero() {
        // More than one task.
        let weights = waves(2 * TASK + 5000);
        for (levels, gamma) in [(1, 1.0), (3, 1.0), (7, 0.6), (3, 2.5)] {
            let interval = Interval { center: 0.4, half_width: 0.3 };
            let mut quantized = vec![0.0; weights.len()];
            let kernel = WeightInterval { center: 0.4, half_width: 0.3, gamma };
            quantize_weights(&weights, kernel, levels, &mut quantized);
            let zeros = quantized.iter().filter(|w| **w == 0.0).count() as f64;
            let found = weight_statistics(&weights, interval, gamma, levels);
            // A weight within a rounding error of the threshold may count on either side.
            assert!(
                (found.zero * weights.len() as f64 - zeros).abs() <= 2.0,
                "{levels} {gamma}: {found:?} {zeros}"
            );
            assert!(found.below_interval <= found.zero);
        }
    }

    #[test]
    fn the_zero_fraction_of_inputs_is_what_the_quantizer_makes_zero() {
        let inputs: Vec<f32> = waves(TASK + 777).into_iter().map(|x| x.max(0.0)).collect();
        for levels in [3, 15] {
            let mut quantized = vec![0.0; inputs.len()];
            let kernel = ActivationInterval { center: 0.3, half_width: 0.3 };
            quantize_activations(&inputs, kernel, levels, &mut quantized);
            let zeros = quantized.iter().filter(|x| **x == 0.0).count() as f64;
            let above = inputs.iter().filter(|x| **x > 0.6).count() as f64;
            let interval = Interval { center: 0.3, half_width: 0.3 };
            let found = activation_statistics(&inputs, interval, levels);
            assert!((found.zero * inputs.len() as f64 - zeros).abs() <= 2.0, "{found:?} {zeros}");
            assert_eq!(found.clipped, above / inputs.len() as f64);
        }
        let none = activation_statistics(&[], Interval::up_to(1.0), 3);
        assert_eq!(none, ActivationStatistics::default());
    }

    #[test]
    fn a_tie_at_two_bits_counts_as_zero() {
        let found = weight_statistics(&[0.5, -0.5, 0.75], Interval::up_to(1.0), 1.0, 1);
        assert_eq!(found.zero, 2.0 / 3.0);
    }

    #[test]
    fn every_weight_is_in_one_bin() {
        let weights = [0.0, 0.5, -0.5, 1.0, -1.0];
        let found = weight_statistics(&weights, Interval::up_to(0.75), 1.0, 7);
        assert_eq!(found.histogram.iter().sum::<u64>(), 5);
        assert_eq!((found.histogram[0], found.histogram[32], found.histogram[63]), (1, 2, 2));
        assert_eq!((found.clipped, found.histogram_max), (0.4, 1.0));
        let none = weight_statistics(&[], Interval::up_to(1.0), 1.0, 7);
        assert_eq!((none.zero, none.histogram.len()), (0.0, 64));
        let tiny = weight_statistics(&[f32::MIN_POSITIVE / 8.0; 3], Interval::up_to(1.0), 1.0, 7);
        assert_eq!(tiny.histogram[63], 3);
    }

    #[test]
    fn what_is_no_number_is_in_no_bin() {
        let weights = [f32::NAN, f32::INFINITY, 0.25, 0.0];
        let found = weight_statistics(&weights, Interval::up_to(0.5), 1.0, 7);
        assert_eq!(found.histogram.iter().sum::<u64>(), 2);
        assert_eq!((found.histogram_max, found.clipped, found.zero), (0.25, 0.25, 0.25));
    }
}
