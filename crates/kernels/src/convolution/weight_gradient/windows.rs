//! Weight gradient of layers with few input channels or large images.
//!
//! Bands of an image are copied with their padding. Every element of an output pixel's window then
//! lies at a fixed distance from the window's start, and the windows of neighbouring pixels at fixed
//! distances from each other: register tiles read the copy in place, whatever kernel and stride.

use std::mem::MaybeUninit;
use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::super::ConvolutionShape;
use super::super::correlation::lanes;
use super::{add_parts, parts};
use crate::dispatch::{dispatch_channels, part};
use crate::pointer::{Source, Target};
use crate::scratch::Scratch;
use crate::tasks::each;

/// Output pixels of a band: fits the nearest cache.
const BAND_PIXELS: usize = 192;

/// Most elements of a tile's windows; sums of a window are filled up to a multiple.
const TILE: usize = 24;

/// Writes the gradient.
pub(super) fn run(
    shape: &ConvolutionShape,
    input: &[f32],
    grad_output: &[f32],
    to: &mut [MaybeUninit<f32>],
) {
    let [height, width] = shape.output_size();
    let lanes = lanes(shape.out_channels);
    let rows = BAND_PIXELS.div_ceil(width).min(height);
    let work = Work {
        shape,
        height,
        width,
        rows,
        depth: shape.taps() * shape.in_channels,
        line: (shape.width + 2 * shape.padding) * shape.in_channels,
        channels: shape.out_channels.next_multiple_of(lanes),
        input,
        grad_output,
    };
    let count = parts(shape);
    let length = work.depth.next_multiple_of(TILE) * work.channels;
    let mut sums = Scratch::new(count * length);
    let start = Target::of(sums.start());
    each(count, |index| {
        let images = part(shape.batch, count, index);
        let sums = start.at(index * length);
        dispatch_channels(shape.out_channels, Task { work: &work, images, sums });
    });
    add_parts(start, count, length, work.channels, shape.out_channels, to);
}

struct Work<'a> {
    shape: &'a ConvolutionShape,
    /// Size of the output.
    height: usize,
    width: usize,
    /// Output rows of a band.
    rows: usize,
    /// Elements of a window.
    depth: usize,
    /// Elements of a padded input row.
    line: usize,
    /// Output channels, filled up to whole vectors.
    channels: usize,
    input: &'a [f32],
    grad_output: &'a [f32],
}

impl Work<'_> {
    /// Padded input rows behind so many output rows.
    fn lines(&self, rows: usize) -> usize {
        (rows - 1) * self.shape.stride + self.shape.kernel[0]
    }

    /// Copies the input rows of a band with padding.
    fn copy_input(&self, image: usize, first: usize, rows: usize, to: &mut [f32]) {
        let ConvolutionShape { height, width, in_channels, stride, padding, .. } = *self.shape;
        let row = width * in_channels;
        let input = &self.input[image * height * row..(image + 1) * height * row];
        for (index, line) in to.chunks_exact_mut(self.line).take(self.lines(rows)).enumerate() {
            let y = (first * stride + index).wrapping_sub(padding);
            if y < height {
                let from = &input[y * row..(y + 1) * row];
                line[padding * in_channels..][..row].copy_from_slice(from);
            } else {
                line.fill(0.0);
            }
        }
    }

    /// Copies the gradients of a band, zeros filling up the last vector.
    fn copy_output(&self, image: usize, first: usize, rows: usize, to: &mut [f32]) {
        let channels = self.shape.out_channels;
        let start = (image * self.height + first) * self.width * channels;
        let from = &self.grad_output[start..start + rows * self.width * channels];
        for (to, from) in to.chunks_exact_mut(self.channels).zip(from.chunks_exact(channels)) {
            to[..channels].copy_from_slice(from);
        }
    }
}

/// The sums of some images.
struct Task<'a> {
    work: &'a Work<'a>,
    images: Range<usize>,
    /// `[element of the window][output channel]`, both filled up.
    sums: *mut f32,
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { work, images, .. } = &self;
        let mut input = vec![0.0f32; work.lines(work.rows) * work.line];
        let whole = work.channels == work.shape.out_channels;
        let mut output =
            vec![0.0f32; if whole { 0 } else { work.rows * work.width * work.channels }];
        for image in images.clone() {
            for first in (0..work.height).step_by(work.rows) {
                let rows = work.rows.min(work.height - first);
                work.copy_input(image, first, rows, &mut input);
                let gradients = if whole {
                    &work.grad_output[(image * work.height + first) * work.width * work.channels..]
                } else {
                    work.copy_output(image, first, rows, &mut output);
                    &output
                };
                assert!(gradients.len() >= rows * work.width * work.channels);
                let band =
                    Band { rows, input: Source::new(&input), output: Source::new(gradients) };
                let add = image > images.start || first > 0;
                self.band(simd, &band, add);
            }
        }
    }
}

/// Some rows of an image.
struct Band {
    rows: usize,
    input: Source,
    output: Source,
}

impl Task<'_> {
    #[inline(always)]
    fn band<S: Simd>(&self, simd: S, band: &Band, add: bool) {
        let lanes = S::F32_LANES;
        let depth = self.work.depth;
        // The tile that leaves less of itself empty.
        let small = depth.next_multiple_of(8) <= depth.next_multiple_of(12);
        let mut column = 0;
        while column < self.work.channels {
            let two = column + 2 * lanes <= self.work.channels;
            match (two, S::REGISTER_COUNT >= 32, small) {
                (true, true, true) => self.column::<S, 8, 2>(simd, band, column, add),
                (true, true, false) => self.column::<S, 12, 2>(simd, band, column, add),
                (true, false, _) => self.column::<S, 6, 2>(simd, band, column, add),
                (false, _, true) => self.column::<S, 8, 1>(simd, band, column, add),
                (false, _, false) => self.column::<S, 12, 1>(simd, band, column, add),
            }
            column += if two { 2 * lanes } else { lanes };
        }
    }

    #[inline(always)]
    fn column<S: Simd, const M: usize, const N: usize>(
        &self,
        simd: S,
        band: &Band,
        column: usize,
        add: bool,
    ) {
        let work = self.work;
        let ConvolutionShape { in_channels, kernel, stride, .. } = *work.shape;
        for first in (0..work.depth).step_by(M) {
            let inputs = std::array::from_fn(|m| {
                // Sums that fill the last tile up take what is there.
                let element = (first + m).min(work.depth - 1);
                let (line, rest) =
                    (element / (kernel[1] * in_channels), element % (kernel[1] * in_channels));
                band.input.at((line * work.line + rest) as isize)
            });
            simd.vectorize(Tile::<M, N> {
                inputs,
                input_row: stride * work.line,
                input_pixel: stride * in_channels,
                output: band.output.at(column as isize),
                rows: band.rows,
                columns: work.width,
                channels: work.channels,
                sums: self.sums.wrapping_add(first * work.channels + column),
                add,
            });
        }
    }
}

/// `M` elements of the windows by `N` vectors of output channels, summed over a band.
struct Tile<const M: usize, const N: usize> {
    inputs: [*const f32; M],
    /// Elements from one output row's window to the next one's.
    input_row: usize,
    /// Elements from one output pixel's window to the next one's.
    input_pixel: usize,
    output: *const f32,
    rows: usize,
    columns: usize,
    channels: usize,
    sums: *mut f32,
    /// Whether sums are added to what stands there.
    add: bool,
}

impl<const M: usize, const N: usize> WithSimd for Tile<M, N> {
    type Output = ();

    /// The caller guarantees that the windows of `rows` times `columns` pixels and as many gradients
    /// are readable, and that `M` rows of `channels` sums, initialized if added to, are writable.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = S::F32_LANES;
        let mut sums = [[simd.splat_f32s(0.0); N]; M];
        let mut output = self.output;
        for row in 0..self.rows {
            let inputs = self.inputs.map(|input| input.wrapping_add(row * self.input_row));
            let mut pixel = 0;
            for _ in 0..self.columns {
                // SAFETY: every pixel has `N` vectors of gradients here.
                let gradients: [S::f32s; N] = std::array::from_fn(|n| unsafe {
                    output.add(n * lanes).cast::<S::f32s>().read_unaligned()
                });
                for (sums, input) in sums.iter_mut().zip(&inputs) {
                    // SAFETY: the window's element is readable.
                    let value = simd.splat_f32s(unsafe { *input.add(pixel) });
                    for (sum, &gradient) in sums.iter_mut().zip(&gradients) {
                        *sum = simd.mul_add_e_f32s(value, gradient, *sum);
                    }
                }
                pixel += self.input_pixel;
                output = output.wrapping_add(self.channels);
            }
        }
        for (m, sums) in sums.into_iter().enumerate() {
            for (n, sum) in sums.into_iter().enumerate() {
                let to = self.sums.wrapping_add(m * self.channels + n * lanes).cast::<S::f32s>();
                // SAFETY: a whole vector is writable here, and initialized where sums are added.
                unsafe {
                    let sum = match self.add {
                        true => simd.add_f32s(to.read_unaligned(), sum),
                        false => sum,
                    };
                    to.write_unaligned(sum);
                }
            }
        }
    }
}
