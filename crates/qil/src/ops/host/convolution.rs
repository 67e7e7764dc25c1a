//! Convolution, its three passes.

use bitsweep_kernels::convolution;
use burn::backend::tensor::FloatTensor;

use super::{HostTensors, shape_of};
use crate::convolution::Geometry;

pub(crate) fn forward<B: HostTensors>(
    input: &FloatTensor<B>,
    weights: &FloatTensor<B>,
    geometry: Geometry,
) -> FloatTensor<B> {
    let shape = geometry.shape(&shape_of::<B>(input), &shape_of::<B>(weights));
    let [height, width] = shape.output_size();
    B::written(&[shape.batch, height, width, shape.out_channels], |output| {
        let (input, weights) = (B::values(input), B::values(weights));
        convolution::forward_with(geometry.algorithm(), &shape, input, weights, output);
    })
}

pub(crate) fn backward<B: HostTensors>(
    input: &FloatTensor<B>,
    weights: &FloatTensor<B>,
    upstream: FloatTensor<B>,
    geometry: Geometry,
    wanted: [bool; 2],
) -> [Option<FloatTensor<B>>; 2] {
    let upstream = B::row_major(upstream);
    let (input_shape, weights_shape) = (shape_of::<B>(input), shape_of::<B>(weights));
    let shape = geometry.shape(&input_shape, &weights_shape);
    let algorithm = geometry.algorithm();
    let upstream = B::values(&upstream);
    let by_input = wanted[0].then(|| {
        B::written(&input_shape, |gradient| {
            let weights = B::values(weights);
            convolution::backward_input_with(algorithm, &shape, upstream, weights, gradient);
        })
    });
    let by_weights = wanted[1].then(|| {
        B::written(&weights_shape, |gradient| {
            let input = B::values(input);
            convolution::backward_weight_with(algorithm, &shape, input, upstream, gradient);
        })
    });
    [by_input, by_weights]
}
