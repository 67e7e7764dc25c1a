//! Pooling of NHWC images: maximum over windows, mean over whole images.

use std::mem::MaybeUninit;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::blocks::same_length;
use crate::dispatch::dispatch;
use crate::fresh::{initialized, uninitialized, vector};

/// Sizes of a max-pooling layer. Windows are square.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MaxPoolShape {
    /// Images.
    pub batch: usize,
    /// Height of the input, in pixels.
    pub height: usize,
    /// Width of the input, in pixels.
    pub width: usize,
    /// Channels.
    pub channels: usize,
    /// Height and width of the window.
    pub window: usize,
    /// Step between windows; positive.
    pub stride: usize,
    /// Pixels around the input that never win; less than the window.
    pub padding: usize,
}

impl MaxPoolShape {
    /// Height and width of the output.
    ///
    /// # Panics
    /// If the stride is zero, the padding is not below the window, or the window is larger than the
    /// padded input.
    #[track_caller]
    pub fn output_size(&self) -> [usize; 2] {
        assert!(self.stride > 0, "max pooling needs a positive stride");
        assert!(
            self.padding < self.window,
            "a padding of {} leaves windows of {} without a pixel",
            self.padding,
            self.window
        );
        [("height", self.height), ("width", self.width)].map(|(name, size)| {
            let padded = size + 2 * self.padding;
            assert!(
                size > 0 && self.window <= padded,
                "a window of {} does not fit into a padded {name} of {padded}",
                self.window
            );
            (padded - self.window) / self.stride + 1
        })
    }

    /// Elements of the input, `[batch, height, width, channels]`.
    pub fn input_length(&self) -> usize {
        self.batch * self.height * self.width * self.channels
    }

    /// Elements of the output, `[batch, output_size[0], output_size[1], channels]`.
    ///
    /// # Panics
    /// As [`output_size`](Self::output_size).
    #[track_caller]
    pub fn output_length(&self) -> usize {
        let [height, width] = self.output_size();
        self.batch * height * width * self.channels
    }
}

/// Maximum of every window, and the pixel (`y * width + x` of its image) that it came from: the first
/// one in reading order, or the first NaN.
///
/// # Panics
/// If a slice's length contradicts `shape`, or as [`MaxPoolShape::output_size`].
#[track_caller]
pub fn max_pool(shape: &MaxPoolShape, input: &[f32], output: &mut [f32], indices: &mut [u32]) {
    // SAFETY: the pass writes initialized elements only.
    unsafe { write_maxima(shape, input, uninitialized(output), uninitialized(indices)) };
}

/// [`max_pool`] to new vectors, whose memory is written once only.
///
/// # Panics
/// As [`max_pool`].
#[track_caller]
pub fn max_pool_to_vec(shape: &MaxPoolShape, input: &[f32]) -> (Vec<f32>, Vec<u32>) {
    let length = shape.output_length();
    // SAFETY: the pass writes every element of both.
    unsafe {
        let (output, (indices, ())) = vector(length, |output| {
            vector(length, |indices| write_maxima(shape, input, output, indices))
        });
        (output, indices)
    }
}

#[track_caller]
fn write_maxima(
    shape: &MaxPoolShape,
    input: &[f32],
    output: &mut [MaybeUninit<f32>],
    indices: &mut [MaybeUninit<u32>],
) {
    let [height, width] = shape.output_size();
    same_length("the input", input.len(), "the shape", shape.input_length());
    same_length("the output", output.len(), "the shape", shape.output_length());
    same_length("the indices", indices.len(), "the shape", shape.output_length());
    if output.is_empty() {
        return;
    }
    let line = width * shape.channels;
    output.par_chunks_mut(line).zip(indices.par_chunks_mut(line)).enumerate().for_each(
        |(line, (output, indices))| {
            let (image, y) = (line / height, line % height);
            let size = shape.height * shape.width * shape.channels;
            let input = &input[image * size..(image + 1) * size];
            dispatch(MaxPoolLine { shape, y, input, output, indices });
        },
    );
}

/// A row of output pixels.
struct MaxPoolLine<'a> {
    shape: &'a MaxPoolShape,
    y: usize,
    /// The image.
    input: &'a [f32],
    output: &'a mut [MaybeUninit<f32>],
    indices: &'a mut [MaybeUninit<u32>],
}

impl WithSimd for MaxPoolLine<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { shape, y, input, output, indices } = self;
        let channels = shape.channels;
        let rows = window(y, shape.height, shape);
        let pixels = output.chunks_exact_mut(channels).zip(indices.chunks_exact_mut(channels));
        for (x, (best, index)) in pixels.enumerate() {
            let columns = window(x, shape.width, shape);
            let first = rows.start * shape.width + columns.start;
            let values = &input[first * channels..(first + 1) * channels];
            for ((best, index), &value) in best.iter_mut().zip(index.iter_mut()).zip(values) {
                best.write(value);
                index.write(first as u32);
            }
            // SAFETY: the loop above has written every element of both.
            let (best, index) = unsafe { (initialized(best), initialized(index)) };
            for y in rows.clone() {
                for x in columns.clone() {
                    let place = y * shape.width + x;
                    let values = &input[place * channels..(place + 1) * channels];
                    let bests = best.iter_mut().zip(index.iter_mut());
                    for ((best, index), &value) in bests.zip(values) {
                        // The first of equals stays, and the first NaN. Without branches, so that
                        // vectors can do it.
                        let wins = (value > *best) | (value.is_nan() & !best.is_nan());
                        *best = if wins { value } else { *best };
                        *index = if wins { place as u32 } else { *index };
                    }
                }
            }
        }
    }
}

/// Pixels along one axis that window `position` covers.
fn window(position: usize, size: usize, shape: &MaxPoolShape) -> std::ops::Range<usize> {
    let start = position * shape.stride;
    let end = (start + shape.window).saturating_sub(shape.padding).min(size);
    start.saturating_sub(shape.padding)..end
}

/// Backward pass of [`max_pool`]: every gradient goes to the pixel that won.
///
/// # Panics
/// If a slice's length contradicts `shape`, an index lies outside its image, or as
/// [`MaxPoolShape::output_size`].
#[track_caller]
pub fn max_pool_backward(
    shape: &MaxPoolShape,
    grad_output: &[f32],
    indices: &[u32],
    grad_input: &mut [f32],
) {
    // SAFETY: the pass writes initialized elements only.
    write_max_gradient(shape, grad_output, indices, unsafe { uninitialized(grad_input) });
}

/// [`max_pool_backward`] to a new vector, whose memory is written once only.
///
/// # Panics
/// As [`max_pool_backward`].
#[track_caller]
pub fn max_pool_backward_to_vec(
    shape: &MaxPoolShape,
    grad_output: &[f32],
    indices: &[u32],
) -> Vec<f32> {
    let write = |to: &mut [_]| write_max_gradient(shape, grad_output, indices, to);
    // SAFETY: the pass writes every element.
    unsafe { vector(shape.input_length(), write).0 }
}

#[track_caller]
fn write_max_gradient(
    shape: &MaxPoolShape,
    grad_output: &[f32],
    indices: &[u32],
    grad_input: &mut [MaybeUninit<f32>],
) {
    let [height, width] = shape.output_size();
    same_length("the output's gradient", grad_output.len(), "the shape", shape.output_length());
    same_length("the indices", indices.len(), "the shape", shape.output_length());
    same_length("the input's gradient", grad_input.len(), "the shape", shape.input_length());
    if grad_input.is_empty() {
        return;
    }
    let channels = shape.channels;
    grad_input
        .par_chunks_mut(shape.height * shape.width * channels)
        .zip(grad_output.par_chunks(height * width * channels))
        .zip(indices.par_chunks(height * width * channels))
        .for_each(|((to, from), indices)| {
            to.fill(MaybeUninit::new(0.0));
            // SAFETY: every element has just been written.
            let to = unsafe { initialized(to) };
            for (from, indices) in from.chunks(channels).zip(indices.chunks(channels)) {
                for (channel, (&from, &index)) in from.iter().zip(indices).enumerate() {
                    to[index as usize * channels + channel] += from;
                }
            }
        });
}

/// Mean over all pixels of every image: `[batch, pixels, channels]` to `[batch, channels]`.
///
/// # Panics
/// If `output` is not made of whole rows of `channels`, or `input` is no whole number of pixels per
/// row of `output`.
#[track_caller]
pub fn average_pool(input: &[f32], channels: usize, output: &mut [f32]) {
    let Some(image) = image_length(input.len(), channels, output.len()) else {
        return;
    };
    let pixels = (image / channels) as f32;
    output.par_chunks_mut(channels).zip(input.par_chunks(image)).for_each(|(output, input)| {
        output.fill(0.0);
        for pixel in input.chunks(channels) {
            for (sum, &value) in output.iter_mut().zip(pixel) {
                *sum += value;
            }
        }
        for sum in output {
            *sum /= pixels;
        }
    });
}

/// Backward pass of [`average_pool`]: every pixel gets its share.
///
/// # Panics
/// As [`average_pool`], `grad_input` in the place of its input.
#[track_caller]
pub fn average_pool_backward(grad_output: &[f32], channels: usize, grad_input: &mut [f32]) {
    let Some(image) = image_length(grad_input.len(), channels, grad_output.len()) else {
        return;
    };
    let pixels = (image / channels) as f32;
    grad_input.par_chunks_mut(image).zip(grad_output.par_chunks(channels)).for_each(
        |(to, from)| {
            for pixel in to.chunks_mut(channels) {
                for (to, &from) in pixel.iter_mut().zip(from) {
                    *to = from / pixels;
                }
            }
        },
    );
}

/// Elements per image, or nothing if there is no image.
#[track_caller]
fn image_length(input: usize, channels: usize, output: usize) -> Option<usize> {
    assert!(channels > 0, "pooling needs at least one channel");
    same_length("the pooled side", output, "whole rows", output / channels * channels);
    let batch = output / channels;
    if batch == 0 {
        same_length("the images' side", input, "an empty batch", 0);
        return None;
    }
    let image = input / batch / channels * channels;
    same_length("the images' side", input, "whole images", image * batch);
    assert!(image > 0, "pooling needs at least one pixel per image");
    Some(image)
}
