//! The quantizers of QIL: interval transformer, discretizer, and their backward passes.
//!
//! Source: Jung et al., *Learning to Quantize Deep Networks by Optimizing Quantization Intervals
//! with Task Loss*, CVPR 2019 (arXiv 1808.05779), equations 2, 3 and 5. With
//! `t = (|v| - (center - half_width)) / (2 half_width)` both transformers are
//! `sign(v) clamp(t, 0, 1)^gamma`; activations have no sign and `gamma = 1`. The discretizer rounds
//! `levels` times that to the nearest integer, ties to even, and divides by `levels` again.
//!
//! The backward passes take the straight-through estimator for the discretizer and the exact
//! derivative of the transformer. Its mask is *open*: an element exactly on an end of the interval
//! gets no gradient. With `center = half_width`, the usual start, every zero that a ReLU leaves sits
//! on the lower end, and a closed mask would let those zeros drive the interval.
//!
//! Callers keep `half_width > 0` and `center >= half_width`. NaN in a value or parameter gives NaN.

mod activations;
mod power;
mod statistics;
mod weights;

pub use activations::{
    quantize_activations, quantize_activations_backward, quantize_activations_backward_to_vec,
    quantize_activations_to_vec,
};
pub use statistics::{
    ActivationCounts, HISTOGRAM_BINS, WeightCounts, activation_counts, largest_magnitude,
    weight_counts,
};
pub use weights::{
    quantize_weights, quantize_weights_backward, quantize_weights_backward_to_vec,
    quantize_weights_to_vec,
};

/// Interval and exponent of a weight quantizer; one per tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WeightInterval {
    /// Center of the interval of magnitudes.
    pub center: f32,
    /// Half of the interval's width; positive.
    pub half_width: f32,
    /// Exponent of the transformer. Exactly 1 takes a path without powers.
    pub gamma: f32,
}

/// Interval of an activation quantizer; one per tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ActivationInterval {
    /// Center of the interval.
    pub center: f32,
    /// Half of the interval's width; positive.
    pub half_width: f32,
}

/// Gradient of the loss with respect to a [`WeightInterval`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WeightGradients {
    /// With respect to the center.
    pub center: f32,
    /// With respect to the half width.
    pub half_width: f32,
    /// With respect to the exponent.
    pub gamma: f32,
}

/// Gradient of the loss with respect to an [`ActivationInterval`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ActivationGradients {
    /// With respect to the center.
    pub center: f32,
    /// With respect to the half width.
    pub half_width: f32,
}

/// Position inside the interval: 0 at its lower end, 1 at its upper end.
///
/// Divides instead of multiplying by a reciprocal, so that an end computed as `center + half_width`
/// lands on exactly 1 wherever the arithmetic allows it.
#[inline(always)]
fn position(value: f32, lower: f32, width: f32) -> f32 {
    (value - lower) / width
}

/// Nearest multiple of `1 / levels`, ties to even.
#[inline(always)]
fn discretize(value: f32, levels: f32) -> f32 {
    (value * levels).round_ties_even() / levels
}

/// Levels as a factor.
#[track_caller]
fn factor(levels: u32) -> f32 {
    assert!(levels > 0, "a quantizer needs at least one level");
    levels as f32
}
