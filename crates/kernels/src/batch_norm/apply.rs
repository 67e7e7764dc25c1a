//! Scale, shift, residual and ReLU in one pass.

use std::mem::MaybeUninit;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{Epilogue, period};
use crate::blocks::same_length;
use crate::dispatch::dispatch;
use crate::fresh::{uninitialized, vector};

/// `output = relu(input * scale + shift + residual)`, with one scale and shift per channel: inference
/// with running statistics, and the second half of [`forward`](super::forward).
///
/// # Panics
/// If a slice's length contradicts that of `input`, `scale` and `shift` differ in length, or the
/// length of `input` is no multiple of theirs.
#[track_caller]
pub fn apply(
    input: &[f32],
    scale: &[f32],
    shift: &[f32],
    epilogue: Epilogue<'_>,
    output: &mut [f32],
) {
    // SAFETY: the pass writes initialized elements only.
    write(input, scale, shift, epilogue, unsafe { uninitialized(output) });
}

/// [`apply`] to a new vector, whose memory is written once only.
///
/// # Panics
/// As [`apply`].
#[track_caller]
pub fn apply_to_vec(
    input: &[f32],
    scale: &[f32],
    shift: &[f32],
    epilogue: Epilogue<'_>,
) -> Vec<f32> {
    let write = |output: &mut [_]| write(input, scale, shift, epilogue, output);
    // SAFETY: the pass writes every element.
    unsafe { vector(input.len(), write).0 }
}

#[track_caller]
fn write(
    input: &[f32],
    scale: &[f32],
    shift: &[f32],
    epilogue: Epilogue<'_>,
    output: &mut [MaybeUninit<f32>],
) {
    let channels = scale.len();
    period::check(input.len(), channels);
    same_length("the shift", shift.len(), "the scale", channels);
    same_length("the output", output.len(), "the input", input.len());
    if let Some(residual) = epilogue.residual {
        same_length("the residual", residual.len(), "the input", input.len());
    }
    let (scale, shift) = (&period::repeat(scale)[..], &period::repeat(shift)[..]);
    let task = period::task(channels);
    let part = |(index, output): (usize, &mut [MaybeUninit<f32>])| {
        let range = index * task..index * task + output.len();
        let input = &input[range.clone()];
        match (epilogue.residual.map(|residual| &residual[range]), epilogue.relu) {
            (None, false) => {
                dispatch(Apply::<false, false> { input, residual: input, scale, shift, output })
            }
            (None, true) => {
                dispatch(Apply::<false, true> { input, residual: input, scale, shift, output })
            }
            (Some(residual), false) => {
                dispatch(Apply::<true, false> { input, residual, scale, shift, output })
            }
            (Some(residual), true) => {
                dispatch(Apply::<true, true> { input, residual, scale, shift, output })
            }
        }
    };
    if output.len() <= task {
        part((0, output));
    } else {
        output.par_chunks_mut(task).enumerate().for_each(part);
    }
}

struct Apply<'a, const RESIDUAL: bool, const RELU: bool> {
    input: &'a [f32],
    /// The input again where there is no residual.
    residual: &'a [f32],
    scale: &'a [f32],
    shift: &'a [f32],
    output: &'a mut [MaybeUninit<f32>],
}

impl<const RESIDUAL: bool, const RELU: bool> WithSimd for Apply<'_, RESIDUAL, RELU> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let period = self.scale.len();
        let parts = self.input.chunks(period).zip(self.residual.chunks(period));
        for ((input, residual), output) in parts.zip(self.output.chunks_mut(period)) {
            let channels = self.scale.iter().zip(self.shift);
            for (((&x, &residual), output), (&scale, &shift)) in
                input.iter().zip(residual).zip(output).zip(channels)
            {
                let mut y = x * scale + shift;
                if RESIDUAL {
                    y += residual;
                }
                // Unlike `max`, a comparison lets NaN through.
                output.write(if RELU && y < 0.0 { 0.0 } else { y });
            }
        }
    }
}
