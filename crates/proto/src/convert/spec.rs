//! Trial specifications.

use bitsweep_sweep as domain;
use domain::{Bits, TrialName};

use super::{ConvertError, enums, read_enum, required};
use crate::v1;

enums! {
    domain::Network as v1::Network => "network" {
        ResNet18 = Resnet18, ResNet34 = Resnet34, AlexNet = Alexnet,
    }
    domain::Role as v1::Role => "role" {
        Baseline = Baseline, Quantized = Quantized, Control = Control,
    }
    domain::Stem as v1::Stem => "stem" { ImageNet = Imagenet, Small = Small }
    domain::Gamma as v1::Gamma => "gamma" { Fixed = Fixed, Learned = Learned }
    domain::IntervalInit as v1::IntervalInit => "interval_init" { Search = Search, Inherit = Inherit }
}

impl From<&domain::TrialSpec> for v1::TrialSpec {
    fn from(spec: &domain::TrialSpec) -> Self {
        Self {
            name: spec.name.to_string(),
            weight_bits: spec.bits.weights.into(),
            activation_bits: spec.bits.activations.into(),
            seed: spec.seed,
            role: v1::Role::from(spec.role).into(),
            parent: spec.parent.as_ref().map(ToString::to_string),
            reference: spec.reference.as_ref().map(ToString::to_string),
            model: Some((&spec.model).into()),
            data: Some((&spec.data).into()),
            train: Some((&spec.train).into()),
        }
    }
}

impl TryFrom<v1::TrialSpec> for domain::TrialSpec {
    type Error = ConvertError;

    fn try_from(spec: v1::TrialSpec) -> Result<Self, ConvertError> {
        let width = |field, bits: u32| {
            u8::try_from(bits)
                .ok()
                .filter(|b| Bits::is_valid_width(*b))
                .ok_or_else(|| ConvertError::new(field, format!("{bits} is not 2 to 8 or 32")))
        };
        Ok(Self {
            name: TrialName::new(spec.name),
            bits: Bits {
                weights: width("weight_bits", spec.weight_bits)?,
                activations: width("activation_bits", spec.activation_bits)?,
            },
            seed: spec.seed,
            role: read_enum::<v1::Role, _>("role", spec.role)?,
            parent: spec.parent.map(TrialName::new),
            reference: spec.reference.map(TrialName::new),
            model: required("model", spec.model)?.try_into()?,
            data: required("data", spec.data)?.into(),
            train: required("train", spec.train)?.try_into()?,
        })
    }
}

impl From<&domain::ModelSpec> for v1::ModelSpec {
    fn from(model: &domain::ModelSpec) -> Self {
        Self {
            network: v1::Network::from(model.network).into(),
            width: model.width,
            stem: v1::Stem::from(model.stem).into(),
            in_channels: model.in_channels,
            classes: model.classes,
        }
    }
}

impl TryFrom<v1::ModelSpec> for domain::ModelSpec {
    type Error = ConvertError;

    fn try_from(model: v1::ModelSpec) -> Result<Self, ConvertError> {
        Ok(Self {
            network: read_enum::<v1::Network, _>("model.network", model.network)?,
            width: model.width,
            stem: read_enum::<v1::Stem, _>("model.stem", model.stem)?,
            in_channels: model.in_channels,
            classes: model.classes,
        })
    }
}

impl From<&domain::DataSpec> for v1::DataSpec {
    fn from(data: &domain::DataSpec) -> Self {
        Self {
            name: data.name.clone(),
            path: data.path.clone(),
            resolution: data.resolution,
            train_images: data.train_images,
            validation_images: data.validation_images,
            flip: data.flip,
            crop_padding: data.crop_padding,
        }
    }
}

impl From<v1::DataSpec> for domain::DataSpec {
    fn from(data: v1::DataSpec) -> Self {
        Self {
            name: data.name,
            path: data.path,
            resolution: data.resolution,
            train_images: data.train_images,
            validation_images: data.validation_images,
            flip: data.flip,
            crop_padding: data.crop_padding,
        }
    }
}

impl From<&domain::TrainSettings> for v1::TrainSettings {
    fn from(train: &domain::TrainSettings) -> Self {
        Self {
            epochs: train.epochs,
            batch_size: train.batch_size,
            learning_rate: train.learning_rate,
            final_learning_rate_fraction: train.final_learning_rate_fraction,
            warmup_epochs: train.warmup_epochs,
            momentum: train.momentum,
            nesterov: train.nesterov,
            weight_decay: train.weight_decay,
            quantizer_learning_rate_scale: train.quantizer_learning_rate_scale,
            gamma: v1::Gamma::from(train.gamma).into(),
            interval_init: v1::IntervalInit::from(train.interval_init).into(),
            calibration_images: train.calibration_images,
        }
    }
}

impl TryFrom<v1::TrainSettings> for domain::TrainSettings {
    type Error = ConvertError;

    fn try_from(train: v1::TrainSettings) -> Result<Self, ConvertError> {
        Ok(Self {
            epochs: train.epochs,
            batch_size: train.batch_size,
            learning_rate: train.learning_rate,
            final_learning_rate_fraction: train.final_learning_rate_fraction,
            warmup_epochs: train.warmup_epochs,
            momentum: train.momentum,
            nesterov: train.nesterov,
            weight_decay: train.weight_decay,
            quantizer_learning_rate_scale: train.quantizer_learning_rate_scale,
            gamma: read_enum::<v1::Gamma, _>("train.gamma", train.gamma)?,
            interval_init: read_enum::<v1::IntervalInit, _>(
                "train.interval_init",
                train.interval_init,
            )?,
            calibration_images: train.calibration_images,
        })
    }
}
