//! What a layer's weights look like against their interval.

use crate::interval::Interval;

/// Bins of the histogram of |w|.
pub const HISTOGRAM_BINS: usize = 64;

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

/// |w| at and below which weights quantize to zero: c − d + 2d·(0.5/q)^(1/γ) (QIL Eq. 4, solved for |w|).
/// The tie itself rounds to the even level, which is zero.
pub fn zero_threshold(interval: Interval, gamma: f32, levels: u32) -> f64 {
    let (center, half_width) = (f64::from(interval.center), f64::from(interval.half_width));
    let share = (0.5 / f64::from(levels)).powf(1.0 / f64::from(gamma));
    center - half_width + 2.0 * half_width * share
}

/// Statistics of `weights` against their interval; all zero for no weights.
pub fn weight_statistics(
    weights: &[f32],
    interval: Interval,
    gamma: f32,
    levels: u32,
) -> WeightStatistics {
    let lower = interval.center - interval.half_width;
    let upper = interval.center + interval.half_width;
    let threshold = zero_threshold(interval, gamma, levels);
    let max = weights.iter().map(|w| w.abs()).filter(|w| w.is_finite()).fold(0.0, f32::max);
    let (mut below, mut zero, mut clipped) = (0_u64, 0_u64, 0_u64);
    let mut histogram = vec![0; HISTOGRAM_BINS];
    let per_unit = if max > 0.0 { HISTOGRAM_BINS as f32 / max } else { 0.0 };
    for weight in weights.iter().map(|w| w.abs()) {
        below += u64::from(weight < lower);
        zero += u64::from(f64::from(weight) <= threshold);
        clipped += u64::from(weight > upper);
        if weight.is_finite() {
            histogram[((weight * per_unit) as usize).min(HISTOGRAM_BINS - 1)] += 1;
        }
    }
    let fraction =
        |count: u64| if weights.is_empty() { 0.0 } else { count as f64 / weights.len() as f64 };
    WeightStatistics {
        below_interval: fraction(below),
        zero: fraction(zero),
        clipped: fraction(clipped),
        histogram,
        histogram_max: f64::from(max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitsweep_kernels::quantizer::{WeightInterval, quantize_weights};

    #[test]
    fn the_zero_fraction_is_what_the_quantizer_makes_zero() {
        let weights: Vec<f32> = (0..5000).map(|i| (i as f32 * 0.37).sin() * 0.8).collect();
        for (levels, gamma) in [(1, 1.0), (3, 1.0), (7, 0.6), (3, 2.5)] {
            let interval = Interval { center: 0.4, half_width: 0.3 };
            let mut quantized = vec![0.0; weights.len()];
            let kernel = WeightInterval { center: 0.4, half_width: 0.3, gamma };
            quantize_weights(&weights, kernel, levels, &mut quantized);
            let zeros = quantized.iter().filter(|w| **w == 0.0).count() as f64 / 5000.0;
            let found = weight_statistics(&weights, interval, gamma, levels);
            assert!(
                (found.zero - zeros).abs() <= 2.0 / 5000.0,
                "{levels} {gamma}: {found:?} {zeros}"
            );
            assert!(found.below_interval <= found.zero);
        }
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
    }
}
