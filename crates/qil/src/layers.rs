//! The fused operations on tensors. Activations are NHWC.

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::convolution::{ConvolutionSettings, Geometry};
use crate::ops::FusedOps;

/// Quantizes weights of any shape to `levels` positive steps, their negatives and zero (QIL Eq. 3 and 2).
/// `center`, `half_width` and `gamma` have one element. All four receive gradients.
pub fn quantize_weights<const D: usize>(
    weights: Tensor<D>,
    center: Tensor<1>,
    half_width: Tensor<1>,
    gamma: Tensor<1>,
    levels: u32,
) -> Tensor<D> {
    Tensor::from_dispatch(Dispatch::fused_quantize_weights(
        weights.into_dispatch(),
        center.into_dispatch(),
        half_width.into_dispatch(),
        gamma.into_dispatch(),
        levels,
    ))
}

/// Quantizes non-negative activations of any shape to `levels` steps and zero (QIL Eq. 5 and 2).
/// `center` and `half_width` have one element. All three receive gradients.
pub fn quantize_activations<const D: usize>(
    input: Tensor<D>,
    center: Tensor<1>,
    half_width: Tensor<1>,
    levels: u32,
) -> Tensor<D> {
    Tensor::from_dispatch(Dispatch::fused_quantize_activations(
        input.into_dispatch(),
        center.into_dispatch(),
        half_width.into_dispatch(),
        levels,
    ))
}

/// Convolution of `[n, h, w, c_in]` with `[k_h, k_w, c_in, c_out]`. Both receive gradients.
pub fn conv2d(
    input: Tensor<4>,
    weights: Tensor<4>,
    stride: usize,
    padding: usize,
    settings: ConvolutionSettings,
) -> Tensor<4> {
    Tensor::from_dispatch(Dispatch::fused_convolution(
        input.into_dispatch(),
        weights.into_dispatch(),
        Geometry { stride, padding, settings },
    ))
}

/// Mean and biased variance of a batch, a value a channel.
#[derive(Clone, Debug)]
pub struct BatchStatistics {
    /// `[channels]`.
    pub mean: Tensor<1>,
    /// `[channels]`, divided by the number of rows.
    pub variance: Tensor<1>,
}

/// Batch-norm with the batch's own statistics over all but the last axis (Ioffe and Szegedy 2015), then
/// the residual, then ReLU: always behind a residual, otherwise if `relu` asks for it.
pub fn batch_norm(
    input: Tensor<4>,
    scale: Tensor<1>,
    shift: Tensor<1>,
    residual: Option<Tensor<4>>,
    relu: bool,
    epsilon: f32,
) -> (Tensor<4>, BatchStatistics) {
    let (input, scale, shift) =
        (input.into_dispatch(), scale.into_dispatch(), shift.into_dispatch());
    let (output, mean, variance) = match residual {
        Some(residual) => Dispatch::fused_batch_norm_residual(
            input,
            scale,
            shift,
            residual.into_dispatch(),
            epsilon,
        ),
        None => Dispatch::fused_batch_norm(input, scale, shift, epsilon, relu),
    };
    let statistics = BatchStatistics {
        mean: Tensor::from_dispatch(mean),
        variance: Tensor::from_dispatch(variance),
    };
    (Tensor::from_dispatch(output), statistics)
}

/// `input · scale + shift`, one value per channel of `[n, h, w, c]`, then the residual, then ReLU: always
/// behind a residual, otherwise if `relu` asks for it. Batch-norm with fixed statistics.
pub fn scale_and_shift(
    input: Tensor<4>,
    scale: Tensor<1>,
    shift: Tensor<1>,
    residual: Option<Tensor<4>>,
    relu: bool,
) -> Tensor<4> {
    let (input, scale, shift) =
        (input.into_dispatch(), scale.into_dispatch(), shift.into_dispatch());
    Tensor::from_dispatch(match residual {
        Some(residual) => {
            let residual = residual.into_dispatch();
            Dispatch::fused_scale_and_shift_residual(input, scale, shift, residual)
        }
        None => Dispatch::fused_scale_and_shift(input, scale, shift, relu),
    })
}

/// Maximum over windows of `[n, h, w, c]`.
pub fn max_pool2d(input: Tensor<4>, window: usize, stride: usize, padding: usize) -> Tensor<4> {
    Tensor::from_dispatch(Dispatch::fused_max_pool(input.into_dispatch(), window, stride, padding))
}

/// Mean over height and width: `[n, h, w, c]` to `[n, c]`.
pub fn global_average_pool(input: Tensor<4>) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::fused_average_pool(input.into_dispatch()))
}
