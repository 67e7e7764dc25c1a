//! Quantizers on random and on adversarial inputs, against equations and closed-form gradients in `f64`.

use bitsweep_qil::{GAMMA_RANGE, quantize_activations, quantize_weights};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::tensors::{gradient, gradients, leaf, values};

/// Positions at which slope and logarithm are evaluated are no lower.
const GUARD: f64 = 1e-3;

#[derive(Clone, Debug)]
struct Problem {
    /// Center, half-width: multiples of 1/64, so that ends and positions have no rounding error.
    center: f32,
    half_width: f32,
    gamma: f32,
    levels: u32,
    values: Vec<f32>,
    upstream: Vec<f32>,
}

fn problems() -> impl Strategy<Value = Problem> {
    let exponents = prop_oneof![
        Just(1.0_f32),
        Just(GAMMA_RANGE.0),
        Just(GAMMA_RANGE.1),
        GAMMA_RANGE.0..GAMMA_RANGE.1,
    ];
    let levels = prop::sample::select(vec![1_u32, 3, 7, 15, 127, 255]);
    (1_u16..128, 0_u16..128, exponents, levels, 0_usize..70).prop_flat_map(
        |(half_width, more, gamma, levels, count)| {
            let center = f32::from(half_width + more) / 64.0;
            let half_width = f32::from(half_width) / 64.0;
            let (lower, upper) = (center - half_width, center + half_width);
            let special = prop::sample::select(vec![
                0.0,
                -0.0,
                lower,
                -lower,
                upper,
                -upper,
                center,
                -center,
                f32::MIN_POSITIVE / 8.0,
                -f32::MIN_POSITIVE / 8.0,
                f32::MIN_POSITIVE,
                1e30,
                -1e30,
                f32::INFINITY,
                f32::NEG_INFINITY,
            ]);
            let value = prop_oneof![
                1 => special,
                // On a grid fine enough for every case and coarse enough for exact positions.
                3 => (-20_000_i32..20_000).prop_map(|v| v as f32 / 4096.0),
            ];
            let upstream = prop::collection::vec(-4.0_f32..4.0, count);
            (prop::collection::vec(value, count), upstream).prop_map(move |(values, upstream)| {
                Problem { center, half_width, gamma, levels, values, upstream }
            })
        },
    )
}

impl Problem {
    /// Checks values and gradients of the quantizer that takes magnitudes or not.
    fn check(&self, weights: bool) {
        let Self { center, half_width, gamma, levels, .. } = *self;
        let parameters = [center, half_width, gamma].map(|value| leaf(&[value], [1]));
        let [c, d, exponent] = parameters.clone();
        let x = leaf(&self.values, [self.values.len()]);
        let output = if weights {
            quantize_weights(x.clone(), c, d, exponent, levels)
        } else {
            quantize_activations(x.clone(), c, d, levels)
        };
        let found = gradients(&output, &self.upstream);
        let (outputs, dx) = (values(&output), gradient(&x, &found));

        let (center, half_width) = (f64::from(center), f64::from(half_width));
        let gamma = if weights { f64::from(gamma) } else { 1.0 };
        let mut sums = [0.0_f64; 3];
        let mut scales = [1.0_f64; 3];
        for (i, &value) in self.values.iter().enumerate() {
            let value = f64::from(value);
            let magnitude = if weights { value.abs() } else { value };
            let sign = match (weights, value == 0.0) {
                (false, _) => 1.0,
                (true, true) => 0.0,
                (true, false) => value.signum(),
            };
            let t = (magnitude - (center - half_width)) / (2.0 * half_width);
            self.check_output(f64::from(outputs[i]), t.clamp(0.0, 1.0).powf(gamma), sign);

            let live = t > 0.0 && t < 1.0 && sign != 0.0;
            let g = if live { f64::from(self.upstream[i]) } else { 0.0 };
            let slope = gamma * t.clamp(GUARD, 1.0).powf(gamma - 1.0);
            let along = g * sign * slope / (2.0 * half_width);
            let expected = along * sign;
            let error = (f64::from(dx[i]) - expected).abs();
            assert!(error <= 4e-6 * expected.abs().max(1e-3), "dx {}: {self:?}", dx[i]);
            let t = t.clamp(0.0, 1.0);
            let terms =
                [-along, along * (1.0 - 2.0 * t), g * sign * t.powf(gamma) * t.max(GUARD).ln()];
            for ((sum, scale), term) in sums.iter_mut().zip(&mut scales).zip(terms) {
                *sum += term;
                *scale += term.abs();
            }
        }
        for (i, parameter) in parameters.iter().enumerate().take(if weights { 3 } else { 2 }) {
            let found = f64::from(gradient(parameter, &found)[0]);
            let error = (found - sums[i]).abs() / scales[i];
            assert!(error <= 4e-6, "parameter {i}: {found}, {}: {self:?}", sums[i]);
        }
    }

    fn check_output(&self, found: f64, smooth: f64, sign: f64) {
        let levels = f64::from(self.levels);
        let steps = smooth * levels;
        // Within rounding error of a tie either neighbour will do.
        let expected = if (steps.fract() - 0.5).abs() < 1e-4 * steps.max(1.0) {
            [steps.floor(), steps.ceil()]
        } else {
            [steps.round(); 2]
        };
        let near = |steps: f64| (found - sign * steps / levels).abs() <= 1e-6;
        assert!(expected.into_iter().any(near), "{found} is not {smooth}: {self:?}");
    }
}

/// Runs `test` on the thread's path, with the same problems each time.
fn on_problems(test: impl Fn(&Problem)) {
    let config = Config { cases: 200, failure_persistence: None, ..Config::default() };
    let random = proptest::test_runner::TestRng::deterministic_rng(config.rng_algorithm);
    TestRunner::new_with_rng(config, random)
        .run(&problems(), |problem| {
            test(&problem);
            Ok(())
        })
        .unwrap();
}

every_path!(weights_follow_the_equations);
fn weights_follow_the_equations() {
    on_problems(|problem| problem.check(true));
}

every_path!(activations_follow_the_equations);
fn activations_follow_the_equations() {
    on_problems(|problem| problem.check(false));
}
