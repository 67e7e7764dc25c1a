//! Settings that tests vary.

use bitsweep_sweep::{Gamma, IntervalInit, ModelSpec, Network, Stem, TrainSettings};

pub(crate) fn settings() -> TrainSettings {
    TrainSettings {
        epochs: 1,
        batch_size: 32,
        learning_rate: 0.05,
        final_learning_rate_fraction: 0.0,
        warmup_epochs: 0.0,
        momentum: 0.9,
        nesterov: false,
        weight_decay: 1e-4,
        quantizer_learning_rate_scale: 0.01,
        gamma: Gamma::Fixed,
        interval_init: IntervalInit::Search,
        calibration_images: 64,
    }
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
