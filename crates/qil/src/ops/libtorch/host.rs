//! LibTorch's CPU tensors as slices of this process's memory.

use std::slice::{from_raw_parts, from_raw_parts_mut};

use burn::backend::LibTorch;
use burn_tch::TchTensor;
use tch::{Device, Kind, Tensor};

use crate::ops::host::{HostTensors, poison};
use crate::ops::layer_ops::LayerOps;

/// Where the elements of a dense CPU tensor of `kind` are.
///
/// # Panics
/// If it is not such a tensor: its elements cannot be read then.
fn elements(tensor: &Tensor, kind: Kind) -> (*mut std::ffi::c_void, usize) {
    assert!(
        tensor.device() == Device::Cpu && tensor.kind() == kind && tensor.is_contiguous(),
        "the CPU kernels take dense {kind:?} tensors of the CPU, not {:?} on {:?}",
        tensor.kind(),
        tensor.device()
    );
    (tensor.data_ptr(), tensor.numel())
}

fn empty(shape: &[usize], kind: Kind) -> Tensor {
    let shape: Vec<i64> = shape.iter().map(|&size| size as i64).collect();
    Tensor::empty(shape, (kind, Device::Cpu))
}

/// A CPU tensor with its values changed: in place if nobody else holds them.
pub(crate) fn change_in_place(tensor: TchTensor, change: impl FnOnce(&mut [f32])) -> TchTensor {
    let mut tensor = LibTorch::row_major(tensor);
    if !tensor.can_mut() {
        tensor = TchTensor::new(tensor.tensor.copy());
    }
    let (start, count) = elements(&tensor.tensor, Kind::Float);
    if count > 0 {
        // SAFETY: `elements` has checked that `count` numbers of this type lie there without gaps, and
        // `can_mut` that no other tensor of burn's has this memory.
        #[allow(unsafe_code)]
        change(unsafe { from_raw_parts_mut(start.cast(), count) });
    }
    tensor
}

impl HostTensors for LibTorch {
    fn row_major(tensor: TchTensor) -> TchTensor {
        Self::dense(tensor)
    }

    fn values(tensor: &TchTensor) -> &[f32] {
        let (start, count) = elements(&tensor.tensor, Kind::Float);
        if count == 0 {
            return &[];
        }
        // SAFETY: `elements` has checked that `count` numbers of this type lie there without gaps. They
        // live as long as the tensor, and burn writes to a tensor's memory only when nobody else has it.
        #[allow(unsafe_code)]
        unsafe {
            from_raw_parts(start.cast(), count)
        }
    }

    fn written(shape: &[usize], write: impl FnOnce(&mut [f32])) -> TchTensor {
        let tensor = empty(shape, Kind::Float);
        let (start, count) = elements(&tensor, Kind::Float);
        if count == 0 {
            write(&mut []);
            return TchTensor::new(tensor);
        }
        // SAFETY: `elements` has checked that `count` numbers of this type lie there without gaps. The
        // tensor is new, so that nobody else reads or writes them.
        #[allow(unsafe_code)]
        let values: &mut [f32] = unsafe { from_raw_parts_mut(start.cast(), count) };
        poison(values);
        write(values);
        TchTensor::new(tensor)
    }

    fn indices(shape: &[usize], write: impl FnOnce(&mut [u32])) -> TchTensor {
        let tensor = empty(shape, Kind::Int);
        let (start, count) = elements(&tensor, Kind::Int);
        if count == 0 {
            write(&mut []);
            return TchTensor::new(tensor);
        }
        // SAFETY: as in `written`; `u32` has the size and alignment of LibTorch's `int`.
        #[allow(unsafe_code)]
        write(unsafe { from_raw_parts_mut(start.cast(), count) });
        TchTensor::new(tensor)
    }

    fn index_values(tensor: &TchTensor) -> &[u32] {
        let (start, count) = elements(&tensor.tensor, Kind::Int);
        if count == 0 {
            return &[];
        }
        // SAFETY: as in `values`; `u32` has the size and alignment of LibTorch's `int`.
        #[allow(unsafe_code)]
        unsafe {
            from_raw_parts(start.cast(), count)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_tensor_has_what_was_written() {
        let tensor = LibTorch::written(&[2, 3], |values| {
            assert!(values.iter().all(|value| value.is_nan()));
            values.copy_from_slice(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        });
        assert_eq!(LibTorch::values(&tensor), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(tensor.tensor.size(), [2, 3]);
        assert_eq!(tensor.tensor.double_value(&[1, 0]), 4.0);
        assert!(LibTorch::values(&LibTorch::written(&[0, 3], |_| ())).is_empty());
        let indices = LibTorch::indices(&[3], |indices| indices.copy_from_slice(&[7, 0, u32::MAX]));
        assert_eq!(LibTorch::index_values(&indices), [7, 0, u32::MAX]);
    }

    #[test]
    fn a_part_of_a_tensor_starts_where_it_starts() {
        let whole = Tensor::from_slice(&[1.0_f32, 2.0, 3.0, 4.0]);
        assert_eq!(LibTorch::values(&TchTensor::new(whole.slice(0, 1, 3, 1))), [2.0, 3.0]);
        let strided = TchTensor::new(whole.reshape([2, 2]).transpose(0, 1));
        assert_eq!(LibTorch::values(&LibTorch::row_major(strided)), [1.0, 3.0, 2.0, 4.0]);
    }

    #[test]
    fn values_that_somebody_else_holds_are_copied_before_they_change() {
        let first = TchTensor::new(Tensor::from_slice(&[1.0_f32, 2.0]));
        let place = first.tensor.data_ptr();
        let held = first.clone();
        let changed = change_in_place(first, |values| values[0] = 5.0);
        assert_eq!(LibTorch::values(&held), [1.0, 2.0]);
        assert_eq!(LibTorch::values(&changed), [5.0, 2.0]);
        let alone = change_in_place(held, |values| values[1] = 7.0);
        assert_eq!(LibTorch::values(&alone), [1.0, 7.0]);
        assert_eq!(alone.tensor.data_ptr(), place);
    }

    #[test]
    #[should_panic(expected = "dense Float tensors")]
    fn other_numbers_are_refused() {
        LibTorch::values(&TchTensor::new(Tensor::from_slice(&[1.0_f64])));
    }
}
