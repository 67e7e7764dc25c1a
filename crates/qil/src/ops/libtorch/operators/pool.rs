//! Pooling.

use burn_tch::TchTensor;
use tch::{Kind, Tensor};

use super::{channels_first, channels_last};
use crate::ops::layer_ops::Window;

fn sizes(Window { size, stride, padding }: Window) -> [[i64; 2]; 3] {
    [size, stride, padding].map(|number| [number as i64; 2])
}

pub(crate) fn max_pool(input: &TchTensor, window: Window) -> (TchTensor, TchTensor) {
    let [size, stride, padding] = sizes(window);
    let (output, indices) =
        channels_first(&input.tensor).max_pool2d_with_indices(size, stride, padding, [1, 1], false);
    (channels_last(&output), TchTensor::new(indices))
}

pub(crate) fn max_pool_backward(
    shape: [usize; 4],
    window: Window,
    upstream: TchTensor,
    indices: TchTensor,
) -> TchTensor {
    let [size, stride, padding] = sizes(window);
    // Only its shape and its order in memory are read.
    let input =
        Tensor::empty(shape.map(|size| size as i64), (Kind::Float, upstream.tensor.device()));
    let gradient = channels_first(&input).max_pool2d_with_indices_backward(
        &channels_first(&upstream.tensor.contiguous()),
        size,
        stride,
        padding,
        [1, 1],
        false,
        &indices.tensor,
    );
    channels_last(&gradient)
}

pub(crate) fn average_pool(input: &TchTensor) -> TchTensor {
    TchTensor::new(input.tensor.mean_dim([1_i64, 2].as_slice(), false, None::<Kind>))
}

pub(crate) fn average_pool_backward(shape: [usize; 4], upstream: TchTensor) -> TchTensor {
    let [batch, height, width, channels] = shape.map(|size| size as i64);
    let share = upstream.tensor.g_div_scalar((height * width) as f64);
    let share = share.reshape([batch, 1, 1, channels]);
    TchTensor::new(share.expand([batch, height, width, channels], false).contiguous())
}
