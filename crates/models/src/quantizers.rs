//! The interval parameters of one layer.

use bitsweep_qil::{
    Interval, activation_levels, quantize_activations, quantize_weights, weight_levels,
};
use burn::tensor::{Device, Tensor};

use crate::config::OutputScale;
use crate::layer::values;
use crate::parameter::{Layout, ParameterGroup, Visitor, replace, trained};

/// How the layers of a network are quantized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quantization {
    pub(crate) weight_bits: u8,
    pub(crate) activation_bits: u8,
    pub(crate) output_scale: OutputScale,
}

impl Quantization {
    pub(crate) fn is_full(self) -> bool {
        self.weight_bits == 32 && self.activation_bits == 32
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
    quantization: Quantization,
}

impl Quantizers {
    pub(crate) fn new(quantization: Quantization, device: &Device) -> Self {
        let scalar = |value: f32| trained(Tensor::from_floats([value], device));
        Self {
            weight_center: scalar(0.05),
            weight_half_width: scalar(0.05),
            gamma: scalar(1.0),
            activation_center: scalar(1.0),
            activation_half_width: scalar(1.0),
            quantization,
        }
    }

    /// What a layer computes with in place of `input` and `weights`.
    pub(crate) fn apply<const I: usize, const W: usize>(
        &self,
        input: Tensor<I>,
        weights: Tensor<W>,
    ) -> (Tensor<I>, Tensor<W>) {
        let weights = self.weights(weights);
        let weights = match self.output_scale() {
            // On the weights, which are fewer than outputs: their quantizer's gradients see the factor too.
            Some(scale) => weights * scale.reshape([1; W]),
            None => weights,
        };
        (self.activations(input), weights)
    }

    fn weights<const D: usize>(&self, weights: Tensor<D>) -> Tensor<D> {
        match self.quantization.weight_bits {
            32 => weights,
            bits => quantize_weights(
                weights,
                self.weight_center.clone(),
                self.weight_half_width.clone(),
                self.gamma.clone(),
                weight_levels(bits),
            ),
        }
    }

    fn activations<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        match self.quantization.activation_bits {
            32 => input,
            bits => quantize_activations(
                input,
                self.activation_center.clone(),
                self.activation_half_width.clone(),
                activation_levels(bits),
            ),
        }
    }

    /// The factor of the layer's output, a constant: no gradient flows into the intervals through it.
    fn output_scale(&self) -> Option<Tensor<1>> {
        if self.quantization.output_scale == OutputScale::None {
            return None;
        }
        let upper = |center: &Tensor<1>, half_width: &Tensor<1>| {
            (center.clone() + half_width.clone()).detach()
        };
        let weights = (self.quantization.weight_bits != 32)
            .then(|| upper(&self.weight_center, &self.weight_half_width));
        let activations = (self.quantization.activation_bits != 32)
            .then(|| upper(&self.activation_center, &self.activation_half_width));
        match (weights, activations) {
            (Some(weights), Some(activations)) => Some(weights * activations),
            (one, other) => one.or(other),
        }
    }

    pub(crate) fn visit(&mut self, layer: &str, visitor: &mut impl Visitor) {
        let mut scalar = |name: &str, group, tensor: &mut Tensor<1>| {
            visitor.parameter(&format!("{layer}.{name}"), group, Layout::Same, tensor);
        };
        if self.quantization.weight_bits != 32 {
            scalar("weight_quantizer.center", ParameterGroup::Interval, &mut self.weight_center);
            scalar(
                "weight_quantizer.half_width",
                ParameterGroup::Interval,
                &mut self.weight_half_width,
            );
            scalar("weight_quantizer.gamma", ParameterGroup::Gamma, &mut self.gamma);
        }
        if self.quantization.activation_bits != 32 {
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
        let weights = (self.quantization.weight_bits != 32).then(|| WeightQuantizer {
            interval: interval(&self.weight_center, &self.weight_half_width),
            gamma: scalar(&self.gamma),
            levels: weight_levels(self.quantization.weight_bits),
        });
        let activations = (self.quantization.activation_bits != 32)
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
        let set = |tensor: &mut Tensor<1>, value: f32| {
            replace(tensor, Tensor::from_floats([value], device));
        };
        if let Some((interval, gamma)) = weights {
            set(&mut self.weight_center, interval.center);
            set(&mut self.weight_half_width, interval.half_width);
            set(&mut self.gamma, gamma);
        }
        if let Some(interval) = activations {
            set(&mut self.activation_center, interval.center);
            set(&mut self.activation_half_width, interval.half_width);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use burn::tensor::TensorData;

    const WEIGHTS: [f32; 9] = [-0.85, -0.55, -0.12, 0.0, 0.05, 0.3, 0.52, 0.69, 0.9];
    const INPUT: [f32; 9] = [0.0, 0.05, 0.2, 0.61, 1.0, 1.09, 1.5, 0.7, 0.4];
    /// (c + d) of the weights and of the activations.
    const UPPER: [f32; 2] = [0.7, 1.1];

    fn quantizers(weight_bits: u8, activation_bits: u8, output_scale: OutputScale) -> Quantizers {
        let device = Device::flex().autodiff();
        let quantization = Quantization { weight_bits, activation_bits, output_scale };
        let mut quantizers = Quantizers::new(quantization, &device);
        let weights = (Interval { center: 0.4, half_width: 0.3 }, 1.5);
        let activations = Interval { center: 0.6, half_width: 0.5 };
        quantizers.write(Some(weights), Some(activations), &device);
        quantizers
    }

    fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_into_vec::<f32>().unwrap()
    }

    /// The product of both sides, and its gradients in the order weights, c, d, γ, input, c, d.
    fn product(quantizers: &Quantizers) -> (Vec<f32>, Vec<Vec<f32>>) {
        let device = Device::flex().autodiff();
        let leaf = |values: [f32; 9], shape: [usize; 2]| {
            trained(Tensor::<2>::from_data(TensorData::new(values.to_vec(), shape), &device))
        };
        let (input, weights) = (leaf(INPUT, [3, 3]), leaf(WEIGHTS, [3, 3]));
        let (with, of) = quantizers.apply(input.clone(), weights.clone());
        let output = with.matmul(of);
        let factors = leaf([1.0, -2.0, 0.5, 3.0, 1.0, -1.0, 2.0, 0.25, 4.0], [3, 3]);
        let gradients = (output.clone() * factors).sum().backward();
        let mut found = vec![read(weights.grad(&gradients).unwrap())];
        let q = quantizers;
        let scalars = [&q.weight_center, &q.weight_half_width, &q.gamma];
        found.extend(scalars.into_iter().filter_map(|s| s.grad(&gradients)).map(read));
        found.push(read(input.grad(&gradients).unwrap()));
        let scalars = [&q.activation_center, &q.activation_half_width];
        found.extend(scalars.into_iter().filter_map(|s| s.grad(&gradients)).map(read));
        (read(output), found)
    }

    #[test]
    fn the_output_scale_multiplies_the_output_and_every_gradient_and_is_a_constant() {
        let [weights, activations] = UPPER;
        for (bits, factor) in
            [((3, 2), weights * activations), ((3, 32), weights), ((32, 2), activations)]
        {
            let (plain, plain_gradients) = product(&quantizers(bits.0, bits.1, OutputScale::None));
            let (scaled, gradients) = product(&quantizers(bits.0, bits.1, OutputScale::Interval));
            let pairs = |plain: &[f32], scaled: &[f32], what: &str| {
                for (plain, scaled) in plain.iter().zip(scaled) {
                    let expected = plain * factor;
                    let room = 1e-5 * expected.abs().max(1.0);
                    assert!((scaled - expected).abs() < room, "{what}: {scaled} {expected}");
                }
            };
            pairs(&plain, &scaled, "output");
            assert_eq!(gradients.len(), plain_gradients.len());
            for (which, (plain, scaled)) in plain_gradients.iter().zip(&gradients).enumerate() {
                assert!(plain.iter().any(|g| *g != 0.0), "{which}");
                pairs(plain, scaled, &format!("gradient {which} at {bits:?}"));
            }
        }
    }

    #[test]
    fn with_the_interval_from_zero_the_scaled_product_is_that_of_full_precision_but_for_rounding() {
        let device = Device::flex().autodiff();
        let mut quantizers = quantizers(8, 8, OutputScale::Interval);
        let (weights, activations) = (Interval::up_to(1.0), Interval::up_to(1.5));
        quantizers.write(Some((weights, 1.0)), Some(activations), &device);
        let full = super::tests::quantizers(32, 32, OutputScale::None);
        let (quantized, exact) = (product(&quantizers).0, product(&full).0);
        for (quantized, exact) in quantized.iter().zip(&exact) {
            assert!((quantized - exact).abs() < 0.02, "{quantized} {exact}");
        }
    }
}
