//! ResNet-18, ResNet-34 and AlexNet with quantized layers.
//!
//! Images and activations are NHWC. First and last layers stay in full precision, every other
//! convolution and linear layer owns a weight and an activation quantizer. At 32 bits a network has no
//! quantizer at all.

mod alexnet;
mod config;
mod init;
mod layer;
mod model;
mod parameter;
mod quantizers;
mod resnet;
mod state;

pub use bitsweep_qil::{Interval, WeightStatistics};
pub use config::{Architecture, ModelConfig, Stem};
pub use model::{LayerQuantizers, Mode, Model, ModelError, UpdateRule};
pub use parameter::ParameterGroup;
pub use quantizers::WeightQuantizer;
pub use state::{NamedTensor, QuantizersInState, State, StateError};
