//! The quantizers on tensors: the transformer's equations, its gradients, and what happens at the ends.

#![allow(clippy::unwrap_used)]

mod tensors;

use bitsweep_qil::{quantize_activations, quantize_weights};
use burn::tensor::{Device, Tensor};
use tensors::{assert_close, leaf, noise, tensor, values};

/// Output, gradient of the weights, and gradients of c, d and gamma for one upstream gradient.
fn weights(w: &[f32], cd: [f32; 2], gamma: f32, levels: u32, g: &[f32]) -> [Vec<f32>; 3] {
    let input = leaf(w, [w.len()]);
    let [c, d, exponent] = [cd[0], cd[1], gamma].map(|v| leaf(&[v], [1]));
    let output = quantize_weights(input.clone(), c.clone(), d.clone(), exponent.clone(), levels);
    let upstream = tensor(g, [g.len()], &tensors::with_gradients());
    let gradients = (output.clone() * upstream).sum().backward();
    let scalars = [c, d, exponent].map(|t| values(&t.grad(&gradients).unwrap())[0]);
    [values(&output), values(&input.grad(&gradients).unwrap()), scalars.to_vec()]
}

/// Output, gradient of the input, and gradients of c and d for one upstream gradient.
fn activations(x: &[f32], cd: [f32; 2], levels: u32, g: &[f32]) -> [Vec<f32>; 3] {
    let input = leaf(x, [x.len()]);
    let [c, d] = cd.map(|v| leaf(&[v], [1]));
    let output = quantize_activations(input.clone(), c.clone(), d.clone(), levels);
    let upstream = tensor(g, [g.len()], &tensors::with_gradients());
    let gradients = (output.clone() * upstream).sum().backward();
    let scalars = [c, d].map(|t| values(&t.grad(&gradients).unwrap())[0]);
    [values(&output), values(&input.grad(&gradients).unwrap()), scalars.to_vec()]
}

#[test]
fn weights_follow_the_worked_example() {
    let w = [-0.85, -0.55, -0.12, 0.0, 0.05, 0.3, 0.52, 0.69, 0.9];
    let g = [1.0, -2.0, 0.5, 3.0, 1.0, -1.0, 2.0, 0.25, 4.0];
    let [output, gradient, scalars] = weights(&w, [0.4, 0.3], 1.5, 3, &g);
    let steps = [-3.0, -2.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 3.0];
    assert_eq!(output, steps.map(|s: f32| s / 3.0));
    let expected =
        [0.0, -4.330_127, 0.228_217_73, 0.0, 0.0, -1.443_375_7, 4.183_300_1, 0.619_769_8, 0.0];
    assert_close("dL/dw", &gradient, &expected, 1e-6);
    assert_close("dL/d(c, d, gamma)", &scalars, &[-7.461_603_5, -5.131_622_8, -0.573_811_54], 1e-6);
}

#[test]
fn activations_follow_the_worked_example() {
    let x = [0.0, 0.05, 0.2, 0.61, 1.0, 1.09, 1.5];
    let g = [1.0, 1.0, -1.0, 2.0, 0.5, -2.0, 3.0];
    let [output, gradient, scalars] = activations(&x, [0.6, 0.5], 3, &g);
    let steps = [0.0, 0.0, 0.0, 2.0, 3.0, 3.0, 3.0];
    assert_eq!(output, steps.map(|s: f32| s / 3.0));
    assert_close("dL/dx", &gradient, &[0.0, 0.0, -1.0, 2.0, 0.5, -2.0, 0.0], 1e-6);
    assert_close("dL/d(c, d)", &scalars, &[0.5, 0.72], 1e-6);
}

/// sign(v) clamp(t, 0, 1)^gamma: the transformer without rounding, whose gradient straight-through is.
fn transformer(v: f64, [c, d, gamma]: [f64; 3]) -> f64 {
    let t = ((v.abs() - (c - d)) / (2.0 * d)).clamp(0.0, 1.0);
    v.signum() * t.powf(gamma)
}

/// Central differences of `g` times the transformer: by the value, c, d and gamma.
fn differences(v: f64, g: f64, p: [f64; 3]) -> [f64; 4] {
    let h = 1e-6;
    let by = |move_by: [f64; 4]| {
        let at = |s: f64| {
            transformer(
                v + s * move_by[0],
                [p[0] + s * move_by[1], p[1] + s * move_by[2], p[2] + s * move_by[3]],
            )
        };
        g * (at(h) - at(-h)) / (2.0 * h)
    };
    [0, 1, 2, 3].map(|i| by(std::array::from_fn(|j| f64::from(u8::from(i == j)))))
}

/// Compares element gradients with central differences, and the sums over elements to 1e-5 of the sum
/// of magnitudes: c and d collect terms that partly cancel.
fn assert_gradients(what: &str, p: [f64; 3], v: &[f32], g: &[f32], found: [&[f32]; 2]) {
    let each: Vec<[f64; 4]> =
        v.iter().zip(g).map(|(&v, &g)| differences(f64::from(v), f64::from(g), p)).collect();
    let expected: Vec<f32> = each.iter().map(|e| e[0] as f32).collect();
    assert_close(what, found[0], &expected, 2e-5);
    for (which, sum) in found[1].iter().enumerate() {
        let expected: f64 = each.iter().map(|e| e[which + 1]).sum();
        let scale: f64 = each.iter().map(|e| e[which + 1].abs()).sum();
        let error = (f64::from(*sum) - expected).abs() / scale;
        assert!(error < 1e-5, "{what}, scalar {which}: {sum} for {expected}, error {error:e}");
    }
}

/// Values up to a quarter beyond the interval, none within 2 % of its width from an end.
fn away_from_the_ends(seed: u64, c: f64, d: f64, signed: bool) -> Vec<f32> {
    let reach = (c + 1.5 * d) as f32;
    noise(seed, 600)
        .into_iter()
        .map(|v| if signed { v * reach } else { v.abs() * reach })
        .filter(|v| {
            let t = (f64::from(v.abs()) - (c - d)) / (2.0 * d);
            t.abs() > 0.02 && (t - 1.0).abs() > 0.02 && v.abs() > 1e-3
        })
        .collect()
}

#[test]
fn weight_gradients_are_those_of_the_transformer_without_rounding() {
    let intervals = [(0.4, 0.3), (0.5, 0.5), (0.05, 0.02), (1.7, 0.6)];
    for (seed, (c, d)) in (1..).zip(intervals) {
        for gamma in [0.3, 0.7, 1.0, 1.5, 3.5] {
            for levels in [1, 3, 7, 127] {
                let v = away_from_the_ends(seed, c, d, true);
                let g = noise(seed + 100, v.len());
                let cd = [c as f32, d as f32];
                let [_, gradient, scalars] = weights(&v, cd, gamma as f32, levels, &g);
                let p = [cd[0].into(), cd[1].into(), f64::from(gamma as f32)];
                let what = format!("c={c} d={d} gamma={gamma} q={levels}");
                assert_gradients(&what, p, &v, &g, [&gradient, &scalars]);
            }
        }
    }
}

#[test]
fn activation_gradients_are_those_of_the_transformer_without_rounding() {
    for (seed, (c, d)) in (1..).zip([(0.6, 0.5), (1.0, 1.0), (2.5, 0.4), (0.03, 0.02)]) {
        for levels in [3, 7, 15, 255] {
            let v = away_from_the_ends(seed, c, d, false);
            let g = noise(seed + 200, v.len());
            let cd = [c as f32, d as f32];
            let [_, gradient, scalars] = activations(&v, cd, levels, &g);
            let p = [cd[0].into(), cd[1].into(), 1.0];
            assert_gradients(&format!("c={c} d={d} q={levels}"), p, &v, &g, [&gradient, &scalars]);
        }
    }
}

#[test]
fn zeros_behind_relu_lie_on_the_end_and_give_no_gradient() {
    // 1000 zeros and 1000 live values with c = d = 0.5: t = x. Per live value dL/dc = -1 and
    // dL/dd = 1 - 2x, over x = (i + 0.75) / 1000: 1000 - 2 * 500.25 ... minus nothing for the zeros.
    let live = (0..1000).map(|i| (i as f32 + 0.75) / 1000.0);
    let x: Vec<f32> = std::iter::repeat_n(0.0, 1000).chain(live.clone()).collect();
    let [_, gradient, scalars] = activations(&x, [0.5, 0.5], 15, &[1.0; 2000]);
    assert!(gradient[..1000].iter().all(|&g| g == 0.0));
    assert!(gradient[1000..].iter().all(|&g| g == 1.0));
    let half_width: f32 = live.map(|x| 1.0 - 2.0 * x).sum();
    assert_close("dL/d(c, d)", &scalars, &[-1000.0, half_width], 1e-6);
}

#[test]
fn weights_on_either_end_have_its_value_and_no_gradient() {
    // Ends that floating point meets exactly: 0.25 and 0.75.
    let w = [0.25, -0.25, 0.75, -0.75, 0.0, -0.0];
    for gamma in [0.5, 1.0, 2.0] {
        let [output, gradient, scalars] = weights(&w, [0.5, 0.25], gamma, 7, &[1.0; 6]);
        assert_eq!(output, [0.0, 0.0, 1.0, -1.0, 0.0, 0.0]);
        assert_eq!(gradient, [0.0; 6], "gamma {gamma}");
        assert_eq!(scalars, [0.0; 3], "gamma {gamma}");
    }
}

#[test]
fn a_zero_weight_has_no_gradient_even_when_zero_is_inside_the_interval() {
    let [output, _, scalars] = weights(&[0.0], [0.2, 0.4], 1.0, 7, &[1.0]);
    assert_eq!((output[0], scalars), (0.0, vec![0.0; 3]));
}

#[test]
fn ties_round_to_the_even_level() {
    // c = d = 0.5: t = x, and x q = 0.5, 1.5, 2.5 are exact at q = 1 and 4.
    let [output, ..] = weights(&[0.5, -0.5], [0.5, 0.5], 1.0, 1, &[1.0; 2]);
    assert_eq!(output, [0.0, 0.0]);
    let [output, ..] = activations(&[0.125, 0.375, 0.625, 0.875], [0.5, 0.5], 4, &[1.0; 4]);
    assert_eq!(output, [0.0, 0.5, 0.5, 1.0]);
}

#[test]
fn a_permuted_tensor_gives_the_permuted_result() {
    let numbers = noise(5, 2 * 3 * 4);
    let scalars = || [0.4, 0.3, 1.5].map(|v| leaf(&[v], [1]));
    let upstream = tensor(&noise(6, 24), [4, 2, 3], &tensors::with_gradients());
    let run = |permuted: bool, weights: bool| {
        let input = leaf(&numbers, [2, 3, 4]);
        let view = input.clone().permute([2, 0, 1]);
        // Through its values, a permuted tensor becomes a dense one.
        let dense = leaf(&values(&view), [4, 2, 3]);
        let [c, d, gamma] = scalars();
        let given = if permuted { view } else { dense.clone() };
        let output = match weights {
            true => quantize_weights(given, c.clone(), d.clone(), gamma, 7),
            false => quantize_activations(given, c.clone(), d.clone(), 15),
        };
        let gradients = (output.clone() * upstream.clone()).sum().backward();
        let gradient = match permuted {
            true => input.grad(&gradients).unwrap().permute([2, 0, 1]),
            false => dense.grad(&gradients).unwrap(),
        };
        let [c, d] = [c, d].map(|t| values(&t.grad(&gradients).unwrap()));
        [values(&output), values(&gradient), c, d]
    };
    for weights in [true, false] {
        assert_eq!(run(true, weights), run(false, weights));
    }
}

#[test]
fn without_gradients_the_values_are_the_same_and_there_is_no_graph() {
    let numbers = noise(7, 50);
    let run = |device: &Device| {
        let [c, d, gamma] = [0.4, 0.3, 1.5].map(|v| tensor(&[v], [1], device));
        let input: Tensor<1> = tensor(&numbers, [50], device);
        let weights = quantize_weights(input.clone(), c.clone(), d.clone(), gamma, 7);
        let activations = quantize_activations(input, c, d, 15);
        assert!(!weights.is_tracked() && !activations.is_tracked());
        (values(&weights), values(&activations))
    };
    assert_eq!(run(&Device::flex()), run(&tensors::with_gradients()));
}

#[test]
fn only_what_asks_for_gradients_gets_them() {
    let device = tensors::with_gradients();
    let input = tensor(&noise(8, 20), [20], &device);
    let [c, d] = [0.4, 0.3].map(|v| leaf(&[v], [1]));
    let gradients = quantize_activations(input.clone(), c.clone(), d, 15).sum().backward();
    assert!(input.grad(&gradients).is_none());
    assert!(c.grad(&gradients).is_some());
}

#[test]
fn nan_comes_out_as_nan() {
    let [output, ..] = weights(&[f32::NAN, 0.3], [0.4, 0.3], 1.5, 7, &[1.0; 2]);
    assert!(output[0].is_nan() && !output[1].is_nan());
    let [output, ..] = activations(&[f32::NAN, 0.3], [0.4, 0.3], 7, &[1.0; 2]);
    assert!(output[0].is_nan() && !output[1].is_nan());
}
