//! QIL's quantizers, equations 2, 3 and 5, and their gradients.

use burn::backend::tensor::{BoolTensor, FloatTensor};
use burn::backend::{Backend, TensorMetadata};
use burn::tensor::Shape;

use super::{bool_type, fill, sum};

/// Lowest position at which slope and logarithm of the power are evaluated: both are unbounded at 0.
const GUARD: f32 = 1e-3;

/// A one-element tensor as one that broadcasts against `rank` axes.
fn scalar<B: Backend>(tensor: &FloatTensor<B>, rank: usize) -> FloatTensor<B> {
    B::float_reshape(tensor.clone(), Shape::from(vec![1; rank]))
}

/// Where a value lies in the interval, 0 at its lower end and 1 at its upper, and the interval's width.
fn position<B: Backend>(
    values: FloatTensor<B>,
    center: &FloatTensor<B>,
    half_width: &FloatTensor<B>,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let rank = values.shape().num_dims();
    let (center, half_width) = (scalar::<B>(center, rank), scalar::<B>(half_width, rank));
    let lower = B::float_sub(center, half_width.clone());
    let width = B::float_mul_scalar(half_width, 2f32.into());
    (B::float_div(B::float_sub(values, lower), width.clone()), width)
}

fn clamp<B: Backend>(tensor: FloatTensor<B>, lower: f32) -> FloatTensor<B> {
    let below = B::float_lower_elem(tensor.clone(), lower.into(), bool_type::<B>(&tensor));
    let tensor = fill::<B>(tensor, below, lower);
    let above = B::float_greater_elem(tensor.clone(), 1f32.into(), bool_type::<B>(&tensor));
    fill::<B>(tensor, above, 1.0)
}

fn discretize<B: Backend>(values: FloatTensor<B>, levels: u32) -> FloatTensor<B> {
    let levels = levels as f32;
    let steps = B::float_round(B::float_mul_scalar(values, levels.into()));
    B::float_div_scalar(steps, levels.into())
}

/// True on and outside the ends; false for NaN.
fn outside<B: Backend>(position: &FloatTensor<B>) -> BoolTensor<B> {
    let dtype = bool_type::<B>(position);
    let below = B::float_lower_equal_elem(position.clone(), 0f32.into(), dtype);
    let above = B::float_greater_equal_elem(position.clone(), 1f32.into(), dtype);
    B::bool_or(below, above)
}

/// `t^gamma`, and `t` itself where gamma is exactly 1.
fn power<B: Backend>(t: FloatTensor<B>, gamma: &FloatTensor<B>) -> FloatTensor<B> {
    let shape = t.shape();
    let gamma = scalar::<B>(gamma, shape.num_dims());
    let one = B::float_equal_elem(gamma.clone(), 1f32.into(), bool_type::<B>(&t));
    let gamma = B::float_expand(gamma, shape.clone());
    let power = B::float_powf(t.clone(), gamma);
    B::float_mask_where(power, B::bool_expand(one, shape), t)
}

/// `slope` with NaN where the position is NaN, and without gradient where `dead`.
fn masked<B: Backend>(
    slope: FloatTensor<B>,
    position: &FloatTensor<B>,
    dead: BoolTensor<B>,
) -> FloatTensor<B> {
    let slope = fill::<B>(slope, dead, 0.0);
    let nan = B::float_is_nan(position.clone(), bool_type::<B>(position));
    fill::<B>(slope, nan, f32::NAN)
}

/// `1 − 2t`, between −1 and 1 outside the interval too: there it meets zeros, and zero times infinity
/// would be NaN.
fn moment<B: Backend>(position: FloatTensor<B>) -> FloatTensor<B> {
    let twice = B::float_mul_scalar(clamp::<B>(position, 0.0), (-2f32).into());
    B::float_add_scalar(twice, 1f32.into())
}

pub(crate) fn weights<B: Backend>(
    weights: &FloatTensor<B>,
    [center, half_width, gamma]: &[FloatTensor<B>; 3],
    levels: u32,
) -> FloatTensor<B> {
    let (position, _) = position::<B>(B::float_abs(weights.clone()), center, half_width);
    let magnitude = power::<B>(clamp::<B>(position, 0.0), gamma);
    B::float_mul(discretize::<B>(magnitude, levels), B::float_sign(weights.clone()))
}

pub(crate) fn weights_backward<B: Backend>(
    weights: &FloatTensor<B>,
    [center, half_width, gamma]: &[FloatTensor<B>; 3],
    upstream: FloatTensor<B>,
) -> [FloatTensor<B>; 4] {
    let shape = weights.shape();
    let (position, width) = position::<B>(B::float_abs(weights.clone()), center, half_width);
    let zero = B::float_equal_elem(weights.clone(), 0f32.into(), bool_type::<B>(weights));
    let dead = B::bool_or(outside::<B>(&position), zero);
    let sign = B::float_sign(weights.clone());

    let guarded = clamp::<B>(position.clone(), GUARD);
    let exponent = scalar::<B>(gamma, shape.num_dims());
    let less_one = B::float_expand(B::float_sub_scalar(exponent.clone(), 1f32.into()), shape);
    // Exactly 1 for gamma = 1, as every zeroth power.
    let slope = B::float_mul(B::float_powf(guarded.clone(), less_one), exponent);
    let slope = B::float_div(B::float_mul(upstream.clone(), slope), width);
    let gradient = masked::<B>(slope, &position, dead.clone());

    let along = B::float_mul(gradient.clone(), sign.clone());
    let logarithm = B::float_log(guarded);
    let by_gamma = B::float_mul(power::<B>(clamp::<B>(position.clone(), 0.0), gamma), logarithm);
    let by_gamma = B::float_mul(B::float_mul(upstream, sign), by_gamma);
    let by_gamma = sum::<B>(masked::<B>(by_gamma, &position, dead));
    let by_half_width = sum::<B>(B::float_mul(along.clone(), moment::<B>(position)));
    [gradient, B::float_neg(sum::<B>(along)), by_half_width, by_gamma]
}

pub(crate) fn activations<B: Backend>(
    input: &FloatTensor<B>,
    [center, half_width]: &[FloatTensor<B>; 2],
    levels: u32,
) -> FloatTensor<B> {
    let (position, _) = position::<B>(input.clone(), center, half_width);
    discretize::<B>(clamp::<B>(position, 0.0), levels)
}

pub(crate) fn activations_backward<B: Backend>(
    input: &FloatTensor<B>,
    [center, half_width]: &[FloatTensor<B>; 2],
    upstream: FloatTensor<B>,
) -> [FloatTensor<B>; 3] {
    let (position, width) = position::<B>(input.clone(), center, half_width);
    let dead = outside::<B>(&position);
    let gradient = masked::<B>(B::float_div(upstream, width), &position, dead);
    let by_half_width = sum::<B>(B::float_mul(gradient.clone(), moment::<B>(position)));
    [gradient.clone(), B::float_neg(sum::<B>(gradient)), by_half_width]
}
