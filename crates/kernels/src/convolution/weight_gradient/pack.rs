//! Copies of a group of images in the order in which weight-gradient tiles read them.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::Work;
use crate::dispatch::part;

/// Copies a group of images to `[strip][pixel][image][channel]`.
pub(super) struct PackInput<'a> {
    pub(super) work: &'a Work<'a>,
    pub(super) first: usize,
    pub(super) count: usize,
    pub(super) strips: usize,
    pub(super) packed: &'a mut [f32],
}

impl WithSimd for PackInput<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { work, first, count, strips, packed } = self;
        let (depth, pixels) = (work.shape.in_channels, work.input_pixels());
        for strip in 0..strips {
            let rows = part(depth, strips, strip);
            let packed = &mut packed[rows.start * pixels * count..rows.end * pixels * count];
            match rows.len() {
                1 => copy::<1>(work, first, count, rows.start, packed),
                2 => copy::<2>(work, first, count, rows.start, packed),
                3 => copy::<3>(work, first, count, rows.start, packed),
                4 => copy::<4>(work, first, count, rows.start, packed),
                5 => copy::<5>(work, first, count, rows.start, packed),
                6 => copy::<6>(work, first, count, rows.start, packed),
                7 => copy::<7>(work, first, count, rows.start, packed),
                _ => copy::<8>(work, first, count, rows.start, packed),
            }
        }
    }
}

/// `M` channels from channel `start` on of every pixel that the runs use.
#[inline(always)]
fn copy<const M: usize>(work: &Work, first: usize, count: usize, start: usize, packed: &mut [f32]) {
    let shape = work.shape;
    let image_length = shape.height * shape.width * shape.in_channels;
    let (packed, _) = packed.as_chunks_mut::<M>();
    for image in 0..count {
        let from = &work.input[(first + image) * image_length..(first + image + 1) * image_length];
        if work.pointwise {
            // A 1x1 kernel: only the pixels that the stride meets, zeros where it meets padding.
            for (output, to) in packed.iter_mut().skip(image).step_by(count).enumerate() {
                let (y, x) = (output / work.output_width, output % work.output_width);
                let row = (y * shape.stride).wrapping_sub(shape.padding);
                let column = (x * shape.stride).wrapping_sub(shape.padding);
                *to = [0.0; M];
                if row < shape.height && column < shape.width {
                    let at = (row * shape.width + column) * shape.in_channels + start;
                    to.copy_from_slice(&from[at..at + M]);
                }
            }
        } else {
            let pixels = from.chunks_exact(shape.in_channels);
            for (to, from) in packed.iter_mut().skip(image).step_by(count).zip(pixels) {
                to.copy_from_slice(&from[start..start + M]);
            }
        }
    }
}

/// Copies a group of output gradients to `[column][pixel][image][channel]`, zeros filling up the
/// last vector.
pub(super) struct PackOutput<'a> {
    pub(super) work: &'a Work<'a>,
    pub(super) first: usize,
    pub(super) count: usize,
    pub(super) channels: Range<usize>,
    pub(super) packed: &'a mut [f32],
}

impl WithSimd for PackOutput<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { work, first, count, channels, packed } = self;
        let lanes = S::F32_LANES;
        let (pixels, stride) = (work.output_pixels, work.shape.out_channels);
        for start in (0..channels.len()).step_by(2 * lanes) {
            let filled = (channels.len() - start).min(2 * lanes);
            let width = filled.next_multiple_of(lanes);
            let packed = &mut packed[start * pixels * count..][..width * pixels * count];
            for image in 0..count {
                let from = (first + image) * pixels * stride + channels.start + start;
                for pixel in 0..pixels {
                    let from = &work.grad_output[from + pixel * stride..][..filled];
                    let to = &mut packed[(pixel * count + image) * width..][..width];
                    for (to, from) in to.chunks_mut(lanes).zip(from.chunks(lanes)) {
                        simd.partial_store_f32s(to, simd.partial_load_f32s(from));
                    }
                }
            }
        }
    }
}
