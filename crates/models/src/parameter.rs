//! Names, groups and visits of a model's tensors.

use burn::tensor::Tensor;

/// What a parameter is, for the optimizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ParameterGroup {
    /// Convolution and linear weights: the ones that decay.
    Weight,
    /// Scale and shift of batch-norm.
    BatchNorm,
    /// Biases.
    Bias,
    /// Center and half-width of an interval.
    Interval,
    /// Exponent of a weight transformer.
    Gamma,
}

/// How a tensor's axes lie in memory, against torchvision's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// As torchvision has it.
    Same,
    /// Convolution weights: here `[h, w, in, out]`, there `[out, in, h, w]`.
    Convolution,
    /// Linear weights: here `[in, out]`, there `[out, in]`.
    Linear,
    /// Linear weights behind a flattened `[h, w, c]`: there the flattening is `[c, h, w]`.
    LinearAfterImage {
        /// Pixels of the flattened image.
        pixels: usize,
    },
}

/// Asks for a tensor's gradient, where its device has any.
pub(crate) fn trained<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    if tensor.is_autodiff() { tensor.require_grad() } else { tensor }
}

/// Something that wants to see every tensor of a model, in network order.
pub(crate) trait Visitor {
    /// A trained tensor.
    fn parameter<const D: usize>(
        &mut self,
        name: &str,
        group: ParameterGroup,
        layout: Layout,
        tensor: &mut Tensor<D>,
    );

    /// A tensor that is kept but not trained.
    fn buffer(&mut self, name: &str, tensor: &mut Tensor<1>);
}
