//! Two-dimensional convolution without bias: forward, gradient of the input, gradient of the weights.
//!
//! Direct convolution in register tiles; nothing the size of an im2col matrix is ever stored, except
//! for the weight gradient of layers with fewer than four input channels. Activations are NHWC,
//! weights HWIO. As everywhere in deep learning this is a cross-correlation: the kernel is not
//! flipped.

mod correlation;
mod pack;
mod plan;
mod tile;
mod weight_gradient;
mod winograd;

pub(crate) use correlation::lanes;

use std::mem::MaybeUninit;

use crate::blocks::same_length;
use crate::fresh::{uninitialized, vector};

/// Sizes of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConvolutionShape {
    /// Images.
    pub batch: usize,
    /// Height of the input, in pixels.
    pub height: usize,
    /// Width of the input, in pixels.
    pub width: usize,
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// Step between output pixels, the same in both directions; positive.
    pub stride: usize,
    /// Zeros around the input, the same on all four sides.
    pub padding: usize,
}

impl ConvolutionShape {
    /// Height and width of the output.
    ///
    /// # Panics
    /// If the stride or the kernel is zero, or the kernel is larger than the padded input.
    #[track_caller]
    pub fn output_size(&self) -> [usize; 2] {
        assert!(self.stride > 0, "a convolution needs a positive stride");
        let axis = |name: &str, size: usize, kernel: usize| {
            let padded = size + 2 * self.padding;
            assert!(
                kernel > 0 && kernel <= padded,
                "a kernel of {kernel} does not fit into a padded {name} of {padded}"
            );
            (padded - kernel) / self.stride + 1
        };
        [axis("height", self.height, self.kernel[0]), axis("width", self.width, self.kernel[1])]
    }

    /// Elements of the input, `[batch, height, width, in_channels]`.
    pub fn input_length(&self) -> usize {
        self.batch * self.height * self.width * self.in_channels
    }

    /// Elements of the weights, `[kernel[0], kernel[1], in_channels, out_channels]`.
    pub fn weight_length(&self) -> usize {
        self.taps() * self.in_channels * self.out_channels
    }

    /// Elements of the output, `[batch, output_size[0], output_size[1], out_channels]`.
    ///
    /// # Panics
    /// As [`output_size`](Self::output_size).
    #[track_caller]
    pub fn output_length(&self) -> usize {
        let [height, width] = self.output_size();
        self.batch * height * width * self.out_channels
    }

    /// Floating-point operations of one pass, a multiplication and an addition counting as two and
    /// those with padding counted too.
    ///
    /// # Panics
    /// As [`output_size`](Self::output_size).
    #[track_caller]
    pub fn operations(&self) -> u64 {
        2 * (self.output_length() * self.taps() * self.in_channels) as u64
    }

    /// The faster algorithm for a pass over this shape: a rule from measurements, a function of the
    /// shape and of the instruction set alone.
    ///
    /// # Panics
    /// As [`output_size`](Self::output_size).
    #[track_caller]
    pub fn fastest(&self, pass: Pass) -> Algorithm {
        match winograd::covers(self) && winograd::pays(self, pass) {
            true => Algorithm::Winograd,
            false => Algorithm::Direct,
        }
    }

    /// Whether [`Algorithm::Winograd`] is faster than [`Algorithm::Direct`] in the forward pass; see
    /// [`fastest`](Self::fastest) for the other passes.
    ///
    /// # Panics
    /// As [`output_size`](Self::output_size).
    #[track_caller]
    pub fn winograd_pays(&self) -> bool {
        self.fastest(Pass::Forward) == Algorithm::Winograd
    }

    fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// True if there is nothing to compute: some slice is empty.
    fn is_empty(&self) -> bool {
        self.batch == 0 || self.in_channels == 0 || self.out_channels == 0
    }
}

/// What is computed from what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pass {
    /// Output from input and weights.
    Forward,
    /// Gradient of the input from that of the output and the weights.
    InputGradient,
    /// Gradient of the weights from the input and the gradient of the output.
    WeightGradient,
}

/// Way to compute a convolution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Sums of products, with the usual rounding error.
    #[default]
    Direct,
    /// Winograd's F(4x4, 3x3) and F(2x2, 5x5) wherever they compute a shape: 3x3 and 5x5 kernels,
    /// stride 1, padding below the kernel. All else is [`Direct`].
    ///
    /// Rounding errors are about five times larger on average and more at most: with 32 to 256
    /// channels and random numbers, a root mean square of 1e-6 to 3e-6 and a largest error of 1e-5
    /// to 7e-5 of the results' root mean square were measured, in all three passes. Whether it is
    /// faster depends on the shape.
    ///
    /// [`Direct`]: Algorithm::Direct
    Winograd,
    /// Whichever of the two is faster for the pass and shape: [`ConvolutionShape::fastest`].
    Fastest,
}

impl Algorithm {
    /// Whether a pass over a shape is computed by Winograd's algorithm.
    fn is_winograd(self, shape: &ConvolutionShape, pass: Pass) -> bool {
        match self {
            Self::Direct => false,
            Self::Winograd => winograd::covers(shape),
            Self::Fastest => shape.fastest(pass) == Self::Winograd,
        }
    }
}

/// [`forward`] with a choice of algorithm.
///
/// # Panics
/// As [`forward`].
#[track_caller]
pub fn forward_with(
    algorithm: Algorithm,
    shape: &ConvolutionShape,
    input: &[f32],
    weights: &[f32],
    output: &mut [f32],
) {
    same_length("the output", output.len(), "the shape", shape.output_length());
    // SAFETY: passes write initialized elements only.
    write_output(algorithm, shape, input, weights, unsafe { uninitialized(output) });
}

/// [`forward_with`] to a new vector, whose memory is written once only.
///
/// # Panics
/// As [`forward`].
#[track_caller]
pub fn forward_to_vec(
    algorithm: Algorithm,
    shape: &ConvolutionShape,
    input: &[f32],
    weights: &[f32],
) -> Vec<f32> {
    let write = |output: &mut [_]| write_output(algorithm, shape, input, weights, output);
    // SAFETY: passes write every element.
    unsafe { vector(shape.output_length(), write).0 }
}

#[track_caller]
fn write_output(
    algorithm: Algorithm,
    shape: &ConvolutionShape,
    input: &[f32],
    weights: &[f32],
    output: &mut [MaybeUninit<f32>],
) {
    same_length("the input", input.len(), "the shape", shape.input_length());
    same_length("the weights", weights.len(), "the shape", shape.weight_length());
    if shape.is_empty() {
        output.fill(MaybeUninit::new(0.0));
    } else if algorithm.is_winograd(shape, Pass::Forward) {
        winograd::forward(shape, input, weights, output);
    } else {
        correlation::forward(shape, input, weights, output);
    }
}

/// [`backward_input`] with a choice of algorithm.
///
/// # Panics
/// As [`backward_input`].
#[track_caller]
pub fn backward_input_with(
    algorithm: Algorithm,
    shape: &ConvolutionShape,
    grad_output: &[f32],
    weights: &[f32],
    grad_input: &mut [f32],
) {
    same_length("the input's gradient", grad_input.len(), "the shape", shape.input_length());
    // SAFETY: passes write initialized elements only.
    write_grad_input(algorithm, shape, grad_output, weights, unsafe { uninitialized(grad_input) });
}

/// [`backward_input_with`] to a new vector, whose memory is written once only.
///
/// # Panics
/// As [`backward_input`].
#[track_caller]
pub fn backward_input_to_vec(
    algorithm: Algorithm,
    shape: &ConvolutionShape,
    grad_output: &[f32],
    weights: &[f32],
) -> Vec<f32> {
    let write = |to: &mut [_]| write_grad_input(algorithm, shape, grad_output, weights, to);
    // SAFETY: passes write every element.
    unsafe { vector(shape.input_length(), write).0 }
}

#[track_caller]
fn write_grad_input(
    algorithm: Algorithm,
    shape: &ConvolutionShape,
    grad_output: &[f32],
    weights: &[f32],
    grad_input: &mut [MaybeUninit<f32>],
) {
    same_length("the output's gradient", grad_output.len(), "the shape", shape.output_length());
    same_length("the weights", weights.len(), "the shape", shape.weight_length());
    if shape.is_empty() {
        grad_input.fill(MaybeUninit::new(0.0));
    } else if algorithm.is_winograd(shape, Pass::InputGradient) {
        winograd::backward_input(shape, grad_output, weights, grad_input);
    } else {
        correlation::backward_input(shape, grad_output, weights, grad_input);
    }
}

/// [`backward_weight`] with a choice of algorithm.
///
/// # Panics
/// As [`backward_weight`].
#[track_caller]
pub fn backward_weight_with(
    algorithm: Algorithm,
    shape: &ConvolutionShape,
    input: &[f32],
    grad_output: &[f32],
    grad_weights: &mut [f32],
) {
    same_length("the weights' gradient", grad_weights.len(), "the shape", shape.weight_length());
    // SAFETY: passes write initialized elements only.
    write_grad_weights(algorithm, shape, input, grad_output, unsafe {
        uninitialized(grad_weights)
    });
}

/// [`backward_weight_with`] to a new vector, whose memory is written once only.
///
/// # Panics
/// As [`backward_weight`].
#[track_caller]
pub fn backward_weight_to_vec(
    algorithm: Algorithm,
    shape: &ConvolutionShape,
    input: &[f32],
    grad_output: &[f32],
) -> Vec<f32> {
    let write = |to: &mut [_]| write_grad_weights(algorithm, shape, input, grad_output, to);
    // SAFETY: passes write every element.
    unsafe { vector(shape.weight_length(), write).0 }
}

#[track_caller]
fn write_grad_weights(
    algorithm: Algorithm,
    shape: &ConvolutionShape,
    input: &[f32],
    grad_output: &[f32],
    grad_weights: &mut [MaybeUninit<f32>],
) {
    same_length("the input", input.len(), "the shape", shape.input_length());
    same_length("the output's gradient", grad_output.len(), "the shape", shape.output_length());
    if shape.is_empty() {
        grad_weights.fill(MaybeUninit::new(0.0));
    } else if algorithm.is_winograd(shape, Pass::WeightGradient) {
        winograd::backward_weight(shape, input, grad_output, grad_weights);
    } else {
        weight_gradient::run(shape, input, grad_output, grad_weights);
    }
}

/// Convolution: writes all of `output`. Padding costs no time.
///
/// # Panics
/// If a slice's length contradicts `shape`, or as [`ConvolutionShape::output_size`].
#[track_caller]
pub fn forward(shape: &ConvolutionShape, input: &[f32], weights: &[f32], output: &mut [f32]) {
    forward_with(Algorithm::Direct, shape, input, weights, output);
}

/// Gradient of the loss with respect to the input: writes all of `grad_input`.
///
/// # Panics
/// If a slice's length contradicts `shape`, or as [`ConvolutionShape::output_size`].
#[track_caller]
pub fn backward_input(
    shape: &ConvolutionShape,
    grad_output: &[f32],
    weights: &[f32],
    grad_input: &mut [f32],
) {
    backward_input_with(Algorithm::Direct, shape, grad_output, weights, grad_input);
}

/// Gradient of the loss with respect to the weights: writes all of `grad_weights`.
///
/// Sums over the batch are taken in parts that depend on the shape alone.
///
/// # Panics
/// If a slice's length contradicts `shape`, or as [`ConvolutionShape::output_size`].
#[track_caller]
pub fn backward_weight(
    shape: &ConvolutionShape,
    input: &[f32],
    grad_output: &[f32],
    grad_weights: &mut [f32],
) {
    backward_weight_with(Algorithm::Direct, shape, input, grad_output, grad_weights);
}
