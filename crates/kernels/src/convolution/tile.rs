//! The register tile of forward pass and input gradient.

use pulp::{Simd, WithSimd};

use super::plan::Run;

/// `M` pixels by `N` vectors of channels, accumulated in registers over all products.
pub(super) struct Tile<'a, const M: usize, const N: usize> {
    pub(super) runs: &'a [Run],
    /// Origin of each pixel in the source.
    pub(super) sources: [*const f32; M],
    /// First row of the panel.
    pub(super) panel: *const f32,
    /// Where each pixel's channels go; the same pixel may stand there twice.
    pub(super) targets: [*mut f32; M],
    /// Channels to write, at most `N` vectors.
    pub(super) channels: usize,
}

impl<const M: usize, const N: usize> WithSimd for Tile<'_, M, N> {
    type Output = ();

    /// The caller guarantees that every run of every source is readable, that the panel has the
    /// rows that the runs name, `N` vectors each, and that `channels` elements of every target are
    /// writable and touched by no other thread.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = S::F32_LANES;
        let mut sums = [[simd.splat_f32s(0.0); N]; M];
        for run in self.runs {
            let sources = self.sources.map(|source| source.wrapping_offset(run.source));
            let mut row = self.panel.wrapping_add(run.row * N * lanes);
            for k in 0..run.length {
                // SAFETY: the panel has `N` vectors for each of the run's rows; vectors are
                // read without alignment because they are structs of `f32`.
                let weights: [S::f32s; N] = std::array::from_fn(|n| unsafe {
                    row.add(n * lanes).cast::<S::f32s>().read_unaligned()
                });
                for m in 0..M {
                    // SAFETY: the run's elements are readable from each source.
                    let value = simd.splat_f32s(unsafe { *sources[m].add(k) });
                    for n in 0..N {
                        sums[m][n] = simd.mul_add_e_f32s(value, weights[n], sums[m][n]);
                    }
                }
                row = row.wrapping_add(N * lanes);
            }
        }
        for (target, sums) in self.targets.into_iter().zip(sums) {
            for (n, sums) in sums.into_iter().enumerate() {
                let to = target.wrapping_add(n * lanes);
                if (n + 1) * lanes <= self.channels {
                    // SAFETY: a whole vector of channels is writable here.
                    unsafe { to.cast::<S::f32s>().write_unaligned(sums) };
                } else {
                    let rest = self.channels.saturating_sub(n * lanes);
                    // SAFETY: `rest` more channels are writable here.
                    let to = unsafe { std::slice::from_raw_parts_mut(to, rest) };
                    simd.partial_store_f32s(to, sums);
                }
            }
        }
    }
}
