//! Batch-norm over all but the last axis (Ioffe and Szegedy 2015), residual and ReLU.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata};
use burn::tensor::Shape;

use super::{along_last, bool_type, column_sums, fill, relu};
use crate::ops::layer_ops::{
    Epilogue, Normalized, NormalizedGradients, NormalizedState, ScaledState,
};

fn rows_of<B: Backend>(tensor: &FloatTensor<B>) -> usize {
    let shape = tensor.shape();
    shape[..shape.num_dims() - 1].iter().product()
}

/// Sums of each channel.
fn channel_sums<B: Backend>(tensor: FloatTensor<B>) -> FloatTensor<B> {
    let channels = *tensor.shape().last().unwrap_or(&0);
    let rows = rows_of::<B>(&tensor);
    if rows == 0 {
        let (device, dtype) = (tensor.device(), tensor.dtype());
        return B::float_zeros(Shape::from([channels]), &device, dtype.into());
    }
    column_sums::<B>(B::float_reshape(tensor, Shape::from([rows, channels])))
}

fn channel_means<B: Backend>(tensor: FloatTensor<B>) -> FloatTensor<B> {
    let rows = rows_of::<B>(&tensor).max(1) as f32;
    B::float_div_scalar(channel_sums::<B>(tensor), rows.into())
}

/// The input without its channels' means.
fn centered<B: Backend>(input: &FloatTensor<B>, mean: &FloatTensor<B>) -> FloatTensor<B> {
    let rank = input.shape().num_dims();
    B::float_sub(input.clone(), along_last::<B>(mean.clone(), rank))
}

/// `1 / sqrt(variance + epsilon)`.
fn inverse_deviation<B: Backend>(variance: &FloatTensor<B>, epsilon: f32) -> FloatTensor<B> {
    B::float_recip(B::float_sqrt(B::float_add_scalar(variance.clone(), epsilon.into())))
}

fn finish<B: Backend>(output: FloatTensor<B>, epilogue: Epilogue<'_, B>) -> FloatTensor<B> {
    let output = match epilogue.residual {
        Some(residual) => B::float_add(output, residual.clone()),
        None => output,
    };
    if epilogue.relu { relu::<B>(output) } else { output }
}

pub(crate) fn scale_and_shift<B: Backend>(
    input: &FloatTensor<B>,
    scale: &FloatTensor<B>,
    shift: &FloatTensor<B>,
    epilogue: Epilogue<'_, B>,
) -> FloatTensor<B> {
    let rank = input.shape().num_dims();
    let output = B::float_mul(input.clone(), along_last::<B>(scale.clone(), rank));
    let output = B::float_add(output, along_last::<B>(shift.clone(), rank));
    finish::<B>(output, epilogue)
}

/// The gradient behind ReLU.
fn behind_relu<B: Backend>(
    upstream: FloatTensor<B>,
    relu_output: Option<&FloatTensor<B>>,
) -> FloatTensor<B> {
    let Some(output) = relu_output else { return upstream };
    let dead = B::float_lower_equal_elem(output.clone(), 0f32.into(), bool_type::<B>(output));
    fill::<B>(upstream, dead, 0.0)
}

pub(crate) fn scale_and_shift_backward<B: Backend>(
    forward: &ScaledState<B>,
    upstream: FloatTensor<B>,
    residual_wanted: bool,
) -> NormalizedGradients<B> {
    let ScaledState { input, relu_output, scale } = forward;
    let upstream = behind_relu::<B>(upstream, relu_output.as_ref());
    let scale = along_last::<B>(scale.clone(), input.shape().num_dims());
    NormalizedGradients {
        input: B::float_mul(upstream.clone(), scale),
        scale: channel_sums::<B>(B::float_mul(upstream.clone(), input.clone())),
        shift: channel_sums::<B>(upstream.clone()),
        residual: residual_wanted.then_some(upstream),
    }
}

pub(crate) fn normalize<B: Backend>(
    input: &FloatTensor<B>,
    scale: &FloatTensor<B>,
    shift: &FloatTensor<B>,
    epsilon: f32,
    epilogue: Epilogue<'_, B>,
) -> Normalized<B> {
    let mean = channel_means::<B>(input.clone());
    let centered = centered::<B>(input, &mean);
    let variance = channel_means::<B>(B::float_mul(centered.clone(), centered.clone()));
    let factor = B::float_mul(scale.clone(), inverse_deviation::<B>(&variance, epsilon));
    let output = scale_and_shift::<B>(&centered, &factor, shift, epilogue);
    Normalized { output, mean, variance }
}

pub(crate) fn normalize_backward<B: Backend>(
    forward: &NormalizedState<B>,
    upstream: FloatTensor<B>,
    residual_wanted: bool,
) -> NormalizedGradients<B> {
    let NormalizedState { input, relu_output, scale, mean, variance, epsilon } = forward;
    let rank = input.shape().num_dims();
    let rows = rows_of::<B>(input).max(1) as f32;
    let upstream = behind_relu::<B>(upstream, relu_output.as_ref());
    let inverse = inverse_deviation::<B>(variance, *epsilon);
    let centered = centered::<B>(input, mean);
    let normalized = B::float_mul(centered, along_last::<B>(inverse.clone(), rank));
    let by_shift = channel_sums::<B>(upstream.clone());
    let by_scale = channel_sums::<B>(B::float_mul(upstream.clone(), normalized.clone()));
    let mean_of = |sums: &FloatTensor<B>| {
        along_last::<B>(B::float_div_scalar(sums.clone(), rows.into()), rank)
    };
    let inner = B::float_sub(upstream.clone(), mean_of(&by_shift));
    let inner = B::float_sub(inner, B::float_mul(normalized, mean_of(&by_scale)));
    let factor = along_last::<B>(B::float_mul(scale.clone(), inverse), rank);
    NormalizedGradients {
        input: B::float_mul(inner, factor),
        scale: by_scale,
        shift: by_shift,
        residual: residual_wanted.then_some(upstream),
    }
}
