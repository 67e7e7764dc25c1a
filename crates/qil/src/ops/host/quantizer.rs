//! The quantizers, one pass each way.

use bitsweep_kernels::quantizer::{self, ActivationInterval, WeightInterval};
use burn::backend::tensor::FloatTensor;

use super::{HostTensors, copied, scalar, shape_of};

fn weight_interval<B: HostTensors>(interval: &[FloatTensor<B>; 3]) -> WeightInterval {
    let [center, half_width, gamma] = interval.each_ref().map(scalar::<B>);
    WeightInterval { center, half_width, gamma }
}

fn activation_interval<B: HostTensors>(interval: &[FloatTensor<B>; 2]) -> ActivationInterval {
    let [center, half_width] = interval.each_ref().map(scalar::<B>);
    ActivationInterval { center, half_width }
}

pub(crate) fn weights<B: HostTensors>(
    weights: &FloatTensor<B>,
    interval: &[FloatTensor<B>; 3],
    levels: u32,
) -> FloatTensor<B> {
    let interval = weight_interval::<B>(interval);
    B::written(&shape_of::<B>(weights), |output| {
        quantizer::quantize_weights(B::values(weights), interval, levels, output);
    })
}

pub(crate) fn weights_backward<B: HostTensors>(
    weights: &FloatTensor<B>,
    interval: &[FloatTensor<B>; 3],
    upstream: FloatTensor<B>,
) -> [FloatTensor<B>; 4] {
    let interval = weight_interval::<B>(interval);
    let (values, upstream) = (B::values(weights), B::row_major(upstream));
    let mut sums = Default::default();
    let gradient = B::written(&shape_of::<B>(weights), |gradient| {
        let upstream = B::values(&upstream);
        sums = quantizer::quantize_weights_backward(values, upstream, interval, gradient);
    });
    let [center, half_width, gamma] =
        [sums.center, sums.half_width, sums.gamma].map(|sum| copied::<B>(&[sum]));
    [gradient, center, half_width, gamma]
}

pub(crate) fn activations<B: HostTensors>(
    input: &FloatTensor<B>,
    interval: &[FloatTensor<B>; 2],
    levels: u32,
) -> FloatTensor<B> {
    let interval = activation_interval::<B>(interval);
    B::written(&shape_of::<B>(input), |output| {
        quantizer::quantize_activations(B::values(input), interval, levels, output);
    })
}

pub(crate) fn activations_backward<B: HostTensors>(
    input: &FloatTensor<B>,
    interval: &[FloatTensor<B>; 2],
    upstream: FloatTensor<B>,
) -> [FloatTensor<B>; 3] {
    let interval = activation_interval::<B>(interval);
    let (values, upstream) = (B::values(input), B::row_major(upstream));
    let mut sums = Default::default();
    let gradient = B::written(&shape_of::<B>(input), |gradient| {
        let upstream = B::values(&upstream);
        sums = quantizer::quantize_activations_backward(values, upstream, interval, gradient);
    });
    let [center, half_width] = [sums.center, sums.half_width].map(|sum| copied::<B>(&[sum]));
    [gradient, center, half_width]
}
