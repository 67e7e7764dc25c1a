//! The transforms of F(4x4, 3x3), on vectors of channels.
//!
//! Matrices as in Lavin and Gray, *Fast Algorithms for Convolutional Neural Networks*, CVPR 2016
//! (arXiv 1509.09308), section 4.3, with interpolation points 0, 1, -1, 2, -2 and infinity.

use pulp::Simd;

/// Side of a transformed tile.
pub(super) const SIDE: usize = 6;
/// Elements of a transformed tile.
pub(super) const POINTS: usize = SIDE * SIDE;
/// Side of a tile of results.
pub(super) const RESULT: usize = 4;

/// `B^T d`: six pixels in a line.
#[inline(always)]
fn input_line<S: Simd>(s: S, d: [S::f32s; 6]) -> [S::f32s; 6] {
    let (two, four, five) = (s.splat_f32s(2.0), s.splat_f32s(4.0), s.splat_f32s(5.0));
    let even = s.negate_mul_add_e_f32s(four, d[2], d[4]);
    let odd = s.negate_mul_add_e_f32s(four, d[1], d[3]);
    let outer = s.sub_f32s(d[4], d[2]);
    let inner = s.mul_f32s(two, s.sub_f32s(d[3], d[1]));
    let first = s.negate_mul_add_e_f32s(five, d[2], d[4]);
    let last = s.negate_mul_add_e_f32s(five, d[3], d[5]);
    [
        s.mul_add_e_f32s(four, d[0], first),
        s.add_f32s(even, odd),
        s.sub_f32s(even, odd),
        s.add_f32s(outer, inner),
        s.sub_f32s(outer, inner),
        s.mul_add_e_f32s(four, d[1], last),
    ]
}

/// `G g`: three weights in a line.
#[inline(always)]
fn weight_line<S: Simd>(s: S, g: [S::f32s; 3]) -> [S::f32s; 6] {
    let (four, quarter) = (s.splat_f32s(4.0), s.splat_f32s(0.25));
    let (sixth, part) = (s.splat_f32s(-1.0 / 6.0), s.splat_f32s(1.0 / 24.0));
    let outer = s.add_f32s(g[0], g[2]);
    let wide = s.mul_add_e_f32s(four, g[2], g[0]);
    let inner = s.add_f32s(g[1], g[1]);
    [
        s.mul_f32s(quarter, g[0]),
        s.mul_f32s(sixth, s.add_f32s(outer, g[1])),
        s.mul_f32s(sixth, s.sub_f32s(outer, g[1])),
        s.mul_f32s(part, s.add_f32s(wide, inner)),
        s.mul_f32s(part, s.sub_f32s(wide, inner)),
        g[2],
    ]
}

/// `A^T m`: six products in a line.
#[inline(always)]
fn result_line<S: Simd>(s: S, m: [S::f32s; 6]) -> [S::f32s; 4] {
    let (two, four, eight) = (s.splat_f32s(2.0), s.splat_f32s(4.0), s.splat_f32s(8.0));
    let (sum, difference) = (s.add_f32s(m[1], m[2]), s.sub_f32s(m[1], m[2]));
    let (far_sum, far_difference) = (s.add_f32s(m[3], m[4]), s.sub_f32s(m[3], m[4]));
    [
        s.add_f32s(m[0], s.add_f32s(sum, far_sum)),
        s.mul_add_e_f32s(two, far_difference, difference),
        s.mul_add_e_f32s(four, far_sum, sum),
        s.add_f32s(s.mul_add_e_f32s(eight, far_difference, difference), m[5]),
    ]
}

// Loops below instead of closures: a closure that is not inlined would lose the instruction set.

/// `B^T d B`.
#[inline(always)]
pub(super) fn input<S: Simd>(s: S, d: &[[S::f32s; 6]; 6]) -> [[S::f32s; 6]; 6] {
    let mut rows = [[s.splat_f32s(0.0); 6]; 6];
    for r in 0..6 {
        rows[r] = input_line(s, d[r]);
    }
    let mut result = rows;
    for q in 0..6 {
        let column = [rows[0][q], rows[1][q], rows[2][q], rows[3][q], rows[4][q], rows[5][q]];
        let line = input_line(s, column);
        for r in 0..6 {
            result[r][q] = line[r];
        }
    }
    result
}

/// `G g G^T`.
#[inline(always)]
pub(super) fn weight<S: Simd>(s: S, g: &[[S::f32s; 3]; 3]) -> [[S::f32s; 6]; 6] {
    let mut rows = [[s.splat_f32s(0.0); 6]; 3];
    for r in 0..3 {
        rows[r] = weight_line(s, g[r]);
    }
    let mut result = [[s.splat_f32s(0.0); 6]; 6];
    for q in 0..6 {
        let line = weight_line(s, [rows[0][q], rows[1][q], rows[2][q]]);
        for r in 0..6 {
            result[r][q] = line[r];
        }
    }
    result
}

/// `A^T m A`.
#[inline(always)]
pub(super) fn result<S: Simd>(s: S, m: &[[S::f32s; 6]; 6]) -> [[S::f32s; 4]; 4] {
    let mut rows = [[s.splat_f32s(0.0); 4]; 6];
    for r in 0..6 {
        rows[r] = result_line(s, m[r]);
    }
    let mut result = [[s.splat_f32s(0.0); 4]; 4];
    for q in 0..4 {
        let column = [rows[0][q], rows[1][q], rows[2][q], rows[3][q], rows[4][q], rows[5][q]];
        let line = result_line(s, column);
        for r in 0..4 {
            result[r][q] = line[r];
        }
    }
    result
}

/// The vector at the start of a slice, zeros filling it up if the slice is shorter.
#[inline(always)]
pub(super) fn load<S: Simd>(s: S, from: &[f32]) -> S::f32s {
    if from.len() >= S::F32_LANES {
        // SAFETY: the slice has a whole vector, which is a struct of `f32`.
        unsafe { from.as_ptr().cast::<S::f32s>().read_unaligned() }
    } else {
        s.partial_load_f32s(from)
    }
}

/// Writes a vector to the start of a slice, or as much of it as fits.
#[inline(always)]
pub(super) fn store<S: Simd>(s: S, to: &mut [f32], value: S::f32s) {
    if to.len() >= S::F32_LANES {
        // SAFETY: the slice has room for a whole vector, which is a struct of `f32`.
        unsafe { to.as_mut_ptr().cast::<S::f32s>().write_unaligned(value) }
    } else {
        s.partial_store_f32s(to, value);
    }
}
