//! Quantizers against an `f64` reference written from the equations.
#![allow(missing_docs)]

use bitsweep_kernels::quantizer::{
    ActivationInterval, WeightInterval, quantize_activations, quantize_activations_backward,
    quantize_weights, quantize_weights_backward,
};
use proptest::prelude::*;

/// Transformer of equation 3 without the discretizer.
fn transform(w: f64, c: f64, d: f64, gamma: f64) -> f64 {
    let t = ((w.abs() - (c - d)) / (2.0 * d)).clamp(0.0, 1.0);
    if w == 0.0 { 0.0 } else { t.powf(gamma) * w.signum() }
}

/// Gradients of one element: dw, dc, dd, dgamma. The position is computed as the kernels do, in
/// `f32`, so that both sides agree on which elements are inside.
fn element_gradients(w: f32, g: f32, i: WeightInterval) -> [f64; 4] {
    let t32 = (w.abs() - (i.center - i.half_width)) / (2.0 * i.half_width);
    if !(t32 > 0.0 && t32 < 1.0) || w == 0.0 {
        return [0.0; 4];
    }
    let (g, s) = (f64::from(g), f64::from(w.signum()));
    let (d, gamma) = (f64::from(i.half_width), f64::from(i.gamma));
    let t = f64::from(t32);
    let guarded = t.max(1e-3);
    let u = g * gamma * guarded.powf(gamma - 1.0) / (2.0 * d);
    [u, -s * u, s * u * (1.0 - 2.0 * t), g * s * t.powf(gamma) * guarded.ln()]
}

fn close(got: f32, want: f64, scale: f64, what: &str) {
    let error = (f64::from(got) - want).abs();
    assert!(error <= 3e-6 * scale + 1e-30, "{what}: got {got}, want {want}, scale {scale}");
}

fn check_weights(weights: &[f32], grad: &[f32], interval: WeightInterval, levels: u32) {
    let mut output = vec![f32::NAN; weights.len()];
    quantize_weights(weights, interval, levels, &mut output);
    let q = f64::from(levels);
    for (&w, &got) in weights.iter().zip(&output) {
        let t = (w.abs() - (interval.center - interval.half_width)) / (2.0 * interval.half_width);
        let exact = f64::from(t.clamp(0.0, 1.0)).powf(f64::from(interval.gamma)) * q;
        let steps = f64::from(got.abs()) * q;
        assert!((steps - steps.round()).abs() < 1e-5, "{got} is no level of {levels}");
        // Half a step, and what f32 leaves open on a tie.
        assert!((steps - exact).abs() <= 0.5 + 1e-6 * q, "w {w}: {steps} steps for {exact}");
        assert!(got == 0.0 || got.signum() == w.signum(), "sign of {w} became {got}");
    }
    let mut grad_weights = vec![f32::NAN; weights.len()];
    let sums = quantize_weights_backward(weights, grad, interval, &mut grad_weights);
    let (mut want, mut scale) = ([0.0f64; 4], [0.0f64; 4]);
    for ((&w, &g), &got) in weights.iter().zip(grad).zip(&grad_weights) {
        let parts = element_gradients(w, g, interval);
        close(got, parts[0], parts[0].abs(), "dw");
        for k in 0..4 {
            want[k] += parts[k];
            scale[k] += parts[k].abs();
        }
    }
    close(sums.center, want[1], scale[1], "dc");
    close(sums.half_width, want[2], scale[1], "dd");
    close(sums.gamma, want[3], scale[3], "dgamma");
}

fn check_activations(input: &[f32], grad: &[f32], interval: ActivationInterval, levels: u32) {
    let mut output = vec![f32::NAN; input.len()];
    quantize_activations(input, interval, levels, &mut output);
    let (c, d, q) = (interval.center, interval.half_width, levels as f32);
    for (&x, &got) in input.iter().zip(&output) {
        let t = ((x - (c - d)) / (2.0 * d)).clamp(0.0, 1.0);
        assert_eq!(got, (t * q).round_ties_even() / q, "x {x}");
    }
    let mut grad_input = vec![f32::NAN; input.len()];
    let sums = quantize_activations_backward(input, grad, interval, &mut grad_input);
    let (mut want, mut scale) = ([0.0f64; 2], 0.0f64);
    for ((&x, &g), &got) in input.iter().zip(grad).zip(&grad_input) {
        let t = (x - (c - d)) / (2.0 * d);
        let inside = if t > 0.0 && t < 1.0 { f64::from(g) / (2.0 * f64::from(d)) } else { 0.0 };
        close(got, inside, inside.abs(), "dx");
        if inside != 0.0 {
            want[0] -= inside;
            want[1] += inside * (1.0 - 2.0 * f64::from(t));
            scale += inside.abs();
        }
    }
    close(sums.center, want[0], scale, "dc");
    close(sums.half_width, want[1], scale, "dd");
}

#[test]
fn weight_vector_of_the_method_notes() {
    let weights = [-0.85, -0.55, -0.12, 0.0, 0.05, 0.3, 0.52, 0.69, 0.9];
    let grad = [1.0, -2.0, 0.5, 3.0, 1.0, -1.0, 2.0, 0.25, 4.0];
    let interval = WeightInterval { center: 0.4, half_width: 0.3, gamma: 1.5 };
    let mut output = [f32::NAN; 9];
    quantize_weights(&weights, interval, 3, &mut output);
    let steps: Vec<f32> = output.iter().map(|v| (v * 3.0).round()).collect();
    assert_eq!(steps, [-3.0, -2.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 3.0]);
    let mut grad_weights = [f32::NAN; 9];
    let sums = quantize_weights_backward(&weights, &grad, interval, &mut grad_weights);
    let want = [0.0, -4.33012702, 0.22821773, 0.0, 0.0, -1.44337567, 4.18330013, 0.61976978, 0.0];
    for (got, want) in grad_weights.iter().zip(want) {
        assert!((f64::from(*got) - want).abs() < 2e-6, "{got} {want}");
    }
    assert!((f64::from(sums.center) + 7.461603529).abs() < 4e-6, "{sums:?}");
    assert!((f64::from(sums.half_width) + 5.131622793).abs() < 4e-6, "{sums:?}");
    assert!((f64::from(sums.gamma) + 0.573811536).abs() < 1e-6, "{sums:?}");
}

#[test]
fn activation_vector_of_the_method_notes() {
    let input = [0.0, 0.05, 0.2, 0.61, 1.0, 1.09, 1.5];
    let grad = [1.0, 1.0, -1.0, 2.0, 0.5, -2.0, 3.0];
    let interval = ActivationInterval { center: 0.6, half_width: 0.5 };
    let mut output = [f32::NAN; 7];
    quantize_activations(&input, interval, 3, &mut output);
    let steps: Vec<f32> = output.iter().map(|v| (v * 3.0).round()).collect();
    assert_eq!(steps, [0.0, 0.0, 0.0, 2.0, 3.0, 3.0, 3.0]);
    let mut grad_input = [f32::NAN; 7];
    let sums = quantize_activations_backward(&input, &grad, interval, &mut grad_input);
    assert_eq!(grad_input, [0.0, 0.0, -1.0, 2.0, 0.5, -2.0, 0.0]);
    assert!((sums.center - 0.5).abs() < 1e-6, "{sums:?}");
    assert!((sums.half_width - 0.72).abs() < 1e-6, "{sums:?}");
}

#[test]
fn zeros_left_by_a_relu_do_not_move_the_interval() {
    // 1000 elements on the lower end; positions of 1000 live ones chosen so that they give -2.5.
    let interval = ActivationInterval { center: 0.5, half_width: 0.5 };
    let live: Vec<f32> = (0..1000).map(|i| (i as f32 + 0.5) / 1000.0 + 0.00125).collect();
    let live: Vec<f32> = live.into_iter().map(|x| x.min(0.99999994)).collect();
    let mut input = vec![0.0f32; 1000];
    input.extend(&live);
    let want: f64 = live.iter().map(|&x| 1.0 - 2.0 * f64::from(x)).sum();
    let mut grad_input = vec![f32::NAN; 2000];
    let sums = quantize_activations_backward(&input, &vec![1.0; 2000], interval, &mut grad_input);
    assert!((want + 2.5).abs() < 0.01, "the live part gives {want}");
    assert!((f64::from(sums.half_width) - want).abs() < 1e-3, "{sums:?}");
    assert!((sums.center + 1000.0).abs() < 1e-3, "{sums:?}");
    assert!(grad_input[..1000].iter().all(|&g| g == 0.0));
}

#[test]
fn elements_on_an_end_get_no_gradient() {
    let interval = WeightInterval { center: 0.5, half_width: 0.25, gamma: 1.0 };
    let mut grad_weights = [f32::NAN; 4];
    let sums = quantize_weights_backward(
        &[0.25, -0.25, 0.75, -0.75],
        &[1.0; 4],
        interval,
        &mut grad_weights,
    );
    assert_eq!(grad_weights, [0.0; 4]);
    assert_eq!((sums.center, sums.half_width, sums.gamma), (0.0, 0.0, 0.0));
}

#[test]
fn ties_go_to_the_even_level() {
    // Half-width 1 around 1 puts x at position x / 2; with 4 levels, x = k / 4 is k / 2 steps.
    let interval = ActivationInterval { center: 1.0, half_width: 1.0 };
    let input: Vec<f32> = (0..=8).map(|k| k as f32 / 4.0).collect();
    let mut output = vec![f32::NAN; 9];
    quantize_activations(&input, interval, 4, &mut output);
    let steps: Vec<f32> = output.iter().map(|v| v * 4.0).collect();
    assert_eq!(steps, [0.0, 0.0, 1.0, 2.0, 2.0, 2.0, 3.0, 4.0, 4.0]);
}

#[test]
fn two_bit_weights_are_ternary_with_the_center_as_threshold() {
    let interval = WeightInterval { center: 0.5, half_width: 0.5, gamma: 1.0 };
    let mut output = [f32::NAN; 5];
    quantize_weights(&[-0.6, -0.5, 0.4, 0.5, 0.51], interval, 1, &mut output);
    assert_eq!(output, [-1.0, 0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn nan_reaches_every_result() {
    for n in [1usize, 7, 40, 5000] {
        for gamma in [1.0, 0.5] {
            let mut weights = vec![0.3f32; n];
            weights[n / 2] = f32::NAN;
            let (mut output, mut grad) = (vec![0.0; n], vec![0.0; n]);
            let interval = WeightInterval { center: 0.4, half_width: 0.3, gamma };
            quantize_weights(&weights, interval, 3, &mut output);
            let sums = quantize_weights_backward(&weights, &vec![1.0; n], interval, &mut grad);
            assert!(output[n / 2].is_nan() && grad[n / 2].is_nan());
            assert_eq!(output.iter().filter(|v| v.is_nan()).count(), 1);
            assert!(sums.center.is_nan() && sums.half_width.is_nan() && sums.gamma.is_nan());
            let interval = ActivationInterval { center: 0.4, half_width: 0.3 };
            quantize_activations(&weights, interval, 3, &mut output);
            let sums = quantize_activations_backward(&weights, &vec![1.0; n], interval, &mut grad);
            assert!(output[n / 2].is_nan() && grad[n / 2].is_nan());
            assert!(sums.center.is_nan() && sums.half_width.is_nan());
        }
    }
    let mut output = [0.0; 2];
    let interval = WeightInterval { center: f32::NAN, half_width: 0.3, gamma: 1.0 };
    quantize_weights(&[0.0, 0.1], interval, 3, &mut output);
    assert!(output.iter().all(|v| v.is_nan()));
    let interval = WeightInterval { center: 0.3, half_width: 0.3, gamma: f32::NAN };
    quantize_weights(&[0.1, 0.2], interval, 3, &mut output);
    assert!(output.iter().all(|v| v.is_nan()));
}

#[test]
fn infinite_inputs_are_clipped() {
    let values = [f32::INFINITY, f32::NEG_INFINITY];
    let (mut output, mut grad) = ([0.0; 2], [f32::NAN; 2]);
    let interval = WeightInterval { center: 0.4, half_width: 0.3, gamma: 0.5 };
    quantize_weights(&values, interval, 3, &mut output);
    assert_eq!(output, [1.0, -1.0]);
    let sums = quantize_weights_backward(&values, &[1.0; 2], interval, &mut grad);
    assert_eq!(grad, [0.0; 2]);
    assert_eq!((sums.center, sums.half_width, sums.gamma), (0.0, 0.0, 0.0));
}

#[test]
fn empty_slices_are_fine() {
    let weight = WeightInterval { center: 0.4, half_width: 0.3, gamma: 2.0 };
    let activation = ActivationInterval { center: 0.4, half_width: 0.3 };
    quantize_weights(&[], weight, 3, &mut []);
    quantize_activations(&[], activation, 3, &mut []);
    assert_eq!(quantize_weights_backward(&[], &[], weight, &mut []), Default::default());
    assert_eq!(quantize_activations_backward(&[], &[], activation, &mut []), Default::default());
}

#[test]
#[should_panic(expected = "the output has 2 elements, but the input asks for 3")]
fn a_wrong_length_panics_with_both_lengths() {
    let interval = ActivationInterval { center: 0.4, half_width: 0.3 };
    quantize_activations(&[0.0; 3], interval, 3, &mut [0.0; 2]);
}

#[test]
fn closed_forms_are_the_derivatives_of_the_transformer() {
    let h = 1e-6;
    for (c, d, gamma) in [(0.5, 0.3, 1.0), (0.4, 0.4, 0.5), (0.6, 0.2, 2.5), (0.5, 0.5, 4.0)] {
        for step in 1..40 {
            // Inside, and above the guard.
            let t = 0.02 + 0.024 * f64::from(step);
            let w = (c - d + 2.0 * d * t) * if step % 2 == 0 { 1.0 } else { -1.0 };
            let central = |f: &dyn Fn(f64) -> f64| (f(h) - f(-h)) / (2.0 * h);
            let want = [
                central(&|e| transform(w + e, c, d, gamma)),
                central(&|e| transform(w, c + e, d, gamma)),
                central(&|e| transform(w, c, d + e, gamma)),
                central(&|e| transform(w, c, d, gamma + e)),
            ];
            let interval =
                WeightInterval { center: c as f32, half_width: d as f32, gamma: gamma as f32 };
            let mut grad = [f32::NAN];
            let sums = quantize_weights_backward(&[w as f32], &[1.0], interval, &mut grad);
            let got = [grad[0], sums.center, sums.half_width, sums.gamma];
            for (got, want) in got.into_iter().zip(want) {
                let error = (f64::from(got) - want).abs();
                assert!(error < 2e-5 * (1.0 + want.abs()), "{c} {d} {gamma} {w}: {got} {want}");
            }
        }
    }
}

/// Ten million elements, fewer where the instruction set is slow.
fn many() -> (Vec<f32>, Vec<f32>) {
    let limited = std::env::var_os(bitsweep_kernels::INSTRUCTIONS_VARIABLE).is_some();
    let n: i64 = if limited { 300_001 } else { 10_000_001 };
    let values = (0..n).map(|i| ((i * 7919) % 100_003) as f32 / 100_003.0).collect();
    // Nearly cancels, so that a sum that loses digits is seen.
    let grad = (0..n).map(|i| if i % 2 == 0 { 1.0 } else { -0.999 }).collect();
    (values, grad)
}

#[test]
fn activation_sums_stay_accurate_over_ten_million_elements() {
    let (input, grad) = many();
    check_activations(&input, &grad, ActivationInterval { center: 0.5, half_width: 0.5 }, 15);
}

#[test]
fn weight_sums_stay_accurate_over_ten_million_elements() {
    let (weights, grad) = many();
    let interval = WeightInterval { center: 0.5, half_width: 0.4, gamma: 1.0 };
    let mut out = vec![0.0; weights.len()];
    let sums = quantize_weights_backward(&weights, &grad, interval, &mut out);
    let (mut want, mut scale) = ([0.0f64; 3], [0.0f64; 3]);
    for (&w, &g) in weights.iter().zip(&grad) {
        let t = (w - (interval.center - interval.half_width)) / (2.0 * interval.half_width);
        if t > 0.0 && t < 1.0 {
            let (g, t) = (f64::from(g), f64::from(t));
            let u = g / (2.0 * f64::from(interval.half_width));
            let parts = [-u, u * (1.0 - 2.0 * t), g * t * t.max(1e-3).ln()];
            for k in 0..3 {
                want[k] += parts[k];
                scale[k] += parts[k].abs();
            }
        }
    }
    let got = [sums.center, sums.half_width, sums.gamma];
    for k in 0..3 {
        let error = (f64::from(got[k]) - want[k]).abs();
        // A running f32 sum would be off by more than a thousandth of the scale.
        assert!(error <= 2e-7 * scale[k], "{k}: got {}, want {}", got[k], want[k]);
    }
}

#[test]
fn the_same_call_gives_the_same_bits() {
    let n = 200_003;
    let weights: Vec<f32> = (0..n).map(|i| ((i * 31) % 2003) as f32 / 1000.0 - 1.0).collect();
    let grad: Vec<f32> = (0..n).map(|i| ((i * 17) % 1009) as f32 / 500.0 - 1.0).collect();
    let interval = WeightInterval { center: 0.5, half_width: 0.4, gamma: 1.3 };
    let run = || {
        let mut out = vec![0.0; n];
        let sums = quantize_weights_backward(&weights, &grad, interval, &mut out);
        (out, sums)
    };
    assert_eq!(run(), run());
}

/// Interval parameters within what the callers' projection guarantees, tiny widths included.
fn intervals() -> impl Strategy<Value = (f32, f32, f32)> {
    let half_width = prop_oneof![0.01f32..2.0, Just(1e-6), Just(1e-30)];
    let gamma = prop_oneof![Just(1.0f32), Just(0.25), Just(4.0), 0.25f32..4.0];
    (half_width, 0.0f32..2.0, gamma).prop_map(|(d, extra, gamma)| (d + extra, d, gamma))
}

/// A value somewhere, or exactly on a place where something changes.
fn place(code: u8, raw: f32, c: f32, d: f32, levels: u32) -> f32 {
    let q = levels as f32;
    match code {
        0 => 0.0,
        1 => c - d,
        2 => c + d,
        3 => c,
        4 => c - d + 2.0 * d * ((raw.abs() * q).floor() + 0.5) / q,
        5 => f32::from_bits(1),
        6 => (c - d) * (1.0 + f32::EPSILON),
        _ => c + d * 2.0 * raw,
    }
}

proptest! {
    #[test]
    fn weights_agree_with_the_reference(
        (c, d, gamma) in intervals(),
        levels in prop_oneof![Just(1u32), Just(3), Just(7), Just(15)],
        values in prop::collection::vec((0u8..12, -1.0f32..1.0, -3.0f32..3.0), 0..150),
    ) {
        let weights: Vec<f32> = values
            .iter()
            .map(|&(code, raw, _)| place(code, raw, c, d, levels).copysign(raw))
            .collect();
        let grad: Vec<f32> = values.iter().map(|v| v.2).collect();
        check_weights(&weights, &grad, WeightInterval { center: c, half_width: d, gamma }, levels);
    }

    #[test]
    fn activations_agree_with_the_reference(
        (c, d, _) in intervals(),
        levels in prop_oneof![Just(3u32), Just(7), Just(15), Just(255)],
        values in prop::collection::vec((0u8..12, -1.0f32..1.0, -3.0f32..3.0), 0..150),
    ) {
        let input: Vec<f32> =
            values.iter().map(|&(code, raw, _)| place(code, raw, c, d, levels)).collect();
        let grad: Vec<f32> = values.iter().map(|v| v.2).collect();
        check_activations(&input, &grad, ActivationInterval { center: c, half_width: d }, levels);
    }
}

/// Runs the tests of this file again in processes with lesser instruction sets.
#[test]
fn lesser_instruction_sets_agree_with_the_reference() {
    use bitsweep_kernels::{INSTRUCTIONS_VARIABLE, Instructions, instructions};
    if std::env::var_os(INSTRUCTIONS_VARIABLE).is_some() {
        return;
    }
    let program = std::env::current_exe().expect("a test knows its own program");
    for (name, set) in [("scalar", Instructions::Scalar), ("vector", Instructions::Vector)] {
        if set >= instructions() {
            continue;
        }
        let run = std::process::Command::new(&program)
            .env(INSTRUCTIONS_VARIABLE, name)
            .output()
            .expect("the test program starts again");
        assert!(run.status.success(), "{name}: {}", String::from_utf8_lossy(&run.stdout));
    }
}
