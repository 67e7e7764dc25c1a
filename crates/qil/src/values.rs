//! A tensor's values as a slice, copied only where they have to be.

use burn::backend::Flex;
#[cfg(feature = "tch")]
use burn::backend::LibTorch;
use burn::tensor::{Tensor, TensorData};

use crate::ops::HostTensors;
#[cfg(feature = "tch")]
use crate::ops::change_in_place;

/// What `read` makes of a tensor's values, row-major. They are copied only if they are elsewhere, on a GPU
/// for one, or have gaps.
pub fn read_values<const D: usize, R>(tensor: &Tensor<D>, read: impl FnOnce(&[f32]) -> R) -> R {
    let plain = if tensor.is_autodiff() { tensor.clone().inner() } else { tensor.clone() };
    if let Ok(primitive) = plain.clone().try_into_primitive::<Flex>() {
        return read(Flex::values(&Flex::row_major(primitive)));
    }
    #[cfg(feature = "tch")]
    if let Ok(primitive) = plain.clone().try_into_primitive::<LibTorch>()
        && primitive.tensor.device() == tch::Device::Cpu
    {
        return read(LibTorch::values(&LibTorch::row_major(primitive)));
    }
    read(&copy(plain))
}

/// The tensor with its values changed, row-major: in place if they are in this process's memory and nobody
/// else holds them. What comes back is no part of a graph; it asks for a gradient if `tensor` did.
pub fn change_values<const D: usize>(
    tensor: Tensor<D>,
    change: impl FnOnce(&mut [f32]),
) -> Tensor<D> {
    let (autodiff, asks) = (tensor.is_autodiff(), tensor.is_require_grad());
    let plain = if autodiff { tensor.inner() } else { tensor };
    let changed = change_plain(plain, change);
    if autodiff { Tensor::from_inner(changed).set_require_grad(asks) } else { changed }
}

fn change_plain<const D: usize>(tensor: Tensor<D>, change: impl FnOnce(&mut [f32])) -> Tensor<D> {
    #[cfg(feature = "tch")]
    if tensor.device() == burn::tensor::Device::libtorch() {
        let primitive = tensor.try_into_primitive::<LibTorch>();
        let primitive = primitive.expect("a tensor of LibTorch's CPU is one of LibTorch");
        return Tensor::from_primitive::<LibTorch>(change_in_place(primitive, change));
    }
    let (device, shape) = (tensor.device(), tensor.dims());
    // Flex gives its memory away and takes it back without a copy.
    let mut values = copy(tensor);
    change(&mut values);
    Tensor::from_data(TensorData::new(values, shape), &device)
}

fn copy<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec::<f32>().expect("activations and parameters are f32")
}
