//! What the fused operations ask of a backend: its tensors' values as slices.

use burn::backend::{Backend, Flex, TensorMetadata, tensor::FloatTensor};
use burn::tensor::{Bytes, DType, Shape};
use burn_flex::{FlexTensor, Layout};

/// A backend whose dense `f32` tensors lie in this process's memory.
pub(crate) trait HostBackend: Backend {
    /// The same values in row-major order without gaps.
    fn dense(tensor: FloatTensor<Self>) -> FloatTensor<Self>;
    /// Values of a dense tensor.
    fn values(tensor: &FloatTensor<Self>) -> &[f32];
    /// A dense tensor of `values`.
    fn tensor(values: Vec<f32>, shape: &[usize]) -> FloatTensor<Self>;
}

/// The shape as plain numbers.
pub(crate) fn shape_of<B: Backend>(tensor: &FloatTensor<B>) -> Vec<usize> {
    tensor.shape().to_vec()
}

/// The value of a one-element tensor.
pub(crate) fn scalar<B: HostBackend>(tensor: &FloatTensor<B>) -> f32 {
    B::values(tensor)[0]
}

/// A one-element tensor.
pub(crate) fn scalar_tensor<B: HostBackend>(value: f32) -> FloatTensor<B> {
    B::tensor(vec![value], &[1])
}

impl HostBackend for Flex {
    fn dense(tensor: FlexTensor) -> FlexTensor {
        if tensor.is_contiguous() { tensor } else { tensor.to_contiguous() }
    }

    fn values(tensor: &FlexTensor) -> &[f32] {
        let start = tensor.layout().start_offset();
        &tensor.storage::<f32>()[start..start + tensor.layout().num_elements()]
    }

    fn tensor(values: Vec<f32>, shape: &[usize]) -> FlexTensor {
        let layout = Layout::contiguous(Shape::from(shape.to_vec()));
        FlexTensor::new(Bytes::from_elems(values), layout, DType::F32)
    }
}
