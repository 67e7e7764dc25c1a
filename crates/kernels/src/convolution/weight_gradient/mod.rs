//! Gradient of the weights: for every tap, a product over pixels of input and output gradient.
//!
//! Both are first copied into strips of a few channels (input) or two vectors of them (gradient),
//! `[strip][pixel][image][channel]` for a group of images, so that the products of a strip run
//! through memory in order and stay in the nearest caches, and small images still make long runs.
//! Layers with few input channels or large images read [`windows`] instead.
//!
//! Neither the parts that sums are taken in nor their order depend on the number of threads.

mod pack;
mod tile;
mod windows;

use std::mem::MaybeUninit;
use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use self::pack::{PackInput, PackOutput};
use self::tile::TileOf;
use super::ConvolutionShape;
use crate::dispatch::{dispatch_channels, part};
use crate::fresh::initialized;
use crate::pointer::Target;
use crate::scratch::Scratch;
use crate::tasks::each;

/// Elements of the two packed copies of one group of images: fits L2.
const GROUP: usize = 1 << 16;

/// The same where the sums are many and passing over them costs more than leaving L2.
const GROUP_FOR_MANY_SUMS: usize = 1 << 18;

/// Sums from which on they are many.
const MANY_SUMS: usize = 1 << 20;

/// Most pixels of a group, output pixels times images, that longer runs pay for.
const GROUP_PIXELS: usize = 512;

/// Weights from which on tasks share the input instead of each having weights of its own.
const SHARED_WEIGHTS: usize = 1 << 18;

/// Sums that all parts of the batch together should not exceed.
const PARTIAL_SUMS: usize = 1 << 19;

/// Most parts of the batch.
const PARTS: usize = 8;

/// Input channels below which windows are read in place, whatever the image.
const FEW_CHANNELS: usize = 4;

/// Output pixels from which on windows are read in place: products with padding weigh little.
const MANY_PIXELS: usize = 64;

/// Channels of a block, whole vectors on every instruction set.
const BLOCK: usize = 32;

/// Writes the gradient to `grad_weights`.
pub(super) fn run(
    shape: &ConvolutionShape,
    input: &[f32],
    grad_output: &[f32],
    grad_weights: &mut [MaybeUninit<f32>],
) {
    let [height, width] = shape.output_size();
    let large = height * width >= MANY_PIXELS && grad_weights.len() < SHARED_WEIGHTS;
    if shape.taps() > 1 && (shape.in_channels < FEW_CHANNELS || large) {
        return windows::run(shape, input, grad_output, grad_weights);
    }
    let work = Work {
        shape,
        output_pixels: height * width,
        output_width: width,
        pointwise: shape.taps() == 1,
        input,
        grad_output,
    };
    let channels = shape.out_channels;
    if grad_weights.len() >= SHARED_WEIGHTS {
        let blocks = channels.div_ceil(BLOCK);
        let tasks = rayon::current_num_threads().min(blocks);
        let to = Target::new(grad_weights);
        return each(tasks, |index| {
            let blocks = part(blocks, tasks, index);
            let own = blocks.start * BLOCK..(blocks.end * BLOCK).min(channels);
            let sums = Sums { start: to.at(own.start), stride: channels };
            work.run(0..shape.batch, own, sums);
        });
    }
    let (count, length) = (parts(shape), grad_weights.len());
    let mut sums = Scratch::new(count * length);
    let start = Target::of(sums.start());
    each(count, |index| {
        let sums = Sums { start: start.at(index * length), stride: channels };
        work.run(part(shape.batch, count, index), 0..channels, sums);
    });
    add_parts(start, count, length, channels, channels, grad_weights);
}

/// Parts of the batch that have sums of their own.
fn parts(shape: &ConvolutionShape) -> usize {
    (PARTIAL_SUMS / shape.weight_length()).clamp(2, PARTS).min(shape.batch)
}

/// Adds up `parts` of `length` sums each, in rows of `stride` of which `channels` count.
fn add_parts(
    start: Target,
    parts: usize,
    length: usize,
    stride: usize,
    channels: usize,
    to: &mut [MaybeUninit<f32>],
) {
    /// Rows of a task.
    const ROWS: usize = 64;
    to.par_chunks_mut(ROWS * channels).enumerate().for_each(|(index, to)| {
        for (row, to) in to.chunks_exact_mut(channels).enumerate() {
            let of = |part: usize| {
                let from = start.at(part * length + (index * ROWS + row) * stride);
                // SAFETY: each part has a row of `channels` sums, written by a task that has ended,
                // for every row of the gradient.
                unsafe { std::slice::from_raw_parts(from.cast_const(), channels) }
            };
            for (to, &from) in to.iter_mut().zip(of(0)) {
                to.write(from);
            }
            // SAFETY: every element of the row has been written.
            let to = unsafe { initialized(to) };
            for part in 1..parts {
                for (to, &from) in to.iter_mut().zip(of(part)) {
                    *to += from;
                }
            }
        }
    });
}

/// Where sums go, a row of output channels for each tap and input channel.
#[derive(Clone, Copy)]
struct Sums {
    start: *mut f32,
    /// Elements from one row to the next.
    stride: usize,
}

struct Work<'a> {
    shape: &'a ConvolutionShape,
    output_pixels: usize,
    output_width: usize,
    /// A 1x1 kernel: only the pixels that meet an output pixel are packed.
    pointwise: bool,
    input: &'a [f32],
    grad_output: &'a [f32],
}

impl Work<'_> {
    /// Writes the sums of some images for some output channels.
    fn run(&self, images: Range<usize>, channels: Range<usize>, sums: Sums) {
        dispatch_channels(self.shape.out_channels, Task { work: self, images, channels, sums });
    }

    /// Pixels of the packed input.
    fn input_pixels(&self) -> usize {
        if self.pointwise { self.output_pixels } else { self.shape.height * self.shape.width }
    }

    /// Runs of one tap for a group of `count` images, in units of packed pixels.
    fn runs(&self, tap: usize, count: usize) -> Vec<PixelRun> {
        if self.pointwise {
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
    sums: Sums,
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { work, images, channels, sums } = self;
        let lanes = S::F32_LANES;
        let most = if S::REGISTER_COUNT >= 32 { 8 } else { 6 };
        let depth = work.shape.in_channels;
        let strips = depth.div_ceil(most);
        let columns = channels.len().div_ceil(2 * lanes);
        let padded = channels.len().next_multiple_of(lanes);
        let all = work.shape.out_channels.next_multiple_of(BLOCK);
        let per_image = work.input_pixels() * depth + work.output_pixels * all;
        let many = work.shape.weight_length() >= MANY_SUMS;
        let room = if many { GROUP_FOR_MANY_SUMS } else { GROUP };
        let group = (room / per_image).min(GROUP_PIXELS / work.output_pixels).max(1);
        let group = group.min(images.len());
        let mut inputs = vec![0.0f32; work.input_pixels() * depth * group];
        let mut outputs = vec![0.0f32; work.output_pixels * padded * group];
        let mut runs: Vec<Vec<PixelRun>> = Vec::new();
        let mut runs_for = 0;
        for first in images.clone().step_by(group) {
            let count = group.min(images.end - first);
            if count != runs_for {
                runs = (0..work.shape.taps()).map(|tap| work.runs(tap, count)).collect();
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
                            sums: sums
                                .start
                                .wrapping_add((tap * depth + rows.start) * sums.stride + start),
                            stride: sums.stride,
                            width,
                            add: first > images.start,
                        };
                        tile.dispatch(simd, rows.len(), width > lanes);
                    }
                }
            }
        }
    }
}
