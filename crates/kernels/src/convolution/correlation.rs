//! Drives register tiles over images, panels and pixels.

use std::mem::MaybeUninit;
use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::ConvolutionShape;
use super::pack::Panels;
use super::plan::{Class, Plan};
use super::tile::Tile;
use crate::dispatch::{dispatch_channels, part};
use crate::pointer::{Source, Target};
use crate::scratch::Scratch;
use crate::tasks::each;

/// Elements of source and target that one pass over the panels should not exceed: fits L2.
const WORKING_SET: usize = 1 << 16;

/// Weights from which on threads share them out, and pack each panel when they come to it.
const MANY_WEIGHTS: usize = 1 << 17;

pub(super) fn forward(
    shape: &ConvolutionShape,
    input: &[f32],
    weights: &[f32],
    output: &mut [MaybeUninit<f32>],
) {
    let lanes = lanes(shape.out_channels);
    let panels = Panels::forward(shape, weights, lanes);
    let blocks = Blocks::new(shape, shape.output_size());
    run(shape.batch, blocks, &Plan::forward(shape, blocks.bands), &panels, input, output);
}

pub(super) fn backward_input(
    shape: &ConvolutionShape,
    grad_output: &[f32],
    weights: &[f32],
    grad_input: &mut [MaybeUninit<f32>],
) {
    let lanes = lanes(shape.in_channels);
    let panels = Panels::backward(shape, weights, lanes);
    let blocks = Blocks::new(shape, [shape.height, shape.width]);
    run(
        shape.batch,
        blocks,
        &Plan::backward(shape, blocks.bands),
        &panels,
        grad_output,
        grad_input,
    );
}

/// Lanes of the vectors that a tensor of so many channels is worked on with.
pub(crate) fn lanes(channels: usize) -> usize {
    dispatch_channels(channels, Lanes)
}

struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

/// Every target element is the work of one task alone and its products are added in an order of its
/// own, so the result does not depend on the number of threads.
fn run(
    batch: usize,
    blocks: Blocks,
    plan: &Plan,
    panels: &Panels<'_>,
    source: &[f32],
    target: &mut [MaybeUninit<f32>],
) {
    let threads = rayon::current_num_threads();
    let many = panels.rows * panels.channels > MANY_WEIGHTS;
    let (image_parts, panel_parts) = if many {
        let parts = threads.min(panels.count());
        ((threads / parts).min(batch), parts)
    } else {
        let parts = threads.min(batch);
        (parts, (threads / parts).min(panels.count()))
    };
    let (source_image, target_image) = (source.len() / batch, target.len() / batch);
    let (source, target) = (Source::new(source), Target::new(target));
    let mut packed = (!many).then(|| panels.packed());
    let packed = packed.as_mut().map(|packed| Target::of(packed.start()));
    each(image_parts * panel_parts, |index| {
        let images = part(batch, image_parts, index / panel_parts);
        let range = part(panels.count(), panel_parts, index % panel_parts);
        let image = [source_image, target_image];
        let task = |images, classes: &[Class], panel, weights| {
            let task = Task { classes, panels, source, target, image, images, panel, weights };
            dispatch_channels(panels.channels, task);
        };
        match packed {
            Some(packed) => {
                for first in images.clone().step_by(blocks.images) {
                    let images = first..(first + blocks.images).min(images.end);
                    for classes in &plan.bands {
                        for panel in range.clone() {
                            let weights = packed.at(panel * panels.length());
                            task(images.clone(), classes, panel, weights);
                        }
                    }
                }
            }
            None => {
                let mut own = Scratch::new(panels.length());
                for panel in range {
                    // SAFETY: there is room for a panel.
                    unsafe { panels.pack(panel, own.start()) };
                    for first in images.clone().step_by(blocks.images) {
                        let images = first..(first + blocks.images).min(images.end);
                        for classes in &plan.bands {
                            task(images.clone(), classes, panel, own.start());
                        }
                    }
                }
            }
        }
    });
}

/// Division of the work of one panel.
#[derive(Clone, Copy)]
struct Blocks {
    /// Images that are worked on at a time.
    images: usize,
    /// Bands of rows that they are cut into.
    bands: usize,
}

impl Blocks {
    /// Blocks that fit [`WORKING_SET`], unless tiles of a few pixels would remain.
    fn new(shape: &ConvolutionShape, [height, width]: [usize; 2]) -> Self {
        let size = (shape.input_length() + shape.output_length()) / shape.batch;
        let most = WORKING_SET / size.max(1);
        let images = match (most, height * width) {
            // Whole tiles of twelve images.
            (12.., _) => most / 12 * 12,
            (_, 0..64) => 12,
            (_, 64..256) => 4,
            _ => most.max(1),
        };
        let bands = if most == 0 && height * width >= 256 { size.div_ceil(WORKING_SET) } else { 1 };
        Self { images, bands: bands.min(height) }
    }
}

/// A band of some images, and a panel.
struct Task<'a> {
    classes: &'a [Class],
    panels: &'a Panels<'a>,
    source: Source,
    target: Target,
    /// Elements of a source and a target image.
    image: [usize; 2],
    images: Range<usize>,
    panel: usize,
    /// The panel's packed weights.
    weights: *const f32,
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        assert_eq!(S::F32_LANES, self.panels.lanes, "panels are packed for this instruction set");
        for class in self.classes {
            let images = self.images.clone();
            match (self.panels.vectors(self.panel), S::REGISTER_COUNT >= 32) {
                (1, _) => self.pixels::<S, 12, 1>(simd, class, images),
                (_, true) => self.pixels::<S, 12, 2>(simd, class, images),
                (_, false) => self.pixels::<S, 6, 2>(simd, class, images),
            }
        }
    }
}

impl Task<'_> {
    /// All pixels of a class in a range of images, `M` at a time, then what is left.
    #[inline(always)]
    fn pixels<S: Simd, const M: usize, const N: usize>(
        &self,
        simd: S,
        class: &Class,
        images: Range<usize>,
    ) {
        let mut pixels = images.flat_map(|image| {
            class.pixels.iter().map(move |&(from, to)| {
                let from = (image * self.image[0]) as isize + from;
                (from, image * self.image[1] + to)
            })
        });
        let mut tile = [(0isize, 0usize); M];
        loop {
            let mut filled = 0;
            for (place, pixel) in tile.iter_mut().zip(&mut pixels) {
                *place = pixel;
                filled += 1;
            }
            if filled == 0 {
                return;
            }
            for index in filled..M {
                tile[index] = tile[filled - 1];
            }
            match filled {
                0..=2 => self.tile::<S, 2, N>(simd, class, &tile),
                3..=4 => self.tile::<S, 4, N>(simd, class, &tile),
                5..=8 if M > 6 => self.tile::<S, 8, N>(simd, class, &tile),
                _ => self.tile::<S, M, N>(simd, class, &tile),
            }
            if filled < M {
                return;
            }
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const M: usize, const N: usize>(
        &self,
        simd: S,
        class: &Class,
        pixels: &[(isize, usize)],
    ) {
        let first = self.panel * 2 * self.panels.lanes;
        simd.vectorize(Tile::<M, N> {
            runs: &class.runs,
            sources: std::array::from_fn(|m| self.source.at(pixels[m].0)),
            panel: self.weights,
            targets: std::array::from_fn(|m| self.target.at(pixels[m].1 + first)),
            channels: (self.panels.channels - first).min(N * self.panels.lanes),
        });
    }
}
