//! Drives register tiles over images, panels and pixels.

use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::ConvolutionShape;
use super::pack::Panels;
use super::plan::{Class, Plan};
use super::tile::Tile;
use crate::dispatch::{dispatch_channels, part};
use crate::pointer::{Source, Target};

/// Elements of source and target that one pass over the panels should not exceed: fits L2.
const WORKING_SET: usize = 1 << 16;

/// Panels larger than this are read once per task, with the images re-read instead.
const RESIDENT_WEIGHTS: usize = 1 << 17;

pub(super) fn forward(
    shape: &ConvolutionShape,
    input: &[f32],
    weights: &[f32],
    output: &mut [f32],
) {
    let lanes = lanes(shape.out_channels);
    let panels = Panels::forward(shape, weights, lanes);
    run(shape.batch, &Plan::forward(shape), &panels, input, output);
}

pub(super) fn backward_input(
    shape: &ConvolutionShape,
    grad_output: &[f32],
    weights: &[f32],
    grad_input: &mut [f32],
) {
    let lanes = lanes(shape.in_channels);
    let panels = Panels::backward(shape, weights, lanes);
    run(shape.batch, &Plan::backward(shape), &panels, grad_output, grad_input);
}

/// Lanes of the vectors that a tensor of so many channels is worked on with.
pub(super) fn lanes(channels: usize) -> usize {
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
fn run(batch: usize, plan: &Plan, panels: &Panels, source: &[f32], target: &mut [f32]) {
    let threads = rayon::current_num_threads();
    let image_parts = threads.min(batch);
    let panel_parts = (threads / image_parts).min(panels.count());
    let (source_image, target_image) = (source.len() / batch, target.len() / batch);
    let (source, target) = (Source::new(source), Target::new(target));
    let task = |index: usize| {
        let task = Task {
            plan,
            panels,
            source,
            target,
            source_image,
            target_image,
            images: part(batch, image_parts, index / panel_parts),
            range: part(panels.count(), panel_parts, index % panel_parts),
        };
        dispatch_channels(panels.channels, task);
    };
    let tasks = image_parts * panel_parts;
    if tasks == 1 { task(0) } else { (0..tasks).into_par_iter().for_each(task) }
}

/// A range of images and a range of panels.
pub(super) struct Task<'a> {
    pub(super) plan: &'a Plan,
    pub(super) panels: &'a Panels,
    pub(super) source: Source,
    pub(super) target: Target,
    pub(super) source_image: usize,
    pub(super) target_image: usize,
    pub(super) images: Range<usize>,
    pub(super) range: Range<usize>,
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        assert_eq!(S::F32_LANES, self.panels.lanes, "panels are packed for this instruction set");
        let size = self.source_image + self.target_image;
        // Whole tiles of twelve images, where there are as many.
        let group = (WORKING_SET / size.max(1) / 12).max(1) * 12;
        if self.panels.rows * self.panels.channels > RESIDENT_WEIGHTS {
            for panel in self.range.clone() {
                for first in self.images.clone().step_by(group) {
                    self.panel(simd, panel, first..(first + group).min(self.images.end));
                }
            }
        } else {
            for first in self.images.clone().step_by(group) {
                for panel in self.range.clone() {
                    self.panel(simd, panel, first..(first + group).min(self.images.end));
                }
            }
        }
    }
}

impl Task<'_> {
    #[inline(always)]
    fn panel<S: Simd>(&self, simd: S, panel: usize, images: Range<usize>) {
        for class in &self.plan.classes {
            match (self.panels.vectors(panel), S::REGISTER_COUNT >= 32) {
                (1, true) => self.pixels::<S, 12, 1>(simd, panel, class, images.clone()),
                (1, false) => self.pixels::<S, 12, 1>(simd, panel, class, images.clone()),
                (_, true) => self.pixels::<S, 12, 2>(simd, panel, class, images.clone()),
                (_, false) => self.pixels::<S, 6, 2>(simd, panel, class, images.clone()),
            }
        }
    }

    /// All pixels of a class in a range of images, `M` at a time, then what is left.
    #[inline(always)]
    fn pixels<S: Simd, const M: usize, const N: usize>(
        &self,
        simd: S,
        panel: usize,
        class: &Class,
        images: Range<usize>,
    ) {
        let mut pixels = images.flat_map(|image| {
            class.pixels.iter().map(move |&(from, to)| {
                let from = (image * self.source_image) as isize + from;
                (from, image * self.target_image + to)
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
                0..=2 => self.tile::<S, 2, N>(simd, panel, class, &tile),
                3..=4 => self.tile::<S, 4, N>(simd, panel, class, &tile),
                5..=8 if M > 6 => self.tile::<S, 8, N>(simd, panel, class, &tile),
                _ => self.tile::<S, M, N>(simd, panel, class, &tile),
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
        panel: usize,
        class: &Class,
        pixels: &[(isize, usize)],
    ) {
        let first = panel * 2 * self.panels.lanes;
        simd.vectorize(Tile::<M, N> {
            runs: &class.runs,
            sources: std::array::from_fn(|m| self.source.at(pixels[m].0)),
            panel: self.panels.data[self.panels.start(panel)..].as_ptr(),
            targets: std::array::from_fn(|m| self.target.at(pixels[m].1 + first)),
            channels: (self.panels.channels - first).min(N * self.panels.lanes),
        });
    }
}
