//! Shapes of the networks without tensors: parameters, multiply-accumulates, bytes at each width.

mod alexnet;
mod resnet;

use crate::trial::{Bits, ModelSpec, Network};

/// What a layer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerKind {
    /// Square convolution.
    Convolution {
        /// Side of the kernel.
        kernel: u32,
    },
    /// Fully connected.
    Linear,
    /// Batch-norm: a scale and a shift a channel.
    BatchNorm,
}

/// One layer with parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// torchvision's name.
    pub name: String,
    /// What it does.
    pub kind: LayerKind,
    /// Channels or features in.
    pub inputs: u64,
    /// Channels or features out.
    pub outputs: u64,
    /// Whether it has a bias.
    pub bias: bool,
    /// Pixels of the output; 1 for linear layers.
    pub pixels: u64,
    /// Whether its weights and input are quantized.
    pub quantized: bool,
}

impl Layer {
    /// Weights without the bias.
    pub fn weights(&self) -> u64 {
        match self.kind {
            LayerKind::Convolution { kernel } => {
                u64::from(kernel) * u64::from(kernel) * self.inputs * self.outputs
            }
            LayerKind::Linear => self.inputs * self.outputs,
            LayerKind::BatchNorm => self.outputs,
        }
    }

    /// Weights and bias.
    pub fn parameters(&self) -> u64 {
        self.weights() + if self.bias { self.outputs } else { 0 }
    }

    /// Multiply-accumulates of one image; batch-norm counts nothing.
    pub fn multiply_accumulates(&self) -> u64 {
        match self.kind {
            LayerKind::BatchNorm => 0,
            _ => self.weights() * self.pixels,
        }
    }
}

/// A network's layers in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Architecture {
    /// Layers with parameters.
    pub layers: Vec<Layer>,
}

impl Architecture {
    /// The layers of `model` for square images of side `resolution`.
    ///
    /// # Errors
    /// When the image is too small for the strides of the stem.
    pub fn new(model: &ModelSpec, resolution: u32) -> Result<Self, String> {
        let layers = match model.network {
            Network::ResNet18 => resnet::layers(model, resolution, [2, 2, 2, 2]),
            Network::ResNet34 => resnet::layers(model, resolution, [3, 4, 6, 3]),
            Network::AlexNet => alexnet::layers(model, resolution),
        }?;
        Ok(Self { layers })
    }

    /// Trainable parameters of the full-precision network.
    pub fn parameters(&self) -> u64 {
        self.layers.iter().map(Layer::parameters).sum()
    }

    /// Multiply-accumulates of one image.
    pub fn multiply_accumulates(&self) -> u64 {
        self.layers.iter().map(Layer::multiply_accumulates).sum()
    }

    /// Layers whose weights and inputs are quantized.
    pub fn quantized_layers(&self) -> usize {
        self.layers.iter().filter(|l| l.quantized).count()
    }

    /// Bytes of the stored model: quantized weights packed at `bits`, all else in 32 bits, and
    /// five 32-bit scalars (c, d, γ of the weights; c, d of the activations) a quantized layer.
    pub fn model_bytes(&self, bits: Bits) -> u64 {
        let bits_of = |layer: &Layer| {
            if !layer.quantized || bits.is_full() {
                return 32 * layer.parameters();
            }
            let bias = layer.parameters() - layer.weights();
            u64::from(bits.weights) * layer.weights() + 32 * (bias + 5)
        };
        self.layers.iter().map(|layer| bits_of(layer).div_ceil(8)).sum()
    }
}

/// Channels at a width multiplier: rounded, at least one.
pub(crate) fn scaled(channels: u32, width: f64) -> u64 {
    ((f64::from(channels) * width).round() as u64).max(1)
}

/// Output side of a convolution or pool; `None` when the window does not fit.
pub(crate) fn output_side(side: u64, kernel: u64, stride: u64, padding: u64) -> Option<u64> {
    (side + 2 * padding).checked_sub(kernel).map(|room| room / stride + 1)
}
