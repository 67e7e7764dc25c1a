//! Trial specifications.

use bitsweep_sweep as domain;
use domain::{Bits, TrialName};

use super::{ConvertError, checked_fields, data, enums, read_enum, required};
use crate::v1;

enums! {
    domain::Network as v1::Network => "network" {
        ResNet18 = Resnet18, ResNet34 = Resnet34, AlexNet = Alexnet,
    }
    domain::Role as v1::Role => "role" {
        Baseline = Baseline, Quantized = Quantized, Control = Control,
    }
    domain::Stem as v1::Stem => "stem" { ImageNet = Imagenet, Small = Small }
}

checked_fields! {
    ModelSpec at "model" { width, in_channels, classes; enums network: Network, stem: Stem }
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
            model: Some(spec.model.into()),
            initial_weights: spec.initial_weights.clone(),
            data: Some((&spec.data).into()),
            training_data: spec.training_data.as_ref().map(Into::into),
            train: Some((&spec.train).into()),
        }
    }
}

impl TryFrom<v1::TrialSpec> for domain::TrialSpec {
    type Error = ConvertError;

    /// Also refuses values out of their range: [`domain::TrialSpec::check`].
    fn try_from(spec: v1::TrialSpec) -> Result<Self, ConvertError> {
        let width = |field, bits: u32| {
            u8::try_from(bits)
                .ok()
                .filter(|b| Bits::is_valid_width(*b))
                .ok_or_else(|| ConvertError::new(field, format!("{bits} is not 2 to 8 or 32")))
        };
        let spec = Self {
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
            initial_weights: spec.initial_weights,
            data: data::read("data", required("data", spec.data)?)?,
            training_data: spec
                .training_data
                .map(|images| data::read("training_data", images))
                .transpose()?,
            train: required("train", spec.train)?.try_into()?,
        };
        spec.check()?;
        Ok(spec)
    }
}
