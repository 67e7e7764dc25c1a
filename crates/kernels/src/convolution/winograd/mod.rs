//! Winograd's minimal filtering for 3x3 and 5x5 kernels with stride 1: F(4x4, 3x3) and F(2x2, 5x5).
//!
//! A tile of results takes 36 products per pair of channels instead of 144 or 100: tiles and weights
//! are transformed, multiplied as 36 matrices, and transformed back. The weight gradient is the
//! adjoint of the same bilinear form.

mod correlation;
mod gradient;
mod products;
mod tiling;
mod transform;
mod weights;

use std::mem::MaybeUninit;

use self::correlation::Correlation;
use self::gradient::Gradient;
use self::transform::POINTS;
use self::weights::Weights;
use super::{ConvolutionShape, Pass};
use crate::pointer::{Source, Target};

/// Input and output channels from which on the transforms are cheap beside the products.
const LEAST_CHANNELS: usize = 16;

/// The same for the weight gradient, whose direct way suffers from few channels more.
const LEAST_GRADIENT_CHANNELS: usize = 8;

/// True for the shapes that this algorithm computes.
pub(super) fn covers(shape: &ConvolutionShape) -> bool {
    let [height, width] = shape.kernel;
    height == width && matches!(height, 3 | 5) && shape.stride == 1 && shape.padding < height
}

/// Of the covered shapes, true for those on which it is faster than the direct way, as measured on a
/// Zen 4 core: enough channels, and tiles that are full enough.
pub(super) fn pays(shape: &ConvolutionShape, pass: Pass) -> bool {
    let [height, width] = shape.output_size();
    let result = 7 - shape.kernel[0];
    let tiles = height.div_ceil(result) * width.div_ceil(result);
    // Products of the direct way: taps inside the image, summed over the pixels of each axis.
    let taps = |size: usize, output: usize| -> usize {
        let inside = |at: usize| (shape.padding..shape.padding + size).contains(&at);
        let window = |pixel: usize| pixel..pixel + shape.kernel[0];
        (0..output).map(|pixel| window(pixel).filter(|&at| inside(at)).count()).sum()
    };
    let direct = taps(shape.height, height) * taps(shape.width, width);
    let enough = match pass {
        Pass::WeightGradient => LEAST_GRADIENT_CHANNELS,
        Pass::Forward | Pass::InputGradient => LEAST_CHANNELS,
    };
    shape.in_channels.min(shape.out_channels) >= enough && 2 * direct >= 3 * POINTS * tiles
}

pub(super) fn forward(
    shape: &ConvolutionShape,
    input: &[f32],
    weights: &[f32],
    output: &mut [MaybeUninit<f32>],
) {
    let weights = Weights { shape, values: weights, reversed: false };
    correlate(weights, Source::new(input), Target::new(output));
}

pub(super) fn backward_input(
    shape: &ConvolutionShape,
    grad_output: &[f32],
    weights: &[f32],
    grad_input: &mut [MaybeUninit<f32>],
) {
    let weights = Weights { shape, values: weights, reversed: true };
    correlate(weights, Source::new(grad_output), Target::new(grad_input));
}

fn correlate(weights: Weights<'_>, source: Source, target: Target) {
    match weights.shape.kernel[0] {
        3 => Correlation::<3, 4>::new(weights).run(source, target),
        _ => Correlation::<5, 2>::new(weights).run(source, target),
    }
}

pub(super) fn backward_weight(
    shape: &ConvolutionShape,
    input: &[f32],
    grad_output: &[f32],
    grad_weights: &mut [MaybeUninit<f32>],
) {
    let (input, output) = (Source::new(input), Source::new(grad_output));
    let to = Target::new(grad_weights);
    match shape.kernel[0] {
        3 => Gradient::<3, 4>::new(shape).run(input, output, to),
        _ => Gradient::<5, 2>::new(shape).run(input, output, to),
    }
}
