//! Flex: the CPU kernels on its own memory.

use burn::backend::Flex;
use burn::tensor::{Bytes, DType, Shape};
use burn_flex::{FlexTensor, Layout};

use super::host::{HostTensors, poison};
use super::layer_ops::{
    Epilogue, LayerOps, Normalized, NormalizedGradients, NormalizedState, ScaledState, Window,
};
use super::{composed, host};
use crate::convolution::Geometry;
use crate::implementation::{Implementation, choice};

/// Calls the kernels' function, or the composed one of the same name if that is asked for.
macro_rules! compute {
    ($module:ident::$function:ident($($argument:expr),*)) => {
        if choice() == Some(Implementation::Composed) {
            composed::$module::$function::<Self>($($argument),*)
        } else {
            host::$module::$function::<Self>($($argument),*)
        }
    };
}

impl LayerOps for Flex {
    fn dense(tensor: FlexTensor) -> FlexTensor {
        Self::row_major(tensor)
    }

    fn quantize_weights(
        weights: &FlexTensor,
        interval: &[FlexTensor; 3],
        levels: u32,
    ) -> FlexTensor {
        compute!(quantizer::weights(weights, interval, levels))
    }

    fn quantize_weights_backward(
        weights: &FlexTensor,
        interval: &[FlexTensor; 3],
        upstream: FlexTensor,
    ) -> [FlexTensor; 4] {
        compute!(quantizer::weights_backward(weights, interval, upstream))
    }

    fn quantize_activations(
        input: &FlexTensor,
        interval: &[FlexTensor; 2],
        levels: u32,
    ) -> FlexTensor {
        compute!(quantizer::activations(input, interval, levels))
    }

    fn quantize_activations_backward(
        input: &FlexTensor,
        interval: &[FlexTensor; 2],
        upstream: FlexTensor,
    ) -> [FlexTensor; 3] {
        compute!(quantizer::activations_backward(input, interval, upstream))
    }

    fn convolve(input: &FlexTensor, weights: &FlexTensor, geometry: Geometry) -> FlexTensor {
        compute!(convolution::forward(input, weights, geometry))
    }

    fn convolve_backward(
        input: &FlexTensor,
        weights: &FlexTensor,
        upstream: FlexTensor,
        geometry: Geometry,
        wanted: [bool; 2],
    ) -> [Option<FlexTensor>; 2] {
        compute!(convolution::backward(input, weights, upstream, geometry, wanted))
    }

    fn normalize(
        input: &FlexTensor,
        scale: &FlexTensor,
        shift: &FlexTensor,
        epsilon: f32,
        epilogue: Epilogue<'_, Self>,
    ) -> Normalized<Self> {
        compute!(batch_norm::normalize(input, scale, shift, epsilon, epilogue))
    }

    fn normalize_backward(
        forward: &NormalizedState<Self>,
        upstream: FlexTensor,
        residual_wanted: bool,
    ) -> NormalizedGradients<Self> {
        compute!(batch_norm::normalize_backward(forward, upstream, residual_wanted))
    }

    fn scale_and_shift(
        input: &FlexTensor,
        scale: &FlexTensor,
        shift: &FlexTensor,
        epilogue: Epilogue<'_, Self>,
    ) -> FlexTensor {
        compute!(batch_norm::scale_and_shift(input, scale, shift, epilogue))
    }

    fn scale_and_shift_backward(
        forward: &ScaledState<Self>,
        upstream: FlexTensor,
        residual_wanted: bool,
    ) -> NormalizedGradients<Self> {
        compute!(batch_norm::scale_and_shift_backward(forward, upstream, residual_wanted))
    }

    fn max_pool(input: &FlexTensor, window: Window) -> (FlexTensor, FlexTensor) {
        compute!(pool::max_pool(input, window))
    }

    fn max_pool_backward(
        shape: [usize; 4],
        window: Window,
        upstream: FlexTensor,
        indices: FlexTensor,
    ) -> FlexTensor {
        compute!(pool::max_pool_backward(shape, window, upstream, indices))
    }

    fn average_pool(input: &FlexTensor) -> FlexTensor {
        compute!(pool::average_pool(input))
    }

    fn average_pool_backward(shape: [usize; 4], upstream: FlexTensor) -> FlexTensor {
        compute!(pool::average_pool_backward(shape, upstream))
    }
}

/// Memory for `count` numbers that are all written before any is read.
fn fresh<E: Copy>(count: usize) -> Vec<E> {
    let mut values = Vec::with_capacity(count);
    // SAFETY: the capacity is there, the elements are plain numbers without invalid bit patterns, and
    // `HostTensors` has all of them written before anybody can read them.
    #[allow(unsafe_code, clippy::uninit_vec)]
    unsafe {
        values.set_len(count);
    }
    values
}

fn layout(shape: &[usize]) -> Layout {
    Layout::contiguous(Shape::from(shape.to_vec()))
}

impl HostTensors for Flex {
    fn row_major(tensor: FlexTensor) -> FlexTensor {
        if tensor.is_contiguous() { tensor } else { tensor.to_contiguous() }
    }

    fn values(tensor: &FlexTensor) -> &[f32] {
        let start = tensor.layout().start_offset();
        &tensor.storage::<f32>()[start..start + tensor.layout().num_elements()]
    }

    fn written(shape: &[usize], write: impl FnOnce(&mut [f32])) -> FlexTensor {
        let mut values = fresh(shape.iter().product());
        poison(&mut values);
        write(&mut values);
        FlexTensor::new(Bytes::from_elems(values), layout(shape), DType::F32)
    }

    fn indices(shape: &[usize], write: impl FnOnce(&mut [u32])) -> FlexTensor {
        let mut indices: Vec<u32> = fresh(shape.iter().product());
        write(&mut indices);
        FlexTensor::new(Bytes::from_elems(indices), layout(shape), DType::U32)
    }

    fn index_values(tensor: &FlexTensor) -> &[u32] {
        &tensor.storage::<u32>()[..tensor.layout().num_elements()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_tensor_has_what_was_written_and_nothing_else() {
        let tensor = Flex::written(&[2, 3], |values| {
            assert!(values.iter().all(|value| value.is_nan()));
            values.copy_from_slice(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        });
        assert_eq!(Flex::values(&tensor), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert!(Flex::values(&Flex::written(&[0, 3], |_| ())).is_empty());
        let indices = Flex::indices(&[3], |indices| indices.copy_from_slice(&[7, 0, u32::MAX]));
        assert_eq!(Flex::index_values(&indices), [7, 0, u32::MAX]);
    }
}
