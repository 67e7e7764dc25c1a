//! How a convolution is computed.

use bitsweep_kernels::convolution::{Algorithm, ConvolutionShape};

/// Choices that change a convolution's rounding errors and its speed, but not what it computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ConvolutionSettings {
    /// Way to compute it with the CPU kernels. LibTorch chooses its own on other devices.
    pub algorithm: ConvolutionAlgorithm,
    /// Precision of its factors.
    pub precision: Precision,
}

/// Which of the CPU kernels compute a convolution. Keep one choice for all of a training: results differ
/// by rounding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ConvolutionAlgorithm {
    /// Sums of products everywhere.
    Direct,
    /// Winograd's for each pass over each shape where it was measured to be faster: a function of shape and
    /// instruction set alone.
    #[default]
    Automatic,
}

/// Precision of a convolution's factors. Results and all that is between convolutions stay `f32`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// `f32`.
    #[default]
    Single,
    /// bfloat16 input, weights and gradients on devices other than the CPU: mixed precision. The
    /// exponent is that of `f32`, so that no loss scaling is needed. On the CPU it is [`Single`].
    ///
    /// [`Single`]: Precision::Single
    Mixed,
}

/// All about a convolution that is not a tensor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Geometry {
    pub(crate) stride: usize,
    pub(crate) padding: usize,
    pub(crate) settings: ConvolutionSettings,
}

impl Geometry {
    /// Sizes of a convolution of `[n, h, w, c_in]` with `[k_h, k_w, c_in, c_out]`.
    pub(crate) fn shape(self, input: &[usize], weights: &[usize]) -> ConvolutionShape {
        ConvolutionShape {
            batch: input[0],
            height: input[1],
            width: input[2],
            in_channels: input[3],
            out_channels: weights[3],
            kernel: [weights[0], weights[1]],
            stride: self.stride,
            padding: self.padding,
        }
    }

    /// As the kernels call it.
    pub(crate) fn algorithm(self) -> Algorithm {
        match self.settings.algorithm {
            ConvolutionAlgorithm::Direct => Algorithm::Direct,
            ConvolutionAlgorithm::Automatic => Algorithm::Fastest,
        }
    }
}
