//! Forward pass and input gradient.
//!
//! A block of tiles is transformed to `[point][tile][channel]`. For each panel of target channels,
//! a few tiles at a time, the products of all points are then taken by the register tiles of the
//! direct convolution, kept in the nearest caches and transformed back at once.
//!
//! Where there are many tiles, the weights are transformed first and threads share the tiles out. Where
//! there are few, the transformed weights are what takes time and room: tiles are then transformed
//! together and threads share the panels out, each making the weights of its panels as it goes.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::super::correlation::lanes;
use super::super::plan::Run;
use super::super::tile::Tile;
use super::tiling::{Images, Tiling, Window, load_points};
use super::transform::{POINTS, coefficients};
use super::weights::{TransformPanel, Weights};
use crate::dispatch::{dispatch_channels, part};
use crate::pointer::{Source, Target};
use crate::scratch::Scratch;
use crate::tasks::each;

/// Tiles from which on they outweigh the weights.
const MANY_TILES: usize = 128;

/// Elements of a thread's own transformed tiles: fits L2 beside the products.
const OWN_TILES: usize = 3 << 16;

/// Tiles whose products are kept.
const GROUP: usize = 24;

/// Floats between the points of a channel, which keep them out of each other's cache sets.
const GAP: usize = 16;

/// A convolution with `K x K` taps and tiles of `M x M` results.
pub(super) struct Correlation<'a, const K: usize, const M: usize> {
    weights: Weights<'a>,
    tiling: Tiling,
    source: Images,
    target: Images,
    padding: usize,
    lanes: usize,
}

impl<'a, const K: usize, const M: usize> Correlation<'a, K, M> {
    pub(super) fn new(weights: Weights<'a>) -> Self {
        let shape = weights.shape;
        let [height, width] = shape.output_size();
        let input =
            Images { height: shape.height, width: shape.width, channels: shape.in_channels };
        let output = Images { height, width, channels: shape.out_channels };
        let (source, target, padding) = match weights.reversed {
            false => (input, output, shape.padding),
            true => (output, input, K - 1 - shape.padding),
        };
        let tiling = Tiling::new(shape.batch, [target.height, target.width], M);
        Self { weights, tiling, source, target, padding, lanes: lanes(weights.to()) }
    }

    /// Every target element is computed in one task, in an order that no partition changes.
    pub(super) fn run(&self, source: Source, target: Target) {
        if self.tiling.count() >= MANY_TILES {
            self.share_tiles(source, target);
        } else {
            self.share_panels(source, target);
        }
    }

    /// Elements of a tile at one point.
    fn row(&self) -> usize {
        self.source.channels.next_multiple_of(self.lanes.max(GAP))
    }

    fn share_tiles(&self, source: Source, target: Target) {
        let (panels, length) =
            (self.weights.panels(self.lanes), self.weights.panel_length(self.lanes));
        let mut stored = Scratch::new(panels * length);
        let stored = Target::of(stored.start());
        each(panels, |panel| self.transform_panel(panel, stored.at(panel * length)));
        let groups = self.tiling.count().div_ceil(GROUP);
        let parts = rayon::current_num_threads().min(groups);
        each(parts, |index| {
            let groups = part(groups, parts, index);
            let tiles = groups.start * GROUP..(groups.end * GROUP).min(self.tiling.count());
            let block = (OWN_TILES / (POINTS * self.row()) / GROUP).max(1) * GROUP;
            let block = block.min(tiles.len());
            let step = block * self.row() + GAP;
            let mut points = Scratch::new(POINTS * step);
            for first in tiles.clone().step_by(block) {
                let tiles = first..(first + block).min(tiles.end);
                fill(Fill { of: self, source, tiles: tiles.clone(), to: points.start(), step });
                for panel in 0..panels {
                    self.multiply(
                        tiles.clone(),
                        Points { start: points.start(), step },
                        panel,
                        stored.at(panel * length),
                        target,
                    );
                }
            }
        });
    }

    fn share_panels(&self, source: Source, target: Target) {
        let (panels, length) =
            (self.weights.panels(self.lanes), self.weights.panel_length(self.lanes));
        let count = self.tiling.count();
        let step = count * self.row() + GAP;
        let mut points = Scratch::new(POINTS * step);
        let points = Target::of(points.start());
        let threads = rayon::current_num_threads();
        let parts = threads.min(count);
        each(parts, |index| {
            let tiles = part(count, parts, index);
            let to = points.at(tiles.start * self.row());
            fill(Fill { of: self, source, tiles, to, step });
        });
        let groups = count.div_ceil(GROUP);
        let parts = (threads / panels).clamp(1, groups);
        each(panels * parts, |index| {
            let groups = part(groups, parts, index % parts);
            let tiles = groups.start * GROUP..(groups.end * GROUP).min(count);
            let mut weights = Scratch::new(length);
            self.transform_panel(index / parts, weights.start());
            let start = points.at(tiles.start * self.row());
            let points = Points { start, step };
            self.multiply(tiles, points, index / parts, weights.start(), target);
        });
    }

    fn transform_panel(&self, panel: usize, to: *mut f32) {
        let weights = self.weights;
        dispatch_channels(self.target.channels, TransformPanel::<K> { weights, panel, to });
    }

    fn multiply(
        &self,
        tiles: Range<usize>,
        points: Points,
        panel: usize,
        weights: *const f32,
        target: Target,
    ) {
        let mut products = Scratch::new(POINTS * (GROUP * 2 * self.lanes + GAP));
        let products = products.start();
        dispatch_channels(
            self.target.channels,
            Multiply { of: self, tiles, points, panel, weights, products, target },
        );
    }
}

fn fill<const K: usize, const M: usize>(fill: Fill<'_, K, M>) {
    dispatch_channels(fill.of.source.channels, fill);
}

/// Transformed tiles.
#[derive(Clone, Copy)]
struct Points {
    start: *const f32,
    /// Elements from one point to the next.
    step: usize,
}

/// Transforms the pixels that some tiles depend on.
struct Fill<'a, const K: usize, const M: usize> {
    of: &'a Correlation<'a, K, M>,
    source: Source,
    tiles: Range<usize>,
    to: *mut f32,
    step: usize,
}

impl<const K: usize, const M: usize> WithSimd for Fill<'_, K, M> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { of, source, tiles, to, step } = self;
        let channels = of.source.channels;
        for (index, tile) in tiles.enumerate() {
            let window = Window::new(&of.source, of.tiling.place(tile), of.padding);
            for channel in (0..channels).step_by(S::F32_LANES) {
                // SAFETY: the window's pixels have `channels` floats each, and every point has a
                // row of whole vectors for each tile.
                unsafe {
                    let to = to.add(index * of.row() + channel);
                    window.transform(simd, source.at(0), channel, channels - channel, to, step);
                }
            }
        }
    }
}

/// Multiplies some tiles with a panel and transforms the products back.
struct Multiply<'a, const K: usize, const M: usize> {
    of: &'a Correlation<'a, K, M>,
    tiles: Range<usize>,
    /// From the first of the tiles on.
    points: Points,
    panel: usize,
    weights: *const f32,
    /// Room for the products of a group.
    products: *mut f32,
    target: Target,
}

impl<const K: usize, const M: usize> WithSimd for Multiply<'_, K, M> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match (self.of.weights.vectors(self.panel, S::F32_LANES), S::REGISTER_COUNT >= 32) {
            (1, _) => self.panel::<S, 12, 1>(simd),
            (_, true) => self.panel::<S, 12, 2>(simd),
            (_, false) => self.panel::<S, 6, 2>(simd),
        }
    }
}

impl<const K: usize, const M: usize> Multiply<'_, K, M> {
    #[inline(always)]
    fn panel<S: Simd, const R: usize, const N: usize>(&self, simd: S) {
        let step = GROUP * N * S::F32_LANES + GAP;
        for first in (0..self.tiles.len()).step_by(GROUP) {
            let count = GROUP.min(self.tiles.len() - first);
            for point in 0..POINTS {
                // SAFETY: a panel has `step` elements for each point.
                let weights =
                    unsafe { self.weights.add(point * self.of.weights.step(N, S::F32_LANES)) };
                for done in (0..count).step_by(R) {
                    let at = Part { first: first + done, count: (count - done).min(R), point };
                    // SAFETY: the group has room for `GROUP` rows at each point.
                    let to = unsafe { self.products.add(point * step + done * N * S::F32_LANES) };
                    self.part::<S, R, N>(simd, at, weights, to);
                }
            }
            simd.vectorize(Finish::<K, M, N> {
                of: self.of,
                tiles: self.tiles.start + first..self.tiles.start + first + count,
                channel: self.panel * 2 * S::F32_LANES,
                products: self.products,
                step,
                target: self.target,
            });
        }
    }

    #[inline(always)]
    fn part<S: Simd, const R: usize, const N: usize>(
        &self,
        simd: S,
        part: Part,
        weights: *const f32,
        to: *mut f32,
    ) {
        match part.count {
            0..=2 => self.tile::<S, 2, N>(simd, part, weights, to),
            3..=4 => self.tile::<S, 4, N>(simd, part, weights, to),
            5..=8 if R > 6 => self.tile::<S, 8, N>(simd, part, weights, to),
            _ => self.tile::<S, R, N>(simd, part, weights, to),
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const R: usize, const N: usize>(
        &self,
        simd: S,
        part: Part,
        weights: *const f32,
        to: *mut f32,
    ) {
        let row = self.of.row();
        let first =
            self.points.start.wrapping_add(part.point * self.points.step + part.first * row);
        // What is left over is the last tile again.
        let index = |r: usize| r.min(part.count - 1);
        simd.vectorize(Tile::<R, N> {
            runs: &[Run { source: 0, row: 0, length: self.of.source.channels }],
            sources: std::array::from_fn(|r| first.wrapping_add(index(r) * row)),
            panel: weights,
            targets: std::array::from_fn(|r| to.wrapping_add(index(r) * N * S::F32_LANES)),
            channels: N * S::F32_LANES,
        });
    }
}

/// Some tiles at one point.
#[derive(Clone, Copy)]
struct Part {
    first: usize,
    count: usize,
    point: usize,
}

/// Transforms products back and writes the results.
struct Finish<'a, const K: usize, const M: usize, const N: usize> {
    of: &'a Correlation<'a, K, M>,
    tiles: Range<usize>,
    /// First target channel.
    channel: usize,
    products: *const f32,
    step: usize,
    target: Target,
}

impl<const K: usize, const M: usize, const N: usize> WithSimd for Finish<'_, K, M, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = S::F32_LANES;
        for (index, tile) in self.tiles.enumerate() {
            let window = Window::new(&self.of.target, self.of.tiling.place(tile), 0);
            for n in 0..N {
                let channel = self.channel + n * lanes;
                let count = self.of.target.channels - channel;
                // SAFETY: every point has a row of `N` vectors for each tile; the window's pixels
                // have `count` more channels, and belong to this tile and panel alone.
                unsafe {
                    let from = self.products.add((index * N + n) * lanes);
                    let points = load_points(simd, from, self.step);
                    let results = coefficients::<S, M>(simd, &points);
                    window.store(simd, self.target.at(0), channel, count, &results);
                }
            }
        }
    }
}
