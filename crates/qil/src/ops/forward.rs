//! The operations on host memory, by the CPU kernels.

use bitsweep_kernels::batch_norm::{self, BatchStatistics, Epilogue};
use bitsweep_kernels::quantizer::{self, ActivationInterval, WeightInterval};
use bitsweep_kernels::{convolution, pool};
use burn::backend::{Flex, tensor::FloatTensor};

use super::backend::{HostBackend, scalar, shape_of};
use super::{FusedOps, convolution_shape, pool_shape};

pub(super) fn weight_interval<B: HostBackend>(
    center: &FloatTensor<B>,
    half_width: &FloatTensor<B>,
    gamma: &FloatTensor<B>,
) -> WeightInterval {
    WeightInterval {
        center: scalar::<B>(center),
        half_width: scalar::<B>(half_width),
        gamma: scalar::<B>(gamma),
    }
}

pub(super) fn activation_interval<B: HostBackend>(
    center: &FloatTensor<B>,
    half_width: &FloatTensor<B>,
) -> ActivationInterval {
    ActivationInterval { center: scalar::<B>(center), half_width: scalar::<B>(half_width) }
}

/// Normalizes dense `input`; gives the output and the batch's statistics.
pub(super) fn normalize<B: HostBackend>(
    input: &FloatTensor<B>,
    scale: &FloatTensor<B>,
    shift: &FloatTensor<B>,
    epsilon: f32,
    epilogue: Epilogue<'_>,
) -> (FloatTensor<B>, BatchStatistics) {
    let values = B::values(input);
    let mut output = vec![0.0; values.len()];
    let statistics = batch_norm::forward(
        values,
        B::values(scale),
        B::values(shift),
        epsilon,
        epilogue,
        &mut output,
    );
    (B::tensor(output, &shape_of::<B>(input)), statistics)
}

/// Fixed factors and summands, one each a channel, then the epilogue.
fn scale_and_shift<B: HostBackend>(
    input: FloatTensor<B>,
    scale: FloatTensor<B>,
    shift: FloatTensor<B>,
    epilogue: Epilogue<'_>,
) -> FloatTensor<B> {
    let [input, scale, shift] = [input, scale, shift].map(B::dense);
    let mut output = vec![0.0; B::values(&input).len()];
    let (factors, summands) = (B::values(&scale), B::values(&shift));
    batch_norm::apply(B::values(&input), factors, summands, epilogue, &mut output);
    B::tensor(output, &shape_of::<B>(&input))
}

/// Statistics as tensors.
pub(super) fn statistics_tensors<B: HostBackend>(
    statistics: &BatchStatistics,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let channels = [statistics.mean.len()];
    (
        B::tensor(statistics.mean.clone(), &channels),
        B::tensor(statistics.variance.clone(), &channels),
    )
}

/// Maxima of dense `input`, and where they came from.
pub(super) fn max_pool<B: HostBackend>(
    input: &FloatTensor<B>,
    window: usize,
    stride: usize,
    padding: usize,
) -> (FloatTensor<B>, Vec<u32>) {
    let shape = pool_shape(&shape_of::<B>(input), window, stride, padding);
    let [height, width] = shape.output_size();
    let mut output = vec![0.0; shape.output_length()];
    let mut indices = vec![0; shape.output_length()];
    pool::max_pool(&shape, B::values(input), &mut output, &mut indices);
    (B::tensor(output, &[shape.batch, height, width, shape.channels]), indices)
}

impl FusedOps for Flex {
    fn fused_quantize_weights(
        weights: FloatTensor<Self>,
        center: FloatTensor<Self>,
        half_width: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        levels: u32,
    ) -> FloatTensor<Self> {
        let weights = Self::dense(weights);
        let interval = weight_interval::<Self>(&center, &half_width, &gamma);
        let values = Self::values(&weights);
        let mut output = vec![0.0; values.len()];
        quantizer::quantize_weights(values, interval, levels, &mut output);
        Self::tensor(output, &shape_of::<Self>(&weights))
    }

    fn fused_quantize_activations(
        input: FloatTensor<Self>,
        center: FloatTensor<Self>,
        half_width: FloatTensor<Self>,
        levels: u32,
    ) -> FloatTensor<Self> {
        let input = Self::dense(input);
        let interval = activation_interval::<Self>(&center, &half_width);
        let values = Self::values(&input);
        let mut output = vec![0.0; values.len()];
        quantizer::quantize_activations(values, interval, levels, &mut output);
        Self::tensor(output, &shape_of::<Self>(&input))
    }

    fn fused_convolution(
        input: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self> {
        let (input, weights) = (Self::dense(input), Self::dense(weights));
        let shape = convolution_shape(
            &shape_of::<Self>(&input),
            &shape_of::<Self>(&weights),
            stride,
            padding,
        );
        let [height, width] = shape.output_size();
        let mut output = vec![0.0; shape.output_length()];
        convolution::forward(&shape, Self::values(&input), Self::values(&weights), &mut output);
        Self::tensor(output, &[shape.batch, height, width, shape.out_channels])
    }

    fn fused_batch_norm(
        input: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        epsilon: f32,
        relu: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let epilogue = Epilogue { residual: None, relu };
        let (output, statistics) =
            normalize::<Self>(&Self::dense(input), &scale, &shift, epsilon, epilogue);
        let (mean, variance) = statistics_tensors::<Self>(&statistics);
        (output, mean, variance)
    }

    fn fused_batch_norm_residual(
        input: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        epsilon: f32,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let residual = Self::dense(residual);
        let epilogue = Epilogue { residual: Some(Self::values(&residual)), relu: true };
        let (output, statistics) =
            normalize::<Self>(&Self::dense(input), &scale, &shift, epsilon, epilogue);
        let (mean, variance) = statistics_tensors::<Self>(&statistics);
        (output, mean, variance)
    }

    fn fused_scale_and_shift(
        input: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        relu: bool,
    ) -> FloatTensor<Self> {
        scale_and_shift::<Self>(input, scale, shift, Epilogue { residual: None, relu })
    }

    fn fused_scale_and_shift_residual(
        input: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        residual: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let residual = Self::dense(residual);
        let epilogue = Epilogue { residual: Some(Self::values(&residual)), relu: true };
        scale_and_shift::<Self>(input, scale, shift, epilogue)
    }

    fn fused_max_pool(
        input: FloatTensor<Self>,
        window: usize,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self> {
        max_pool::<Self>(&Self::dense(input), window, stride, padding).0
    }

    fn fused_average_pool(input: FloatTensor<Self>) -> FloatTensor<Self> {
        let input = Self::dense(input);
        let shape = shape_of::<Self>(&input);
        let mut output = vec![0.0; shape[0] * shape[3]];
        pool::average_pool(Self::values(&input), shape[3], &mut output);
        Self::tensor(output, &[shape[0], shape[3]])
    }
}
