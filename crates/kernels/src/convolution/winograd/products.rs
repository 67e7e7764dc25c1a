//! The products of the weight gradient.

use pulp::{Simd, WithSimd};

use super::transform::POINTS;
use crate::product::{STRIP, Strip};

/// Products of a strip of input channels and a panel of output channels, summed over tiles.
pub(super) struct Products {
    /// `[point][tile][channel]`.
    pub(super) input: *const f32,
    /// Channels of the strip: whole vectors, at least eight.
    pub(super) strip: usize,
    /// `[point][tile][channel]`, one or two vectors of channels.
    pub(super) output: *const f32,
    pub(super) vectors: usize,
    /// Tiles from one point to the next.
    pub(super) step: usize,
    /// Tiles to sum over.
    pub(super) count: usize,
    /// `[point][input channel][output channel]`.
    pub(super) to: *mut f32,
    /// Whether sums are added to what stands there.
    pub(super) add: bool,
}

impl WithSimd for Products {
    type Output = ();

    /// The caller guarantees that everything is readable and writable in the sizes that it states.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = self.vectors * S::F32_LANES;
        for point in 0..POINTS {
            for channel in (0..self.strip).step_by(STRIP) {
                let row = point * self.strip + channel;
                let strip = Strip {
                    left: self.input.wrapping_add(point * self.step * self.strip + channel),
                    left_step: self.strip,
                    right: self.output.wrapping_add(point * self.step * width),
                    vectors: self.vectors,
                    count: self.count,
                    to: self.to.wrapping_add(row * width),
                    to_step: width,
                    rows: STRIP,
                    columns: width,
                    add: self.add,
                };
                strip.with_simd(simd);
            }
        }
    }
}
