//! The register tile of the weight gradient's products.

use pulp::{Simd, WithSimd};

use super::transform::POINTS;

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
        match (self.vectors, S::REGISTER_COUNT >= 32) {
            (1, _) => self.run::<S, 8, 1>(simd),
            (_, true) => self.run::<S, 8, 2>(simd),
            (_, false) => self.run::<S, 4, 2>(simd),
        }
    }
}

impl Products {
    #[inline(always)]
    fn run<S: Simd, const M: usize, const N: usize>(self, simd: S) {
        let width = N * S::F32_LANES;
        for point in 0..POINTS {
            for channel in (0..self.strip).step_by(M) {
                let row = point * self.strip + channel;
                simd.vectorize(Tile::<M, N> {
                    input: self.input.wrapping_add(point * self.step * self.strip + channel),
                    strip: self.strip,
                    output: self.output.wrapping_add(point * self.step * width),
                    count: self.count,
                    to: self.to.wrapping_add(row * width),
                    add: self.add,
                });
            }
        }
    }
}

/// `M` input channels by `N` vectors of output channels.
struct Tile<const M: usize, const N: usize> {
    input: *const f32,
    strip: usize,
    output: *const f32,
    count: usize,
    to: *mut f32,
    add: bool,
}

impl<const M: usize, const N: usize> WithSimd for Tile<M, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = S::F32_LANES;
        let mut sums = [[simd.splat_f32s(0.0); N]; M];
        let (mut input, mut output) = (self.input, self.output);
        for _ in 0..self.count {
            // SAFETY: every tile has `N` vectors of output channels.
            let gradients: [S::f32s; N] = std::array::from_fn(|n| unsafe {
                output.add(n * lanes).cast::<S::f32s>().read_unaligned()
            });
            for (m, sums) in sums.iter_mut().enumerate() {
                // SAFETY: every tile has `M` more input channels.
                let value = simd.splat_f32s(unsafe { *input.add(m) });
                for (sum, &gradient) in sums.iter_mut().zip(&gradients) {
                    *sum = simd.mul_add_e_f32s(value, gradient, *sum);
                }
            }
            input = input.wrapping_add(self.strip);
            output = output.wrapping_add(N * lanes);
        }
        for (m, sums) in sums.into_iter().enumerate() {
            for (n, sum) in sums.into_iter().enumerate() {
                let to = self.to.wrapping_add((m * N + n) * lanes).cast::<S::f32s>();
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
