//! Where intervals start: the one whose quantized values resemble the values most.
//!
//! For each candidate interval the error Σ(v − a·v̄)² is taken at its best scale a in closed form, since
//! the batch-norm behind a layer undoes any constant factor. Minimising it is the same as maximising
//! ⟨v, v̄⟩² / ⟨v̄, v̄⟩. Both ends are searched. No constant is involved but the grid.
//!
//! A single level (2-bit weights) is one threshold, the interval's middle, and says nothing about the
//! width. The widest interval is taken, from 0: only weights inside an interval receive gradients.

use crate::interval::Interval;

/// Values looked at; more are thinned evenly.
const SAMPLE: usize = 16_384;
/// Upper ends on the grid, in units of the root mean square.
const UPPER: (f32, f32, usize) = (0.5, 6.0, 50);
/// Lower ends on the grid, as shares of the upper end.
const LOWER: (f32, usize) = (0.5, 11);

/// The interval for weights with γ = 1 (QIL Eq. 3): `levels` positive steps, their negatives and zero.
///
/// Falls back to (0, 1] if there is no value that is finite and not zero.
pub fn search_weights(weights: &[f32], levels: u32) -> Interval {
    search(weights.iter().map(|w| w.abs()), levels)
}

/// The interval for activations (QIL Eq. 5) from the positive ones among `values`.
///
/// Falls back to (0, 1] if there is no positive finite value.
pub fn search_activations(values: &[f32], levels: u32) -> Interval {
    search(values.iter().copied(), levels)
}

fn search(values: impl Iterator<Item = f32>, levels: u32) -> Interval {
    let positive: Vec<f32> = values.filter(|v| v.is_finite() && *v > 0.0).collect();
    // Odd, so that a stride never picks the same few of a power of two of channels.
    let stride = positive.len().div_ceil(SAMPLE) | 1;
    let sample: Vec<f32> = positive.into_iter().step_by(stride).collect();
    if sample.is_empty() {
        return Interval::up_to(1.0);
    }
    let squares: f64 = sample.iter().map(|v| f64::from(*v).powi(2)).sum();
    let rms = (squares / sample.len() as f64).sqrt() as f32;

    let lowers = if levels == 1 { 1 } else { LOWER.1 };
    let mut best = (f64::NEG_INFINITY, Interval::up_to(rms));
    for i in 0..UPPER.2 {
        let upper = rms * (UPPER.0 + (UPPER.1 - UPPER.0) * i as f32 / (UPPER.2 - 1) as f32);
        for j in 0..lowers {
            let lower = upper * LOWER.0 * j as f32 / (LOWER.1 - 1) as f32;
            let likeness = likeness(&sample, lower, upper, levels as f32);
            if likeness > best.0 {
                best = (likeness, Interval::between(lower, upper));
            }
        }
    }
    best.1
}

/// ⟨v, v̄⟩² / ⟨v̄, v̄⟩: what the best scale explains of the values' energy.
fn likeness(sample: &[f32], lower: f32, upper: f32, levels: f32) -> f64 {
    let factor = levels / (upper - lower);
    let (mut product, mut energy) = (0.0_f64, 0.0_f64);
    for block in sample.chunks(256) {
        let (mut block_product, mut block_energy) = (0.0_f32, 0.0_f32);
        for value in block {
            let level = ((value - lower) * factor).clamp(0.0, levels).round_ties_even();
            block_product += value * level;
            block_energy += level * level;
        }
        product += f64::from(block_product);
        energy += f64::from(block_energy);
    }
    if energy > 0.0 { product * product / energy } else { f64::NEG_INFINITY }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Standard normal values: Box–Muller on a low-discrepancy grid.
    fn gaussian(count: usize) -> Vec<f32> {
        (0..count)
            .map(|i| {
                let u = (i as f64 + 0.5) / count as f64;
                let v = (i as f64 * 0.618_033_988_749_895).fract();
                ((-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()) as f32
            })
            .collect()
    }

    #[test]
    fn gaussian_weights_get_the_known_upper_ends_when_the_lower_end_is_zero() {
        // Best u/rms of Gaussian weights: 1.20, 1.95, 2.45 at 2, 3, 4 bits. With both ends free the
        // search may only do better, and at 3 bits and above the best lower end is near zero.
        let values = gaussian(8192);
        for (levels, upper) in [(3, 1.95), (7, 2.45)] {
            let found = search_weights(&values, levels);
            let end = found.center + found.half_width;
            assert!((end - upper).abs() < 0.35, "{levels} levels: {found:?}");
        }
    }

    #[test]
    fn at_two_bits_the_threshold_is_the_known_one() {
        // Ternary weights depend on the center alone: |w| = c is the threshold; best near 0.60 rms.
        let found = search_weights(&gaussian(8192), 1);
        assert!((found.center - 0.60).abs() < 0.06, "{found:?}");
        assert_eq!(found.center, found.half_width);
    }

    #[test]
    fn the_search_follows_the_scale_of_the_values() {
        let values = gaussian(4096);
        let scaled: Vec<f32> = values.iter().map(|v| v * 1e-3).collect();
        let (one, other) = (search_weights(&values, 7), search_weights(&scaled, 7));
        assert!((one.center * 1e-3 - other.center).abs() < 1e-6, "{one:?} {other:?}");
    }

    #[test]
    fn values_on_a_grid_are_found_again() {
        let values: Vec<f32> = (0..3000).map(|i| (i % 4) as f32).collect();
        let found = search_activations(&values, 3);
        let energy: f64 = values.iter().map(|v| f64::from(v * v)).sum();
        let explained = likeness(
            &values,
            found.center - found.half_width,
            found.center + found.half_width,
            3.0,
        );
        assert!(explained / energy > 0.999, "{found:?} explains {}", explained / energy);
    }

    #[test]
    fn many_values_are_thinned_over_all_channels() {
        // Channel 0 of 64 is a thousand times larger. A sample of it alone would find its scale.
        let count = 64 * 4 * SAMPLE;
        let values: Vec<f32> = gaussian(count)
            .into_iter()
            .enumerate()
            .map(|(i, v)| if i % 64 == 0 { 1000.0 } else { v })
            .collect();
        let positive = search_weights(&values, 7);
        // Root mean square of the mixture: 1000 / 8.
        let end = positive.center + positive.half_width;
        assert!(end <= 6.1 * 125.0, "{positive:?}");
    }

    #[test]
    fn nothing_to_search_on_gives_the_unit_interval() {
        for values in [&[][..], &[0.0, -1.0], &[f32::NAN, f32::INFINITY]] {
            assert_eq!(search_activations(values, 3), Interval::up_to(1.0));
        }
    }
}
