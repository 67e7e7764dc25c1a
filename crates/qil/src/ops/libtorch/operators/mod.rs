//! The operations by LibTorch's operators, on whatever device the tensors are, in as few passes over
//! memory as those operators allow, and without ever waiting for the device: a quantizer's parameters
//! stay on it.
//!
//! NHWC memory is channels-last memory: permuting names the axes as LibTorch wants them and moves
//! nothing.

pub(super) mod batch_norm;
pub(super) mod convolution;
pub(super) mod pool;
pub(super) mod quantizer;

use burn_tch::TchTensor;
use tch::{Kind, Tensor};

/// `[n, h, w, c]` as `[n, c, h, w]`.
fn channels_first(tensor: &Tensor) -> Tensor {
    tensor.permute([0, 3, 1, 2])
}

/// `[n, c, h, w]`, nobody else's, as a dense `f32` tensor of `[n, h, w, c]`.
fn channels_last(tensor: &Tensor) -> TchTensor {
    TchTensor::new(tensor.permute([0, 2, 3, 1]).to_kind(Kind::Float).contiguous())
}

/// Sum of all values, in double precision, of one element.
fn sum(tensor: &Tensor) -> Tensor {
    tensor.sum(Kind::Double).to_kind(Kind::Float).reshape([1])
}
