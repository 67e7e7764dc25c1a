//! Batch normalization over the last axis, fused with the addition of a residual and ReLU.
//!
//! A tensor of `rows x channels` (NHWC with batch, height and width taken together) is normalized
//! per channel with batch mean and biased variance: `y = relu(gamma (x - mean) / sqrt(variance +
//! epsilon) + beta + residual)`, where residual and ReLU are optional. Source: Ioffe and Szegedy,
//! *Batch Normalization*, ICML 2015 (arXiv 1502.03167), algorithm 1 and the gradients after it.
//!
//! Statistics are taken per task around the task's own mean and merged in `f64`, so that neither a
//! large mean nor a long batch costs digits; they do not depend on the number of threads.

mod apply;
mod gradient;
mod period;
mod statistics;

pub use apply::{apply, apply_to_vec};
pub use gradient::{BatchNormBackward, BatchNormGradients};
pub use statistics::{BatchStatistics, statistics};

/// What follows the normalization.
#[derive(Clone, Copy, Debug, Default)]
pub struct Epilogue<'a> {
    /// Tensor of the input's size that is added.
    pub residual: Option<&'a [f32]>,
    /// Whether negative results become zero. NaN stays NaN.
    pub relu: bool,
}

/// Training forward pass: writes all of `output` and returns the statistics of this batch, which the
/// backward pass needs and running averages are made of.
///
/// # Panics
/// If a slice's length contradicts that of `input`, or `gamma` and `beta` differ in length.
#[track_caller]
pub fn forward(
    input: &[f32],
    gamma: &[f32],
    beta: &[f32],
    epsilon: f32,
    epilogue: Epilogue<'_>,
    output: &mut [f32],
) -> BatchStatistics {
    let statistics = statistics(input, gamma.len());
    let (scale, shift) = statistics.scale_and_shift(gamma, beta, epsilon);
    apply(input, &scale, &shift, epilogue, output);
    statistics
}

/// [`forward`] to a new vector, whose memory is written once only.
///
/// # Panics
/// As [`forward`].
#[track_caller]
pub fn forward_to_vec(
    input: &[f32],
    gamma: &[f32],
    beta: &[f32],
    epsilon: f32,
    epilogue: Epilogue<'_>,
) -> (Vec<f32>, BatchStatistics) {
    let statistics = statistics(input, gamma.len());
    let (scale, shift) = statistics.scale_and_shift(gamma, beta, epsilon);
    (apply_to_vec(input, &scale, &shift, epilogue), statistics)
}
