//! Weights in the order in which register tiles read them.
//!
//! Target channels are cut into panels of two vectors; a last panel of one vector takes what is left
//! if it fits. A panel holds one row per product of a pixel (tap and source channel), zeros filling
//! up the last panel.

use super::ConvolutionShape;

/// Packed weights, for vectors of a given number of lanes.
pub(super) struct Panels {
    pub(super) data: Vec<f32>,
    pub(super) lanes: usize,
    /// Rows of each panel.
    pub(super) rows: usize,
    /// Target channels.
    pub(super) channels: usize,
}

impl Panels {
    fn new(lanes: usize, rows: usize, channels: usize) -> Self {
        let width = channels.next_multiple_of(lanes);
        Self { data: vec![0.0; rows * width], lanes, rows, channels }
    }

    /// Number of panels.
    pub(super) fn count(&self) -> usize {
        self.channels.div_ceil(2 * self.lanes)
    }

    /// Vectors of a panel: 1 or 2.
    pub(super) fn vectors(&self, panel: usize) -> usize {
        (self.channels - panel * 2 * self.lanes).div_ceil(self.lanes).min(2)
    }

    /// First element of a panel.
    pub(super) fn start(&self, panel: usize) -> usize {
        panel * self.rows * 2 * self.lanes
    }

    /// Panels of the forward pass: target channels are output channels.
    pub(super) fn forward(shape: &ConvolutionShape, weights: &[f32], lanes: usize) -> Self {
        let (rows, channels) = (shape.taps() * shape.in_channels, shape.out_channels);
        let mut panels = Self::new(lanes, rows, channels);
        for panel in 0..panels.count() {
            let width = panels.vectors(panel) * lanes;
            let first = panel * 2 * lanes;
            let filled = width.min(channels - first);
            let start = panels.start(panel);
            let data = &mut panels.data[start..start + rows * width];
            for (to, from) in data.chunks_exact_mut(width).zip(weights.chunks_exact(channels)) {
                to[..filled].copy_from_slice(&from[first..first + filled]);
            }
        }
        panels
    }

    /// Panels of the input's gradient: target channels are input channels, rows are the taps in
    /// reverse and the output channels.
    pub(super) fn backward(shape: &ConvolutionShape, weights: &[f32], lanes: usize) -> Self {
        /// Output channels moved at once, so that reads stay within cache lines.
        const STRIP: usize = 16;
        let (taps, channels, depth) = (shape.taps(), shape.in_channels, shape.out_channels);
        let mut panels = Self::new(lanes, taps * depth, channels);
        for panel in 0..panels.count() {
            let width = panels.vectors(panel) * lanes;
            let first = panel * 2 * lanes;
            let filled = width.min(channels - first);
            let start = panels.start(panel);
            let data = &mut panels.data[start..start + taps * depth * width];
            for (tap, to) in data.chunks_exact_mut(depth * width).rev().enumerate() {
                let from = &weights[tap * channels * depth..(tap + 1) * channels * depth];
                for (strip, to) in to.chunks_mut(STRIP * width).enumerate() {
                    for lane in 0..filled {
                        let from = &from[(first + lane) * depth + strip * STRIP..];
                        for (to, &from) in to.chunks_exact_mut(width).zip(from) {
                            to[lane] = from;
                        }
                    }
                }
            }
        }
        panels
    }
}
