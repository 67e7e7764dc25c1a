//! Transformed weights, in the order in which register tiles read them.

use pulp::{Simd, WithSimd};

use super::super::ConvolutionShape;
use super::tiling::store_points;
use super::transform::{POINTS, scaled, values};
use crate::vector::load;

/// Source channels that are turned round at once.
const STRIP: usize = 16;

/// Weights of one direction: of the forward pass, or turned round for the input's gradient.
#[derive(Clone, Copy)]
pub(super) struct Weights<'a> {
    pub(super) shape: &'a ConvolutionShape,
    pub(super) values: &'a [f32],
    pub(super) reversed: bool,
}

impl Weights<'_> {
    /// Channels of the source, the rows of a panel.
    pub(super) fn from(&self) -> usize {
        if self.reversed { self.shape.out_channels } else { self.shape.in_channels }
    }

    /// Channels of the target.
    pub(super) fn to(&self) -> usize {
        if self.reversed { self.shape.in_channels } else { self.shape.out_channels }
    }

    /// Panels of two vectors of target channels.
    pub(super) fn panels(&self, lanes: usize) -> usize {
        self.to().div_ceil(2 * lanes)
    }

    /// Vectors of a panel: 1 or 2.
    pub(super) fn vectors(&self, panel: usize, lanes: usize) -> usize {
        (self.to() - panel * 2 * lanes).div_ceil(lanes).min(2)
    }

    /// Elements from one point of a panel to the next. The line in between keeps the points of one
    /// channel out of each other's cache sets.
    pub(super) fn step(&self, vectors: usize, lanes: usize) -> usize {
        self.from() * vectors * lanes + STRIP
    }

    /// Most elements of a panel.
    pub(super) fn panel_length(&self, lanes: usize) -> usize {
        POINTS * self.step(2, lanes)
    }
}

/// Transforms a panel, `[point][source channel][target channel]`.
pub(super) struct TransformPanel<'a, const K: usize> {
    pub(super) weights: Weights<'a>,
    pub(super) panel: usize,
    /// Room for a panel.
    pub(super) to: *mut f32,
}

impl<const K: usize> WithSimd for TransformPanel<'_, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if self.weights.reversed {
            self.reversed(simd);
        } else {
            let first = self.panel * 2 * S::F32_LANES;
            let (from, to) = (self.weights.from(), self.weights.to());
            for row in 0..from {
                let start = &self.weights.values[row * to + first..];
                let tap = from * to;
                assert!(start.len() > (K * K - 1) * tap, "weights have all taps");
                // SAFETY: from `start` on, all taps are `from * to` apart and have `to - first`
                // channels left.
                unsafe { self.row(simd, row, start.as_ptr(), tap, to - first) };
            }
        }
    }
}

impl<const K: usize> TransformPanel<'_, K> {
    /// Turns a strip of source channels round, then transforms its rows.
    #[inline(always)]
    fn reversed<S: Simd>(&self, simd: S) {
        let lanes = S::F32_LANES;
        let (from, to) = (self.weights.from(), self.weights.to());
        let width = self.weights.vectors(self.panel, lanes) * lanes;
        let first = self.panel * 2 * lanes;
        let filled = (to - first).min(width);
        let mut turned = vec![0.0f32; K * K * STRIP * width];
        for strip in (0..from).step_by(STRIP) {
            let rows = STRIP.min(from - strip);
            for (tap, turned) in turned.chunks_exact_mut(STRIP * width).rev().enumerate() {
                for lane in 0..filled {
                    let at = (tap * to + first + lane) * from + strip;
                    let values = &self.weights.values[at..at + rows];
                    for (turned, &value) in turned.chunks_exact_mut(width).zip(values) {
                        turned[lane] = value;
                    }
                }
            }
            for row in 0..rows {
                // SAFETY: `turned` has `STRIP` rows of `width` for every tap.
                unsafe {
                    let start = turned.as_ptr().add(row * width);
                    self.row(simd, strip + row, start, STRIP * width, width);
                }
            }
        }
    }

    /// Transforms the weights of one source channel.
    ///
    /// # Safety
    /// From `start` on, `count` floats have to be readable for each of the taps, `tap` floats apart.
    #[inline(always)]
    unsafe fn row<S: Simd>(
        &self,
        simd: S,
        row: usize,
        start: *const f32,
        tap: usize,
        count: usize,
    ) {
        let lanes = S::F32_LANES;
        let vectors = self.weights.vectors(self.panel, lanes);
        for n in 0..vectors {
            let mut taps = [[simd.splat_f32s(0.0); K]; K];
            for (index, value) in taps.as_flattened_mut().iter_mut().enumerate() {
                // SAFETY: the caller's promise; a panel's last vector has at least one channel.
                *value =
                    unsafe { load(simd, start.add(index * tap + n * lanes), count - n * lanes) };
            }
            let points = scaled(simd, &values(simd, &taps));
            // SAFETY: the panel has a row of `vectors` for every point and source channel.
            unsafe {
                let to = self.to.add((row * vectors + n) * lanes);
                store_points(simd, to, self.weights.step(vectors, lanes), &points);
            }
        }
    }
}
