//! Fixed division of element-wise work, and sums whose error does not grow with length.

use std::mem::MaybeUninit;

use rayon::prelude::*;

/// Elements handed to one task: large enough to hide the cost of a task, small enough for L2.
pub(crate) const TASK: usize = 1 << 15;

/// Elements summed in `f32` before the sum moves to `f64`; scratch of this size stays in L1.
pub(crate) const BLOCK: usize = 1024;

const LANES: usize = 32;

/// Sum of one block: 32 interleaved `f32` sums, then `f64`.
#[inline(always)]
pub(crate) fn block_sum(values: &[f32]) -> f64 {
    let mut lanes = [0.0f32; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += value;
        }
    }
    let whole: f64 = lanes.iter().map(|&lane| f64::from(lane)).sum();
    whole + rest.iter().map(|&value| f64::from(value)).sum::<f64>()
}

/// Runs `body` on corresponding tasks of `input` and `output`.
pub(crate) fn map(
    input: &[f32],
    output: &mut [MaybeUninit<f32>],
    body: impl Fn(&[f32], &mut [MaybeUninit<f32>]) + Sync,
) {
    if input.len() <= TASK {
        return body(input, output);
    }
    input
        .par_chunks(TASK)
        .zip(output.par_chunks_mut(TASK))
        .for_each(|(input, output)| body(input, output));
}

/// Runs `body` on corresponding tasks of two inputs and an output, and adds what it returns in the
/// order of the tasks.
pub(crate) fn map_sum<const K: usize>(
    first: &[f32],
    second: &[f32],
    output: &mut [MaybeUninit<f32>],
    body: impl Fn(&[f32], &[f32], &mut [MaybeUninit<f32>]) -> [f64; K] + Sync,
) -> [f64; K] {
    if first.len() <= TASK {
        return body(first, second, output);
    }
    let parts: Vec<[f64; K]> = first
        .par_chunks(TASK)
        .zip(second.par_chunks(TASK))
        .zip(output.par_chunks_mut(TASK))
        .map(|((first, second), output)| body(first, second, output))
        .collect();
    let mut sums = [0.0; K];
    for part in parts {
        for (sum, value) in sums.iter_mut().zip(part) {
            *sum += value;
        }
    }
    sums
}

/// Panics with the names and lengths of two slices that should be equally long.
#[track_caller]
pub(crate) fn same_length(name: &str, length: usize, other: &str, expected: usize) {
    assert!(length == expected, "{name} has {length} elements, but {other} asks for {expected}");
}
