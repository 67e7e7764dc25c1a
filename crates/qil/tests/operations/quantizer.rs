//! Quantizers against the equations in `f64`, finite differences and worked vectors.

use bitsweep_qil::{activation_levels, quantize_activations, quantize_weights, weight_levels};
use burn::tensor::Tensor;

use crate::paths::device;
use crate::tensors::{
    assert_close, constant, differences, gradient, gradients, leaf, noise, values, wide,
};

/// Equation 3 of QIL.
fn transform_weight(w: f64, center: f64, half_width: f64, gamma: f64) -> f64 {
    let t = (w.abs() - (center - half_width)) / (2.0 * half_width);
    t.clamp(0.0, 1.0).powf(gamma) * if w == 0.0 { 0.0 } else { w.signum() }
}

/// Equation 5 of QIL.
fn transform_activation(x: f64, center: f64, half_width: f64) -> f64 {
    ((x - (center - half_width)) / (2.0 * half_width)).clamp(0.0, 1.0)
}

fn round(value: f64, levels: u32) -> f64 {
    (value * f64::from(levels)).round_ties_even() / f64::from(levels)
}

struct Weights {
    w: Tensor<1>,
    center: Tensor<1>,
    half_width: Tensor<1>,
    gamma: Tensor<1>,
}

impl Weights {
    fn new(w: &[f32], [center, half_width, gamma]: [f32; 3]) -> Self {
        Self {
            w: leaf(w, [w.len()]),
            center: leaf(&[center], [1]),
            half_width: leaf(&[half_width], [1]),
            gamma: leaf(&[gamma], [1]),
        }
    }

    fn quantize(&self, levels: u32) -> Tensor<1> {
        let parameters = (self.center.clone(), self.half_width.clone(), self.gamma.clone());
        quantize_weights(self.w.clone(), parameters.0, parameters.1, parameters.2, levels)
    }
}

/// Values away from both ends, from zero and from where the guard at small t begins.
fn away_from_ends(seed: u64, count: usize, center: f32, half_width: f32) -> Vec<f32> {
    noise(seed, 4 * count)
        .into_iter()
        .map(|v| v * 1.3)
        .filter(|v| {
            let t = (v.abs() - (center - half_width)) / (2.0 * half_width);
            (t - 0.002).abs() > 0.002 && (t - 1.0).abs() > 1e-3 && v.abs() > 1e-3
        })
        .take(count)
        .collect()
}

every_path!(worked_weights);
fn worked_weights() {
    let w = [-0.85, -0.55, -0.12, 0.0, 0.05, 0.3, 0.52, 0.69, 0.9];
    let g = [1.0, -2.0, 0.5, 3.0, 1.0, -1.0, 2.0, 0.25, 4.0];
    let leaves = Weights::new(&w, [0.4, 0.3, 1.5]);
    let output = leaves.quantize(weight_levels(3));
    let steps: Vec<f32> = values(&output).iter().map(|v| v * 3.0).collect();
    assert_eq!(steps, [-3.0, -2.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 3.0]);

    let found = gradients(&output, &g);
    let dw = [0.0, -4.33012702, 0.22821773, 0.0, 0.0, -1.44337567, 4.18330013, 0.61976978, 0.0];
    assert_close("dw", &gradient(&leaves.w, &found), &dw, 2e-6);
    assert_close("dc", &gradient(&leaves.center, &found), &[-7.461603529], 2e-6);
    assert_close("dd", &gradient(&leaves.half_width, &found), &[-5.131622793], 2e-6);
    assert_close("dγ", &gradient(&leaves.gamma, &found), &[-0.573811536], 2e-6);
}

every_path!(worked_activations);
fn worked_activations() {
    let x = [0.0, 0.05, 0.2, 0.61, 1.0, 1.09, 1.5];
    let g = [1.0, 1.0, -1.0, 2.0, 0.5, -2.0, 3.0];
    let (x, center, half_width) = (leaf(&x, [7]), leaf(&[0.6], [1]), leaf(&[0.5], [1]));
    let output =
        quantize_activations(x.clone(), center.clone(), half_width.clone(), activation_levels(2));
    let steps: Vec<f32> = values(&output).iter().map(|v| v * 3.0).collect();
    assert_eq!(steps, [0.0, 0.0, 0.0, 2.0, 3.0, 3.0, 3.0]);

    let found = gradients(&output, &g);
    assert_close("dx", &gradient(&x, &found), &[0.0, 0.0, -1.0, 2.0, 0.5, -2.0, 0.0], 2e-6);
    assert_close("dc", &gradient(&center, &found), &[0.5], 2e-6);
    assert_close("dd", &gradient(&half_width, &found), &[0.72], 2e-6);
}

every_path!(weights_follow_the_equations_and_their_differences);
fn weights_follow_the_equations_and_their_differences() {
    for (seed, [center, half_width, gamma]) in
        [[0.5, 0.5, 1.0], [0.4, 0.3, 1.5], [0.6, 0.25, 0.5], [0.5, 0.5, 0.25], [0.7, 0.4, 4.0]]
            .into_iter()
            .enumerate()
    {
        let w = away_from_ends(seed as u64, 300, center, half_width);
        let g = noise(100 + seed as u64, w.len());
        let leaves = Weights::new(&w, [center, half_width, gamma]);
        let (w64, g64) = (wide(&w), wide(&g));
        let parameters = wide(&[center, half_width, gamma]);
        for bits in [2, 3, 4, 8] {
            let levels = weight_levels(bits);
            let output = leaves.quantize(levels);
            for (&w, found) in w64.iter().zip(values(&output)) {
                let smooth = transform_weight(w, parameters[0], parameters[1], parameters[2]);
                let step = smooth * f64::from(levels);
                if (step.fract().abs() - 0.5).abs() > 1e-4 {
                    let expected = round(smooth, levels);
                    assert!((f64::from(found) - expected).abs() < 1e-6, "{w}: {found} {expected}");
                }
            }
            // The straight-through estimator: as if rounding were not there, at every width.
            let found = gradients(&output, &g);
            let loss = |w: &[f64], p: &[f64]| -> f64 {
                w.iter().zip(&g64).map(|(&w, g)| g * transform_weight(w, p[0], p[1], p[2])).sum()
            };
            let dw = differences(&w64, |w| loss(w, &parameters));
            assert_close("dw", &gradient(&leaves.w, &found), &dw, 1e-5);
            let dp = differences(&parameters, |p| loss(&w64, p));
            assert_close("dc", &gradient(&leaves.center, &found), &dp[..1], 1e-4);
            assert_close("dd", &gradient(&leaves.half_width, &found), &dp[1..2], 1e-4);
            assert_close("dγ", &gradient(&leaves.gamma, &found), &dp[2..], 1e-4);
        }
    }
}

every_path!(activations_follow_the_equations_and_their_differences);
fn activations_follow_the_equations_and_their_differences() {
    for (seed, [center, half_width]) in
        [[0.5, 0.5], [0.6, 0.3], [0.3, 0.29]].into_iter().enumerate()
    {
        let mut x = away_from_ends(10 + seed as u64, 400, center, half_width);
        x.iter_mut().for_each(|x| *x = x.abs());
        let g = noise(200 + seed as u64, x.len());
        let leaves = (leaf(&x, [2, 5, 5, 8]), leaf(&[center], [1]), leaf(&[half_width], [1]));
        let (x64, g64, parameters) = (wide(&x), wide(&g), wide(&[center, half_width]));
        for bits in [2, 4, 8] {
            let levels = activation_levels(bits);
            let output =
                quantize_activations(leaves.0.clone(), leaves.1.clone(), leaves.2.clone(), levels);
            for (&x, found) in x64.iter().zip(values(&output)) {
                let smooth = transform_activation(x, parameters[0], parameters[1]);
                if ((smooth * f64::from(levels)).fract() - 0.5).abs() > 1e-4 {
                    let expected = round(smooth, levels);
                    assert!((f64::from(found) - expected).abs() < 1e-6, "{x}: {found} {expected}");
                }
            }
            let found = gradients(&output, &g);
            let loss = |x: &[f64], p: &[f64]| -> f64 {
                x.iter().zip(&g64).map(|(&x, g)| g * transform_activation(x, p[0], p[1])).sum()
            };
            let dx = differences(&x64, |x| loss(x, &parameters));
            assert_close("dx", &gradient(&leaves.0, &found), &dx, 1e-5);
            let dp = differences(&parameters, |p| loss(&x64, p));
            assert_close("dc", &gradient(&leaves.1, &found), &dp[..1], 1e-4);
            assert_close("dd", &gradient(&leaves.2, &found), &dp[1..], 1e-4);
        }
    }
}

every_path!(ends_of_the_interval_get_no_gradient);
fn ends_of_the_interval_get_no_gradient() {
    // 1000 zeros as a ReLU leaves them, exactly on the lower end, and one live value.
    let mut x = vec![0.0; 1000];
    x.extend([0.25, 1.0]);
    let (x, center, half_width) = (leaf(&x, [1002]), leaf(&[0.5], [1]), leaf(&[0.5], [1]));
    let output = quantize_activations(x.clone(), center.clone(), half_width.clone(), 3);
    let found = gradients(&output, &[1.0; 1002]);
    let dx = gradient(&x, &found);
    assert!(dx[..1000].iter().all(|&g| g == 0.0));
    assert_eq!(dx[1000..], [1.0, 0.0]);
    assert_eq!(gradient(&center, &found), [-1.0]);
    assert_eq!(gradient(&half_width, &found), [0.5]);

    let leaves = Weights::new(&[0.25, -0.25, 0.75, -0.75, 0.0, 0.5], [0.5, 0.25, 1.0]);
    let found = gradients(&leaves.quantize(7), &[1.0; 6]);
    assert_eq!(gradient(&leaves.w, &found), [0.0, 0.0, 0.0, 0.0, 0.0, 2.0]);
    assert_eq!(gradient(&leaves.center, &found), [-2.0]);
    assert_eq!(gradient(&leaves.half_width, &found), [0.0]);
}

every_path!(ties_round_to_even);
fn ties_round_to_even() {
    // One level: |w| = center is the tie between 0 and 1. Three levels: 0.5 of a step and 1.5 steps.
    let leaves = Weights::new(&[0.5, -0.5], [0.5, 0.5, 1.0]);
    assert_eq!(values(&leaves.quantize(1)), [0.0, 0.0]);
    let x = leaf(&[1.0, 3.0, 5.0], [3]);
    let output = quantize_activations(x, leaf(&[3.0], [1]), leaf(&[3.0], [1]), 3);
    let steps: Vec<f32> = values(&output).iter().map(|v| (v * 3.0).round()).collect();
    assert_eq!(steps, [0.0, 2.0, 2.0]);
}

every_path!(nan_reaches_output_and_gradients);
fn nan_reaches_output_and_gradients() {
    let leaves = Weights::new(&[0.5, f32::NAN, 0.2], [0.5, 0.4, 1.5]);
    let output = leaves.quantize(3);
    let nan: Vec<bool> = values(&output).iter().map(|v| v.is_nan()).collect();
    assert_eq!(nan, [false, true, false]);
    let found = gradients(&output, &[1.0; 3]);
    assert!(gradient(&leaves.w, &found)[1].is_nan());
    assert!(gradient(&leaves.center, &found)[0].is_nan());
}

every_path!(no_values_have_zero_gradients);
fn no_values_have_zero_gradients() {
    let leaves = Weights::new(&[], [0.5, 0.4, 1.5]);
    let output = leaves.quantize(3);
    assert_eq!(values(&output), [0.0; 0]);
    let found = gradients(&output, &[]);
    assert_eq!(gradient(&leaves.center, &found), [0.0]);
}

every_path!(sums_over_ten_million_values_keep_their_digits);
fn sums_over_ten_million_values_keep_their_digits() {
    // Added one by one in f32, ten million times 0.1 is off by nine per cent.
    let count = 10_000_018;
    let x = vec![0.25; count];
    let (center, half_width) = (leaf(&[0.5], [1]), leaf(&[0.5], [1]));
    let output = quantize_activations(leaf(&x, [count]), center.clone(), half_width, 15);
    let found = gradients(&output, &vec![0.1; count]);
    let total = -f64::from(0.1_f32) * count as f64;
    assert!((f64::from(gradient(&center, &found)[0]) / total - 1.0).abs() < 1e-6);
}

every_path!(without_gradients_the_values_are_the_same);
fn without_gradients_the_values_are_the_same() {
    let w = noise(3, 500);
    let leaves = Weights::new(&w, [0.5, 0.45, 1.3]);
    let device = device();
    let scalar = |value| constant(&[value], [1], &device);
    let plain =
        quantize_weights(constant(&w, [500], &device), scalar(0.5), scalar(0.45), scalar(1.3), 7);
    assert_eq!(values(&plain), values(&leaves.quantize(7)));
    assert!(!plain.is_autodiff());
}

every_path!(only_what_is_tracked_gets_a_gradient);
fn only_what_is_tracked_gets_a_gradient() {
    let device = device().autodiff();
    let x = leaf(&[0.25, 0.75], [2]);
    let (center, half_width) = (constant(&[0.5], [1], &device), leaf(&[0.5], [1]));
    let output = quantize_activations(x.clone(), center.clone(), half_width.clone(), 3);
    let found = gradients(&output, &[1.0, 1.0]);
    assert!(center.grad(&found).is_none());
    assert_eq!(gradient(&x, &found), [1.0, 1.0]);
    assert_eq!(gradient(&half_width, &found), [0.0]);
}

every_path!(a_permuted_tensor_is_quantized_element_by_element);
fn a_permuted_tensor_is_quantized_element_by_element() {
    let x: Vec<f32> = noise(5, 24).iter().map(|v| v.abs()).collect();
    let whole = leaf(&x, [2, 3, 4, 1]);
    let (center, half_width) = (leaf(&[0.5], [1]), leaf(&[0.4], [1]));
    let straight = quantize_activations(whole.clone(), center.clone(), half_width.clone(), 7);
    let permuted = whole.clone().permute([2, 0, 1, 3]);
    let through = quantize_activations(permuted, center, half_width, 7).permute([1, 2, 0, 3]);
    assert_eq!(values(&straight), values(&through));
    let g = noise(6, 24);
    assert_eq!(
        gradient(&whole, &gradients(&straight, &g)),
        gradient(&whole, &gradients(&through, &g))
    );
}
