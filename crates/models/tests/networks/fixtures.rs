//! Small networks and images.

use std::collections::BTreeMap;

use bitsweep_models::{
    Architecture, ConvolutionSettings, LayerQuantizers, Model, ModelConfig, OutputScale, Stem,
    WeightQuantizer,
};
use bitsweep_qil::{activation_levels, search_activations, search_weights};
use burn::tensor::{Device, Tensor, TensorData};

pub(crate) const ALL: [Architecture; 3] =
    [Architecture::ResNet18, Architecture::ResNet34, Architecture::AlexNet];

/// A network with the small stem, 1/16 of the published channels, one image channel and ten classes.
pub(crate) fn small(architecture: Architecture, bits: u8) -> ModelConfig {
    ModelConfig {
        architecture,
        width: 0.0625,
        stem: Stem::Small,
        in_channels: 1,
        classes: 10,
        weight_bits: bits,
        activation_bits: bits,
        output_scale: OutputScale::None,
        convolution: ConvolutionSettings::default(),
    }
}

pub(crate) fn trainable(config: &ModelConfig) -> Model {
    Model::new(config, 7, &Device::flex().autodiff()).unwrap()
}

/// Images in (−1, 1) that look random, without gradients.
pub(crate) fn images(seed: u64, shape: [usize; 4]) -> Tensor<4> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 + 0.5) / (1_u64 << 23) as f32 - 1.0
    };
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| next()).collect();
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec::<f32>().unwrap()
}

/// Gives every quantized layer the intervals that suit its weights and, in full precision, its inputs for
/// `images`; then re-estimates batch-norm.
pub(crate) fn calibrate(model: &mut Model, architecture: Architecture, images: &Tensor<4>) {
    let mut parent = trainable(&small(architecture, 32));
    parent.recompute_batch_norm(std::iter::once(images.clone()));
    let mut inputs = BTreeMap::new();
    parent.frozen().capture_inputs(images.clone(), false, |layer, values| {
        inputs.insert(layer.to_owned(), values);
    });
    let mut weights = BTreeMap::new();
    model.quantized_weights(|layer, values| {
        weights.insert(layer.to_owned(), values.to_vec());
    });
    let quantizers: Vec<LayerQuantizers> = model
        .quantizers()
        .into_iter()
        .map(|layer| {
            let weights = layer.weights.map(|old| WeightQuantizer {
                interval: search_weights(&weights[&layer.layer], old.levels),
                ..old
            });
            let levels = activation_levels(4);
            let activations =
                layer.activations.map(|_| search_activations(&inputs[&layer.layer], levels));
            LayerQuantizers { weights, activations, ..layer }
        })
        .collect();
    model.set_quantizers(&quantizers);
    model.recompute_batch_norm(std::iter::once(images.clone()));
}
