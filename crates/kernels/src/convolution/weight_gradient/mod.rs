//! Gradient of the weights: for every tap, a product over pixels of input and output gradient.
//!
//! Both are first copied into strips of a few channels (input) or two vectors of them (gradient),
//! `[strip][pixel][image][channel]` for a group of images, so that the products of a strip run
//! through memory in order and stay in the nearest caches, and small images still make long runs.

mod pack;
mod tile;

use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use self::pack::{PackInput, PackOutput};
use self::tile::TileOf;
use super::ConvolutionShape;
use crate::dispatch::{dispatch_channels, part};

/// Elements of the two packed copies of one group of images: fits L2.
const GROUP: usize = 1 << 16;

/// The same where the sums are many and passing over them costs more than leaving L2.
const GROUP_FOR_MANY_SUMS: usize = 1 << 18;

/// Sums from which on they are many.
const MANY_SUMS: usize = 1 << 20;

/// Most pixels of a group, output pixels times images, that longer runs pay for.
const GROUP_PIXELS: usize = 512;

/// Weights from which on threads share the input instead of each having weights of its own.
const SHARED_WEIGHTS: usize = 1 << 18;

/// Input channels below which patches are gathered instead of strips.
const GATHER_BELOW: usize = 4;

/// Adds the gradient to `grad_weights`.
pub(super) fn accumulate(
    shape: &ConvolutionShape,
    input: &[f32],
    grad_output: &[f32],
    grad_weights: &mut [f32],
) {
    let threads = rayon::current_num_threads();
    let [height, width] = shape.output_size();
    let work = Work {
        shape,
        output_pixels: height * width,
        output_width: width,
        gathered: shape.taps() == 1 || shape.in_channels < GATHER_BELOW,
        input,
        grad_output,
    };
    let images = 0..shape.batch;
    let channels = 0..shape.out_channels;
    if threads == 1 {
        return work.run(images, channels, grad_weights);
    }
    // Blocks of 32 channels hold whole vectors on every instruction set.
    let blocks = shape.out_channels.div_ceil(32);
    if grad_weights.len() >= SHARED_WEIGHTS && blocks >= threads {
        let columns: Vec<(Range<usize>, Vec<f32>)> = (0..threads)
            .into_par_iter()
            .map(|index| {
                let blocks = part(blocks, threads, index);
                let channels = blocks.start * 32..(blocks.end * 32).min(shape.out_channels);
                let mut part = vec![0.0; grad_weights.len() / shape.out_channels * channels.len()];
                work.run(images.clone(), channels.clone(), &mut part);
                (channels, part)
            })
            .collect();
        for (channels, part) in columns {
            let rows = grad_weights.chunks_exact_mut(shape.out_channels);
            for (row, part) in rows.zip(part.chunks_exact(channels.len())) {
                row[channels.clone()].copy_from_slice(part);
            }
        }
        return;
    }
    let parts = threads.min(shape.batch);
    let sums: Vec<Vec<f32>> = (0..parts)
        .into_par_iter()
        .map(|index| {
            let mut sum = vec![0.0; grad_weights.len()];
            work.run(part(shape.batch, parts, index), channels.clone(), &mut sum);
            sum
        })
        .collect();
    for sum in sums {
        for (total, value) in grad_weights.iter_mut().zip(sum) {
            *total += value;
        }
    }
}

struct Work<'a> {
    shape: &'a ConvolutionShape,
    output_pixels: usize,
    output_width: usize,
    /// The whole patch of an output pixel counts as its channels, and the kernel as 1x1.
    gathered: bool,
    input: &'a [f32],
    grad_output: &'a [f32],
}

impl Work<'_> {
    /// Adds the part of some images and output channels; `sum` has only those channels' columns.
    fn run(&self, images: Range<usize>, channels: Range<usize>, sum: &mut [f32]) {
        if channels.is_empty() {
            return;
        }
        dispatch_channels(channels.len(), Task { work: self, images, channels, sum });
    }

    /// Taps that the runs are counted for.
    fn taps(&self) -> usize {
        if self.gathered { 1 } else { self.shape.taps() }
    }

    /// Channels per pixel of the packed input.
    fn depth(&self) -> usize {
        self.shape.in_channels * if self.gathered { self.shape.taps() } else { 1 }
    }

    /// Pixels of the packed input.
    fn input_pixels(&self) -> usize {
        if self.gathered { self.output_pixels } else { self.shape.height * self.shape.width }
    }

    /// Runs of one tap for a group of `count` images, in units of packed pixels.
    fn runs(&self, tap: usize, count: usize) -> Vec<PixelRun> {
        if self.gathered {
            return vec![PixelRun { input: 0, output: 0, length: self.output_pixels * count }];
        }
        let shape = self.shape;
        let (down, right) = (tap / shape.kernel[1], tap % shape.kernel[1]);
        let mut runs: Vec<PixelRun> = Vec::new();
        for output in 0..self.output_pixels {
            let (y, x) = (output / self.output_width, output % self.output_width);
            let row = (y * shape.stride + down).wrapping_sub(shape.padding);
            let column = (x * shape.stride + right).wrapping_sub(shape.padding);
            if row >= shape.height || column >= shape.width {
                continue;
            }
            let input = (row * shape.width + column) * count;
            let output = output * count;
            match runs.last_mut() {
                Some(last)
                    if last.input + last.length == input && last.output + last.length == output =>
                {
                    last.length += count;
                }
                _ => runs.push(PixelRun { input, output, length: count }),
            }
        }
        runs
    }
}

/// Consecutive packed pixels of the input that meet consecutive ones of the output.
#[derive(Clone, Copy)]
struct PixelRun {
    input: usize,
    output: usize,
    length: usize,
}

struct Task<'a> {
    work: &'a Work<'a>,
    images: Range<usize>,
    channels: Range<usize>,
    sum: &'a mut [f32],
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { work, images, channels, sum } = self;
        let lanes = S::F32_LANES;
        let most = if S::REGISTER_COUNT >= 32 { 8 } else { 6 };
        let depth = work.depth();
        let strips = depth.div_ceil(most);
        let columns = channels.len().div_ceil(2 * lanes);
        let padded = channels.len().next_multiple_of(lanes);
        let per_image = work.input_pixels() * depth + work.output_pixels * padded;
        let room = if sum.len() < MANY_SUMS { GROUP } else { GROUP_FOR_MANY_SUMS };
        let group = (room / per_image).min(GROUP_PIXELS / work.output_pixels).max(1);
        let group = group.min(images.len());
        let mut inputs = vec![0.0f32; work.input_pixels() * depth * group];
        let mut outputs = vec![0.0f32; work.output_pixels * padded * group];
        let mut runs: Vec<Vec<PixelRun>> = Vec::new();
        let mut runs_for = 0;
        for first in images.clone().step_by(group) {
            let count = group.min(images.end - first);
            if count != runs_for {
                runs = (0..work.taps()).map(|tap| work.runs(tap, count)).collect();
                runs_for = count;
            }
            simd.vectorize(PackInput { work, first, count, strips, packed: &mut inputs });
            simd.vectorize(PackOutput {
                work,
                first,
                count,
                channels: channels.clone(),
                packed: &mut outputs,
            });
            for column in 0..columns {
                let start = column * 2 * lanes;
                let width = (channels.len() - start).min(2 * lanes);
                let output = &outputs[start * work.output_pixels * count..];
                for strip in 0..strips {
                    let rows = part(depth, strips, strip);
                    let input = &inputs[rows.start * work.input_pixels() * count..];
                    for (tap, runs) in runs.iter().enumerate() {
                        let tile = TileOf {
                            runs,
                            input,
                            output,
                            sum: &mut sum[(tap * depth + rows.start) * channels.len() + start..],
                            stride: channels.len(),
                            width,
                        };
                        tile.dispatch(simd, rows.len(), width > lanes);
                    }
                }
            }
        }
    }
}
