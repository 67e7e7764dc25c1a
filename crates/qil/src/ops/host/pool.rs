//! Pooling.

use bitsweep_kernels::pool::{self, MaxPoolShape};
use burn::backend::tensor::{FloatTensor, IntTensor};

use super::{HostTensors, shape_of};
use crate::ops::layer_ops::Window;

fn pool_shape(shape: &[usize], window: Window) -> MaxPoolShape {
    MaxPoolShape {
        batch: shape[0],
        height: shape[1],
        width: shape[2],
        channels: shape[3],
        window: window.size,
        stride: window.stride,
        padding: window.padding,
    }
}

pub(crate) fn max_pool<B: HostTensors>(
    input: &FloatTensor<B>,
    window: Window,
) -> (FloatTensor<B>, IntTensor<B>) {
    let shape = pool_shape(&shape_of::<B>(input), window);
    let [height, width] = shape.output_size();
    let pooled = [shape.batch, height, width, shape.channels];
    let mut indices = None;
    let output = B::written(&pooled, |output| {
        indices = Some(B::indices(&pooled, |indices| {
            pool::max_pool(&shape, B::values(input), output, indices);
        }));
    });
    (output, indices.expect("`written` writes"))
}

pub(crate) fn max_pool_backward<B: HostTensors>(
    input: [usize; 4],
    window: Window,
    upstream: FloatTensor<B>,
    indices: IntTensor<B>,
) -> FloatTensor<B> {
    let upstream = B::row_major(upstream);
    let shape = pool_shape(&input, window);
    B::written(&input, |gradient| {
        let (upstream, indices) = (B::values(&upstream), B::index_values(&indices));
        pool::max_pool_backward(&shape, upstream, indices, gradient);
    })
}

pub(crate) fn average_pool<B: HostTensors>(input: &FloatTensor<B>) -> FloatTensor<B> {
    let shape = shape_of::<B>(input);
    B::written(&[shape[0], shape[3]], |output| {
        pool::average_pool(B::values(input), shape[3], output);
    })
}

pub(crate) fn average_pool_backward<B: HostTensors>(
    shape: [usize; 4],
    upstream: FloatTensor<B>,
) -> FloatTensor<B> {
    let upstream = B::row_major(upstream);
    B::written(&shape, |gradient| {
        pool::average_pool_backward(B::values(&upstream), shape[3], gradient);
    })
}
