//! The operations of a layer, forward and backward, as a backend computes them: no graph, no gradients
//! but those asked for. Activations are NHWC, weights HWIO.

use burn::backend::Backend;
use burn::backend::tensor::{FloatTensor, IntTensor};

use super::composed;
use crate::convolution::Geometry;

/// Every body here works on any backend; one with better means overrides it.
pub(crate) trait LayerOps: Backend {
    /// The same values in the form that the operations below read fastest: what a forward pass and its
    /// backward pass both read is brought into it once.
    fn dense(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        tensor
    }

    /// QIL Eq. 3 and 2. The interval is center, half-width and gamma, of one element each.
    fn quantize_weights(
        weights: &FloatTensor<Self>,
        interval: &[FloatTensor<Self>; 3],
        levels: u32,
    ) -> FloatTensor<Self> {
        composed::quantizer::weights::<Self>(weights, interval, levels)
    }

    /// Gradients of weights, center, half-width and gamma, the interval open at both ends.
    fn quantize_weights_backward(
        weights: &FloatTensor<Self>,
        interval: &[FloatTensor<Self>; 3],
        upstream: FloatTensor<Self>,
    ) -> [FloatTensor<Self>; 4] {
        composed::quantizer::weights_backward::<Self>(weights, interval, upstream)
    }

    /// QIL Eq. 5 and 2. The interval is center and half-width, of one element each.
    fn quantize_activations(
        input: &FloatTensor<Self>,
        interval: &[FloatTensor<Self>; 2],
        levels: u32,
    ) -> FloatTensor<Self> {
        composed::quantizer::activations::<Self>(input, interval, levels)
    }

    /// Gradients of input, center and half-width, the interval open at both ends.
    fn quantize_activations_backward(
        input: &FloatTensor<Self>,
        interval: &[FloatTensor<Self>; 2],
        upstream: FloatTensor<Self>,
    ) -> [FloatTensor<Self>; 3] {
        composed::quantizer::activations_backward::<Self>(input, interval, upstream)
    }

    fn convolve(
        input: &FloatTensor<Self>,
        weights: &FloatTensor<Self>,
        geometry: Geometry,
    ) -> FloatTensor<Self> {
        composed::convolution::forward::<Self>(input, weights, geometry)
    }

    /// Those gradients of input and weights that are `wanted`.
    fn convolve_backward(
        input: &FloatTensor<Self>,
        weights: &FloatTensor<Self>,
        upstream: FloatTensor<Self>,
        geometry: Geometry,
        wanted: [bool; 2],
    ) -> [Option<FloatTensor<Self>>; 2] {
        composed::convolution::backward::<Self>(input, weights, upstream, geometry, wanted)
    }

    /// Normalizes each channel by the batch's own mean and variance, then adds the residual, then ReLU.
    fn normalize(
        input: &FloatTensor<Self>,
        scale: &FloatTensor<Self>,
        shift: &FloatTensor<Self>,
        epsilon: f32,
        epilogue: Epilogue<'_, Self>,
    ) -> Normalized<Self> {
        composed::batch_norm::normalize::<Self>(input, scale, shift, epsilon, epilogue)
    }

    /// Gradients of [`normalize`](Self::normalize); the residual's only if it is wanted.
    fn normalize_backward(
        forward: &NormalizedState<Self>,
        upstream: FloatTensor<Self>,
        residual_wanted: bool,
    ) -> NormalizedGradients<Self> {
        composed::batch_norm::normalize_backward::<Self>(forward, upstream, residual_wanted)
    }

    /// `input · scale + shift`, a value a channel, then adds the residual, then ReLU.
    fn scale_and_shift(
        input: &FloatTensor<Self>,
        scale: &FloatTensor<Self>,
        shift: &FloatTensor<Self>,
        epilogue: Epilogue<'_, Self>,
    ) -> FloatTensor<Self> {
        composed::batch_norm::scale_and_shift::<Self>(input, scale, shift, epilogue)
    }

    /// Gradients of [`scale_and_shift`](Self::scale_and_shift); the residual's only if it is wanted.
    fn scale_and_shift_backward(
        forward: &ScaledState<Self>,
        upstream: FloatTensor<Self>,
        residual_wanted: bool,
    ) -> NormalizedGradients<Self> {
        composed::batch_norm::scale_and_shift_backward::<Self>(forward, upstream, residual_wanted)
    }

    /// Maximum over windows, and where each came from, in a form that only
    /// [`max_pool_backward`](Self::max_pool_backward) of the same backend reads.
    fn max_pool(input: &FloatTensor<Self>, window: Window) -> (FloatTensor<Self>, IntTensor<Self>) {
        composed::pool::max_pool::<Self>(input, window)
    }

    /// Gradient of an input of `shape`.
    fn max_pool_backward(
        shape: [usize; 4],
        window: Window,
        upstream: FloatTensor<Self>,
        indices: IntTensor<Self>,
    ) -> FloatTensor<Self> {
        composed::pool::max_pool_backward::<Self>(shape, window, upstream, indices)
    }

    /// Mean over height and width: `[n, h, w, c]` to `[n, c]`.
    fn average_pool(input: &FloatTensor<Self>) -> FloatTensor<Self> {
        composed::pool::average_pool::<Self>(input)
    }

    /// Gradient of an input of `shape`.
    fn average_pool_backward(shape: [usize; 4], upstream: FloatTensor<Self>) -> FloatTensor<Self> {
        composed::pool::average_pool_backward::<Self>(shape, upstream)
    }
}

/// What follows a normalization.
#[derive(Clone, Copy)]
pub(crate) struct Epilogue<'a, B: Backend> {
    pub(crate) residual: Option<&'a FloatTensor<B>>,
    pub(crate) relu: bool,
}

/// What [`LayerOps::normalize`] makes.
pub(crate) struct Normalized<B: Backend> {
    pub(crate) output: FloatTensor<B>,
    /// Of the batch, a value a channel.
    pub(crate) mean: FloatTensor<B>,
    /// Divided by the number of rows.
    pub(crate) variance: FloatTensor<B>,
}

/// What the backward pass of [`LayerOps::normalize`] reads.
#[derive(Debug, Clone)]
pub(crate) struct NormalizedState<B: Backend> {
    pub(crate) input: FloatTensor<B>,
    /// Output, if ReLU followed: its zeros stop the gradient.
    pub(crate) relu_output: Option<FloatTensor<B>>,
    pub(crate) scale: FloatTensor<B>,
    pub(crate) mean: FloatTensor<B>,
    pub(crate) variance: FloatTensor<B>,
    pub(crate) epsilon: f32,
}

/// What the backward pass of [`LayerOps::scale_and_shift`] reads.
#[derive(Debug, Clone)]
pub(crate) struct ScaledState<B: Backend> {
    pub(crate) input: FloatTensor<B>,
    /// Output, if ReLU followed: its zeros stop the gradient.
    pub(crate) relu_output: Option<FloatTensor<B>>,
    pub(crate) scale: FloatTensor<B>,
}

/// Gradients of a normalization, or of a scale and shift.
pub(crate) struct NormalizedGradients<B: Backend> {
    pub(crate) input: FloatTensor<B>,
    pub(crate) scale: FloatTensor<B>,
    pub(crate) shift: FloatTensor<B>,
    pub(crate) residual: Option<FloatTensor<B>>,
}

/// Square window of a pooling layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) size: usize,
    pub(crate) stride: usize,
    pub(crate) padding: usize,
}
