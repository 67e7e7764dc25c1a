//! Activation quantizer: equation 5 and its derivative.

use pulp::{Simd, WithSimd};

use super::{ActivationGradients, ActivationInterval, discretize, factor, position};
use crate::blocks::{BLOCK, block_sum, map, map_sum, same_length};
use crate::dispatch::dispatch;

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
    output: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let ActivationInterval { center, half_width } = self.interval;
        let (lower, width, levels) = (center - half_width, 2.0 * half_width, self.levels);
        for (output, &input) in self.output.iter_mut().zip(self.input) {
            *output = discretize(position(input, lower, width).clamp(0.0, 1.0), levels);
        }
    }
}

struct Backward<'a> {
    input: &'a [f32],
    grad: &'a [f32],
    interval: ActivationInterval,
    out: &'a mut [f32],
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
                *out = slope;
                *moment = if slope == 0.0 { 0.0 } else { slope * (1.0 - 2.0 * t) };
            }
            sums[0] += block_sum(out);
            sums[1] += block_sum(moment);
        }
        sums
    }
}
