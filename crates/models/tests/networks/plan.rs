//! The networks against what a sweep's plan says about them: one description each, which must agree.

use bitsweep_models::{Architecture, ConvolutionSettings, Model, ModelConfig, OutputScale, Stem};
use bitsweep_sweep as sweep;
use burn::tensor::Device;

/// Both descriptions of one network.
fn both(
    architecture: Architecture,
    stem: Stem,
    width: f64,
    in_channels: usize,
    classes: usize,
    bits: u8,
) -> (Model, sweep::Architecture) {
    let config = ModelConfig {
        architecture,
        width,
        stem,
        in_channels,
        classes,
        weight_bits: bits,
        activation_bits: bits,
        output_scale: OutputScale::None,
        convolution: ConvolutionSettings::default(),
    };
    let spec = sweep::ModelSpec {
        network: match architecture {
            Architecture::ResNet18 => sweep::Network::ResNet18,
            Architecture::ResNet34 => sweep::Network::ResNet34,
            Architecture::AlexNet => sweep::Network::AlexNet,
        },
        width,
        stem: match stem {
            Stem::ImageNet => sweep::Stem::ImageNet,
            Stem::Small => sweep::Stem::Small,
        },
        in_channels: in_channels as u32,
        classes: classes as u32,
    };
    let resolution = if stem == Stem::Small { 28 } else { 224 };
    let plan = sweep::Architecture::new(&spec, resolution).unwrap();
    (Model::new(&config, 0, &Device::flex()).unwrap(), plan)
}

#[test]
fn parameters_quantized_layers_and_names_are_those_of_the_plan() {
    for architecture in crate::fixtures::ALL {
        for stem in [Stem::Small, Stem::ImageNet] {
            for (width, in_channels, classes) in
                [(0.001, 1, 1), (0.0625, 1, 10), (0.25, 3, 100), (0.3, 3, 7)]
            {
                let (mut model, plan) = both(architecture, stem, width, in_channels, classes, 4);
                let what = format!("{architecture:?} {stem:?} {width} {in_channels} {classes}");
                assert_eq!(model.weight_count() as u64, plan.parameters(), "{what}");

                let found: Vec<String> = model.quantizers().into_iter().map(|q| q.layer).collect();
                let quantized = plan.layers.iter().filter(|layer| layer.quantized);
                let planned: Vec<&String> = quantized.map(|layer| &layer.name).collect();
                assert_eq!(found.iter().collect::<Vec<_>>(), planned, "{what}");
                assert_eq!(found.len(), plan.quantized_layers(), "{what}");

                let state = model.state();
                for layer in &plan.layers {
                    let weights = &state[&format!("{}.weight", layer.name)].values;
                    assert_eq!(weights.len() as u64, layer.weights(), "{what}: {}", layer.name);
                    let biased = state.contains_key(&format!("{}.bias", layer.name));
                    assert_eq!(biased, layer.bias, "{what}: {}", layer.name);
                }
            }
        }
    }
}

#[test]
fn the_published_networks_are_those_of_the_plan() {
    for architecture in crate::fixtures::ALL {
        let (mut model, plan) = both(architecture, Stem::ImageNet, 1.0, 3, 1000, 32);
        assert_eq!(model.weight_count() as u64, plan.parameters(), "{architecture:?}");
    }
}
