//! Weight quantizer: equation 3 and its derivative.

use std::f32::consts::LN_2;

use pulp::{Simd, WithSimd};

use super::power::{exp2, log2};
use super::{WeightGradients, WeightInterval, discretize, factor, position};
use crate::blocks::{BLOCK, block_sum, map, map_sum, same_length};
use crate::dispatch::dispatch;

/// Lowest position at which slope and logarithm are evaluated: both are unbounded at 0 for
/// `gamma < 1`, and at `gamma = 0.25` this bounds the slope at 44.
const GUARD: f32 = 1e-3;

/// Quantizes weights to multiples of `1 / levels` in [-1, 1].
///
/// `levels` is `2^(bits - 1) - 1`. Input and output have the same length, which may be zero.
///
/// # Panics
/// If the lengths differ or `levels` is zero.
pub fn quantize_weights(
    weights: &[f32],
    interval: WeightInterval,
    levels: u32,
    output: &mut [f32],
) {
    same_length("the output", output.len(), "the weights", weights.len());
    let levels = factor(levels);
    map(weights, output, |weights, output| {
        if interval.gamma == 1.0 {
            dispatch(Forward::<false> { weights, interval, levels, output });
        } else {
            dispatch(Forward::<true> { weights, interval, levels, output });
        }
    });
}

/// Backward pass of [`quantize_weights`].
///
/// Writes dL/dw to `grad_weights` and returns the gradients of the interval, each summed over all
/// elements. With `m = 1` where `0 < t < 1`, `s = sign(w)` and `h = gamma t^(gamma - 1)`:
/// `dL/dw = g m h / (2d)`, `dL/dc = -sum(s dL/dw)`, `dL/dd = sum(s dL/dw (1 - 2t))`,
/// `dL/dgamma = sum(g s m t^gamma ln t)`. Slope `h` and logarithm take `max(t, 0.001)` for `t`.
///
/// # Panics
/// If the three lengths differ.
pub fn quantize_weights_backward(
    weights: &[f32],
    grad_output: &[f32],
    interval: WeightInterval,
    grad_weights: &mut [f32],
) -> WeightGradients {
    same_length("the output's gradient", grad_output.len(), "the weights", weights.len());
    same_length("the weights' gradient", grad_weights.len(), "the weights", weights.len());
    let [center, half_width, gamma] =
        map_sum(weights, grad_output, grad_weights, |weights, grad, out| {
            if interval.gamma == 1.0 {
                dispatch(Backward::<false> { weights, grad, interval, out })
            } else {
                dispatch(Backward::<true> { weights, grad, interval, out })
            }
        });
    WeightGradients { center: -center as f32, half_width: half_width as f32, gamma: gamma as f32 }
}

struct Forward<'a, const POWER: bool> {
    weights: &'a [f32],
    interval: WeightInterval,
    levels: f32,
    output: &'a mut [f32],
}

impl<const POWER: bool> WithSimd for Forward<'_, POWER> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let WeightInterval { center, half_width, gamma } = self.interval;
        let (lower, width, levels) = (center - half_width, 2.0 * half_width, self.levels);
        for (output, &weight) in self.output.iter_mut().zip(self.weights) {
            let t = position(weight.abs(), lower, width).clamp(0.0, 1.0);
            let magnitude = if POWER {
                let power = exp2(gamma * log2(t));
                // Zero has no logarithm and NaN none either: both are their own power.
                if t > 0.0 && !gamma.is_nan() { power } else { t + 0.0 * gamma }
            } else {
                t
            };
            let signed = discretize(magnitude, levels).copysign(weight);
            *output = if weight == 0.0 { 0.0 * signed } else { signed };
        }
    }
}

struct Backward<'a, const POWER: bool> {
    weights: &'a [f32],
    grad: &'a [f32],
    interval: WeightInterval,
    out: &'a mut [f32],
}

impl<const POWER: bool> WithSimd for Backward<'_, POWER> {
    type Output = [f64; 3];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> [f64; 3] {
        let WeightInterval { center, half_width, gamma } = self.interval;
        let (lower, width) = (center - half_width, 2.0 * half_width);
        let guard = log2(GUARD);
        let (mut signed, mut moment, mut exponent) =
            ([0.0f32; BLOCK], [0.0f32; BLOCK], [0.0f32; BLOCK]);
        let mut sums = [0.0f64; 3];
        let blocks = self.weights.chunks(BLOCK).zip(self.grad.chunks(BLOCK));
        for ((weights, grad), out) in blocks.zip(self.out.chunks_mut(BLOCK)) {
            let n = weights.len();
            let parts = signed[..n].iter_mut().zip(&mut moment[..n]).zip(&mut exponent[..n]);
            let elements = weights.iter().zip(grad).zip(out.iter_mut());
            for (((&weight, &grad), out), ((signed, moment), exponent)) in elements.zip(parts) {
                let t = position(weight.abs(), lower, width);
                let live = t > 0.0 && t < 1.0 && weight != 0.0;
                let (slope, logarithm) = if POWER {
                    let log = log2(t);
                    let guarded = log.max(guard);
                    (gamma * exp2((gamma - 1.0) * guarded), exp2(gamma * log) * guarded * LN_2)
                } else {
                    // ln t is still wanted where gamma is 1: the caller may be training it.
                    let log = log2(t);
                    (1.0, t * log.max(guard) * LN_2)
                };
                let inside = if live { grad * slope / width } else { 0.0 };
                let gradient = if t.is_nan() { t } else { inside };
                let along = gradient * 1.0f32.copysign(weight);
                *out = gradient;
                *signed = along;
                *moment = if along == 0.0 { 0.0 } else { along * (1.0 - 2.0 * t) };
                let inside = if live { grad * 1.0f32.copysign(weight) * logarithm } else { 0.0 };
                *exponent = if t.is_nan() { t } else { inside };
            }
            sums[0] += block_sum(&signed[..n]);
            sums[1] += block_sum(&moment[..n]);
            sums[2] += block_sum(&exponent[..n]);
        }
        sums
    }
}
