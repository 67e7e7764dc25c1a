//! Fused operations with their own backward passes.
//!
//! [`FusedOps`] is what a backend can do without gradients, implemented for [`Flex`] by the CPU
//! kernels; `autodiff` and `backward` add the gradients once for every backend. Another backend is one
//! more implementation of [`backend::HostBackend`] and of [`FusedOps`].

mod autodiff;
mod backend;
mod backward;
mod forward;

use bitsweep_kernels::convolution::ConvolutionShape;
use bitsweep_kernels::pool::MaxPoolShape;
use burn::backend::{Backend, TensorMetadata, backend_extension, tensor::FloatTensor};
use burn::tensor::Shape;

/// Operations on NHWC activations, without gradients.
#[backend_extension(Flex, Autodiff)]
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
        stride: usize,
        padding: usize,
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

    /// `input · scale + shift`, a value a channel, then ReLU if asked. This body serves gradients too:
    /// evaluation rarely asks for them.
    fn fused_scale_and_shift(
        input: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        relu: bool,
    ) -> FloatTensor<Self> {
        let channels = Shape::from([1, 1, 1, scale.shape().num_elements()]);
        let output = Self::float_mul(input, Self::float_reshape(scale, channels.clone()));
        let output = Self::float_add(output, Self::float_reshape(shift, channels));
        if relu { Self::relu(output) } else { output }
    }

    /// As `fused_scale_and_shift`, then adds `residual`, then ReLU.
    fn fused_scale_and_shift_residual(
        input: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        residual: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let output = Self::fused_scale_and_shift(input, scale, shift, false);
        Self::relu(Self::float_add(output, residual))
    }

    fn fused_max_pool(
        input: FloatTensor<Self>,
        window: usize,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self>;

    /// Mean over height and width: `[n, h, w, c]` to `[n, c]`.
    fn fused_average_pool(input: FloatTensor<Self>) -> FloatTensor<Self>;
}

pub(crate) fn convolution_shape(
    input: &[usize],
    weights: &[usize],
    stride: usize,
    padding: usize,
) -> ConvolutionShape {
    ConvolutionShape {
        batch: input[0],
        height: input[1],
        width: input[2],
        in_channels: input[3],
        out_channels: weights[3],
        kernel: [weights[0], weights[1]],
        stride,
        padding,
    }
}

pub(crate) fn pool_shape(
    input: &[usize],
    window: usize,
    stride: usize,
    padding: usize,
) -> MaxPoolShape {
    MaxPoolShape {
        batch: input[0],
        height: input[1],
        width: input[2],
        channels: input[3],
        window,
        stride,
        padding,
    }
}
