//! Tensors from numbers and back, and reproducible numbers.

#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses a part")]

use burn::tensor::{Device, Tensor, TensorData};

/// The CPU with gradients.
pub fn with_gradients() -> Device {
    Device::flex().autodiff()
}

pub fn tensor<const D: usize>(values: &[f32], shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}

/// A leaf that takes gradients.
pub fn leaf<const D: usize>(values: &[f32], shape: [usize; D]) -> Tensor<D> {
    tensor(values, shape, &with_gradients()).require_grad()
}

pub fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.clone().into_data().try_into_vec::<f32>().unwrap()
}

/// Uniform numbers in [-1, 1) from the seed (a 64-bit linear congruential generator's high bits).
pub fn noise(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    };
    next();
    (0..count).map(|_| next()).collect()
}

/// Fails unless every value is within `tolerance` times the largest expected magnitude.
#[track_caller]
pub fn assert_close(what: &str, found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.0_f32, |m, v| m.max(v.abs())).max(1e-6);
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (found - expected).abs() / largest;
        assert!(error <= tolerance, "{what}[{index}]: {found} for {expected}, error {error:e}");
    }
}
