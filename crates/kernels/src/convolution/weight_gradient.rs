//! Gradient of the weights: for every tap, a product over pixels of input and output gradient.
//!
//! Both are first copied into strips of a few channels (input) or two vectors of them (gradient),
//! `[strip][pixel][image][channel]` for a group of images, so that the products of a strip run
//! through memory in order and stay in the nearest caches, and small images still make long runs.

use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::ConvolutionShape;
use crate::dispatch::{dispatch_channels, part};

/// Elements of the two packed copies of one group of images: fits L2.
const GROUP: usize = 1 << 16;

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
        let group = (GROUP / per_image).min(GROUP_PIXELS / work.output_pixels).max(1);
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

struct TileOf<'a> {
    runs: &'a [PixelRun],
    input: &'a [f32],
    output: &'a [f32],
    sum: &'a mut [f32],
    stride: usize,
    width: usize,
}

impl TileOf<'_> {
    #[inline(always)]
    fn dispatch<S: Simd>(self, simd: S, rows: usize, wide: bool) {
        match (rows, wide) {
            (1, false) => simd.vectorize(Tile::<1, 1>(self)),
            (2, false) => simd.vectorize(Tile::<2, 1>(self)),
            (3, false) => simd.vectorize(Tile::<3, 1>(self)),
            (4, false) => simd.vectorize(Tile::<4, 1>(self)),
            (5, false) => simd.vectorize(Tile::<5, 1>(self)),
            (6, false) => simd.vectorize(Tile::<6, 1>(self)),
            (7, false) => simd.vectorize(Tile::<7, 1>(self)),
            (8, false) => simd.vectorize(Tile::<8, 1>(self)),
            (1, true) => simd.vectorize(Tile::<1, 2>(self)),
            (2, true) => simd.vectorize(Tile::<2, 2>(self)),
            (3, true) => simd.vectorize(Tile::<3, 2>(self)),
            (4, true) => simd.vectorize(Tile::<4, 2>(self)),
            (5, true) => simd.vectorize(Tile::<5, 2>(self)),
            (6, true) => simd.vectorize(Tile::<6, 2>(self)),
            (7, true) => simd.vectorize(Tile::<7, 2>(self)),
            (8, true) => simd.vectorize(Tile::<8, 2>(self)),
            _ => unreachable!("strips have one to eight channels"),
        }
    }
}

/// `M` input channels by `N` vectors of output channels, summed in registers over all runs.
struct Tile<'a, const M: usize, const N: usize>(TileOf<'a>);

impl<const M: usize, const N: usize> WithSimd for Tile<'_, M, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let TileOf { runs, input, output, sum, stride, width } = self.0;
        let (input, _) = input.as_chunks::<M>();
        let lanes = S::F32_LANES;
        let mut sums = [[simd.splat_f32s(0.0); N]; M];
        for run in runs {
            let input = &input[run.input..run.input + run.length];
            let output = &output[run.output * N * lanes..(run.output + run.length) * N * lanes];
            for (pixel, values) in input.iter().enumerate() {
                let gradients: [S::f32s; N] = std::array::from_fn(|n| {
                    // SAFETY: `output` holds `N` vectors for each of the run's pixels, and the
                    // slice above has checked that.
                    unsafe {
                        output
                            .as_ptr()
                            .add((pixel * N + n) * lanes)
                            .cast::<S::f32s>()
                            .read_unaligned()
                    }
                });
                for m in 0..M {
                    let value = simd.splat_f32s(values[m]);
                    for n in 0..N {
                        sums[m][n] = simd.mul_add_e_f32s(value, gradients[n], sums[m][n]);
                    }
                }
            }
        }
        for m in 0..M {
            let row = &mut sum[m * stride..m * stride + width];
            for n in 0..N {
                let to = &mut row[(n * lanes).min(width)..((n + 1) * lanes).min(width)];
                let total = simd.add_f32s(simd.partial_load_f32s(to), sums[m][n]);
                simd.partial_store_f32s(to, total);
            }
        }
    }
}

/// Copies a group of images to `[strip][pixel][image][channel]`.
struct PackInput<'a> {
    work: &'a Work<'a>,
    first: usize,
    count: usize,
    strips: usize,
    packed: &'a mut [f32],
}

impl WithSimd for PackInput<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { work, first, count, strips, packed } = self;
        let (depth, pixels) = (work.depth(), work.input_pixels());
        for strip in 0..strips {
            let rows = part(depth, strips, strip);
            let packed = &mut packed[rows.start * pixels * count..rows.end * pixels * count];
            if work.gathered && work.shape.taps() > 1 {
                gather(work, first, count, rows, packed);
                continue;
            }
            match rows.len() {
                1 => copy::<1>(work, first, count, rows.start, packed),
                2 => copy::<2>(work, first, count, rows.start, packed),
                3 => copy::<3>(work, first, count, rows.start, packed),
                4 => copy::<4>(work, first, count, rows.start, packed),
                5 => copy::<5>(work, first, count, rows.start, packed),
                6 => copy::<6>(work, first, count, rows.start, packed),
                7 => copy::<7>(work, first, count, rows.start, packed),
                _ => copy::<8>(work, first, count, rows.start, packed),
            }
        }
    }
}

/// `M` channels from channel `start` on of every pixel that the runs use.
#[inline(always)]
fn copy<const M: usize>(work: &Work, first: usize, count: usize, start: usize, packed: &mut [f32]) {
    let shape = work.shape;
    let image_length = shape.height * shape.width * shape.in_channels;
    let (packed, _) = packed.as_chunks_mut::<M>();
    for image in 0..count {
        let from = &work.input[(first + image) * image_length..(first + image + 1) * image_length];
        if work.gathered {
            // A 1x1 kernel: only the pixels that the stride meets, zeros where it meets padding.
            for (output, to) in packed.iter_mut().skip(image).step_by(count).enumerate() {
                let (y, x) = (output / work.output_width, output % work.output_width);
                let row = (y * shape.stride).wrapping_sub(shape.padding);
                let column = (x * shape.stride).wrapping_sub(shape.padding);
                *to = [0.0; M];
                if row < shape.height && column < shape.width {
                    let at = (row * shape.width + column) * shape.in_channels + start;
                    to.copy_from_slice(&from[at..at + M]);
                }
            }
        } else {
            let pixels = from.chunks_exact(shape.in_channels);
            for (to, from) in packed.iter_mut().skip(image).step_by(count).zip(pixels) {
                to.copy_from_slice(&from[start..start + M]);
            }
        }
    }
}

/// Elements `rows` of the patch of every output pixel, zeros where it meets padding.
#[inline(always)]
fn gather(work: &Work, first: usize, count: usize, rows: Range<usize>, packed: &mut [f32]) {
    let shape = work.shape;
    let image_length = shape.height * shape.width * shape.in_channels;
    let width = rows.len();
    for (place, row) in rows.enumerate() {
        let (tap, channel) = (row / shape.in_channels, row % shape.in_channels);
        let (down, right) = (tap / shape.kernel[1], tap % shape.kernel[1]);
        for (pixel, to) in packed.chunks_exact_mut(count * width).enumerate() {
            let (y, x) = (pixel / work.output_width, pixel % work.output_width);
            let row = (y * shape.stride + down).wrapping_sub(shape.padding);
            let column = (x * shape.stride + right).wrapping_sub(shape.padding);
            let inside = row < shape.height && column < shape.width;
            for (image, to) in to.chunks_exact_mut(width).enumerate() {
                let at = (row.wrapping_mul(shape.width).wrapping_add(column))
                    .wrapping_mul(shape.in_channels)
                    .wrapping_add(channel);
                let start = (first + image) * image_length;
                to[place] = if inside { work.input[start + at] } else { 0.0 };
            }
        }
    }
}

/// Copies a group of output gradients to `[column][pixel][image][channel]`, zeros filling up the
/// last vector.
struct PackOutput<'a> {
    work: &'a Work<'a>,
    first: usize,
    count: usize,
    channels: Range<usize>,
    packed: &'a mut [f32],
}

impl WithSimd for PackOutput<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { work, first, count, channels, packed } = self;
        let lanes = S::F32_LANES;
        let (pixels, stride) = (work.output_pixels, work.shape.out_channels);
        for start in (0..channels.len()).step_by(2 * lanes) {
            let filled = (channels.len() - start).min(2 * lanes);
            let width = filled.next_multiple_of(lanes);
            let packed = &mut packed[start * pixels * count..][..width * pixels * count];
            for image in 0..count {
                let from = (first + image) * pixels * stride + channels.start + start;
                for pixel in 0..pixels {
                    let from = &work.grad_output[from + pixel * stride..][..filled];
                    let to = &mut packed[(pixel * count + image) * width..][..width];
                    for (to, from) in to.chunks_mut(lanes).zip(from.chunks(lanes)) {
                        simd.partial_store_f32s(to, simd.partial_load_f32s(from));
                    }
                }
            }
        }
    }
}
