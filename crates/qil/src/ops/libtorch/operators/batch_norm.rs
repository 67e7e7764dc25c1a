//! Batch-norm with residual and ReLU.

use burn::backend::LibTorch;
use burn_tch::TchTensor;
use tch::{Kind, Tensor};

use super::{channels_first, channels_last};
use crate::ops::composed;
use crate::ops::layer_ops::{
    Epilogue, Normalized, NormalizedGradients, NormalizedState, ScaledState,
};
use crate::ops::libtorch::shim;

/// Adds the residual and applies ReLU in place.
fn finish(mut output: TchTensor, epilogue: Epilogue<'_, LibTorch>) -> TchTensor {
    if let Some(residual) = epilogue.residual {
        let _ = output.tensor.g_add_(&residual.tensor);
    }
    if epilogue.relu {
        let _ = output.tensor.relu_();
    }
    output
}

/// The gradient behind ReLU.
fn behind_relu(upstream: TchTensor, relu_output: Option<&TchTensor>) -> TchTensor {
    match relu_output {
        Some(output) => {
            TchTensor::new(output.tensor.threshold_backward(&upstream.tensor.contiguous(), 0.0))
        }
        None => upstream,
    }
}

/// Sums of each channel, in double precision.
fn channel_sums(tensor: &Tensor) -> TchTensor {
    let sums = tensor.sum_dim_intlist([0_i64, 1, 2].as_slice(), false, Kind::Double);
    TchTensor::new(sums.to_kind(Kind::Float))
}

pub(crate) fn normalize(
    input: &TchTensor,
    scale: &TchTensor,
    shift: &TchTensor,
    epsilon: f32,
    epilogue: Epilogue<'_, LibTorch>,
) -> Normalized<LibTorch> {
    if input.tensor.numel() == 0 {
        return composed::batch_norm::normalize::<LibTorch>(input, scale, shift, epsilon, epilogue);
    }
    let (output, mean, inverse_deviation) = channels_first(&input.tensor).native_batch_norm(
        Some(&scale.tensor),
        Some(&shift.tensor),
        None,
        None,
        true,
        0.0,
        f64::from(epsilon),
    );
    let variance = inverse_deviation.pow_tensor_scalar(-2.0).g_sub_scalar(f64::from(epsilon));
    Normalized {
        output: finish(channels_last(&output), epilogue),
        mean: TchTensor::new(mean),
        variance: TchTensor::new(variance.clamp_min(0.0)),
    }
}

pub(crate) fn normalize_backward(
    forward: &NormalizedState<LibTorch>,
    upstream: TchTensor,
    residual_wanted: bool,
) -> NormalizedGradients<LibTorch> {
    if upstream.tensor.numel() == 0 {
        return composed::batch_norm::normalize_backward::<LibTorch>(
            forward,
            upstream,
            residual_wanted,
        );
    }
    let upstream = behind_relu(upstream, forward.relu_output.as_ref());
    let inverse_deviation =
        forward.variance.tensor.g_add_scalar(f64::from(forward.epsilon)).rsqrt();
    let [input, scale, shift] = shim::batch_norm_backward(
        &channels_first(&upstream.tensor),
        &channels_first(&forward.input.tensor),
        &forward.scale.tensor,
        &forward.mean.tensor,
        &inverse_deviation,
        f64::from(forward.epsilon),
    );
    NormalizedGradients {
        input: channels_last(&input),
        scale: TchTensor::new(scale),
        shift: TchTensor::new(shift),
        residual: residual_wanted.then_some(upstream),
    }
}

pub(crate) fn scale_and_shift(
    input: &TchTensor,
    scale: &TchTensor,
    shift: &TchTensor,
    epilogue: Epilogue<'_, LibTorch>,
) -> TchTensor {
    let output: Tensor = shift.tensor.addcmul(&input.tensor, &scale.tensor);
    finish(TchTensor::new(output), epilogue)
}

pub(crate) fn scale_and_shift_backward(
    forward: &ScaledState<LibTorch>,
    upstream: TchTensor,
    residual_wanted: bool,
) -> NormalizedGradients<LibTorch> {
    let upstream = behind_relu(upstream, forward.relu_output.as_ref());
    NormalizedGradients {
        input: TchTensor::new(upstream.tensor.g_mul(&forward.scale.tensor)),
        scale: channel_sums(&upstream.tensor.g_mul(&forward.input.tensor)),
        shift: channel_sums(&upstream.tensor),
        residual: residual_wanted.then_some(upstream),
    }
}
