//! Weights in the order in which register tiles read them.
//!
//! Target channels are cut into panels of two vectors; a last panel of one vector takes what is left
//! if it fits. A panel holds one row per product of a pixel (tap and source channel), zeros filling
//! up the last panel.

use super::ConvolutionShape;
use crate::pointer::Target;
use crate::scratch::Scratch;
use crate::tasks::each;

/// Output channels turned round at once, so that reads stay within cache lines.
const STRIP: usize = 16;

/// Weights to be packed for vectors of a given number of lanes.
#[derive(Clone, Copy)]
pub(super) struct Panels<'a> {
    shape: &'a ConvolutionShape,
    weights: &'a [f32],
    /// Whether target channels are input channels, as for the input's gradient.
    reversed: bool,
    pub(super) lanes: usize,
    /// Rows of each panel.
    pub(super) rows: usize,
    /// Target channels.
    pub(super) channels: usize,
}

impl<'a> Panels<'a> {
    /// Panels of the forward pass: target channels are output channels.
    pub(super) fn forward(shape: &'a ConvolutionShape, weights: &'a [f32], lanes: usize) -> Self {
        let (rows, channels) = (shape.taps() * shape.in_channels, shape.out_channels);
        Self { shape, weights, reversed: false, lanes, rows, channels }
    }

    /// Panels of the input's gradient: target channels are input channels, rows are the taps in
    /// reverse and the output channels.
    pub(super) fn backward(shape: &'a ConvolutionShape, weights: &'a [f32], lanes: usize) -> Self {
        let (rows, channels) = (shape.taps() * shape.out_channels, shape.in_channels);
        Self { shape, weights, reversed: true, lanes, rows, channels }
    }

    /// Number of panels.
    pub(super) fn count(&self) -> usize {
        self.channels.div_ceil(2 * self.lanes)
    }

    /// Vectors of a panel: 1 or 2.
    pub(super) fn vectors(&self, panel: usize) -> usize {
        (self.channels - panel * 2 * self.lanes).div_ceil(self.lanes).min(2)
    }

    /// Most elements of a panel.
    pub(super) fn length(&self) -> usize {
        self.rows * 2 * self.lanes
    }

    /// All panels, one after another.
    pub(super) fn packed(&self) -> Scratch {
        let mut all = Scratch::new(self.count() * self.length());
        let to = Target::of(all.start());
        each(self.count(), |panel| {
            // SAFETY: there is room for every panel, and each is written by one task.
            unsafe { self.pack(panel, to.at(panel * self.length())) };
        });
        all
    }

    /// Writes one panel.
    ///
    /// # Safety
    /// [`length`](Self::length) elements have to be writable.
    pub(super) unsafe fn pack(&self, panel: usize, to: *mut f32) {
        let width = self.vectors(panel) * self.lanes;
        let first = panel * 2 * self.lanes;
        // SAFETY: the caller's promise.
        let to = unsafe {
            if first + width > self.channels || self.reversed {
                to.write_bytes(0, self.rows * width);
            }
            Target::of(to)
        };
        let filled = width.min(self.channels - first);
        if self.reversed {
            self.pack_reversed(first, width, filled, to);
        } else {
            let rows = self.weights.chunks_exact(self.channels).enumerate();
            for (row, from) in rows {
                let from = &from[first..first + filled];
                // SAFETY: the panel has a row of `width` elements for each row of the weights.
                unsafe { to.at(row * width).copy_from_nonoverlapping(from.as_ptr(), filled) };
            }
        }
    }

    fn pack_reversed(&self, first: usize, width: usize, filled: usize, to: Target) {
        let (taps, channels, depth) = (self.shape.taps(), self.channels, self.shape.out_channels);
        for tap in 0..taps {
            let from = &self.weights[tap * channels * depth..(tap + 1) * channels * depth];
            let to = to.at((taps - 1 - tap) * depth * width);
            for strip in (0..depth).step_by(STRIP) {
                let rows = STRIP.min(depth - strip);
                for lane in 0..filled {
                    let from = &from[(first + lane) * depth + strip..][..rows];
                    let write = |row: usize, value: f32| {
                        // SAFETY: the panel has `depth` rows of `width` elements for each tap.
                        unsafe { to.add((strip + row) * width + lane).write(value) };
                    };
                    // A whole strip has a known length, which unrolls the loop.
                    if let Ok(whole) = <&[f32; STRIP]>::try_from(from) {
                        whole.iter().enumerate().for_each(|(row, &value)| write(row, value));
                    } else {
                        from.iter().enumerate().for_each(|(row, &value)| write(row, value));
                    }
                }
            }
        }
    }
}
