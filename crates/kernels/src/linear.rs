//! Fully connected layers: products with a matrix of weights that is too large for the caches.
//!
//! Weights are `[inputs, outputs]`. A batch is small beside them, so what costs is to move them: each
//! pass reads or writes every weight once. Activations are packed beforehand, weights a block at a
//! time. No result depends on the number of threads.

use std::mem::MaybeUninit;
use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::blocks::same_length;
use crate::convolution::lanes;
use crate::dispatch::{dispatch_channels, part};
use crate::fresh::{uninitialized, vector};
use crate::pointer::{Source, Target};
use crate::product::{STRIP, Strip};
use crate::scratch::Scratch;
use crate::tasks::each;

/// Rows of weights packed at a time.
const ROWS: usize = 256;

/// Panels of weights packed at a time, so that rows are read in longer runs.
const BLOCK: usize = 4;

/// Strips of inputs whose weight gradients are written together.
const TOGETHER: usize = 4;

/// Sizes of a fully connected layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinearShape {
    /// Rows of input and output.
    pub batch: usize,
    /// Columns of the input.
    pub inputs: usize,
    /// Columns of the output.
    pub outputs: usize,
}

impl LinearShape {
    fn check(&self, input: usize, weights: usize, output: usize) {
        same_length("the input's side", input, "the shape", self.batch * self.inputs);
        same_length("the weights' side", weights, "the shape", self.inputs * self.outputs);
        same_length("the output's side", output, "the shape", self.batch * self.outputs);
    }

    fn is_empty(&self) -> bool {
        self.batch == 0 || self.inputs == 0 || self.outputs == 0
    }

    /// Floating-point operations of one pass, a multiplication and an addition counting as two.
    pub fn operations(&self) -> u64 {
        2 * (self.batch * self.inputs * self.outputs) as u64
    }
}

/// `output = input weights`: writes all of `output`.
///
/// # Panics
/// If a slice's length contradicts `shape`.
#[track_caller]
pub fn forward(shape: &LinearShape, input: &[f32], weights: &[f32], output: &mut [f32]) {
    // SAFETY: passes write initialized elements only.
    write_output(shape, input, weights, unsafe { uninitialized(output) });
}

/// [`forward`] to a new vector, whose memory is written once only.
///
/// # Panics
/// As [`forward`].
#[track_caller]
pub fn forward_to_vec(shape: &LinearShape, input: &[f32], weights: &[f32]) -> Vec<f32> {
    let write = |output: &mut [_]| write_output(shape, input, weights, output);
    // SAFETY: passes write every element.
    unsafe { vector(shape.batch * shape.outputs, write).0 }
}

#[track_caller]
fn write_output(
    shape: &LinearShape,
    input: &[f32],
    weights: &[f32],
    output: &mut [MaybeUninit<f32>],
) {
    shape.check(input.len(), weights.len(), output.len());
    if shape.is_empty() {
        output.fill(MaybeUninit::new(0.0));
        return;
    }
    let of = Multiplication {
        batch: shape.batch,
        from: shape.inputs,
        to: shape.outputs,
        weights: Source::new(weights),
        reversed: false,
    };
    of.run(input, Target::new(output));
}

/// `grad_input = grad_output weights^T`: writes all of `grad_input`.
///
/// # Panics
/// If a slice's length contradicts `shape`.
#[track_caller]
pub fn backward_input(
    shape: &LinearShape,
    grad_output: &[f32],
    weights: &[f32],
    grad_input: &mut [f32],
) {
    // SAFETY: passes write initialized elements only.
    write_grad_input(shape, grad_output, weights, unsafe { uninitialized(grad_input) });
}

/// [`backward_input`] to a new vector, whose memory is written once only.
///
/// # Panics
/// As [`backward_input`].
#[track_caller]
pub fn backward_input_to_vec(
    shape: &LinearShape,
    grad_output: &[f32],
    weights: &[f32],
) -> Vec<f32> {
    let write = |to: &mut [_]| write_grad_input(shape, grad_output, weights, to);
    // SAFETY: passes write every element.
    unsafe { vector(shape.batch * shape.inputs, write).0 }
}

#[track_caller]
fn write_grad_input(
    shape: &LinearShape,
    grad_output: &[f32],
    weights: &[f32],
    grad_input: &mut [MaybeUninit<f32>],
) {
    shape.check(grad_input.len(), weights.len(), grad_output.len());
    if shape.is_empty() {
        grad_input.fill(MaybeUninit::new(0.0));
        return;
    }
    let of = Multiplication {
        batch: shape.batch,
        from: shape.outputs,
        to: shape.inputs,
        weights: Source::new(weights),
        reversed: true,
    };
    of.run(grad_output, Target::new(grad_input));
}

/// `grad_weights = input^T grad_output`: writes all of `grad_weights`.
///
/// # Panics
/// If a slice's length contradicts `shape`.
#[track_caller]
pub fn backward_weight(
    shape: &LinearShape,
    input: &[f32],
    grad_output: &[f32],
    grad_weights: &mut [f32],
) {
    // SAFETY: passes write initialized elements only.
    write_grad_weights(shape, input, grad_output, unsafe { uninitialized(grad_weights) });
}

/// [`backward_weight`] to a new vector, whose memory is written once only.
///
/// # Panics
/// As [`backward_weight`].
#[track_caller]
pub fn backward_weight_to_vec(shape: &LinearShape, input: &[f32], grad_output: &[f32]) -> Vec<f32> {
    let write = |to: &mut [_]| write_grad_weights(shape, input, grad_output, to);
    // SAFETY: passes write every element.
    unsafe { vector(shape.inputs * shape.outputs, write).0 }
}

#[track_caller]
fn write_grad_weights(
    shape: &LinearShape,
    input: &[f32],
    grad_output: &[f32],
    grad_weights: &mut [MaybeUninit<f32>],
) {
    shape.check(input.len(), grad_weights.len(), grad_output.len());
    if shape.is_empty() {
        grad_weights.fill(MaybeUninit::new(0.0));
        return;
    }
    let LinearShape { batch, inputs, outputs } = *shape;
    let lanes = lanes(outputs);
    let mut left = pack(input, batch, inputs, STRIP);
    let mut right = pack(grad_output, batch, outputs, 2 * lanes);
    let (left, right) = (Target::of(left.start()), Target::of(right.start()));
    let to = Target::new(grad_weights);
    let strips = inputs.div_ceil(STRIP);
    let tasks = rayon::current_num_threads().min(strips);
    each(tasks, |index| {
        let strips = part(strips, tasks, index);
        dispatch_channels(outputs, Gradients { shape: *shape, strips, left, right, to });
    });
}

/// Copies a matrix to panels of `width` columns, `[panel][row][column]`, zeros filling up the last.
fn pack(matrix: &[f32], rows: usize, columns: usize, width: usize) -> Scratch {
    let panels = columns.div_ceil(width);
    let mut packed = Scratch::new(panels * rows * width);
    let to = Target::of(packed.start());
    let tasks = rayon::current_num_threads().min(rows);
    each(tasks, |index| {
        for row in part(rows, tasks, index) {
            let from = &matrix[row * columns..(row + 1) * columns];
            for (panel, from) in from.chunks(width).enumerate() {
                let to = to.at((panel * rows + row) * width);
                // SAFETY: every panel has `width` columns for each row; this task alone writes it.
                unsafe {
                    to.copy_from_nonoverlapping(from.as_ptr(), from.len());
                    to.add(from.len()).write_bytes(0, width - from.len());
                }
            }
        }
    });
    packed
}

/// Weight gradients of some strips of inputs.
struct Gradients {
    shape: LinearShape,
    strips: Range<usize>,
    left: Target,
    right: Target,
    to: Target,
}

impl WithSimd for Gradients {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let LinearShape { batch, inputs, outputs } = self.shape;
        let width = 2 * S::F32_LANES;
        for first in self.strips.clone().step_by(TOGETHER) {
            for panel in 0..outputs.div_ceil(width) {
                for strip in first..(first + TOGETHER).min(self.strips.end) {
                    let columns = outputs - panel * width;
                    let strip = Strip {
                        left: self.left.at(strip * batch * STRIP),
                        left_step: STRIP,
                        right: self.right.at(panel * batch * width),
                        // Panels are two vectors wide, whatever they hold.
                        vectors: 2,
                        count: batch,
                        to: self.to.at(strip * STRIP * outputs + panel * width),
                        to_step: outputs,
                        rows: STRIP.min(inputs - strip * STRIP),
                        columns: columns.min(width),
                        add: false,
                    };
                    strip.with_simd(simd);
                }
            }
        }
    }
}

/// A product of activations and weights.
struct Multiplication {
    batch: usize,
    /// Columns of the activations.
    from: usize,
    /// Columns of the result.
    to: usize,
    weights: Source,
    /// Whether the weights are `[to, from]`.
    reversed: bool,
}

impl Multiplication {
    fn run(&self, input: &[f32], to: Target) {
        let width = 2 * lanes(self.to);
        let mut packed = self.pack_input(input);
        let packed = Target::of(packed.start());
        let panels = self.to.div_ceil(width);
        let tasks = rayon::current_num_threads().min(panels);
        each(tasks, |index| {
            let panels = part(panels, tasks, index);
            let mut block = Scratch::new(BLOCK * ROWS * width);
            let block = block.start();
            dispatch_channels(self.to, Panels { of: self, panels, input: packed, block, to });
        });
    }

    /// Copies the activations to `[strip of rows][column][row]`, zeros filling up the last strip.
    fn pack_input(&self, input: &[f32]) -> Scratch {
        let strips = self.batch.div_ceil(STRIP);
        let mut packed = Scratch::new(strips * self.from * STRIP);
        let to = Target::of(packed.start());
        each(strips, |strip| {
            let to = to.at(strip * self.from * STRIP);
            for row in 0..STRIP {
                for column in 0..self.from {
                    let at = (strip * STRIP + row) * self.from + column;
                    let value = input.get(at).copied().unwrap_or(0.0);
                    // SAFETY: a strip has `STRIP` rows for each column; this task alone writes it.
                    unsafe { to.add(column * STRIP + row).write(value) };
                }
            }
        });
        packed
    }

    /// Copies some rows and columns of the weights, `[panel][row][column]`, zeros filling up the last
    /// panel.
    ///
    /// # Safety
    /// `block` needs room for them.
    #[inline(always)]
    unsafe fn pack_weights(
        &self,
        rows: Range<usize>,
        columns: Range<usize>,
        width: usize,
        block: *mut f32,
    ) {
        let (count, filled) = (rows.len(), columns.len());
        let panels = filled.div_ceil(width);
        // SAFETY: `block` has room for `panels` of `count` rows of `width`; weights are whole.
        unsafe {
            if filled < panels * width {
                block.add((panels - 1) * count * width).write_bytes(0, count * width);
            }
            if self.reversed {
                /// Rows turned round at once, so that reads stay within cache lines.
                const TURNED: usize = 16;
                for first in (0..count).step_by(TURNED) {
                    let turned = TURNED.min(count - first);
                    for column in 0..filled {
                        let from = (columns.start + column) * self.from + rows.start + first;
                        let from = self.weights.at(from as isize);
                        let to = column / width * count * width + column % width;
                        let to = block.add(first * width + to);
                        if turned == TURNED {
                            for row in 0..TURNED {
                                to.add(row * width).write(*from.add(row));
                            }
                        } else {
                            for row in 0..turned {
                                to.add(row * width).write(*from.add(row));
                            }
                        }
                    }
                }
            } else {
                for row in 0..count {
                    for panel in 0..panels {
                        let column = panel * width;
                        let from = (rows.start + row) * self.to + columns.start + column;
                        let from = self.weights.at(from as isize);
                        let to = block.add((panel * count + row) * width);
                        to.copy_from_nonoverlapping(from, width.min(filled - column));
                    }
                }
            }
        }
    }
}

/// Some panels of a product.
struct Panels<'a> {
    of: &'a Multiplication,
    panels: Range<usize>,
    input: Target,
    /// Room for a block of weights.
    block: *mut f32,
    to: Target,
}

impl WithSimd for Panels<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { of, panels, input, block, to } = self;
        let width = 2 * S::F32_LANES;
        for first_panel in panels.clone().step_by(BLOCK) {
            let panels = first_panel..(first_panel + BLOCK).min(panels.end);
            for first in (0..of.from).step_by(ROWS) {
                let rows = first..(first + ROWS).min(of.from);
                let columns = panels.start * width..(panels.end * width).min(of.to);
                // SAFETY: there is room for `BLOCK` panels of `ROWS` rows of `width`.
                unsafe { of.pack_weights(rows.clone(), columns.clone(), width, block) };
                for panel in panels.clone() {
                    let columns = panel * width..((panel + 1) * width).min(of.to);
                    for strip in 0..of.batch.div_ceil(STRIP) {
                        let strip = Strip {
                            left: input.at((strip * of.from + first) * STRIP),
                            left_step: STRIP,
                            right: block.wrapping_add((panel - panels.start) * rows.len() * width),
                            vectors: 2,
                            count: rows.len(),
                            to: to.at(strip * STRIP * of.to + columns.start),
                            to_step: of.to,
                            rows: STRIP.min(of.batch - strip * STRIP),
                            columns: columns.len(),
                            add: first > 0,
                        };
                        strip.with_simd(simd);
                    }
                }
            }
        }
    }
}
