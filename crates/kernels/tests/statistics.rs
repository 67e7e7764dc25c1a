//! Counts against the quantizers themselves.
#![allow(missing_docs)]

use bitsweep_kernels::quantizer::{
    ActivationInterval, HISTOGRAM_BINS, WeightInterval, activation_counts, largest_magnitude,
    quantize_activations_to_vec, quantize_weights_to_vec, weight_counts,
};
use proptest::prelude::*;

fn check_weights(weights: &[f32], interval: WeightInterval, levels: u32) {
    let max = largest_magnitude(weights);
    let finite = weights.iter().map(|w| w.abs()).filter(|w| w.is_finite());
    assert_eq!(max, finite.clone().fold(0.0, f32::max));
    let counts = weight_counts(weights, interval, levels, max);
    let count = |is: &dyn Fn(f32) -> bool| weights.iter().filter(|w| is(w.abs())).count() as u64;
    assert_eq!(counts.below, count(&|w| w < interval.center - interval.half_width));
    assert_eq!(counts.above, count(&|w| w > interval.center + interval.half_width));
    assert_eq!(counts.not_a_number, count(&f32::is_nan));
    let quantized = quantize_weights_to_vec(weights, interval, levels);
    let zeros = quantized.iter().filter(|w| **w == 0.0).count() as u64;
    assert_eq!(counts.zero, zeros, "{interval:?} {levels}");
    assert_eq!(counts.histogram.iter().sum::<u64>(), finite.clone().count() as u64);
    let mut histogram = [0u64; HISTOGRAM_BINS];
    for w in finite {
        let bin = if max > 0.0 { (w * (HISTOGRAM_BINS as f32 / max)) as usize } else { 0 };
        histogram[bin.min(HISTOGRAM_BINS - 1)] += 1;
    }
    assert_eq!(counts.histogram, histogram);
}

#[test]
fn no_weights_count_nothing() {
    let interval = WeightInterval { center: 0.5, half_width: 0.5, gamma: 1.0 };
    check_weights(&[], interval, 7);
    check_weights(&[0.0, -0.0], interval, 7);
    check_weights(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.3], interval, 7);
    let none = ActivationInterval { center: 0.5, half_width: 0.5 };
    assert_eq!(activation_counts(&[], none, 3).zero, 0);
}

#[test]
fn many_tasks_count_every_weight_once() {
    let weights: Vec<f32> = (0..200_003).map(|i| (i as f32 * 0.37).sin() * 0.8).collect();
    for (levels, gamma) in [(1, 1.0), (3, 0.7), (7, 2.0), (15, 1.0)] {
        check_weights(&weights, WeightInterval { center: 0.4, half_width: 0.3, gamma }, levels);
    }
}

#[test]
fn ties_are_counted_as_they_are_rounded() {
    // Levels 1, gamma 1: everything up to the center is zero, the center itself a tie.
    let interval = WeightInterval { center: 0.5, half_width: 0.5, gamma: 1.0 };
    let counts = weight_counts(&[0.5, 0.5f32.next_up(), -0.5, 0.25], interval, 1, 1.0);
    assert_eq!(counts.zero, 3);
}

proptest! {
    #[test]
    fn weights_are_counted_as_they_are_quantized(
        (d, extra) in (0.01f32..1.0, 0.0f32..1.0),
        gamma in prop_oneof![Just(1.0f32), Just(0.25), Just(4.0), 0.25f32..4.0],
        levels in prop_oneof![Just(1u32), Just(3), Just(7), Just(15)],
        weights in prop::collection::vec(-3.0f32..3.0, 0..200),
    ) {
        check_weights(&weights, WeightInterval { center: d + extra, half_width: d, gamma }, levels);
    }

    #[test]
    fn activations_are_counted_as_they_are_quantized(
        (d, extra) in (0.01f32..1.0, 0.0f32..1.0),
        levels in prop_oneof![Just(1u32), Just(3), Just(7), Just(15), Just(255)],
        steps in prop::collection::vec((0u32..600, -1i32..2), 0..200),
    ) {
        let interval = ActivationInterval { center: d + extra, half_width: d };
        // Half steps of the quantizer and their neighbours, where rounding matters.
        let input: Vec<f32> = steps
            .iter()
            .map(|&(step, aside)| {
                let value = extra + 2.0 * d * step as f32 / (2.0 * levels as f32);
                f32::from_bits((value.to_bits() as i32 + aside).max(0) as u32)
            })
            .collect();
        let counts = activation_counts(&input, interval, levels);
        let quantized = quantize_activations_to_vec(&input, interval, levels);
        prop_assert_eq!(counts.zero, quantized.iter().filter(|x| **x == 0.0).count() as u64);
        let upper = interval.center + interval.half_width;
        prop_assert_eq!(counts.clipped, input.iter().filter(|x| **x > upper).count() as u64);
    }
}
