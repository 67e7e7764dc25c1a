//! The transforms of minimal filtering with six points, on vectors of channels.
//!
//! Lavin and Gray, *Fast Algorithms for Convolutional Neural Networks*, CVPR 2016 (arXiv 1509.09308),
//! with interpolation points 0, 1, -1, 2, -2 and infinity. One input transform serves every pair of
//! result and kernel length whose sum is seven: F(4, 3) and F(2, 5). With `V(n)` the values of a
//! polynomial of `n` coefficients at the six points, weights become `scale V(kernel) g`, results are
//! `V(result)^T m`, and a weight gradient is `V(kernel)^T scale (V(result) dy * B^T d)`.

use pulp::Simd;

/// Side of a transformed tile.
pub(super) const SIDE: usize = 6;
/// Elements of a transformed tile.
pub(super) const POINTS: usize = SIDE * SIDE;

/// Factor of each point's product: the reciprocal of its Lagrange polynomial's denominator.
const SCALE: [f64; SIDE] = [1.0 / 4.0, -1.0 / 6.0, -1.0 / 6.0, 1.0 / 24.0, 1.0 / 24.0, 1.0];

/// Factors in two dimensions, rounded once.
const SCALES: [[f32; SIDE]; SIDE] = {
    let mut scales = [[0.0; SIDE]; SIDE];
    let mut point = 0;
    while point < POINTS {
        let (r, q) = (point / SIDE, point % SIDE);
        scales[r][q] = (SCALE[r] * SCALE[q]) as f32;
        point += 1;
    }
    scales
};

/// `B^T d`: six pixels in a line.
#[inline(always)]
fn input_line<S: Simd>(s: S, d: [S::f32s; SIDE]) -> [S::f32s; SIDE] {
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

/// `V(N) g`: values of a polynomial of two to five coefficients.
#[inline(always)]
fn values_line<S: Simd, const N: usize>(s: S, g: [S::f32s; N]) -> [S::f32s; SIDE] {
    let (two, four) = (s.splat_f32s(2.0), s.splat_f32s(4.0));
    let (mut even, mut odd) = (g[0], g[1]);
    let (mut far_even, mut far_odd) = (g[0], s.add_f32s(g[1], g[1]));
    if N > 2 {
        even = s.add_f32s(even, g[2]);
        far_even = s.mul_add_e_f32s(four, g[2], far_even);
    }
    if N > 3 {
        odd = s.add_f32s(odd, g[3]);
        let near = s.mul_add_e_f32s(four, g[3], g[1]);
        far_odd = s.mul_f32s(two, near);
    }
    if N > 4 {
        even = s.add_f32s(even, g[4]);
        far_even = s.mul_add_e_f32s(s.splat_f32s(16.0), g[4], far_even);
    }
    [
        g[0],
        s.add_f32s(even, odd),
        s.sub_f32s(even, odd),
        s.add_f32s(far_even, far_odd),
        s.sub_f32s(far_even, far_odd),
        g[N - 1],
    ]
}

/// `V(N)^T m`: six products in a line.
#[inline(always)]
fn coefficients_line<S: Simd, const N: usize>(s: S, m: [S::f32s; SIDE]) -> [S::f32s; N] {
    let (sum, difference) = (s.add_f32s(m[1], m[2]), s.sub_f32s(m[1], m[2]));
    let (far_sum, far_difference) = (s.add_f32s(m[3], m[4]), s.sub_f32s(m[3], m[4]));
    let mut line = [s.add_f32s(m[0], s.add_f32s(sum, far_sum)); N];
    line[1] = s.mul_add_e_f32s(s.splat_f32s(2.0), far_difference, difference);
    if N > 2 {
        line[2] = s.mul_add_e_f32s(s.splat_f32s(4.0), far_sum, sum);
    }
    if N > 3 {
        line[3] = s.mul_add_e_f32s(s.splat_f32s(8.0), far_difference, difference);
    }
    if N > 4 {
        line[4] = s.mul_add_e_f32s(s.splat_f32s(16.0), far_sum, sum);
    }
    line[N - 1] = s.add_f32s(line[N - 1], m[5]);
    line
}

/// A tile of points.
pub(super) type Points<S> = [[<S as Simd>::f32s; SIDE]; SIDE];

// Loops below instead of closures: a closure that is not inlined would lose the instruction set.

/// A row of `B^T d B` before the columns are transformed.
#[inline(always)]
pub(super) fn input_row<S: Simd>(s: S, d: [S::f32s; SIDE]) -> [S::f32s; SIDE] {
    input_line(s, d)
}

/// A column of `B^T d B` from its transformed rows.
#[inline(always)]
pub(super) fn input_column<S: Simd>(s: S, rows: &Points<S>, q: usize) -> [S::f32s; SIDE] {
    input_line(s, [rows[0][q], rows[1][q], rows[2][q], rows[3][q], rows[4][q], rows[5][q]])
}

/// `V(N) g V(N)^T`.
#[inline(always)]
pub(super) fn values<S: Simd, const N: usize>(s: S, g: &[[S::f32s; N]; N]) -> Points<S> {
    let mut rows = [[s.splat_f32s(0.0); SIDE]; N];
    for r in 0..N {
        rows[r] = values_line(s, g[r]);
    }
    let mut result = [[s.splat_f32s(0.0); SIDE]; SIDE];
    for q in 0..SIDE {
        let mut column = [rows[0][q]; N];
        for r in 1..N {
            column[r] = rows[r][q];
        }
        let line = values_line(s, column);
        for r in 0..SIDE {
            result[r][q] = line[r];
        }
    }
    result
}

/// `V(N)^T m V(N)`.
#[inline(always)]
pub(super) fn coefficients<S: Simd, const N: usize>(s: S, m: &Points<S>) -> [[S::f32s; N]; N] {
    let mut rows = [[s.splat_f32s(0.0); N]; SIDE];
    for r in 0..SIDE {
        rows[r] = coefficients_line(s, m[r]);
    }
    let mut result = [[s.splat_f32s(0.0); N]; N];
    for q in 0..N {
        let column = [rows[0][q], rows[1][q], rows[2][q], rows[3][q], rows[4][q], rows[5][q]];
        let line = coefficients_line::<S, N>(s, column);
        for r in 0..N {
            result[r][q] = line[r];
        }
    }
    result
}

/// Multiplies every point with its factor.
#[inline(always)]
pub(super) fn scaled<S: Simd>(s: S, points: &Points<S>) -> Points<S> {
    let mut result = *points;
    for r in 0..SIDE {
        for q in 0..SIDE {
            result[r][q] = s.mul_f32s(s.splat_f32s(SCALES[r][q]), points[r][q]);
        }
    }
    result
}
