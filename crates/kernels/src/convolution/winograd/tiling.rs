//! Tiles of images, and the pixels that they read and write.

use pulp::Simd;

use super::transform::{Points, SIDE, input_column, input_row};
use crate::vector::{load, store};

/// Stands for a pixel outside the image.
const OUTSIDE: usize = usize::MAX;

/// Images cut into square tiles, side by side.
#[derive(Clone, Copy)]
pub(super) struct Tiling {
    batch: usize,
    down: usize,
    across: usize,
    side: usize,
}

/// A tile.
#[derive(Clone, Copy)]
pub(super) struct Place {
    image: usize,
    top: usize,
    left: usize,
}

impl Tiling {
    pub(super) fn new(batch: usize, [height, width]: [usize; 2], side: usize) -> Self {
        Self { batch, down: height.div_ceil(side), across: width.div_ceil(side), side }
    }

    /// Tiles of all images.
    pub(super) fn count(&self) -> usize {
        self.batch * self.down * self.across
    }

    #[inline(always)]
    pub(super) fn place(&self, tile: usize) -> Place {
        let (image, tile) = (tile / (self.down * self.across), tile % (self.down * self.across));
        let (row, column) = (tile / self.across, tile % self.across);
        Place { image, top: row * self.side, left: column * self.side }
    }
}

/// Sizes of NHWC images.
#[derive(Clone, Copy)]
pub(super) struct Images {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
}

/// The pixels of a square window.
pub(super) struct Window<const N: usize> {
    /// Start of each pixel, in elements, or [`OUTSIDE`].
    starts: [[usize; N]; N],
    /// Whether every pixel lies inside of the image.
    whole: bool,
}

impl<const N: usize> Window<N> {
    /// The window that starts `padding` pixels above and left of a place.
    #[inline(always)]
    pub(super) fn new(images: &Images, place: Place, padding: usize) -> Self {
        let mut starts = [[OUTSIDE; N]; N];
        let mut whole = true;
        for (y, row) in starts.iter_mut().enumerate() {
            let y = (place.top + y).wrapping_sub(padding);
            for (x, start) in row.iter_mut().enumerate() {
                let x = (place.left + x).wrapping_sub(padding);
                if y < images.height && x < images.width {
                    let pixel = (place.image * images.height + y) * images.width + x;
                    *start = pixel * images.channels;
                } else {
                    whole = false;
                }
            }
        }
        Self { starts, whole }
    }

    /// A vector of channels of every pixel of a row, zeros outside of the image.
    ///
    /// # Safety
    /// From every pixel of the window that lies inside of the image, `count` floats from `channel` on
    /// have to be readable, or a vector if `count` is more.
    #[inline(always)]
    pub(super) unsafe fn row<S: Simd>(
        &self,
        simd: S,
        images: *const f32,
        y: usize,
        channel: usize,
        count: usize,
    ) -> [S::f32s; N] {
        let mut values = [simd.splat_f32s(0.0); N];
        if self.whole && count >= S::F32_LANES {
            for (value, &start) in values.iter_mut().zip(&self.starts[y]) {
                // SAFETY: the caller's promise.
                *value = unsafe { load(simd, images.add(start + channel), S::F32_LANES) };
            }
            return values;
        }
        for (value, &start) in values.iter_mut().zip(&self.starts[y]) {
            if start != OUTSIDE {
                // SAFETY: the caller's promise.
                *value = unsafe { load(simd, images.add(start + channel), count) };
            }
        }
        values
    }

    /// Writes a vector of channels of every pixel that lies inside of the image.
    ///
    /// # Safety
    /// As [`row`](Self::row), but writable.
    #[inline(always)]
    pub(super) unsafe fn store<S: Simd>(
        &self,
        simd: S,
        images: *mut f32,
        channel: usize,
        count: usize,
        values: &[[S::f32s; N]; N],
    ) {
        for (values, starts) in values.iter().zip(&self.starts) {
            for (&value, &start) in values.iter().zip(starts) {
                if start != OUTSIDE {
                    // SAFETY: the caller's promise.
                    unsafe { store(simd, images.add(start + channel), count, value) };
                }
            }
        }
    }
}

impl Window<SIDE> {
    /// Transforms a vector of channels to points, `step` floats apart.
    ///
    /// # Safety
    /// As [`row`](Self::row), and vectors have to be writable.
    #[inline(always)]
    pub(super) unsafe fn transform<S: Simd>(
        &self,
        simd: S,
        images: *const f32,
        channel: usize,
        count: usize,
        to: *mut f32,
        step: usize,
    ) {
        let mut rows = [[simd.splat_f32s(0.0); SIDE]; SIDE];
        for (y, row) in rows.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            *row = input_row(simd, unsafe { self.row(simd, images, y, channel, count) });
        }
        for q in 0..SIDE {
            for (r, &point) in input_column(simd, &rows, q).iter().enumerate() {
                // SAFETY: the caller's promise.
                unsafe { store(simd, to.add((r * SIDE + q) * step), S::F32_LANES, point) };
            }
        }
    }
}

/// Reads a vector of every point, `step` floats apart.
///
/// # Safety
/// The vectors have to be readable.
#[inline(always)]
pub(super) unsafe fn load_points<S: Simd>(simd: S, from: *const f32, step: usize) -> Points<S> {
    let mut points = [[simd.splat_f32s(0.0); SIDE]; SIDE];
    for (index, point) in points.as_flattened_mut().iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        *point = unsafe { load(simd, from.add(index * step), S::F32_LANES) };
    }
    points
}

/// Writes a vector of every point, `step` floats apart.
///
/// # Safety
/// The vectors have to be writable.
#[inline(always)]
pub(super) unsafe fn store_points<S: Simd>(simd: S, to: *mut f32, step: usize, points: &Points<S>) {
    for (index, &point) in points.as_flattened().iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe { store(simd, to.add(index * step), S::F32_LANES, point) };
    }
}
