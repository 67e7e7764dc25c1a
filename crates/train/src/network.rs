//! From a specification to a network, and from a checkpoint to a network.

use std::path::Path;

use bitsweep_models::{Architecture, Model, ModelConfig, QuantizersInState, Stem as ModelStem};
use bitsweep_sweep::{Bits, ModelSpec, Network, Stem};
use burn::tensor::Device;

use crate::checkpoint::Checkpoint;
use crate::error::TrainError;

/// Prefix of the model's tensors in a checkpoint.
pub(crate) const STATE: &str = "model.";

/// A new network with initial values from `seed`.
pub(crate) fn build(
    spec: &ModelSpec,
    bits: Bits,
    seed: u64,
    device: &Device,
) -> Result<Model, TrainError> {
    let config = ModelConfig {
        architecture: match spec.network {
            Network::ResNet18 => Architecture::ResNet18,
            Network::ResNet34 => Architecture::ResNet34,
            Network::AlexNet => Architecture::AlexNet,
        },
        width: spec.width,
        stem: match spec.stem {
            Stem::ImageNet => ModelStem::ImageNet,
            Stem::Small => ModelStem::Small,
        },
        in_channels: spec.in_channels as usize,
        classes: spec.classes as usize,
        weight_bits: bits.weights,
        activation_bits: bits.activations,
    };
    Model::new(&config, seed, device).map_err(|error| TrainError::Spec(error.to_string()))
}

/// Takes a checkpoint's values over into `model`.
pub(crate) fn load(
    model: &mut Model,
    checkpoint: &Checkpoint,
    path: &Path,
    quantizers: QuantizersInState,
) -> Result<(), TrainError> {
    model
        .load_state(&checkpoint.group(STATE), quantizers)
        .map_err(|error| TrainError::checkpoint(path, error.to_string()))
}

/// Says in what `found` differs from `wanted`, if in anything.
pub(crate) fn difference(found: &ModelSpec, wanted: &ModelSpec) -> Option<String> {
    let mut parts = Vec::new();
    let mut compare = |what: &str, found: String, wanted: String| {
        if found != wanted {
            parts.push(format!("{what} is {found}, expected {wanted}"));
        }
    };
    compare("network", found.network.to_string(), wanted.network.to_string());
    compare("width", found.width.to_string(), wanted.width.to_string());
    compare("stem", format!("{:?}", found.stem), format!("{:?}", wanted.stem));
    compare("channels", found.in_channels.to_string(), wanted.in_channels.to_string());
    compare("classes", found.classes.to_string(), wanted.classes.to_string());
    (!parts.is_empty()).then(|| parts.join("; "))
}
