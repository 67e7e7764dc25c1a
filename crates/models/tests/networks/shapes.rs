//! Parameter counts, names, sizes of outputs, and what a configuration may be.

use bitsweep_models::{
    Architecture, ConvolutionSettings, Mode, Model, ModelConfig, OutputScale, Stem,
};
use burn::tensor::Device;

use crate::fixtures::{ALL, images, small, trainable, values};

fn published(architecture: Architecture, bits: u8) -> Model {
    let config = ModelConfig {
        architecture,
        width: 1.0,
        stem: Stem::ImageNet,
        in_channels: 3,
        classes: 1000,
        weight_bits: bits,
        activation_bits: bits,
        output_scale: OutputScale::None,
        convolution: ConvolutionSettings::default(),
    };
    Model::new(&config, 0, &Device::flex()).unwrap()
}

#[test]
fn resnets_have_the_published_number_of_parameters() {
    assert_eq!(published(Architecture::ResNet18, 32).parameter_count(), 11_689_512);
    assert_eq!(published(Architecture::ResNet34, 32).parameter_count(), 21_797_672);
}

#[test]
fn alexnet_has_the_parameters_counted_by_hand() {
    let convolutions = 64 * 3 * 11 * 11
        + 192 * 64 * 5 * 5
        + 384 * 192 * 3 * 3
        + 256 * 384 * 3 * 3
        + 256 * 256 * 3 * 3;
    let hidden = 4096 * 256 * 6 * 6 + 4096 * 4096;
    let norms = 2 * (64 + 192 + 384 + 256 + 256 + 4096 + 4096);
    let output = 1000 * 4096 + 1000;
    assert_eq!(
        published(Architecture::AlexNet, 32).parameter_count(),
        convolutions + hidden + norms + output
    );
    // torchvision's 61,100,840 without its hidden biases, with batch-norm.
    let biases = 64 + 192 + 384 + 256 + 256 + 4096 + 4096;
    assert_eq!(convolutions + hidden + norms + output, 61_100_840 - biases + norms);
}

#[test]
fn quantizers_are_counted_apart() {
    let mut model = trainable(&small(Architecture::ResNet18, 4));
    let mut full = trainable(&small(Architecture::ResNet18, 32));
    // 16 convolutions in blocks and 3 in shortcuts, with c, d, γ and c, d each.
    assert_eq!(model.parameter_count(), full.parameter_count() + 19 * 5);
    assert_eq!(model.weight_count(), full.parameter_count());
}

/// torchvision's names of a ResNet of basic blocks, without `num_batches_tracked`.
fn torchvision_resnet(stages: [usize; 4]) -> Vec<String> {
    let mut names = vec!["conv1.weight".to_owned(), "fc.weight".to_owned(), "fc.bias".to_owned()];
    let norm = |names: &mut Vec<String>, layer: &str| {
        for part in ["weight", "bias", "running_mean", "running_var"] {
            names.push(format!("{layer}.{part}"));
        }
    };
    norm(&mut names, "bn1");
    for (stage, blocks) in stages.into_iter().enumerate() {
        for block in 0..blocks {
            let prefix = format!("layer{}.{block}", stage + 1);
            for part in [1, 2] {
                names.push(format!("{prefix}.conv{part}.weight"));
                norm(&mut names, &format!("{prefix}.bn{part}"));
            }
            if stage > 0 && block == 0 {
                names.push(format!("{prefix}.downsample.0.weight"));
                norm(&mut names, &format!("{prefix}.downsample.1"));
            }
        }
    }
    names.sort();
    names
}

#[test]
fn resnets_have_torchvisions_names_and_shapes() {
    for (architecture, stages, count) in
        [(Architecture::ResNet18, [2, 2, 2, 2], 102), (Architecture::ResNet34, [3, 4, 6, 3], 182)]
    {
        let state = trainable(&small(architecture, 32)).state();
        let names: Vec<String> = state.keys().cloned().collect();
        assert_eq!(names, torchvision_resnet(stages));
        assert_eq!(names.len(), count);
    }
    let state = published(Architecture::ResNet18, 32).state();
    assert_eq!(state["conv1.weight"].shape, [64, 3, 7, 7]);
    assert_eq!(state["layer2.0.conv1.weight"].shape, [128, 64, 3, 3]);
    assert_eq!(state["layer2.0.downsample.0.weight"].shape, [128, 64, 1, 1]);
    assert_eq!(state["layer4.1.bn2.running_var"].shape, [512]);
    assert_eq!(state["fc.weight"].shape, [1000, 512]);
}

#[test]
fn alexnet_has_torchvisions_names_but_for_batch_norm() {
    let state = trainable(&small(Architecture::AlexNet, 32)).state();
    let mut expected = vec!["classifier.6.weight".to_owned(), "classifier.6.bias".to_owned()];
    for layer in [
        "features.0",
        "features.3",
        "features.6",
        "features.8",
        "features.10",
        "classifier.1",
        "classifier.4",
    ] {
        expected.push(format!("{layer}.weight"));
        for part in ["weight", "bias", "running_mean", "running_var"] {
            expected.push(format!("{layer}.bn.{part}"));
        }
    }
    expected.sort();
    assert_eq!(state.keys().cloned().collect::<Vec<_>>(), expected);
}

#[test]
fn quantized_layers_are_all_but_the_first_and_the_last() {
    for architecture in ALL {
        let mut model = trainable(&small(architecture, 3));
        let quantized: Vec<String> = model.quantizers().into_iter().map(|q| q.layer).collect();
        let state = model.state();
        let convolutions_and_linears = state
            .iter()
            .filter(|(name, tensor)| name.ends_with(".weight") && tensor.shape.len() > 1)
            .map(|(name, _)| name.trim_end_matches(".weight").to_owned());
        let mut expected: Vec<String> = convolutions_and_linears
            .filter(|name| !["conv1", "fc", "features.0", "classifier.6"].contains(&name.as_str()))
            .collect();
        expected.sort();
        let mut sorted = quantized.clone();
        sorted.sort();
        assert_eq!(sorted, expected);
        for layer in quantized {
            for part in [
                "weight_quantizer.center",
                "weight_quantizer.half_width",
                "weight_quantizer.gamma",
                "activation_quantizer.center",
                "activation_quantizer.half_width",
            ] {
                assert_eq!(state[&format!("{layer}.{part}")].shape, [1]);
            }
        }
    }
}

#[test]
fn either_side_alone_can_be_quantized() {
    for (weights, activations) in [(2, 32), (32, 4)] {
        let config = ModelConfig {
            weight_bits: weights,
            activation_bits: activations,
            ..small(Architecture::ResNet18, 32)
        };
        let mut model = trainable(&config);
        assert_eq!(model.quantizers().len(), 19);
        for layer in model.quantizers() {
            assert_eq!(layer.weights.is_some(), weights != 32);
            assert_eq!(layer.activations.is_some(), activations != 32);
        }
        let names: Vec<String> = model.state().into_keys().collect();
        assert_eq!(names.iter().any(|n| n.contains(".weight_quantizer.")), weights != 32);
        assert_eq!(names.iter().any(|n| n.contains(".activation_quantizer.")), activations != 32);
    }
}

#[test]
fn images_of_all_sizes_give_logits() {
    for architecture in ALL {
        for (stem, sizes) in [(Stem::Small, [28, 32]), (Stem::ImageNet, [64, 224])] {
            let config = ModelConfig { stem, in_channels: 3, ..small(architecture, 4) };
            let mut model = Model::new(&config, 1, &Device::flex()).unwrap();
            for size in sizes {
                let logits = model.forward(images(1, [2, size, size, 3]), Mode::Evaluate);
                assert_eq!(logits.dims(), [2, 10]);
                assert!(values(logits).iter().all(|v| v.is_finite()));
            }
        }
    }
}

#[test]
fn the_smallest_image_passes_through() {
    for architecture in ALL {
        for stem in [Stem::Small, Stem::ImageNet] {
            let config = ModelConfig { stem, ..small(architecture, 4) };
            let size = config.smallest_image();
            let mut model = Model::new(&config, 1, &Device::flex()).unwrap();
            let logits = model.forward(images(1, [1, size, size, 1]), Mode::Evaluate);
            assert_eq!(logits.dims(), [1, 10]);
        }
    }
}

#[test]
fn channels_are_rounded_and_at_least_one() {
    let with = |width| {
        let config = ModelConfig { width, ..small(Architecture::ResNet18, 32) };
        let state = trainable(&config).state();
        [&state["conv1.weight"], &state["layer4.0.conv1.weight"]].map(|t| t.shape[0])
    };
    assert_eq!(with(0.25), [16, 128]);
    assert_eq!(with(0.3), [19, 154]);
    assert_eq!(with(0.001), [1, 1]);
}

#[test]
fn impossible_configurations_are_refused_by_name() {
    let good = small(Architecture::ResNet18, 32);
    for (config, word) in [
        (ModelConfig { weight_bits: 1, ..good }, "weights of 1 bits"),
        (ModelConfig { activation_bits: 9, ..good }, "activations of 9 bits"),
        (ModelConfig { width: 0.0, ..good }, "width 0"),
        (ModelConfig { width: f64::NAN, ..good }, "width NaN"),
        (ModelConfig { classes: 0, ..good }, "class"),
        (ModelConfig { in_channels: 0, ..good }, "channel"),
    ] {
        let error = Model::new(&config, 0, &Device::flex()).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn initial_values_follow_the_seed_and_nothing_else() {
    for architecture in ALL {
        let config = small(architecture, 32);
        let state =
            |config: &ModelConfig, seed| Model::new(config, seed, &Device::flex()).unwrap().state();
        assert_eq!(state(&config, 3), state(&config, 3));
        let (three, four) = (state(&config, 3), state(&config, 4));
        for (name, tensor) in &three {
            // Batch-norm starts at constants.
            let constant = tensor.values.iter().all(|v| *v == tensor.values[0]);
            assert!(constant || four[name] != *tensor, "{name}");
        }
        // Quantizers take nothing from the stream of random numbers.
        let quantized = state(&small(architecture, 2), 3);
        assert!(three.iter().all(|(name, tensor)| quantized[name] == *tensor));
    }
}

#[test]
fn convolutions_start_with_variance_two_over_fan_out() {
    let state = published(Architecture::ResNet18, 32).state();
    for (name, fan_out) in [("layer3.0.conv1.weight", 256 * 9), ("layer4.1.conv2.weight", 512 * 9)]
    {
        let values = &state[name].values;
        let sum: f64 = values.iter().map(|v| f64::from(*v)).sum();
        let squares: f64 = values.iter().map(|v| f64::from(*v).powi(2)).sum();
        let count = values.len() as f64;
        let variance = squares / count * f64::from(fan_out) / 2.0;
        assert!((variance - 1.0).abs() < 0.01, "{name}: {variance}");
        assert!((sum / count).abs() < 1e-4, "{name}: {sum}");
    }
}
