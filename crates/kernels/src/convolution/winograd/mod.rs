//! Winograd's minimal filtering F(4x4, 3x3) for 3x3 kernels with stride 1.
//!
//! Each 4x4 tile of results takes 36 products per pair of channels instead of 144: image tiles and
//! weights are transformed, multiplied as 36 matrices in the register tiles of the direct
//! convolution, and transformed back.

mod transform;

use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use self::transform::{POINTS, RESULT, SIDE, load, store};
use super::ConvolutionShape;
use super::correlation::{Task as Product, lanes};
use super::pack::Panels;
use super::plan::{Class, Plan, Run};
use crate::dispatch::{dispatch, dispatch_channels, part};
use crate::pointer::{Source, Target};

/// Elements of transformed input and products that one block of tiles should not exceed.
const BLOCK: usize = 2 << 16;

/// Stands for a pixel outside the image.
const PADDING: usize = usize::MAX;

/// Input and output channels from which on the transforms are cheap beside the products.
const LEAST_CHANNELS: usize = 32;

/// True for the shapes that this algorithm computes.
pub(super) fn covers(shape: &ConvolutionShape) -> bool {
    shape.kernel == [3, 3] && shape.stride == 1 && shape.padding <= 2
}

/// Of the covered shapes, true for those on which it is faster than the direct way, as measured on a
/// Zen 4 core: enough channels, tiles that are full enough, and enough of them for the weights'
/// transform.
pub(super) fn pays(shape: &ConvolutionShape) -> bool {
    let [height, width] = shape.output_size();
    let tiles = height.div_ceil(RESULT) * width.div_ceil(RESULT);
    // Products of the direct way: taps inside the image, summed over the pixels of each axis.
    let taps = |size: usize, output: usize| -> usize {
        let inside = |at: usize| (shape.padding..shape.padding + size).contains(&at);
        (0..output).map(|pixel| (pixel..pixel + 3).filter(|&at| inside(at)).count()).sum()
    };
    let direct = taps(shape.height, height) * taps(shape.width, width);
    let (least, most) =
        (shape.in_channels.min(shape.out_channels), shape.in_channels.max(shape.out_channels));
    least >= LEAST_CHANNELS && 2 * direct >= 3 * POINTS * tiles && 2 * shape.batch * tiles >= most
}

pub(super) fn forward(
    shape: &ConvolutionShape,
    input: &[f32],
    weights: &[f32],
    output: &mut [f32],
) {
    let transformed = transform_weights(shape, weights, false);
    let panels = Panels::forward(&square(shape), &transformed, lanes(shape.out_channels));
    let [height, width] = shape.output_size();
    let geometry = Geometry {
        batch: shape.batch,
        source: [shape.height, shape.width, shape.in_channels],
        target: [height, width, shape.out_channels],
        padding: shape.padding,
    };
    geometry.run(&panels, input, output);
}

pub(super) fn backward_input(
    shape: &ConvolutionShape,
    grad_output: &[f32],
    weights: &[f32],
    grad_input: &mut [f32],
) {
    let transformed = transform_weights(shape, weights, true);
    let panels = Panels::backward(&square(shape), &transformed, lanes(shape.in_channels));
    let [height, width] = shape.output_size();
    let geometry = Geometry {
        batch: shape.batch,
        source: [height, width, shape.out_channels],
        target: [shape.height, shape.width, shape.in_channels],
        padding: 2 - shape.padding,
    };
    geometry.run(&panels, grad_output, grad_input);
}

/// The shape that transformed weights have.
fn square(shape: &ConvolutionShape) -> ConvolutionShape {
    ConvolutionShape { kernel: [SIDE; 2], ..*shape }
}

/// Weights `[3, 3, in, out]` to `[6, 6, in, out]`. With `reversed`, the taps are read in reverse, as
/// the input's gradient needs them, and the points written in reverse, because packing for that
/// gradient turns them round again.
fn transform_weights(shape: &ConvolutionShape, weights: &[f32], reversed: bool) -> Vec<f32> {
    let size = shape.in_channels * shape.out_channels;
    let mut transformed = vec![0.0; POINTS * size];
    dispatch(TransformWeights { weights, size, reversed, transformed: &mut transformed });
    transformed
}

struct TransformWeights<'a> {
    weights: &'a [f32],
    size: usize,
    reversed: bool,
    transformed: &'a mut [f32],
}

impl WithSimd for TransformWeights<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { weights, size, reversed, transformed } = self;
        for first in (0..size).step_by(S::F32_LANES) {
            let range = first..(first + S::F32_LANES).min(size);
            let mut taps = [[simd.splat_f32s(0.0); 3]; 3];
            for (tap, value) in taps.as_flattened_mut().iter_mut().enumerate() {
                let tap = if reversed { 8 - tap } else { tap };
                *value = load(simd, &weights[tap * size..][range.clone()]);
            }
            let points = transform::weight(simd, &taps);
            for (point, &value) in points.as_flattened().iter().enumerate() {
                let point = if reversed { POINTS - 1 - point } else { point };
                store(simd, &mut transformed[point * size..][range.clone()], value);
            }
        }
    }
}

/// Source and target images, `[height, width, channels]` each.
struct Geometry {
    batch: usize,
    source: [usize; 3],
    target: [usize; 3],
    padding: usize,
}

impl Geometry {
    /// Tiles down and across an image.
    fn tiles(&self) -> [usize; 2] {
        [self.target[0].div_ceil(RESULT), self.target[1].div_ceil(RESULT)]
    }

    /// Every target element is computed in one task, in an order that no partition changes.
    fn run(&self, panels: &Panels, source: &[f32], target: &mut [f32]) {
        let target_image: usize = self.target.iter().product();
        let parts = rayon::current_num_threads().min(self.batch);
        let mut pieces = Vec::new();
        let mut rest = target;
        for index in 0..parts {
            let images = part(self.batch, parts, index);
            let (piece, after) = rest.split_at_mut(images.len() * target_image);
            pieces.push((images, piece));
            rest = after;
        }
        let task = |(images, target): (Range<usize>, &mut [f32])| {
            let source_image: usize = self.source.iter().product();
            let source = &source[images.start * source_image..images.end * source_image];
            let images = images.len();
            dispatch_channels(
                panels.channels,
                Task { geometry: self, panels, images, source, target },
            );
        };
        if parts == 1 {
            pieces.into_iter().for_each(task);
        } else {
            pieces.into_par_iter().for_each(task);
        }
    }
}

/// Some whole images.
struct Task<'a> {
    geometry: &'a Geometry,
    panels: &'a Panels,
    images: usize,
    source: &'a [f32],
    target: &'a mut [f32],
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { geometry, panels, images, source, target } = self;
        let [.., from] = geometry.source;
        let [.., to] = geometry.target;
        let [down, across] = geometry.tiles();
        let total = images * down * across;
        let block = (BLOCK / (POINTS * (from + to)) / 12).max(1) * 12;
        let block = block.min(total);
        let mut points = vec![0.0f32; POINTS * block * from];
        let mut products = vec![0.0f32; POINTS * block * to];
        let mut plan = matrices(block, from, to);
        for first in (0..total).step_by(block) {
            let count = block.min(total - first);
            if count < block {
                plan = matrices(count, from, to);
            }
            for tile in 0..count {
                let place = Place::new(first + tile, down, across);
                let points = &mut points[tile * from..];
                simd.vectorize(Input { geometry, place, source, points, step: count * from });
            }
            let product = Product {
                plan: &plan,
                panels,
                source: Source::new(&points),
                target: Target::new(&mut products),
                source_image: 0,
                target_image: 0,
                images: 0..1,
                range: 0..panels.count(),
            };
            product.with_simd(simd);
            for tile in 0..count {
                let place = Place::new(first + tile, down, across);
                let products = &products[tile * to..];
                simd.vectorize(Output { geometry, place, products, step: count * to, target });
            }
        }
    }
}

/// The 36 products of matrices, `[tiles, from]` by `[from, to]` each, as a plan of the direct
/// convolution: one class per point, one pixel per tile.
fn matrices(tiles: usize, from: usize, to: usize) -> Plan {
    let class = |point: usize| Class {
        runs: vec![Run { source: 0, row: point * from, length: from }],
        pixels: (point * tiles..(point + 1) * tiles)
            .map(|row| ((row * from) as isize, row * to))
            .collect(),
    };
    Plan { classes: (0..POINTS).map(class).collect() }
}

/// A tile of results.
#[derive(Clone, Copy)]
struct Place {
    image: usize,
    top: usize,
    left: usize,
}

impl Place {
    fn new(tile: usize, down: usize, across: usize) -> Self {
        let (image, tile) = (tile / (down * across), tile % (down * across));
        Self { image, top: tile / across * RESULT, left: tile % across * RESULT }
    }
}

/// Transforms the pixels that a tile of results depends on.
struct Input<'a> {
    geometry: &'a Geometry,
    place: Place,
    source: &'a [f32],
    points: &'a mut [f32],
    /// Elements from one point to the next.
    step: usize,
}

impl WithSimd for Input<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { geometry, place, source, points, step } = self;
        let [height, width, channels] = geometry.source;
        // Start of each pixel, or `PADDING`.
        let mut pixels = [[PADDING; SIDE]; SIDE];
        for (y, row) in pixels.iter_mut().enumerate() {
            let y = (place.top + y).wrapping_sub(geometry.padding);
            for (x, start) in row.iter_mut().enumerate() {
                let x = (place.left + x).wrapping_sub(geometry.padding);
                if y < height && x < width {
                    *start = ((place.image * height + y) * width + x) * channels;
                }
            }
        }
        let zero = simd.splat_f32s(0.0);
        for channel in (0..channels).step_by(S::F32_LANES) {
            let end = (channel + S::F32_LANES).min(channels);
            let mut values = [[zero; SIDE]; SIDE];
            let starts = pixels.as_flattened();
            for (value, &start) in values.as_flattened_mut().iter_mut().zip(starts) {
                if start != PADDING {
                    *value = load(simd, &source[start + channel..start + end]);
                }
            }
            let values = transform::input(simd, &values);
            for (point, &value) in values.as_flattened().iter().enumerate() {
                let at = point * step;
                store(simd, &mut points[at + channel..at + end], value);
            }
        }
    }
}

/// Transforms the products of a tile back and writes the results that lie inside the image.
struct Output<'a> {
    geometry: &'a Geometry,
    place: Place,
    products: &'a [f32],
    /// Elements from one point to the next.
    step: usize,
    target: &'a mut [f32],
}

impl WithSimd for Output<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { geometry, place, products, step, target } = self;
        let [height, width, channels] = geometry.target;
        for channel in (0..channels).step_by(S::F32_LANES) {
            let end = (channel + S::F32_LANES).min(channels);
            let mut values = [[simd.splat_f32s(0.0); SIDE]; SIDE];
            for (point, value) in values.as_flattened_mut().iter_mut().enumerate() {
                *value = load(simd, &products[point * step + channel..point * step + end]);
            }
            let values = transform::result(simd, &values);
            for (y, values) in values.into_iter().enumerate() {
                for (x, value) in values.into_iter().enumerate() {
                    let (row, column) = (place.top + y, place.left + x);
                    if row < height && column < width {
                        let at = ((place.image * height + row) * width + column) * channels;
                        store(simd, &mut target[at + channel..at + end], value);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pays_for(batch: usize, size: usize, channels: usize) -> bool {
        pays(&ConvolutionShape {
            batch,
            height: size,
            width: size,
            in_channels: channels,
            out_channels: channels,
            kernel: [3, 3],
            stride: 1,
            padding: 1,
        })
    }

    #[test]
    fn is_chosen_for_full_tiles_and_enough_channels_and_tiles() {
        assert!(pays_for(64, 14, 32) && pays_for(64, 7, 64) && pays_for(64, 4, 128));
        assert!(!pays_for(64, 28, 16), "few channels");
        assert!(!pays_for(64, 5, 64) && !pays_for(64, 2, 64), "mostly empty tiles");
        assert!(!pays_for(64, 4, 256), "few tiles for the weights");
    }
}
