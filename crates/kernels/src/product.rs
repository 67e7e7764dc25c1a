//! The register tile of a product of packed matrices.

use pulp::{Simd, WithSimd};

use crate::vector::{load, store};

/// `to (+)= left^T right` for `M` columns of `left` and `N` vectors of `right`.
pub(crate) struct Product<const M: usize, const N: usize> {
    pub(crate) left: *const f32,
    /// Elements from one row of `left` to the next.
    pub(crate) left_step: usize,
    pub(crate) right: *const f32,
    /// Elements from one row of `right` to the next.
    pub(crate) right_step: usize,
    /// Rows of both.
    pub(crate) count: usize,
    pub(crate) to: *mut f32,
    /// Elements from one row of the result to the next.
    pub(crate) to_step: usize,
    /// Rows to write, at most `M`.
    pub(crate) rows: usize,
    /// Columns to write, at most `N` vectors.
    pub(crate) columns: usize,
    /// Whether the product is added to what stands there.
    pub(crate) add: bool,
}

impl<const M: usize, const N: usize> WithSimd for Product<M, N> {
    type Output = ();

    /// The caller guarantees that `count` rows of `M` floats and of `N` vectors are readable, and that
    /// `rows` times `columns` results are writable, initialized if they are added to.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = S::F32_LANES;
        let mut sums = [[simd.splat_f32s(0.0); N]; M];
        let (mut left, mut right) = (self.left, self.right);
        for _ in 0..self.count {
            // SAFETY: the row has `N` vectors.
            let vectors: [S::f32s; N] = std::array::from_fn(|n| unsafe {
                right.add(n * lanes).cast::<S::f32s>().read_unaligned()
            });
            for (m, sums) in sums.iter_mut().enumerate() {
                // SAFETY: the row has `M` floats.
                let value = simd.splat_f32s(unsafe { *left.add(m) });
                for (sum, &vector) in sums.iter_mut().zip(&vectors) {
                    *sum = simd.mul_add_e_f32s(value, vector, *sum);
                }
            }
            left = left.wrapping_add(self.left_step);
            right = right.wrapping_add(self.right_step);
        }
        for (m, sums) in sums.into_iter().enumerate().take(self.rows) {
            for (n, sum) in sums.into_iter().enumerate() {
                let to = self.to.wrapping_add(m * self.to_step + n * lanes);
                let count = self.columns.saturating_sub(n * lanes);
                // SAFETY: `count` more results are writable here, initialized if added to.
                unsafe {
                    let sum =
                        if self.add { simd.add_f32s(load(simd, to, count), sum) } else { sum };
                    store(simd, to, count, sum);
                }
            }
        }
    }
}

/// A product with one or two vectors of columns; `left` has eight columns and may have all of them
/// read, `right` whole vectors.
pub(crate) struct Strip {
    pub(crate) left: *const f32,
    pub(crate) left_step: usize,
    pub(crate) right: *const f32,
    pub(crate) vectors: usize,
    pub(crate) count: usize,
    pub(crate) to: *mut f32,
    pub(crate) to_step: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) add: bool,
}

/// Columns of `left` in a [`Strip`].
pub(crate) const STRIP: usize = 8;

impl WithSimd for Strip {
    type Output = ();

    /// As for [`Product`].
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match (self.vectors, S::REGISTER_COUNT >= 32) {
            (1, _) => self.product::<S, 8, 1>(simd, 0),
            (_, true) => self.product::<S, 8, 2>(simd, 0),
            (_, false) => {
                self.product::<S, 4, 2>(simd, 0);
                self.product::<S, 4, 2>(simd, 4);
            }
        }
    }
}

impl Strip {
    #[inline(always)]
    fn product<S: Simd, const M: usize, const N: usize>(&self, simd: S, first: usize) {
        simd.vectorize(Product::<M, N> {
            left: self.left.wrapping_add(first),
            left_step: self.left_step,
            right: self.right,
            right_step: N * S::F32_LANES,
            count: self.count,
            to: self.to.wrapping_add(first * self.to_step),
            to_step: self.to_step,
            rows: self.rows.saturating_sub(first),
            columns: self.columns,
            add: self.add,
        });
    }
}
