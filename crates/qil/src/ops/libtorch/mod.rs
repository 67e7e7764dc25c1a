//! LibTorch: the CPU kernels on its CPU tensors, its operators on all others.

mod host;
mod operators;
mod shim;

pub(crate) use host::change_in_place;
pub(crate) use shim::torch_version;

use burn::backend::LibTorch;
use burn_tch::TchTensor;

use super::layer_ops::{
    Epilogue, LayerOps, Normalized, NormalizedGradients, NormalizedState, ScaledState, Window,
};
use super::{composed, host as kernels};
use crate::convolution::Geometry;
use crate::implementation::{Implementation, choice};

/// What computes on the device of `tensor`.
fn implementation(tensor: &TchTensor) -> Implementation {
    choice().unwrap_or(match tensor.tensor.device() {
        tch::Device::Cpu => Implementation::Kernels,
        _ => Implementation::Operators,
    })
}

/// Calls the function of this name that computes on the device of a tensor.
macro_rules! compute {
    ($tensor:expr => $module:ident::$function:ident($($argument:expr),*)) => {
        match implementation($tensor) {
            Implementation::Kernels => kernels::$module::$function::<Self>($($argument),*),
            Implementation::Operators => operators::$module::$function($($argument),*),
            Implementation::Composed => composed::$module::$function::<Self>($($argument),*),
        }
    };
}

impl LayerOps for LibTorch {
    fn dense(tensor: TchTensor) -> TchTensor {
        if tensor.tensor.is_contiguous() {
            tensor
        } else {
            TchTensor::new(tensor.tensor.contiguous())
        }
    }

    fn quantize_weights(weights: &TchTensor, interval: &[TchTensor; 3], levels: u32) -> TchTensor {
        compute!(weights => quantizer::weights(weights, interval, levels))
    }

    fn quantize_weights_backward(
        weights: &TchTensor,
        interval: &[TchTensor; 3],
        upstream: TchTensor,
    ) -> [TchTensor; 4] {
        compute!(weights => quantizer::weights_backward(weights, interval, upstream))
    }

    fn quantize_activations(
        input: &TchTensor,
        interval: &[TchTensor; 2],
        levels: u32,
    ) -> TchTensor {
        compute!(input => quantizer::activations(input, interval, levels))
    }

    fn quantize_activations_backward(
        input: &TchTensor,
        interval: &[TchTensor; 2],
        upstream: TchTensor,
    ) -> [TchTensor; 3] {
        compute!(input => quantizer::activations_backward(input, interval, upstream))
    }

    fn convolve(input: &TchTensor, weights: &TchTensor, geometry: Geometry) -> TchTensor {
        compute!(input => convolution::forward(input, weights, geometry))
    }

    fn convolve_backward(
        input: &TchTensor,
        weights: &TchTensor,
        upstream: TchTensor,
        geometry: Geometry,
        wanted: [bool; 2],
    ) -> [Option<TchTensor>; 2] {
        compute!(input => convolution::backward(input, weights, upstream, geometry, wanted))
    }

    fn normalize(
        input: &TchTensor,
        scale: &TchTensor,
        shift: &TchTensor,
        epsilon: f32,
        epilogue: Epilogue<'_, Self>,
    ) -> Normalized<Self> {
        compute!(input => batch_norm::normalize(input, scale, shift, epsilon, epilogue))
    }

    fn normalize_backward(
        forward: &NormalizedState<Self>,
        upstream: TchTensor,
        residual_wanted: bool,
    ) -> NormalizedGradients<Self> {
        compute!(&upstream => batch_norm::normalize_backward(forward, upstream, residual_wanted))
    }

    fn scale_and_shift(
        input: &TchTensor,
        scale: &TchTensor,
        shift: &TchTensor,
        epilogue: Epilogue<'_, Self>,
    ) -> TchTensor {
        compute!(input => batch_norm::scale_and_shift(input, scale, shift, epilogue))
    }

    fn scale_and_shift_backward(
        forward: &ScaledState<Self>,
        upstream: TchTensor,
        residual_wanted: bool,
    ) -> NormalizedGradients<Self> {
        compute!(&upstream => batch_norm::scale_and_shift_backward(forward, upstream, residual_wanted))
    }

    fn max_pool(input: &TchTensor, window: Window) -> (TchTensor, TchTensor) {
        compute!(input => pool::max_pool(input, window))
    }

    fn max_pool_backward(
        shape: [usize; 4],
        window: Window,
        upstream: TchTensor,
        indices: TchTensor,
    ) -> TchTensor {
        compute!(&upstream => pool::max_pool_backward(shape, window, upstream, indices))
    }

    fn average_pool(input: &TchTensor) -> TchTensor {
        compute!(input => pool::average_pool(input))
    }

    fn average_pool_backward(shape: [usize; 4], upstream: TchTensor) -> TchTensor {
        compute!(&upstream => pool::average_pool_backward(shape, upstream))
    }
}
