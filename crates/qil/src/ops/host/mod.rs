//! The operations by the CPU kernels, for every backend whose tensors lie in this process's memory.

pub(super) mod batch_norm;
pub(super) mod convolution;
pub(super) mod pool;
pub(super) mod quantizer;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, TensorMetadata};

/// A backend whose dense `f32` tensors lie in this process's memory.
pub(crate) trait HostTensors: Backend {
    /// The same values in row-major order without gaps.
    fn row_major(tensor: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Values of a dense tensor.
    fn values(tensor: &FloatTensor<Self>) -> &[f32];

    /// A dense tensor whose values are those that `write` leaves. What it finds there means nothing: it has
    /// to write all of them.
    fn written(shape: &[usize], write: impl FnOnce(&mut [f32])) -> FloatTensor<Self>;

    /// Indices as a tensor.
    fn indices(shape: &[usize], write: impl FnOnce(&mut [u32])) -> IntTensor<Self>;

    /// What [`indices`](Self::indices) has written.
    fn index_values(tensor: &IntTensor<Self>) -> &[u32];
}

/// A dense tensor with a copy of `values`.
pub(super) fn copied<B: HostTensors>(values: &[f32]) -> FloatTensor<B> {
    B::written(&[values.len()], |to| to.copy_from_slice(values))
}

/// The value of a one-element tensor.
fn scalar<B: HostTensors>(tensor: &FloatTensor<B>) -> f32 {
    B::values(tensor)[0]
}

/// The shape as plain numbers.
fn shape_of<B: Backend>(tensor: &FloatTensor<B>) -> Vec<usize> {
    tensor.shape().to_vec()
}

/// Marks fresh memory in builds with debug assertions, so that a value that no kernel writes is seen.
pub(super) fn poison(values: &mut [f32]) {
    if cfg!(debug_assertions) {
        values.fill(f32::NAN);
    }
}
