//! Weight quantizer: equation 3 and its derivative.

use std::f32::consts::LN_2;
use std::mem::MaybeUninit;

use pulp::{Simd, WithSimd};

use super::power::{exp2, log2};
use super::{WeightGradients, WeightInterval, discretize, factor, position};
use crate::blocks::{BLOCK, block_sum, map, map_sum, same_length};
use crate::dispatch::dispatch;
use crate::fresh::{uninitialized, vector};

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
    // SAFETY: the pass writes initialized elements only.
    write(weights, interval, levels, unsafe { uninitialized(output) });
}

/// [`quantize_weights`] to a new vector, whose memory is written once only.
///
/// # Panics
/// If `levels` is zero.
pub fn quantize_weights_to_vec(weights: &[f32], interval: WeightInterval, levels: u32) -> Vec<f32> {
    // SAFETY: the pass writes every element.
    unsafe { vector(weights.len(), |output| write(weights, interval, levels, output)).0 }
}

fn write(weights: &[f32], interval: WeightInterval, levels: u32, output: &mut [MaybeUninit<f32>]) {
    same_length("the output", output.len(), "the weights", weights.len());
    let factor = factor(levels);
    map(weights, output, |weights, output| match levels {
        _ if interval.gamma.is_nan() => output.fill(MaybeUninit::new(f32::NAN)),
        _ if interval.gamma == 1.0 => {
            dispatch(Forward::<false> { weights, interval, levels: factor, output });
        }
        1 => dispatch(Steps::<1>::new(weights, interval, output)),
        3 => dispatch(Steps::<3>::new(weights, interval, output)),
        7 => dispatch(Steps::<7>::new(weights, interval, output)),
        15 => dispatch(Steps::<15>::new(weights, interval, output)),
        _ => dispatch(Forward::<true> { weights, interval, levels: factor, output }),
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
    // SAFETY: the pass writes initialized elements only.
    write_backward(weights, grad_output, interval, true, unsafe { uninitialized(grad_weights) })
}

/// [`quantize_weights_backward`] to a new vector, whose memory is written once only.
///
/// Without `gamma_is_trained` its gradient is zero, which saves most of the time where gamma is 1.
///
/// # Panics
/// If the two lengths differ.
pub fn quantize_weights_backward_to_vec(
    weights: &[f32],
    grad_output: &[f32],
    interval: WeightInterval,
    gamma_is_trained: bool,
) -> (Vec<f32>, WeightGradients) {
    let write = |to: &mut [_]| write_backward(weights, grad_output, interval, gamma_is_trained, to);
    // SAFETY: the pass writes every element.
    unsafe { vector(weights.len(), write) }
}

fn write_backward(
    weights: &[f32],
    grad_output: &[f32],
    interval: WeightInterval,
    gamma_is_trained: bool,
    grad_weights: &mut [MaybeUninit<f32>],
) -> WeightGradients {
    same_length("the output's gradient", grad_output.len(), "the weights", weights.len());
    same_length("the weights' gradient", grad_weights.len(), "the weights", weights.len());
    let [center, half_width, gamma] =
        map_sum(weights, grad_output, grad_weights, |weights, grad, out| {
            match (interval.gamma == 1.0, gamma_is_trained) {
                (true, true) => dispatch(Backward::<false, true> { weights, grad, interval, out }),
                (true, false) => {
                    dispatch(Backward::<false, false> { weights, grad, interval, out })
                }
                (false, true) => dispatch(Backward::<true, true> { weights, grad, interval, out }),
                (false, false) => {
                    dispatch(Backward::<true, false> { weights, grad, interval, out })
                }
            }
        });
    WeightGradients { center: -center as f32, half_width: half_width as f32, gamma: gamma as f32 }
}

struct Forward<'a, const POWER: bool> {
    weights: &'a [f32],
    interval: WeightInterval,
    levels: f32,
    output: &'a mut [MaybeUninit<f32>],
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
            output.write(if weight == 0.0 { 0.0 * signed } else { signed });
        }
    }
}

/// The quantizer as the step function that it is: few levels need no powers, only the positions from
/// which on a weight belongs to the next level.
struct Steps<'a, const LEVELS: usize> {
    weights: &'a [f32],
    interval: WeightInterval,
    /// For each level but zero, the largest position below it, and the level.
    steps: [(f32, f32); LEVELS],
    output: &'a mut [MaybeUninit<f32>],
}

impl<'a, const LEVELS: usize> Steps<'a, LEVELS> {
    fn new(
        weights: &'a [f32],
        interval: WeightInterval,
        output: &'a mut [MaybeUninit<f32>],
    ) -> Self {
        let steps = std::array::from_fn(|below| {
            let last = last_below(below, LEVELS as u32, interval.gamma);
            (last, (below + 1) as f32 / LEVELS as f32)
        });
        Self { weights, interval, steps, output }
    }
}

/// Largest position that is quantized to level `below` or less, for a gamma other than 1.
pub(super) fn last_below(below: usize, levels: u32, gamma: f32) -> f32 {
    // The tie between two levels: t^gamma levels = below + 1/2.
    let power = (below as f64 + 0.5) / f64::from(levels);
    let tie = power.powf(1.0 / f64::from(gamma));
    let nearest = tie as f32;
    // It belongs to the even level.
    let is_below =
        f64::from(nearest) < tie || (f64::from(nearest) == tie && below.is_multiple_of(2));
    if is_below { nearest } else { nearest.next_down() }
}

impl<const LEVELS: usize> WithSimd for Steps<'_, LEVELS> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let WeightInterval { center, half_width, .. } = self.interval;
        let (lower, width) = (center - half_width, 2.0 * half_width);
        for (output, &weight) in self.output.iter_mut().zip(self.weights) {
            // NaN reaches no step, but stays.
            let t = position(weight.abs(), lower, width);
            let mut magnitude = if t.is_nan() { t } else { 0.0 };
            for (last, level) in self.steps {
                magnitude = if t > last { level } else { magnitude };
            }
            let signed = magnitude.copysign(weight);
            output.write(if weight == 0.0 { 0.0 * signed } else { signed });
        }
    }
}

struct Backward<'a, const POWER: bool, const EXPONENT: bool> {
    weights: &'a [f32],
    grad: &'a [f32],
    interval: WeightInterval,
    out: &'a mut [MaybeUninit<f32>],
}

impl<const POWER: bool, const EXPONENT: bool> WithSimd for Backward<'_, POWER, EXPONENT> {
    type Output = [f64; 3];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> [f64; 3] {
        let WeightInterval { center, half_width, gamma } = self.interval;
        let (lower, width) = (center - half_width, 2.0 * half_width);
        let guard = log2(GUARD);
        let steepest = gamma * GUARD.powf(gamma - 1.0);
        let per_width = 1.0 / width;
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
                    let power = exp2(gamma * log);
                    // t^(gamma - 1) without another power.
                    let slope = if t > GUARD { gamma * power / t } else { steepest };
                    (slope, power * log.max(guard) * LN_2)
                } else if !EXPONENT {
                    (1.0, 0.0)
                } else {
                    // ln t is still wanted where gamma is 1: the caller may be training it.
                    let log = log2(t);
                    (1.0, t * log.max(guard) * LN_2)
                };
                let inside = if live { grad * slope * per_width } else { 0.0 };
                let gradient = if t.is_nan() { t } else { inside };
                let along = gradient * 1.0f32.copysign(weight);
                out.write(gradient);
                *signed = along;
                *moment = if along == 0.0 { 0.0 } else { along * (1.0 - 2.0 * t) };
                if EXPONENT {
                    let along = grad * 1.0f32.copysign(weight) * logarithm;
                    let inside = if live { along } else { 0.0 };
                    *exponent = if t.is_nan() { t } else { inside };
                }
            }
            sums[0] += block_sum(&signed[..n]);
            sums[1] += block_sum(&moment[..n]);
            if EXPONENT {
                sums[2] += block_sum(&exponent[..n]);
            }
        }
        sums
    }
}
