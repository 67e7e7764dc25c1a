//! Batch-norm, residual and ReLU against `f64` and its finite differences.

use bitsweep_qil::{batch_norm, scale_and_shift};
use burn::tensor::Tensor;

use crate::paths::device;
use crate::tensors::{
    assert_close, constant, differences, gradient, gradients, leaf, noise, values, wide,
};

const SHAPE: [usize; 4] = [3, 2, 2, 5];
const COUNT: usize = 60;
const CHANNELS: usize = 5;
const EPSILON: f64 = 1e-5;

/// Mean and biased variance of each channel.
fn statistics(input: &[f64]) -> Vec<(f64, f64)> {
    let rows = (input.len() / CHANNELS) as f64;
    (0..CHANNELS)
        .map(|channel| {
            let column = || input.iter().skip(channel).step_by(CHANNELS);
            let mean = column().sum::<f64>() / rows;
            (mean, column().map(|v| (v - mean).powi(2)).sum::<f64>() / rows)
        })
        .collect()
}

fn reference(
    input: &[f64],
    scale: &[f64],
    shift: &[f64],
    residual: Option<&[f64]>,
    relu: bool,
) -> Vec<f64> {
    let statistics = statistics(input);
    let normalized = input.iter().enumerate().map(|(i, v)| {
        let (mean, variance) = statistics[i % CHANNELS];
        let y = scale[i % CHANNELS] * (v - mean) / (variance + EPSILON).sqrt();
        y + shift[i % CHANNELS] + residual.map_or(0.0, |residual| residual[i])
    });
    normalized.map(|y| if relu { y.max(0.0) } else { y }).collect()
}

struct Leaves {
    input: Tensor<4>,
    scale: Tensor<1>,
    shift: Tensor<1>,
    residual: Tensor<4>,
}

fn leaves() -> Leaves {
    // A mean away from zero, so that its removal matters.
    let input: Vec<f32> = noise(1, COUNT).iter().map(|v| 2.0 * v + 3.0).collect();
    let scale: Vec<f32> = noise(2, CHANNELS).iter().map(|v| v + 0.1).collect();
    Leaves {
        input: leaf(&input, SHAPE),
        scale: leaf(&scale, [CHANNELS]),
        shift: leaf(&noise(3, CHANNELS), [CHANNELS]),
        residual: leaf(&noise(4, COUNT), SHAPE),
    }
}

every_path!(values_statistics_and_gradients_follow_the_definition);
fn values_statistics_and_gradients_follow_the_definition() {
    for (with_residual, relu) in [(false, false), (false, true), (true, true)] {
        let Leaves { input, scale, shift, residual } = leaves();
        let given = with_residual.then(|| residual.clone());
        let (output, batch) =
            batch_norm(input.clone(), scale.clone(), shift.clone(), given, relu, EPSILON as f32);

        let input64 = wide(&values(&input));
        let (scale64, shift64) = (wide(&values(&scale)), wide(&values(&shift)));
        let residual64 = wide(&values(&residual));
        let forward = |input: &[f64], scale: &[f64], shift: &[f64], residual: &[f64]| {
            reference(input, scale, shift, with_residual.then_some(residual), relu)
        };
        let expected = forward(&input64, &scale64, &shift64, &residual64);
        assert_close("output", &values(&output), &expected, 1e-6);
        let (means, variances): (Vec<f64>, Vec<f64>) = statistics(&input64).into_iter().unzip();
        assert_close("mean", &values(&batch.mean), &means, 1e-6);
        assert_close("variance", &values(&batch.variance), &variances, 1e-6);

        let g = noise(5, COUNT);
        let g64 = wide(&g);
        let loss = |y: Vec<f64>| y.iter().zip(&g64).map(|(y, g)| y * g).sum::<f64>();
        let found = gradients(&output, &g);
        let dx = differences(&input64, |x| loss(forward(x, &scale64, &shift64, &residual64)));
        assert_close("dx", &gradient(&input, &found), &dx, 1e-5);
        let ds = differences(&scale64, |s| loss(forward(&input64, s, &shift64, &residual64)));
        assert_close("dscale", &gradient(&scale, &found), &ds, 1e-5);
        let db = differences(&shift64, |b| loss(forward(&input64, &scale64, b, &residual64)));
        assert_close("dshift", &gradient(&shift, &found), &db, 1e-5);
        if with_residual {
            let dr = differences(&residual64, |r| loss(forward(&input64, &scale64, &shift64, r)));
            assert_close("dresidual", &gradient(&residual, &found), &dr, 1e-5);
        } else {
            assert!(residual.grad(&found).is_none());
        }
    }
}

every_path!(no_gradient_flows_through_the_statistics);
fn no_gradient_flows_through_the_statistics() {
    let Leaves { input, scale, shift, .. } = leaves();
    let (_, batch) = batch_norm(input, scale, shift, None, false, EPSILON as f32);
    assert!(!batch.mean.is_tracked() && !batch.variance.is_tracked());
}

every_path!(without_gradients_the_values_are_the_same);
fn without_gradients_the_values_are_the_same() {
    let tracked = leaves();
    let device = device();
    let plain4 = |tensor: &Tensor<4>| constant(&values(tensor), tensor.dims(), &device);
    let plain1 = |tensor: &Tensor<1>| constant(&values(tensor), tensor.dims(), &device);
    let (plain, _) = batch_norm(
        plain4(&tracked.input),
        plain1(&tracked.scale),
        plain1(&tracked.shift),
        Some(plain4(&tracked.residual)),
        true,
        EPSILON as f32,
    );
    let (with, _) = batch_norm(
        tracked.input,
        tracked.scale,
        tracked.shift,
        Some(tracked.residual),
        true,
        EPSILON as f32,
    );
    assert_eq!(values(&plain), values(&with));
    assert!(!plain.is_autodiff());
}

every_path!(fixed_factors_are_applied_channel_by_channel_with_and_without_gradients);
fn fixed_factors_are_applied_channel_by_channel_with_and_without_gradients() {
    let Leaves { input, scale, shift, residual } = leaves();
    for (with_residual, relu) in [(false, false), (false, true), (true, true)] {
        let given = with_residual.then(|| residual.clone());
        let tracked = scale_and_shift(input.clone(), scale.clone(), shift.clone(), given, relu);
        let given = with_residual.then(|| residual.clone().inner());
        let plain = scale_and_shift(
            input.clone().inner(),
            scale.clone().inner(),
            shift.clone().inner(),
            given,
            relu,
        );
        let (x, r) = (wide(&values(&input)), wide(&values(&residual)));
        let (s, b) = (wide(&values(&scale)), wide(&values(&shift)));
        let expected: Vec<f64> = (0..COUNT)
            .map(|i| {
                let y = x[i] * s[i % CHANNELS] + b[i % CHANNELS];
                let y = if with_residual { y + r[i] } else { y };
                if relu { y.max(0.0) } else { y }
            })
            .collect();
        assert_close("tracked", &values(&tracked), &expected, 1e-6);
        assert_close("plain", &values(&plain), &expected, 1e-6);
        assert!(!plain.is_autodiff());

        let found = gradients(&tracked, &noise(7, COUNT));
        let g = wide(&noise(7, COUNT));
        let live = |i: usize| !relu || expected[i] > 0.0;
        let dx: Vec<f64> =
            (0..COUNT).map(|i| if live(i) { g[i] * s[i % CHANNELS] } else { 0.0 }).collect();
        assert_close("dx", &gradient(&input, &found), &dx, 1e-6);
        let per_channel = |term: &dyn Fn(usize) -> f64| -> Vec<f64> {
            let live_terms = |channel: usize| {
                (channel..COUNT).step_by(CHANNELS).filter(|&i| live(i)).map(term).sum()
            };
            (0..CHANNELS).map(live_terms).collect()
        };
        let (ds, db) = (per_channel(&|i| g[i] * x[i]), per_channel(&|i| g[i]));
        assert_close("dscale", &gradient(&scale, &found), &ds, 1e-6);
        assert_close("dshift", &gradient(&shift, &found), &db, 1e-6);
        if with_residual {
            let dr: Vec<f64> = (0..COUNT).map(|i| if live(i) { g[i] } else { 0.0 }).collect();
            assert_close("dresidual", &gradient(&residual, &found), &dr, 1e-6);
        }
    }
}
