//! Deterministic values, and tensors with and without gradients.

use burn::tensor::{Device, Gradients, Tensor, TensorData};

use crate::paths::device;

/// Values in (−1, 1) that look random, a different row for each seed.
pub(crate) fn noise(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 + 0.5) / (1_u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// A tensor whose gradient is asked for.
pub(crate) fn leaf<const D: usize>(values: &[f32], shape: [usize; D]) -> Tensor<D> {
    constant(values, shape, &device().autodiff()).require_grad()
}

/// A tensor without gradient.
pub(crate) fn constant<const D: usize>(
    values: &[f32],
    shape: [usize; D],
    device: &Device,
) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}

/// Row-major values.
pub(crate) fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.clone().into_data().try_into_vec::<f32>().unwrap()
}

/// Gradients of Σ `weights` · `output`.
pub(crate) fn gradients<const D: usize>(output: &Tensor<D>, weights: &[f32]) -> Gradients {
    let weights = constant(weights, output.dims(), &output.device());
    (output.clone() * weights).sum().backward()
}

/// Gradient of a leaf, row-major.
pub(crate) fn gradient<const D: usize>(leaf: &Tensor<D>, gradients: &Gradients) -> Vec<f32> {
    leaf.grad(gradients).unwrap().into_data().try_into_vec::<f32>().unwrap()
}

/// Central difference of `f` in each of `point`'s coordinates.
pub(crate) fn differences(point: &[f64], mut f: impl FnMut(&[f64]) -> f64) -> Vec<f64> {
    const STEP: f64 = 1e-5;
    let mut moved = point.to_vec();
    (0..point.len())
        .map(|i| {
            moved[i] = point[i] + STEP;
            let above = f(&moved);
            moved[i] = point[i] - STEP;
            let below = f(&moved);
            moved[i] = point[i];
            (above - below) / (2.0 * STEP)
        })
        .collect()
}

/// The same numbers in double precision.
pub(crate) fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

/// Asserts that all differ by at most `tolerance`, relative to the larger of 1 and the largest value.
#[track_caller]
pub(crate) fn assert_close(what: &str, found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(1.0_f64, |scale, v| scale.max(v.abs()));
    for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(found) - expected).abs() / scale;
        assert!(error <= tolerance, "{what}[{i}]: {found} where {expected} is expected");
    }
}
