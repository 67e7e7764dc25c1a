//! Convolution, its three passes.

use burn_tch::TchTensor;
use tch::{Kind, Tensor};

use super::{channels_first, channels_last};
use crate::convolution::{Geometry, Precision};
use crate::ops::libtorch::shim;

/// Numbers that factors are given in.
fn kind(geometry: Geometry) -> Kind {
    match geometry.settings.precision {
        Precision::Single => Kind::Float,
        Precision::Mixed => Kind::BFloat16,
    }
}

/// `[h, w, i, o]` as `[o, i, h, w]` in channels-last memory, which cuDNN and oneDNN read fastest. Copies,
/// weights being small.
fn outputs_first(weights: &Tensor) -> Tensor {
    weights.permute([3, 0, 1, 2]).contiguous().permute([0, 3, 1, 2])
}

pub(crate) fn forward(input: &TchTensor, weights: &TchTensor, geometry: Geometry) -> TchTensor {
    let kind = kind(geometry);
    let (stride, padding) = (geometry.stride as i64, geometry.padding as i64);
    let input = channels_first(&input.tensor).to_kind(kind);
    let weights = outputs_first(&weights.tensor.to_kind(kind));
    let output = input.conv2d(&weights, None::<&Tensor>, [stride; 2], [padding; 2], [1, 1], 1);
    channels_last(&output)
}

pub(crate) fn backward(
    input: &TchTensor,
    weights: &TchTensor,
    upstream: TchTensor,
    geometry: Geometry,
    wanted: [bool; 2],
) -> [Option<TchTensor>; 2] {
    let kind = kind(geometry);
    let [by_input, by_weights] = shim::convolution_backward(
        &channels_first(&upstream.tensor.contiguous()).to_kind(kind),
        &channels_first(&input.tensor).to_kind(kind),
        &outputs_first(&weights.tensor.to_kind(kind)),
        geometry.stride as i64,
        geometry.padding as i64,
        wanted,
    );
    let by_weights = by_weights.map(|gradient| {
        TchTensor::new(gradient.permute([2, 3, 1, 0]).to_kind(Kind::Float).contiguous())
    });
    [by_input.map(|gradient| channels_last(&gradient)), by_weights]
}
