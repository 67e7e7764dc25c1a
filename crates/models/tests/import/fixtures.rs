//! Files written by `scripts/pytorch/make_import_fixtures.py`, and networks they belong to.

use std::path::PathBuf;

use bitsweep_models::{Architecture, ConvolutionSettings, ModelConfig, OutputScale, Stem};

/// A committed file.
pub(crate) fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/import/fixtures").join(name)
}

/// A file of the shared data, which is no part of the program; `None`, visibly, where it is absent.
pub(crate) fn shared_data(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("BITSWEEP_DATA").map(PathBuf::from);
    let folder = folder
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"));
    let path = folder.join(name);
    if path.exists() {
        return Some(path);
    }
    println!("SKIPPED: {} is not there; BITSWEEP_DATA names its folder", path.display());
    None
}

/// The network of the ResNet files.
pub(crate) fn resnet18() -> ModelConfig {
    ModelConfig {
        architecture: Architecture::ResNet18,
        width: 1.0 / 64.0,
        stem: Stem::Small,
        in_channels: 3,
        classes: 10,
        weight_bits: 32,
        activation_bits: 32,
        output_scale: OutputScale::None,
        convolution: ConvolutionSettings::default(),
    }
}

/// The network of the AlexNet file.
pub(crate) fn alexnet() -> ModelConfig {
    ModelConfig {
        architecture: Architecture::AlexNet,
        width: 1.0 / 256.0,
        stem: Stem::ImageNet,
        ..resnet18()
    }
}
