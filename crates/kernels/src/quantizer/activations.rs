//! Activation quantizer: equation 5 and its derivative.

use std::mem::MaybeUninit;

use pulp::{Simd, WithSimd};

use super::{ActivationGradients, ActivationInterval, discretize, factor, position};
use crate::blocks::{BLOCK, block_sum, map, map_sum, same_length};
use crate::dispatch::dispatch;
use crate::fresh::{initialized, uninitialized, vector};

/// Quantizes activations to multiples of `1 / levels` in [0, 1].
///
/// `levels` is `2^bits - 1`. Input and output have the same length, which may be zero.
///
/// # Panics
/// If the lengths differ or `levels` is zero.
pub fn quantize_activations(
    input: &[f32],
    interval: ActivationInterval,
    levels: u32,
    output: &mut [f32],
) {
    // SAFETY: the pass writes initialized elements only.
    write(input, interval, levels, unsafe { uninitialized(output) });
}

/// [`quantize_activations`] to a new vector, whose memory is written once only.
///
/// # Panics
/// If `levels` is zero.
pub fn quantize_activations_to_vec(
    input: &[f32],
    interval: ActivationInterval,
    levels: u32,
) -> Vec<f32> {
    // SAFETY: the pass writes every element.
    unsafe { vector(input.len(), |output| write(input, interval, levels, output)).0 }
}

fn write(
    input: &[f32],
    interval: ActivationInterval,
    levels: u32,
    output: &mut [MaybeUninit<f32>],
) {
    same_length("the output", output.len(), "the input", input.len());
    let levels = factor(levels);
    map(input, output, |input, output| {
        dispatch(Forward { input, interval, levels, output });
    });
}

/// Backward pass of [`quantize_activations`].
///
/// Writes dL/dx to `grad_input` and returns the gradients of the interval, each summed over all
/// elements: `dL/dx = g m / (2d)`, `dL/dc = -sum(g m / (2d))`, `dL/dd = sum(g m (1 - 2t) / (2d))`
/// with `m = 1` where `0 < t < 1`.
///
/// # Panics
/// If the three lengths differ.
pub fn quantize_activations_backward(
    input: &[f32],
    grad_output: &[f32],
    interval: ActivationInterval,
    grad_input: &mut [f32],
) -> ActivationGradients {
    // SAFETY: the pass writes initialized elements only.
    write_backward(input, grad_output, interval, unsafe { uninitialized(grad_input) })
}

/// [`quantize_activations_backward`] to a new vector, whose memory is written once only.
///
/// # Panics
/// If the two lengths differ.
pub fn quantize_activations_backward_to_vec(
    input: &[f32],
    grad_output: &[f32],
    interval: ActivationInterval,
) -> (Vec<f32>, ActivationGradients) {
    let write = |to: &mut [_]| write_backward(input, grad_output, interval, to);
    // SAFETY: the pass writes every element.
    unsafe { vector(input.len(), write) }
}

fn write_backward(
    input: &[f32],
    grad_output: &[f32],
    interval: ActivationInterval,
    grad_input: &mut [MaybeUninit<f32>],
) -> ActivationGradients {
    same_length("the output's gradient", grad_output.len(), "the input", input.len());
    same_length("the input's gradient", grad_input.len(), "the input", input.len());
    let [center, half_width] = map_sum(input, grad_output, grad_input, |input, grad, out| {
        dispatch(Backward { input, grad, interval, out })
    });
    ActivationGradients { center: -center as f32, half_width: half_width as f32 }
}

struct Forward<'a> {
    input: &'a [f32],
    interval: ActivationInterval,
    levels: f32,
    output: &'a mut [MaybeUninit<f32>],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let ActivationInterval { center, half_width } = self.interval;
        let (lower, width, levels) = (center - half_width, 2.0 * half_width, self.levels);
        for (output, &input) in self.output.iter_mut().zip(self.input) {
            output.write(discretize(position(input, lower, width).clamp(0.0, 1.0), levels));
        }
    }
}

struct Backward<'a> {
    input: &'a [f32],
    grad: &'a [f32],
    interval: ActivationInterval,
    out: &'a mut [MaybeUninit<f32>],
}

impl WithSimd for Backward<'_> {
    type Output = [f64; 2];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> [f64; 2] {
        let ActivationInterval { center, half_width } = self.interval;
        let (lower, width) = (center - half_width, 2.0 * half_width);
        let mut moment = [0.0f32; BLOCK];
        let mut sums = [0.0f64; 2];
        let blocks = self.input.chunks(BLOCK).zip(self.grad.chunks(BLOCK));
        for ((input, grad), out) in blocks.zip(self.out.chunks_mut(BLOCK)) {
            let moment = &mut moment[..input.len()];
            for (((&input, &grad), out), moment) in
                input.iter().zip(grad).zip(out.iter_mut()).zip(moment.iter_mut())
            {
                let t = position(input, lower, width);
                let inside = if t > 0.0 && t < 1.0 { grad / width } else { 0.0 };
                let slope = if t.is_nan() { t } else { inside };
                out.write(slope);
                *moment = if slope == 0.0 { 0.0 } else { slope * (1.0 - 2.0 * t) };
            }
            // SAFETY: the loop above has written every element.
            sums[0] += block_sum(unsafe { initialized(out) });
            sums[1] += block_sum(moment);
        }
        sums
    }
}
