//! The register tile of the weight gradient.

use pulp::{Simd, WithSimd};

use super::PixelRun;
use crate::vector::{load, store};

/// What a tile reads and adds to.
pub(super) struct TileOf<'a> {
    /// Pixels that meet.
    pub(super) runs: &'a [PixelRun],
    /// The strip of input channels, and whatever follows it.
    pub(super) input: &'a [f32],
    /// The panel of output channels, and whatever follows it.
    pub(super) output: &'a [f32],
    /// From the first element of the tile on: a row of `width` for each input channel, initialized
    /// if added to.
    pub(super) sums: *mut f32,
    /// Elements from one row of `sums` to the next.
    pub(super) stride: usize,
    /// Output channels of the tile.
    pub(super) width: usize,
    /// Whether sums are added to what stands there.
    pub(super) add: bool,
}

impl TileOf<'_> {
    #[inline(always)]
    pub(super) fn dispatch<S: Simd>(self, simd: S, rows: usize, wide: bool) {
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
        let TileOf { runs, input, output, sums: to, stride, width, add } = self.0;
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
        for (m, sums) in sums.into_iter().enumerate() {
            for (n, sum) in sums.into_iter().enumerate() {
                let to = to.wrapping_add(m * stride + n * lanes);
                let count = width.saturating_sub(n * lanes);
                // SAFETY: the row has `count` more elements, initialized where sums are added.
                unsafe {
                    let sum = if add { simd.add_f32s(load(simd, to, count), sum) } else { sum };
                    store(simd, to, count, sum);
                }
            }
        }
    }
}
