//! From a specification to a network, and from a checkpoint to a network.

use std::path::Path;

use bitsweep_models::{
    Architecture, ConvolutionAlgorithm as ModelAlgorithm, ConvolutionSettings, Model, ModelConfig,
    OutputScale as ModelOutputScale, Precision as ModelPrecision, QuantizersInState,
    Stem as ModelStem,
};
use bitsweep_sweep::{
    Bits, ConvolutionAlgorithm, ModelSpec, Network, OutputScale, Precision, Stem, TrainSettings,
    TrialSpec,
};
use burn::tensor::Device;

use crate::checkpoint::Checkpoint;
use crate::error::TrainError;

/// A network at `bits`.
pub(crate) fn config(spec: &ModelSpec, bits: Bits, output_scale: OutputScale) -> ModelConfig {
    ModelConfig {
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
        output_scale: match output_scale {
            OutputScale::None => ModelOutputScale::None,
            OutputScale::Interval => ModelOutputScale::Interval,
        },
        convolution: ConvolutionSettings::default(),
    }
}

/// How the convolutions of a training are computed.
pub(crate) fn convolution(settings: &TrainSettings) -> ConvolutionSettings {
    ConvolutionSettings {
        algorithm: match settings.convolution {
            ConvolutionAlgorithm::Winograd => ModelAlgorithm::Automatic,
            ConvolutionAlgorithm::Direct => ModelAlgorithm::Direct,
        },
        precision: match settings.precision {
            Precision::Single => ModelPrecision::Single,
            Precision::Mixed => ModelPrecision::Mixed,
        },
    }
}

/// A new network with initial values from the trial's seed.
pub(crate) fn build(
    trial: &TrialSpec,
    bits: Bits,
    output_scale: OutputScale,
    device: &Device,
) -> Result<Model, TrainError> {
    let convolution = convolution(&trial.train);
    let config = ModelConfig { convolution, ..config(&trial.model, bits, output_scale) };
    Model::new(&config, trial.seed, device)
        .map_err(|error| TrainError::Spec(format!("trial {}: {error}", trial.name)))
}

/// Takes the values of a checkpoint's `group` over into `model`, which must have exactly those.
pub(crate) fn load(
    model: &mut Model,
    checkpoint: &Checkpoint,
    group: &str,
    path: &Path,
) -> Result<(), TrainError> {
    model
        .load_state(&checkpoint.group(group), QuantizersInState::Required)
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
