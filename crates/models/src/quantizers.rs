//! The interval parameters of one layer.

use bitsweep_qil::{
    Interval, activation_levels, quantize_activations, quantize_weights, weight_levels,
};
use burn::tensor::{Device, Tensor};

use crate::layer::values;
use crate::parameter::{Layout, ParameterGroup, Visitor, trained};

/// Widths of a quantized layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Widths {
    pub(crate) weights: u8,
    pub(crate) activations: u8,
}

impl Widths {
    pub(crate) fn is_full(self) -> bool {
        self.weights == 32 && self.activations == 32
    }
}

/// What quantizes one layer's weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WeightQuantizer {
    /// c and d.
    pub interval: Interval,
    /// γ.
    pub gamma: f32,
    /// Positive levels.
    pub levels: u32,
}

/// Interval parameters of one layer; which of them are used depends on the widths.
#[derive(Clone, Debug)]
pub(crate) struct Quantizers {
    weight_center: Tensor<1>,
    weight_half_width: Tensor<1>,
    gamma: Tensor<1>,
    activation_center: Tensor<1>,
    activation_half_width: Tensor<1>,
    widths: Widths,
}

impl Quantizers {
    pub(crate) fn new(widths: Widths, device: &Device) -> Self {
        let scalar = |value: f32| trained(Tensor::from_floats([value], device));
        Self {
            weight_center: scalar(0.05),
            weight_half_width: scalar(0.05),
            gamma: scalar(1.0),
            activation_center: scalar(1.0),
            activation_half_width: scalar(1.0),
            widths,
        }
    }

    pub(crate) fn weights<const D: usize>(&self, weights: Tensor<D>) -> Tensor<D> {
        if self.widths.weights == 32 {
            return weights;
        }
        quantize_weights(
            weights,
            self.weight_center.clone(),
            self.weight_half_width.clone(),
            self.gamma.clone(),
            weight_levels(self.widths.weights),
        )
    }

    pub(crate) fn activations<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        if self.widths.activations == 32 {
            return input;
        }
        quantize_activations(
            input,
            self.activation_center.clone(),
            self.activation_half_width.clone(),
            activation_levels(self.widths.activations),
        )
    }

    pub(crate) fn visit(&mut self, layer: &str, visitor: &mut impl Visitor) {
        let mut scalar = |name: &str, group, tensor: &mut Tensor<1>| {
            visitor.parameter(&format!("{layer}.{name}"), group, Layout::Same, tensor);
        };
        if self.widths.weights != 32 {
            scalar("weight_quantizer.center", ParameterGroup::Interval, &mut self.weight_center);
            scalar(
                "weight_quantizer.half_width",
                ParameterGroup::Interval,
                &mut self.weight_half_width,
            );
            scalar("weight_quantizer.gamma", ParameterGroup::Gamma, &mut self.gamma);
        }
        if self.widths.activations != 32 {
            scalar(
                "activation_quantizer.center",
                ParameterGroup::Interval,
                &mut self.activation_center,
            );
            scalar(
                "activation_quantizer.half_width",
                ParameterGroup::Interval,
                &mut self.activation_half_width,
            );
        }
    }

    /// The intervals in use; `None` where the width is 32.
    pub(crate) fn read(&self) -> (Option<WeightQuantizer>, Option<Interval>) {
        let scalar = |tensor: &Tensor<1>| values(tensor)[0];
        let interval = |center: &Tensor<1>, half_width: &Tensor<1>| Interval {
            center: scalar(center),
            half_width: scalar(half_width),
        };
        let weights = (self.widths.weights != 32).then(|| WeightQuantizer {
            interval: interval(&self.weight_center, &self.weight_half_width),
            gamma: scalar(&self.gamma),
            levels: weight_levels(self.widths.weights),
        });
        let activations = (self.widths.activations != 32)
            .then(|| interval(&self.activation_center, &self.activation_half_width));
        (weights, activations)
    }

    /// Sets what is given.
    pub(crate) fn write(
        &mut self,
        weights: Option<(Interval, f32)>,
        activations: Option<Interval>,
        device: &Device,
    ) {
        let scalar = |value: f32| trained(Tensor::from_floats([value], device));
        if let Some((interval, gamma)) = weights {
            self.weight_center = scalar(interval.center);
            self.weight_half_width = scalar(interval.half_width);
            self.gamma = scalar(gamma);
        }
        if let Some(interval) = activations {
            self.activation_center = scalar(interval.center);
            self.activation_half_width = scalar(interval.half_width);
        }
    }
}
