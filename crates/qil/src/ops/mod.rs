//! Fused operations with their own backward passes.
//!
//! [`layer_ops::LayerOps`] is what a backend computes, forward and backward: `composed` does it with
//! burn's operations for any backend, `host` with the CPU kernels for backends whose tensors are host
//! memory (`flex`, and `libtorch` on the CPU), and `libtorch` with LibTorch's operators for its other
//! devices. [`FusedOps`] is what tensors dispatch to, with gradients added by `autodiff` and `backward`
//! once for every backend. A further backend is one more implementation of `LayerOps`, its bodies
//! optional, and a line in `plain`.

mod autodiff;
mod backward;
mod composed;
mod flex;
mod host;
mod layer_ops;
#[cfg(feature = "tch")]
mod libtorch;
mod plain;

use burn::backend::{Backend, backend_extension, tensor::FloatTensor};

use crate::convolution::Geometry;

pub(crate) use host::HostTensors;
#[cfg(feature = "tch")]
pub(crate) use libtorch::{change_in_place, torch_version};

/// Operations on NHWC activations that tensors dispatch to.
#[backend_extension(Flex, LibTorch: cfg(feature = "tch"), Autodiff)]
pub(crate) trait FusedOps: Backend {
    /// QIL Eq. 3 and 2.
    fn fused_quantize_weights(
        weights: FloatTensor<Self>,
        center: FloatTensor<Self>,
        half_width: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        levels: u32,
    ) -> FloatTensor<Self>;

    /// QIL Eq. 5 and 2.
    fn fused_quantize_activations(
        input: FloatTensor<Self>,
        center: FloatTensor<Self>,
        half_width: FloatTensor<Self>,
        levels: u32,
    ) -> FloatTensor<Self>;

    fn fused_convolution(
        input: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        geometry: Geometry,
    ) -> FloatTensor<Self>;

    /// With the batch's statistics, which come back as tensors without gradient: mean, biased variance.
    fn fused_batch_norm(
        input: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        epsilon: f32,
        relu: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// As `fused_batch_norm`, then adds `residual`, then ReLU.
    fn fused_batch_norm_residual(
        input: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        epsilon: f32,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// `input · scale + shift`, a value a channel, then ReLU if asked.
    fn fused_scale_and_shift(
        input: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        relu: bool,
    ) -> FloatTensor<Self>;

    /// As `fused_scale_and_shift`, then adds `residual`, then ReLU.
    fn fused_scale_and_shift_residual(
        input: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        residual: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    fn fused_max_pool(
        input: FloatTensor<Self>,
        window: usize,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self>;

    /// Mean over height and width: `[n, h, w, c]` to `[n, c]`.
    fn fused_average_pool(input: FloatTensor<Self>) -> FloatTensor<Self>;
}
