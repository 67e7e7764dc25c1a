//! Which taps of the kernel meet which pixels.
//!
//! Pixels that meet the same taps form a class. Inside a class the taps lie at the same distances
//! from each pixel, so a register tile can hold any of its pixels, from any image, and no product
//! with padding is ever computed.

use super::ConvolutionShape;
use crate::dispatch::part;

/// Where one position along an axis reads from.
struct Place {
    /// Coordinate in the source that the offsets count from.
    origin: isize,
    /// Index into [`Axis::patterns`].
    pattern: usize,
}

/// A tap: its index in the packed weights and the offset of the source coordinate.
type Tap = (usize, isize);

/// The positions along one axis and the sets of taps they meet.
struct Axis {
    places: Vec<Place>,
    patterns: Vec<Vec<Tap>>,
}

impl Axis {
    fn new(positions: impl Iterator<Item = (isize, Vec<Tap>)>) -> Self {
        let mut axis = Self { places: Vec::new(), patterns: Vec::new() };
        for (origin, taps) in positions {
            let known = axis.patterns.iter().position(|pattern| *pattern == taps);
            let pattern = known.unwrap_or_else(|| {
                axis.patterns.push(taps);
                axis.patterns.len() - 1
            });
            axis.places.push(Place { origin, pattern });
        }
        axis
    }

    /// Positions of the output, reading the input.
    fn forward(size: usize, output: usize, kernel: usize, shape: &ConvolutionShape) -> Self {
        Self::new((0..output).map(|position| {
            let origin = (position * shape.stride) as isize - shape.padding as isize;
            let inside = |tap: &usize| (0..size as isize).contains(&(origin + *tap as isize));
            (origin, (0..kernel).filter(inside).map(|tap| (tap, tap as isize)).collect())
        }))
    }

    /// Positions of the input, reading the gradient of the output: tap `k` of the kernel connects
    /// input `i` with output `(i + padding - k) / stride` where that is whole. Packed weights hold
    /// the taps in reverse, so that both coordinates grow together.
    fn backward(size: usize, output: usize, kernel: usize, shape: &ConvolutionShape) -> Self {
        Self::new((0..size).map(|position| {
            let shifted = position + shape.padding;
            let (origin, phase) = ((shifted / shape.stride) as isize, shifted % shape.stride);
            let taps = (phase..kernel).step_by(shape.stride).rev().filter_map(|tap| {
                let offset = -(((tap - phase) / shape.stride) as isize);
                let inside = (0..output as isize).contains(&(origin + offset));
                inside.then_some((kernel - 1 - tap, offset))
            });
            (origin, taps.collect())
        }))
    }
}

/// Consecutive source elements that meet consecutive rows of packed weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// First element, counted from the pixel's origin.
    pub(super) source: isize,
    /// First row of the packed weights.
    pub(super) row: usize,
    /// Elements, one row of weights each.
    pub(super) length: usize,
}

/// Pixels that meet the same taps.
pub(super) struct Class {
    pub(super) runs: Vec<Run>,
    /// Origin in the source image and start in the target image, in elements, per pixel.
    pub(super) pixels: Vec<(isize, usize)>,
}

/// All pixels of one target image.
pub(super) struct Plan {
    /// Bands of rows from top to bottom, and the classes of each.
    pub(super) bands: Vec<Vec<Class>>,
}

impl Plan {
    /// Plan of the forward pass: target is the output, source the input.
    pub(super) fn forward(shape: &ConvolutionShape, bands: usize) -> Self {
        let [height, width] = shape.output_size();
        let rows = Axis::forward(shape.height, height, shape.kernel[0], shape);
        let columns = Axis::forward(shape.width, width, shape.kernel[1], shape);
        let channels = [shape.in_channels, shape.out_channels];
        Self::new([&rows, &columns], bands, [shape.width, shape.kernel[1]], channels)
    }

    /// Plan of the input's gradient: target is that gradient, source the gradient of the output.
    pub(super) fn backward(shape: &ConvolutionShape, bands: usize) -> Self {
        let [height, width] = shape.output_size();
        let rows = Axis::backward(shape.height, height, shape.kernel[0], shape);
        let columns = Axis::backward(shape.width, width, shape.kernel[1], shape);
        let channels = [shape.out_channels, shape.in_channels];
        Self::new([&rows, &columns], bands, [width, shape.kernel[1]], channels)
    }

    fn new(
        [rows, columns]: [&Axis; 2],
        bands: usize,
        [source_width, kernel_width]: [usize; 2],
        [from, to]: [usize; 2],
    ) -> Self {
        let height = rows.places.len();
        let band = |index: usize| {
            let mut classes: Vec<Class> = Vec::new();
            for row_taps in &rows.patterns {
                for column_taps in &columns.patterns {
                    let runs = runs(row_taps, column_taps, source_width, kernel_width, from);
                    classes.push(Class { runs, pixels: Vec::new() });
                }
            }
            for y in part(height, bands, index) {
                let row = &rows.places[y];
                for (x, column) in columns.places.iter().enumerate() {
                    let origin = row.origin * source_width as isize + column.origin;
                    let target = (y * columns.places.len() + x) * to;
                    classes[row.pattern * columns.patterns.len() + column.pattern]
                        .pixels
                        .push((origin * from as isize, target));
                }
            }
            classes.retain(|class| !class.pixels.is_empty());
            classes
        };
        Self { bands: (0..bands).map(band).collect() }
    }
}

fn runs(
    rows: &[Tap],
    columns: &[Tap],
    source_width: usize,
    kernel_width: usize,
    from: usize,
) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for &(row, down) in rows {
        for &(column, right) in columns {
            let next = Run {
                source: (down * source_width as isize + right) * from as isize,
                row: (row * kernel_width + column) * from,
                length: from,
            };
            match runs.last_mut() {
                Some(last)
                    if last.source + last.length as isize == next.source
                        && last.row + last.length == next.row =>
                {
                    last.length += next.length;
                }
                _ => runs.push(next),
            }
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(size: usize, kernel: usize, stride: usize, padding: usize) -> ConvolutionShape {
        ConvolutionShape {
            batch: 1,
            height: size,
            width: size,
            in_channels: 3,
            out_channels: 5,
            kernel: [kernel; 2],
            stride,
            padding,
        }
    }

    fn products(plan: &Plan) -> usize {
        let class = |class: &Class| {
            class.runs.iter().map(|run| run.length).sum::<usize>() * class.pixels.len()
        };
        plan.bands.iter().flatten().map(class).sum()
    }

    #[test]
    fn taps_beside_each_other_make_one_run_per_kernel_row() {
        let plan = Plan::forward(&shape(5, 3, 1, 1), 1);
        let interior = plan.bands.iter().flatten().find(|class| class.pixels.len() == 9);
        let runs = &interior.expect("the 3x3 interior is one class").runs;
        assert_eq!(runs.len(), 3);
        assert!(runs.iter().all(|run| run.length == 9));
    }

    #[test]
    fn padding_is_never_multiplied() {
        // Each of the three axis positions of a 2x2 image meets 2 of 3 taps: 4 pixels x 4 taps.
        assert_eq!(products(&Plan::forward(&shape(2, 3, 1, 1), 2)), 4 * 4 * 3);
    }

    #[test]
    fn both_directions_connect_the_same_pairs_of_pixels() {
        for (size, kernel, stride, padding) in
            [(7, 3, 2, 1), (8, 3, 2, 1), (9, 5, 3, 2), (6, 1, 2, 0)]
        {
            let shape = shape(size, kernel, stride, padding);
            let forward = products(&Plan::forward(&shape, 2)) / 3;
            assert_eq!(forward, products(&Plan::backward(&shape, 2)) / 5, "{shape:?}");
        }
    }

    #[test]
    fn pixels_that_a_stride_skips_meet_no_tap() {
        let plan = Plan::backward(&shape(6, 1, 2, 0), 2);
        let skipped = plan.bands.iter().flatten().filter(|class| class.runs.is_empty());
        assert_eq!(skipped.map(|class| class.pixels.len()).sum::<usize>(), 27);
    }
}
