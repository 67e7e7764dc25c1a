//! QIL's quantizers, equations 2, 3 and 5, and their gradients.

use burn_tch::TchTensor;
use tch::Tensor;

use super::sum;

/// Lowest position at which slope and logarithm of the power are evaluated: both are unbounded at 0.
const GUARD: f64 = 1e-3;

/// Where a value lies in the interval, from 0 at its lower end to 1 at its upper and no further, and the
/// interval's width.
fn position(values: &Tensor, center: &TchTensor, half_width: &TchTensor) -> (Tensor, Tensor) {
    let width = half_width.tensor.g_mul_scalar(2.0);
    let mut position = values.g_sub(&center.tensor.g_sub(&half_width.tensor));
    let _ = position.g_div_(&width);
    let _ = position.clamp_(0.0, 1.0);
    (position, width)
}

/// Rounds to multiples of `1 / levels`, ties to even, in place.
fn discretize(values: &mut Tensor, levels: u32) {
    let levels = f64::from(levels);
    let _ = values.g_mul_scalar_(levels);
    let _ = values.round_();
    let _ = values.g_div_scalar_(levels);
}

/// `upstream` strictly inside the interval and 0 elsewhere. A NaN position counts as inside.
fn inside(upstream: &Tensor, position: &Tensor) -> Tensor {
    position.hardtanh_backward(upstream, 0.0, 1.0)
}

/// Makes `gradient` NaN where the position is.
fn keep_nan(gradient: &mut Tensor, position: &Tensor) {
    let zero = Tensor::zeros([1], (position.kind(), position.device()));
    let _ = gradient.addcmul_(position, &zero);
}

/// Gradient of the half-width, `Σ along (1 − 2t)`. Takes the position's memory.
fn by_half_width(along: &Tensor, mut position: Tensor) -> Tensor {
    let _ = position.g_mul_scalar_(-2.0);
    sum(&along.addcmul(along, &position))
}

pub(crate) fn weights(
    weights: &TchTensor,
    [center, half_width, gamma]: &[TchTensor; 3],
    levels: u32,
) -> TchTensor {
    let (position, _) = position(&weights.tensor.abs(), center, half_width);
    // Exactly the position for gamma = 1: a power may round.
    let linear = gamma.tensor.eq(1.0);
    let mut output = position.where_self(&linear, &position.pow(&gamma.tensor));
    discretize(&mut output, levels);
    let _ = output.g_mul_(&weights.tensor.sign());
    TchTensor::new(output)
}

pub(crate) fn weights_backward(
    weights: &TchTensor,
    [center, half_width, gamma]: &[TchTensor; 3],
    upstream: TchTensor,
) -> [TchTensor; 4] {
    let (position, width) = position(&weights.tensor.abs(), center, half_width);
    let sign = weights.tensor.sign();
    let gamma = &gamma.tensor;
    let live = inside(&upstream.tensor.g_mul(&sign), &position);
    let guarded = position.clamp_min(GUARD);

    // Exactly 1 for gamma = 1, as every zeroth power.
    let mut along = guarded.pow(&gamma.g_sub_scalar(1.0));
    let _ = along.g_mul_(gamma);
    let _ = along.g_mul_(&live);
    let _ = along.g_div_(&width);
    keep_nan(&mut along, &position);

    let mut by_gamma = position.pow(gamma);
    let _ = by_gamma.g_mul_(&guarded.log());
    let _ = by_gamma.g_mul_(&live);
    let by_gamma = sum(&by_gamma);
    let gradients =
        [along.g_mul(&sign), sum(&along).neg(), by_half_width(&along, position), by_gamma];
    gradients.map(TchTensor::new)
}

pub(crate) fn activations(
    input: &TchTensor,
    [center, half_width]: &[TchTensor; 2],
    levels: u32,
) -> TchTensor {
    let (mut output, _) = position(&input.tensor, center, half_width);
    discretize(&mut output, levels);
    TchTensor::new(output)
}

pub(crate) fn activations_backward(
    input: &TchTensor,
    [center, half_width]: &[TchTensor; 2],
    upstream: TchTensor,
) -> [TchTensor; 3] {
    let (position, width) = position(&input.tensor, center, half_width);
    let mut gradient = inside(&upstream.tensor, &position);
    let _ = gradient.g_div_(&width);
    keep_nan(&mut gradient, &position);
    let by_center = sum(&gradient).neg();
    let by_half_width = by_half_width(&gradient, position);
    [gradient, by_center, by_half_width].map(TchTensor::new)
}
