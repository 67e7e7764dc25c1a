//! Convolution by burn's own, which is NCHW and OIHW.

use burn::backend::ops::ConvOptions;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata};
use burn::tensor::Shape;

use crate::convolution::Geometry;

fn options(geometry: Geometry) -> ConvOptions<2> {
    ConvOptions::new([geometry.stride; 2], [geometry.padding; 2], [1, 1], 1)
}

/// `[n, h, w, c]` as `[n, c, h, w]`.
pub(super) fn channels_first<B: Backend>(tensor: FloatTensor<B>) -> FloatTensor<B> {
    B::float_permute(tensor, &[0, 3, 1, 2])
}

/// `[n, c, h, w]` as `[n, h, w, c]`.
pub(super) fn channels_last<B: Backend>(tensor: FloatTensor<B>) -> FloatTensor<B> {
    B::float_permute(tensor, &[0, 2, 3, 1])
}

fn zeros<B: Backend>(shape: impl Into<Shape>, like: &FloatTensor<B>) -> FloatTensor<B> {
    B::float_zeros(shape.into(), &like.device(), like.dtype().into())
}

pub(crate) fn forward<B: Backend>(
    input: &FloatTensor<B>,
    weights: &FloatTensor<B>,
    geometry: Geometry,
) -> FloatTensor<B> {
    let shape = geometry.shape(&input.shape(), &weights.shape());
    if input.shape().num_elements() == 0 || weights.shape().num_elements() == 0 {
        let [height, width] = shape.output_size();
        return zeros::<B>([shape.batch, height, width, shape.out_channels], input);
    }
    let weights = B::float_permute(weights.clone(), &[3, 2, 0, 1]);
    let input = channels_first::<B>(input.clone());
    channels_last::<B>(B::conv2d(input, weights, None, options(geometry)))
}

pub(crate) fn backward<B: Backend>(
    input: &FloatTensor<B>,
    weights: &FloatTensor<B>,
    upstream: FloatTensor<B>,
    geometry: Geometry,
    wanted: [bool; 2],
) -> [Option<FloatTensor<B>>; 2] {
    if upstream.shape().num_elements() == 0 || weights.shape().num_elements() == 0 {
        let empty = |tensor: &FloatTensor<B>| zeros::<B>(tensor.shape(), tensor);
        return [wanted[0].then(|| empty(input)), wanted[1].then(|| empty(weights))];
    }
    let input = channels_first::<B>(input.clone());
    let weights = B::float_permute(weights.clone(), &[3, 2, 0, 1]);
    let upstream = channels_first::<B>(upstream);
    let by_input = wanted[0].then(|| {
        let (input, weights, upstream) = (input.clone(), weights.clone(), upstream.clone());
        channels_last::<B>(B::conv2d_x_backward(input, weights, upstream, options(geometry)))
    });
    let by_weights = wanted[1].then(|| {
        let gradient = B::conv2d_weight_backward(input, weights, upstream, options(geometry));
        B::float_permute(gradient, &[2, 3, 1, 0])
    });
    [by_input, by_weights]
}
