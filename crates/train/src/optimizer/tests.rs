//! One parameter at a time.

use bitsweep_sweep::{GroupSettings, OutputScale};

use super::*;
use crate::fixtures::settings;

const QUANTIZER: &str = "layer1.0.conv1.weight_quantizer.center";

fn moved_twice(settings: &TrainSettings, group: ParameterGroup, gradient: f32) -> (f32, f32) {
    let mut optimizer = Optimizer::new(settings);
    let mut value = [2.0];
    for _ in 0..2 {
        let mut step = Step { optimizer: &mut optimizer, learning_rate: 0.1, clipping: None };
        step.update(QUANTIZER, group, &mut value, &mut [gradient]);
    }
    (value[0], optimizer.velocities.get(QUANTIZER).map_or(0.0, |velocity| velocity[0]))
}

/// How far a parameter moves in two steps along a gradient of 1.
fn moved(settings: &TrainSettings, group: ParameterGroup) -> f32 {
    2.0 - moved_twice(settings, group, 1.0).0
}

#[test]
fn every_group_decays_as_its_own_setting_says() {
    let none = TrainSettings { weight_decay: 0.0, gamma: Gamma::Learned, ..settings() };
    let decaying = GroupSettings { learning_rate_scale: 1.0, weight_decay: 0.5 };
    let only = |group| match group {
        ParameterGroup::Weight => TrainSettings { weight_decay: 0.5, ..none.clone() },
        ParameterGroup::BatchNorm => TrainSettings { batch_norm: decaying, ..none.clone() },
        ParameterGroup::Bias => TrainSettings { bias: decaying, ..none.clone() },
        ParameterGroup::Interval | ParameterGroup::Gamma => {
            TrainSettings { quantizer_weight_decay: 0.5, ..none.clone() }
        }
    };
    let quantizer = [ParameterGroup::Interval, ParameterGroup::Gamma];
    let groups = [
        ParameterGroup::Weight,
        ParameterGroup::BatchNorm,
        ParameterGroup::Bias,
        quantizer[0],
        quantizer[1],
    ];
    for decays in groups {
        for group in groups {
            let (value, _) = moved_twice(&only(decays), group, 0.0);
            let together = quantizer.contains(&decays) && quantizer.contains(&group);
            assert_eq!(value < 2.0, decays == group || together, "{decays:?} {group:?}");
        }
    }
}

#[test]
fn by_default_weights_alone_decay() {
    let settings = TrainSettings { weight_decay: 0.5, gamma: Gamma::Learned, ..settings() };
    assert!(moved_twice(&settings, ParameterGroup::Weight, 0.0).0 < 2.0);
    for group in [
        ParameterGroup::BatchNorm,
        ParameterGroup::Bias,
        ParameterGroup::Interval,
        ParameterGroup::Gamma,
    ] {
        assert_eq!(moved_twice(&settings, group, 0.0).0, 2.0, "{group:?}");
    }
}

#[test]
fn two_steps_follow_pytorchs_recurrence_with_and_without_nesterov() {
    let mut settings = TrainSettings { weight_decay: 0.0, momentum: 0.5, ..settings() };
    // v = 1, then 1.5; p = 2 − 0.1 · (1 + 1.5)
    let (value, velocity) = moved_twice(&settings, ParameterGroup::Weight, 1.0);
    assert_eq!(velocity, 1.5);
    assert!((value - 1.75).abs() < 1e-6);
    // directions 1 + 0.5 · 1 and 1 + 0.5 · 1.5
    settings.nesterov = true;
    let (value, _) = moved_twice(&settings, ParameterGroup::Weight, 1.0);
    assert!((value - (2.0 - 0.1 * (1.5 + 1.75))).abs() < 1e-6);
}

#[test]
fn every_group_has_its_own_learning_rate_and_gamma_moves_only_if_learned() {
    let scaled = |learning_rate_scale| GroupSettings { learning_rate_scale, weight_decay: 0.0 };
    let mut settings = TrainSettings {
        weight_decay: 0.0,
        batch_norm: scaled(0.5),
        bias: scaled(2.0),
        quantizer_learning_rate: QuantizerLearningRate::Scale(0.1),
        gamma_learning_rate_scale: 0.25,
        ..settings()
    };
    let weight = moved(&settings, ParameterGroup::Weight);
    let relative = |settings: &TrainSettings, group| moved(settings, group) / weight;
    let close = |found: f32, expected: f32| assert!((found - expected).abs() < 1e-4, "{found}");
    close(relative(&settings, ParameterGroup::BatchNorm), 0.5);
    close(relative(&settings, ParameterGroup::Bias), 2.0);
    close(relative(&settings, ParameterGroup::Interval), 0.1);
    close(relative(&settings, ParameterGroup::Gamma), 0.0);
    settings.gamma = Gamma::Learned;
    close(relative(&settings, ParameterGroup::Gamma), 0.025);
}

#[test]
fn per_layer_rates_are_one_over_the_root_of_values_times_levels() {
    let device = burn::tensor::Device::flex().autodiff();
    let settings =
        TrainSettings { quantizer_learning_rate: QuantizerLearningRate::PerLayer, ..settings() };
    let bits = bitsweep_sweep::Bits { weights: 3, activations: 4 };
    let built = crate::network::build(&crate::fixtures::spec(), bits, OutputScale::None, &device);
    let mut model = built.expect("this is a network");
    let mut optimizer = Optimizer::new(&settings);
    let inputs = BTreeMap::from([("layer1.0.conv1".to_owned(), 28 * 28 * 4)]);
    optimizer.set_layer_rates(&mut model, 4, &inputs);
    // 3 × 3 × 4 × 4 weights with 3 positive levels, 28 × 28 × 4 inputs with 15.
    let weights = optimizer.quantizer_rate("layer1.0.conv1.weight_quantizer.half_width");
    assert!((weights - 1.0 / (144.0_f64 * 3.0).sqrt()).abs() < 1e-12, "{weights}");
    assert_eq!(optimizer.quantizer_rate("layer1.0.conv1.weight_quantizer.gamma"), weights);
    let activations = optimizer.quantizer_rate("layer1.0.conv1.activation_quantizer.center");
    assert!((activations - 1.0 / (3136.0_f64 * 15.0).sqrt()).abs() < 1e-12, "{activations}");
    let other = optimizer.quantizer_rate("layer4.1.conv2.weight_quantizer.center");
    assert!(other > 0.0 && other < weights, "larger layers are slower: {other}");
}

#[test]
fn clipped_gradients_move_parameters_by_the_scaled_gradient_and_quantizers_by_theirs() {
    let settings = TrainSettings { weight_decay: 0.0, momentum: 0.0, ..settings() };
    let mut optimizer = Optimizer::new(&settings);
    let mut step =
        Step { optimizer: &mut optimizer, learning_rate: 0.1, clipping: Some(Clipping::new(1.0)) };
    step.gradient(ParameterGroup::Weight, &[3.0]);
    step.gradient(ParameterGroup::Bias, &[4.0]);
    step.gradient(ParameterGroup::Interval, &[10.0]);
    let mut moved = |group, gradient: f32| {
        let mut value = [1.0];
        step.update(QUANTIZER, group, &mut value, &mut [gradient]);
        1.0 - value[0]
    };
    assert!((moved(ParameterGroup::Weight, 3.0) - 0.06).abs() < 1e-6);
    assert!((moved(ParameterGroup::Bias, 4.0) - 0.08).abs() < 1e-6);
    assert!((moved(ParameterGroup::Interval, 10.0) - 0.01).abs() < 1e-6);
}
