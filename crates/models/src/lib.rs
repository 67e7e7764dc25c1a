//! ResNet-18, ResNet-34 and AlexNet with quantized layers.
//!
//! Images and activations are NHWC. First and last layers stay in full precision, every other
//! convolution and linear layer owns a weight and an activation quantizer. At 32 bits a network has no
//! quantizer at all.

mod alexnet;
mod config;
pub mod import;
mod init;
mod intervals;
mod layer;
mod model;
mod normalization;
mod parameter;
mod quantizers;
mod resnet;
mod state;
mod update;

pub use bitsweep_qil::{
    ConvolutionAlgorithm, ConvolutionSettings, Interval, Precision, WeightStatistics,
};
pub use config::{Architecture, ModelConfig, OutputScale, Stem};
pub use intervals::LayerQuantizers;
pub use model::{Mode, Model, ModelError};
pub use parameter::ParameterGroup;
pub use quantizers::WeightQuantizer;
pub use state::{NamedTensor, QuantizersInState, State, StateError};
pub use update::UpdateRule;
