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

/// Puts `new` in the place of `tensor`, with a gradient if the old one had one.
pub(crate) fn replace<const D: usize>(tensor: &mut Tensor<D>, new: Tensor<D>) {
    let keeps_gradient = tensor.is_require_grad();
    *tensor = if keeps_gradient { trained(new) } else { new };
}

/// Something that wants to see every tensor of a model, in network order.
pub(crate) trait Visitor {
    /// A trained tensor.
    fn parameter<const D: usize>(
        &mut self,
        _name: &str,
        _group: ParameterGroup,
        _layout: Layout,
        _tensor: &mut Tensor<D>,
    ) {
    }

    /// A tensor that is kept but not trained.
    fn buffer(&mut self, _name: &str, _tensor: &mut Tensor<1>) {}
}
