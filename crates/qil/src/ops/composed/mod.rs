//! The operations out of burn's own, for any backend: nothing fused, nothing assumed.

pub(super) mod batch_norm;
pub(super) mod convolution;
pub(super) mod pool;
pub(super) mod quantizer;

use burn::backend::tensor::{BoolTensor, FloatTensor};
use burn::backend::{Backend, DeviceOps, TensorMetadata};
use burn::tensor::{BoolDType, DType, FloatDType, Shape, Slice};

/// Values added one after the other; sums of more are sums of such sums.
const BLOCK: usize = 16;

/// Boolean type of a tensor's device.
fn bool_type<B: Backend>(tensor: &FloatTensor<B>) -> BoolDType {
    tensor.device().defaults().bool_dtype
}

/// `value` where `mask` says so. Unlike a product with the mask, it stops NaN and infinity too.
fn fill<B: Backend>(tensor: FloatTensor<B>, mask: BoolTensor<B>, value: f32) -> FloatTensor<B> {
    B::float_mask_fill(tensor, mask, value.into())
}

/// Negative values as zeros; NaN stays.
fn relu<B: Backend>(tensor: FloatTensor<B>) -> FloatTensor<B> {
    let mask = B::float_lower_elem(tensor.clone(), 0f32.into(), bool_type::<B>(&tensor));
    fill::<B>(tensor, mask, 0.0)
}

/// A vector as the last axis of a tensor of `rank` axes.
fn along_last<B: Backend>(vector: FloatTensor<B>, rank: usize) -> FloatTensor<B> {
    let mut shape = vec![1; rank];
    shape[rank - 1] = vector.shape().num_elements();
    B::float_reshape(vector, Shape::from(shape))
}

/// Sums of the columns of `[rows, columns]`: in double precision where the device has it, otherwise in
/// steps, so that errors grow with the logarithm of the number of rows.
fn column_sums<B: Backend>(matrix: FloatTensor<B>) -> FloatTensor<B> {
    let dtype = matrix.dtype();
    if !B::supports_dtype(&matrix.device(), DType::F64) {
        return sums_of_blocks::<B>(matrix);
    }
    let columns = matrix.shape()[1];
    let sums = B::float_sum_dim(B::float_cast(matrix, FloatDType::F64), 0);
    B::float_cast(B::float_reshape(sums, Shape::from([columns])), dtype.into())
}

fn sums_of_blocks<B: Backend>(mut matrix: FloatTensor<B>) -> FloatTensor<B> {
    let columns = matrix.shape()[1];
    loop {
        let rows = matrix.shape()[0];
        if rows <= BLOCK {
            let sum = B::float_sum_dim(matrix, 0);
            return B::float_reshape(sum, Shape::from([columns]));
        }
        let blocks = rows / BLOCK;
        let whole = blocks * BLOCK;
        let part = |from: usize, to: usize| {
            B::float_slice(matrix.clone(), &[Slice::from(from..to), Slice::from(0..columns)])
        };
        let blocked = B::float_reshape(part(0, whole), Shape::from([blocks, BLOCK, columns]));
        let sums = B::float_sum_dim(blocked, 1);
        let sums = B::float_reshape(sums, Shape::from([blocks, columns]));
        matrix = if whole == rows { sums } else { B::float_cat(vec![sums, part(whole, rows)], 0) };
    }
}

/// Sum of all values, of one element.
fn sum<B: Backend>(tensor: FloatTensor<B>) -> FloatTensor<B> {
    let count = tensor.shape().num_elements();
    if count == 0 {
        let (device, dtype) = (tensor.device(), tensor.dtype());
        return B::float_zeros(Shape::from([1]), &device, dtype.into());
    }
    column_sums::<B>(B::float_reshape(tensor, Shape::from([count, 1])))
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;

    use super::*;
    use crate::ops::host::HostTensors;

    #[test]
    fn sums_of_blocks_keep_their_digits() {
        // Added one by one in f32, a million times 0.1 is off by one per cent.
        let count = 1_000_037;
        let matrix = Flex::written(&[count, 2], |values| {
            values.chunks_mut(2).for_each(|row| row.copy_from_slice(&[0.1, -3.0]));
        });
        let sums = sums_of_blocks::<Flex>(matrix);
        let expected = [f64::from(0.1_f32) * count as f64, -3.0 * count as f64];
        for (found, expected) in Flex::values(&sums).iter().zip(expected) {
            assert!((f64::from(*found) / expected - 1.0).abs() < 2e-6, "{found} {expected}");
        }
    }
}
