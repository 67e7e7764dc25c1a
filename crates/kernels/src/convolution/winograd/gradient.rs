//! Gradient of the weights.
//!
//! Tiles of the input and of the output's gradient are transformed, multiplied and summed over all
//! tiles at each of the 36 points, and the sums transformed to the gradient at the very end. A *unit*
//! is a strip of input channels by a panel of two vectors of output channels; its sums stay together.
//!
//! Where the sums are few, fixed parts of the tiles have sums of their own. Where they are many,
//! threads transform tiles together and share the units out. Neither depends on the number of threads.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::super::ConvolutionShape;
use super::super::correlation::lanes;
use super::products::Products;
use super::tiling::{Images, Tiling, Window, load_points, store_points};
use super::transform::{POINTS, coefficients, scaled, values};
use crate::dispatch::{dispatch_channels, part};
use crate::pointer::{Source, Target};
use crate::scratch::Scratch;
use crate::tasks::each;
use crate::vector::store;

/// Sums up to which every part of the tiles has its own.
const OWN_SUMS: usize = POINTS * 64 * 64;

/// Parts of the tiles, where they have sums of their own.
const PARTS: usize = 8;

/// Least tiles of a part.
const LEAST_TILES: usize = 64;

/// Tiles that are transformed at a time.
const BLOCK: usize = 128;

/// Tiles between the points of a channel, which keep them out of each other's cache sets.
const GAP: usize = 2;

/// The weight gradient of a convolution with `K x K` taps in tiles of `M x M` results.
pub(super) struct Gradient<const K: usize, const M: usize> {
    input: Images,
    output: Images,
    tiling: Tiling,
    padding: usize,
    lanes: usize,
    /// Input channels of a strip.
    strip: usize,
}

/// Transformed tiles.
#[derive(Clone, Copy)]
struct Tiles {
    /// `[strip][point][tile][channel]` of the input.
    input: Target,
    /// `[panel][point][tile][channel]` of the output's gradient.
    output: Target,
    /// Tiles from one point to the next.
    step: usize,
}

impl<const K: usize, const M: usize> Gradient<K, M> {
    pub(super) fn new(shape: &ConvolutionShape) -> Self {
        let [height, width] = shape.output_size();
        let output = Images { height, width, channels: shape.out_channels };
        let lanes = lanes(shape.out_channels);
        Self {
            input: Images { height: shape.height, width: shape.width, channels: shape.in_channels },
            output,
            tiling: Tiling::new(shape.batch, [height, width], M),
            padding: shape.padding,
            lanes,
            strip: lanes.max(8),
        }
    }

    pub(super) fn run(&self, input: Source, grad_output: Source, grad_weights: Target) {
        if self.units() * self.unit_length() <= OWN_SUMS {
            self.share_tiles(input, grad_output, grad_weights);
        } else {
            self.share_units(input, grad_output, grad_weights);
        }
    }

    fn strips(&self) -> usize {
        self.input.channels.div_ceil(self.strip)
    }

    fn panels(&self) -> usize {
        self.output.channels.div_ceil(2 * self.lanes)
    }

    fn units(&self) -> usize {
        self.strips() * self.panels()
    }

    /// Vectors of a panel: 1 or 2.
    fn vectors(&self, panel: usize) -> usize {
        (self.output.channels - panel * 2 * self.lanes).div_ceil(self.lanes).min(2)
    }

    /// Sums of a unit, `[point][input channel][output channel]`.
    fn unit_length(&self) -> usize {
        POINTS * self.strip * 2 * self.lanes
    }

    /// Room for transformed tiles.
    fn room(&self, tiles: usize) -> [Scratch; 2] {
        let rows = POINTS * (tiles + GAP);
        let (strips, panels) = (self.strips() * self.strip, self.panels() * 2 * self.lanes);
        [strips, panels].map(|channels| Scratch::new(rows * channels))
    }

    fn share_tiles(&self, input: Source, grad_output: Source, grad_weights: Target) {
        let count = self.tiling.count();
        let parts = count.div_ceil(LEAST_TILES).min(PARTS);
        let length = self.units() * self.unit_length();
        let mut sums = Scratch::new(parts * length);
        let sums = Target::of(sums.start());
        each(parts, |index| {
            let tiles = part(count, parts, index);
            let block = BLOCK.min(tiles.len());
            let [mut inputs, mut outputs] = self.room(block);
            let step = block + GAP;
            let (of_input, of_output) = (Target::of(inputs.start()), Target::of(outputs.start()));
            let transformed = Tiles { input: of_input, output: of_output, step };
            for first in tiles.clone().step_by(block) {
                let block = first..(first + block).min(tiles.end);
                self.fill(input, grad_output, first, block.clone(), transformed);
                for unit in 0..self.units() {
                    let to = sums.at(index * length + unit * self.unit_length());
                    self.multiply(unit, transformed, block.len(), to, first > tiles.start);
                }
            }
        });
        each(self.units(), |unit| {
            let from = sums.at(unit * self.unit_length());
            self.finish(unit, from, parts, length, grad_weights);
        });
    }

    fn share_units(&self, input: Source, grad_output: Source, grad_weights: Target) {
        let count = self.tiling.count();
        let block = BLOCK.min(count);
        let [mut inputs, mut outputs] = self.room(block);
        let step = block + GAP;
        let (of_input, of_output) = (Target::of(inputs.start()), Target::of(outputs.start()));
        let transformed = Tiles { input: of_input, output: of_output, step };
        // A single block needs no sums but those that it is working on.
        let mut sums =
            Scratch::new(if count > block { self.units() * self.unit_length() } else { 0 });
        let sums = Target::of(sums.start());
        let threads = rayon::current_num_threads();
        for first in (0..count).step_by(block) {
            let tiles = first..(first + block).min(count);
            let parts = threads.min(tiles.len());
            each(parts, |index| {
                let own = part(tiles.len(), parts, index);
                let own = first + own.start..first + own.end;
                self.fill(input, grad_output, first, own, transformed);
            });
            // Threads take whole panels where they can, because tiles of a panel stay in L2.
            let parts = threads.min(self.units());
            each(parts, |index| {
                let mut own = Scratch::new(self.unit_length());
                for unit in part(self.units(), parts, index) {
                    let to = match count > block {
                        true => sums.at(unit * self.unit_length()),
                        false => own.start(),
                    };
                    self.multiply(unit, transformed, tiles.len(), to, first > 0);
                    if tiles.end == count {
                        self.finish(unit, to, 1, 0, grad_weights);
                    }
                }
            });
        }
    }

    /// Transforms some tiles of the block that begins with tile `first`.
    fn fill(
        &self,
        input: Source,
        grad_output: Source,
        first: usize,
        tiles: Range<usize>,
        to: Tiles,
    ) {
        dispatch_channels(
            self.output.channels,
            Fill { of: self, input, grad_output, first, tiles, to },
        );
    }

    fn multiply(&self, unit: usize, tiles: Tiles, count: usize, to: *mut f32, add: bool) {
        let (strip, panel) = (unit % self.strips(), unit / self.strips());
        let products = Products {
            input: tiles.input.at(strip * POINTS * tiles.step * self.strip),
            strip: self.strip,
            output: tiles.output.at(panel * POINTS * tiles.step * 2 * self.lanes),
            vectors: self.vectors(panel),
            step: tiles.step,
            count,
            to,
            add,
        };
        dispatch_channels(self.output.channels, products);
    }

    /// Adds up the sums of all parts, `length` apart, and transforms them to the gradient.
    fn finish(&self, unit: usize, from: *const f32, parts: usize, length: usize, to: Target) {
        dispatch_channels(self.output.channels, Finish { of: self, unit, from, parts, length, to });
    }
}

struct Fill<'a, const K: usize, const M: usize> {
    of: &'a Gradient<K, M>,
    input: Source,
    grad_output: Source,
    first: usize,
    tiles: Range<usize>,
    to: Tiles,
}

impl<const K: usize, const M: usize> WithSimd for Fill<'_, K, M> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for tile in self.tiles.clone() {
            simd.vectorize(FillInput { of: &self, tile });
            simd.vectorize(FillOutput { of: &self, tile });
        }
    }
}

struct FillInput<'a, const K: usize, const M: usize> {
    of: &'a Fill<'a, K, M>,
    tile: usize,
}

impl<const K: usize, const M: usize> WithSimd for FillInput<'_, K, M> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Fill { of, input: source, first, to, .. } = self.of;
        let (channels, strip) = (of.input.channels, of.strip);
        let window = Window::new(&of.input, of.tiling.place(self.tile), of.padding);
        for channel in (0..channels.next_multiple_of(strip)).step_by(S::F32_LANES) {
            // SAFETY: the window's pixels have `channels` floats each; a strip has whole vectors for
            // every point and tile.
            unsafe {
                let count = channels.saturating_sub(channel);
                let row = channel / strip * POINTS * to.step + self.tile - first;
                let start = to.input.at(row * strip + channel % strip);
                let (channel, step) = (channel.min(channels), to.step * strip);
                window.transform(simd, source.at(0), channel, count, start, step);
            }
        }
    }
}

struct FillOutput<'a, const K: usize, const M: usize> {
    of: &'a Fill<'a, K, M>,
    tile: usize,
}

impl<const K: usize, const M: usize> WithSimd for FillOutput<'_, K, M> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Fill { of, grad_output, first, to, .. } = self.of;
        let (channels, lanes) = (of.output.channels, S::F32_LANES);
        let window = Window::<M>::new(&of.output, of.tiling.place(self.tile), 0);
        for panel in 0..of.panels() {
            let vectors = of.vectors(panel);
            for n in 0..vectors {
                let channel = (2 * panel + n) * lanes;
                // SAFETY: the window's pixels have `channels` floats each; a panel has whole vectors
                // for every point and tile.
                unsafe {
                    let mut pixels = [[simd.splat_f32s(0.0); M]; M];
                    for (y, row) in pixels.iter_mut().enumerate() {
                        let count = channels - channel;
                        *row = window.row(simd, grad_output.at(0), y, channel, count);
                    }
                    let start = panel * POINTS * to.step * 2 * lanes;
                    let row = (self.tile - first) * vectors + n;
                    let start = to.output.at(start + row * lanes);
                    let points = values::<S, M>(simd, &pixels);
                    store_points(simd, start, to.step * vectors * lanes, &points);
                }
            }
        }
    }
}

struct Finish<'a, const K: usize, const M: usize> {
    of: &'a Gradient<K, M>,
    unit: usize,
    from: *const f32,
    parts: usize,
    length: usize,
    to: Target,
}

impl<const K: usize, const M: usize> WithSimd for Finish<'_, K, M> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { of, unit, from, parts, length, to } = self;
        let (inputs, outputs, lanes) = (of.input.channels, of.output.channels, S::F32_LANES);
        let (strip, panel) = (unit % of.strips(), unit / of.strips());
        let vectors = of.vectors(panel);
        for row in 0..of.strip.min(inputs - strip * of.strip) {
            for n in 0..vectors {
                let at = (row * vectors + n) * lanes;
                let step = of.strip * vectors * lanes;
                // SAFETY: a unit's sums have a row of whole vectors for every point and channel of
                // the strip.
                let mut points = unsafe { load_points(simd, from.add(at), step) };
                for part in 1..parts {
                    // SAFETY: as above; the units of two parts are `length` apart.
                    let more = unsafe { load_points(simd, from.add(part * length + at), step) };
                    for (sum, more) in points.as_flattened_mut().iter_mut().zip(more.as_flattened())
                    {
                        *sum = simd.add_f32s(*sum, *more);
                    }
                }
                let taps = coefficients::<S, K>(simd, &scaled(simd, &points));
                let channel = (2 * panel + n) * lanes;
                for (tap, &value) in taps.as_flattened().iter().enumerate() {
                    let at = (tap * inputs + strip * of.strip + row) * outputs + channel;
                    // SAFETY: the gradient has `outputs - channel` more channels here, of which the
                    // vector's belong to this unit alone.
                    unsafe { store(simd, to.at(at), outputs - channel, value) };
                }
            }
        }
    }
}
