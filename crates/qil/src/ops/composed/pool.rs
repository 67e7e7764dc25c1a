//! Pooling by burn's own, which is NCHW.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, DeviceOps, TensorMetadata};
use burn::tensor::Shape;

use super::convolution::{channels_first, channels_last};
use crate::ops::layer_ops::Window;

pub(crate) fn max_pool<B: Backend>(
    input: &FloatTensor<B>,
    Window { size, stride, padding }: Window,
) -> (FloatTensor<B>, IntTensor<B>) {
    let pooled = B::max_pool2d_with_indices(
        channels_first::<B>(input.clone()),
        [size; 2],
        [stride; 2],
        [padding; 2],
        [1, 1],
        false,
        input.device().defaults().int_dtype,
    );
    (channels_last::<B>(pooled.output), pooled.indices)
}

pub(crate) fn max_pool_backward<B: Backend>(
    [batch, height, width, channels]: [usize; 4],
    Window { size, stride, padding }: Window,
    upstream: FloatTensor<B>,
    indices: IntTensor<B>,
) -> FloatTensor<B> {
    // Only its shape is read.
    let input = B::float_zeros(
        Shape::from([batch, channels, height, width]),
        &upstream.device(),
        upstream.dtype().into(),
    );
    let gradient = B::max_pool2d_with_indices_backward(
        input,
        [size; 2],
        [stride; 2],
        [padding; 2],
        [1, 1],
        false,
        channels_first::<B>(upstream),
        indices,
    );
    channels_last::<B>(gradient.x_grad)
}

pub(crate) fn average_pool<B: Backend>(input: &FloatTensor<B>) -> FloatTensor<B> {
    let shape = input.shape();
    let (batch, pixels, channels) = (shape[0], shape[1] * shape[2], shape[3]);
    let rows = B::float_reshape(input.clone(), Shape::from([batch, pixels, channels]));
    let sums = B::float_reshape(B::float_sum_dim(rows, 1), Shape::from([batch, channels]));
    B::float_div_scalar(sums, (pixels as f32).into())
}

pub(crate) fn average_pool_backward<B: Backend>(
    [batch, height, width, channels]: [usize; 4],
    upstream: FloatTensor<B>,
) -> FloatTensor<B> {
    let share = B::float_div_scalar(upstream, ((height * width) as f32).into());
    let share = B::float_reshape(share, Shape::from([batch, 1, 1, channels]));
    B::float_expand(share, Shape::from([batch, height, width, channels]))
}
