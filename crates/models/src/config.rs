//! What network to build.

use bitsweep_qil::ConvolutionSettings;

use crate::quantizers::Quantization;

/// Which network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Architecture {
    /// He et al. 2016, 18 layers.
    ResNet18,
    /// He et al. 2016, 34 layers.
    ResNet34,
    /// Krizhevsky 2014 in torchvision's shape, with batch-norm.
    AlexNet,
}

/// How the first layers treat the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stem {
    /// torchvision's: 7×7 stride 2 and max-pool (ResNet), 11×11 stride 4 (AlexNet).
    ImageNet,
    /// For images of about 32 pixels: 3×3 stride 1 without max-pool (ResNet); 3×3 stride 1, pools of 2
    /// and a classifier on 3×3 instead of 6×6 pixels (AlexNet).
    Small,
}

/// Scale of a quantized layer's output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OutputScale {
    /// That of quantized values, `[−1, 1] × [0, 1]`: a batch-norm behind the layer absorbs it.
    #[default]
    None,
    /// Times the upper ends of the intervals in use, (c + d) of weights and of activations, as constants. With
    /// c = d and γ = 1 the layer then computes what it would in full precision, up to rounding and clipping.
    Interval,
}

/// What network to build.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ModelConfig {
    /// Which network.
    pub architecture: Architecture,
    /// Channel multiplier m: a layer of c channels gets max(1, round(c·m)), AlexNet's 4096 too. 1 is the
    /// published network.
    pub width: f64,
    /// First layers.
    pub stem: Stem,
    /// Channels of the image.
    pub in_channels: usize,
    /// Outputs of the classifier.
    pub classes: usize,
    /// Width of the quantized layers' weights: 2 to 8, or 32.
    pub weight_bits: u8,
    /// Width of the quantized layers' inputs: 2 to 8, or 32.
    pub activation_bits: u8,
    /// Scale of the quantized layers' outputs.
    pub output_scale: OutputScale,
    /// How convolutions are computed.
    pub convolution: ConvolutionSettings,
}

impl ModelConfig {
    pub(crate) fn channels(&self, published: usize) -> usize {
        ((published as f64 * self.width).round() as usize).max(1)
    }

    /// Height and width of the smallest image that every layer still has a pixel of.
    pub fn smallest_image(&self) -> usize {
        match (self.architecture, self.stem) {
            (Architecture::ResNet18 | Architecture::ResNet34, _) => 1,
            // Three pools of 2.
            (Architecture::AlexNet, Stem::Small) => 8,
            // 63 → 15 → 7 → 3 → 1.
            (Architecture::AlexNet, Stem::ImageNet) => 63,
        }
    }

    pub(crate) fn quantization(&self) -> Quantization {
        Quantization {
            weight_bits: self.weight_bits,
            activation_bits: self.activation_bits,
            output_scale: self.output_scale,
        }
    }

    /// Says what is wrong with the values, if anything.
    pub(crate) fn check(&self) -> Result<(), String> {
        for (what, bits) in [("weights", self.weight_bits), ("activations", self.activation_bits)] {
            if !matches!(bits, 2..=8 | 32) {
                return Err(format!("{what} of {bits} bits: must be 2 to 8, or 32"));
            }
        }
        if !(self.width > 0.0 && self.width <= 16.0) {
            return Err(format!("width {}: must be above 0 and at most 16", self.width));
        }
        if self.in_channels == 0 || self.classes == 0 {
            return Err("a network needs at least one input channel and one class".to_owned());
        }
        Ok(())
    }
}
