//! Settings that tests vary.

use bitsweep_sweep::{
    Bits, DataSpec, ModelSpec, Network, Role, Stem, TrainSettings, TrialName, TrialSpec,
};

pub(crate) fn settings() -> TrainSettings {
    TrainSettings { batch_size: 32, calibration_images: 64, ..TrainSettings::default() }
}

/// A network of a few thousand parameters.
pub(crate) fn model() -> ModelSpec {
    ModelSpec {
        network: Network::ResNet18,
        width: 0.0625,
        stem: Stem::Small,
        in_channels: 1,
        classes: 10,
    }
}

/// A trial of [`model`] in full precision.
pub(crate) fn spec() -> TrialSpec {
    TrialSpec {
        name: TrialName::new("resnet18-32-s0"),
        bits: Bits::FULL,
        seed: 0,
        role: Role::Baseline,
        parent: None,
        reference: None,
        model: model(),
        initial_weights: None,
        data: DataSpec {
            name: "fashion-mnist-mini".to_owned(),
            resolution: 28,
            ..DataSpec::default()
        },
        training_data: None,
        train: settings(),
    }
}
