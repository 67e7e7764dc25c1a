//! Gradients reach every parameter, and following them lowers the loss.

use std::collections::BTreeMap;

use bitsweep_models::{Architecture, Mode, Model, ModelConfig, ParameterGroup, UpdateRule};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Gradients, Int, Tensor, TensorData};

use crate::fixtures::{ALL, calibrate, images, small, trainable, values};

const BATCH: usize = 16;

/// Mean cross-entropy of a fixed batch, and its gradients.
fn loss(model: &mut Model) -> (f32, Gradients) {
    loss_in(model, Mode::Train)
}

fn loss_in(model: &mut Model, mode: Mode) -> (f32, Gradients) {
    let device = model.device().clone();
    let batch = Tensor::from_data(images(9, [BATCH, 28, 28, 1]).into_data(), &device);
    let labels: Vec<i64> = (0..BATCH as i64).map(|i| i % 10).collect();
    let labels: Tensor<2, Int> = Tensor::from_data(TensorData::new(labels, [BATCH, 1]), &device);
    let logits = model.forward(batch, mode);
    let loss = log_softmax(logits, 1).gather(1, labels).mean().neg();
    (values(loss.clone())[0], loss.backward())
}

/// Plain gradient descent, intervals a hundred times slower, keeping what it was told.
#[derive(Default)]
struct Descent {
    learning_rate: f32,
    told: BTreeMap<String, (ParameterGroup, f32)>,
}

impl UpdateRule for Descent {
    fn update(
        &mut self,
        name: &str,
        group: ParameterGroup,
        value: &mut [f32],
        gradient: &mut [f32],
    ) {
        let norm = gradient.iter().map(|g| g * g).sum::<f32>().sqrt();
        self.told.insert(name.to_owned(), (group, norm));
        let interval = matches!(group, ParameterGroup::Interval | ParameterGroup::Gamma);
        let rate = if interval { 0.01 * self.learning_rate } else { self.learning_rate };
        value
            .iter_mut()
            .zip(gradient.iter())
            .for_each(|(value, gradient)| *value -= rate * gradient);
    }
}

#[test]
fn a_few_steps_lower_the_loss_of_every_network_at_every_width() {
    for architecture in ALL {
        for bits in [32, 4, 2] {
            let mut model = trainable(&small(architecture, bits));
            calibrate(&mut model, architecture, &images(9, [BATCH, 28, 28, 1]));
            let mut rule = Descent { learning_rate: 0.05, ..Descent::default() };
            let losses: Vec<f32> = (0..12)
                .map(|_| {
                    let (loss, mut gradients) = loss(&mut model);
                    model.update(&mut gradients, &mut rule);
                    loss
                })
                .collect();
            let mean = |losses: &[f32]| losses.iter().sum::<f32>() / losses.len() as f32;
            let (first, last) = (mean(&losses[..3]), mean(&losses[9..]));
            assert!(last < 0.95 * first, "{architecture:?} at {bits} bits: {losses:?}");
        }
    }
}

#[test]
fn every_parameter_gets_a_gradient_in_the_group_its_name_says() {
    for architecture in ALL {
        for (weight_bits, activation_bits) in [(32, 32), (4, 4), (4, 32), (32, 4)] {
            let config = ModelConfig { weight_bits, activation_bits, ..small(architecture, 4) };
            let mut model = trainable(&config);
            calibrate(&mut model, architecture, &images(9, [BATCH, 28, 28, 1]));
            let (_, mut gradients) = loss(&mut model);
            let mut rule = Descent::default();
            model.update(&mut gradients, &mut rule);

            let state = model.state();
            let trained: Vec<&String> = state.keys().filter(|n| !n.contains("running_")).collect();
            assert_eq!(rule.told.keys().collect::<Vec<_>>(), trained);
            for (name, (group, norm)) in &rule.told {
                assert!(norm.is_finite() && *norm > 0.0, "{config:?}, {name}: {norm}");
                let expected = match name.as_str() {
                    n if n.ends_with(".gamma") => ParameterGroup::Gamma,
                    n if n.contains("_quantizer.") => ParameterGroup::Interval,
                    n if n.contains("bn") || n.contains("downsample.1") => {
                        ParameterGroup::BatchNorm
                    }
                    n if n.ends_with(".bias") => ParameterGroup::Bias,
                    _ => ParameterGroup::Weight,
                };
                assert_eq!(*group, expected, "{name}");
            }
        }
    }
}

#[test]
fn the_same_steps_give_the_same_bits() {
    let run = || {
        let mut model = trainable(&small(Architecture::ResNet18, 4));
        calibrate(&mut model, Architecture::ResNet18, &images(9, [BATCH, 28, 28, 1]));
        let mut rule = Descent { learning_rate: 0.05, ..Descent::default() };
        for _ in 0..3 {
            let (_, mut gradients) = loss(&mut model);
            model.update(&mut gradients, &mut rule);
        }
        model.state()
    };
    assert_eq!(run(), run());
}

#[test]
fn a_frozen_copy_does_not_follow() {
    let mut model = trainable(&small(Architecture::ResNet18, 4));
    let mut frozen = model.frozen();
    let before = frozen.state();
    let (_, mut gradients) = loss(&mut model);
    model.update(&mut gradients, &mut Descent { learning_rate: 0.1, ..Descent::default() });
    assert_ne!(model.state(), before);
    assert_eq!(frozen.state(), before);
}

#[test]
fn what_the_rule_leaves_alone_stays() {
    struct Nothing;
    impl UpdateRule for Nothing {
        fn update(&mut self, _: &str, _: ParameterGroup, _: &mut [f32], _: &mut [f32]) {}
    }
    let mut model = trainable(&small(Architecture::AlexNet, 4));
    let (_, mut gradients) = loss(&mut model);
    let before = model.state();
    model.update(&mut gradients, &mut Nothing);
    assert_eq!(model.state(), before);
    // And it still trains afterwards.
    let (_, mut gradients) = loss(&mut model);
    let mut rule = Descent { learning_rate: 0.1, ..Descent::default() };
    model.update(&mut gradients, &mut rule);
    assert_eq!(rule.told.len(), before.keys().filter(|n| !n.contains("running_")).count());
}

#[test]
fn statistics_count_what_the_intervals_do_to_the_weights() {
    let mut model = trainable(&small(Architecture::ResNet18, 3));
    calibrate(&mut model, Architecture::ResNet18, &images(9, [BATCH, 28, 28, 1]));
    let layers = model.layer_statistics();
    assert_eq!(layers.len(), 19);
    for (layer, statistics) in layers {
        let statistics = statistics.unwrap();
        let weights = &model.state()[&format!("{}.weight", layer.layer)].values.len();
        assert_eq!(statistics.histogram.iter().sum::<u64>(), *weights as u64);
        assert!(statistics.zero >= statistics.below_interval);
        assert!(statistics.zero > 0.0 && statistics.zero < 1.0, "{}", layer.layer);
    }
}

#[test]
fn parameters_that_are_not_trained_get_no_gradient_and_stay() {
    for architecture in ALL {
        let mut model = trainable(&small(architecture, 4));
        calibrate(&mut model, architecture, &images(9, [BATCH, 28, 28, 1]));
        model.set_trained(|group| group == ParameterGroup::Interval);
        let before = model.state();
        let (_, mut gradients) = loss(&mut model);
        let mut rule = Descent { learning_rate: 0.1, ..Descent::default() };
        model.update(&mut gradients, &mut rule);
        let intervals = |name: &String| name.contains("_quantizer.") && !name.ends_with(".gamma");
        let expected: Vec<&String> = before.keys().filter(|name| intervals(name)).collect();
        assert_eq!(rule.told.keys().collect::<Vec<_>>(), expected);
        let after = model.state();
        for (name, value) in &before {
            if !name.contains("running_") {
                assert_eq!(after[name] != *value, intervals(name), "{architecture:?}: {name}");
            }
        }
        // Loading a state or setting intervals does not change what is trained.
        model.load_state(&before, bitsweep_models::QuantizersInState::Required).unwrap();
        let quantizers = model.quantizers();
        model.set_quantizers(&quantizers);
        let (_, mut gradients) = loss(&mut model);
        let mut again = Descent::default();
        model.update(&mut gradients, &mut again);
        assert_eq!(again.told.keys().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn with_fixed_statistics_a_step_learns_and_leaves_them_alone() {
    let mut model = trainable(&small(Architecture::ResNet18, 4));
    calibrate(&mut model, Architecture::ResNet18, &images(9, [BATCH, 28, 28, 1]));
    let before = model.state();
    let mut losses = Vec::new();
    for _ in 0..6 {
        let (loss, mut gradients) = loss_in(&mut model, Mode::Evaluate);
        let mut rule = Descent { learning_rate: 0.02, ..Descent::default() };
        model.update(&mut gradients, &mut rule);
        assert_eq!(rule.told.len(), before.keys().filter(|n| !n.contains("running_")).count());
        losses.push(loss);
    }
    assert!(losses[5] < losses[0], "{losses:?}");
    let after = model.state();
    for name in before.keys().filter(|name| name.contains("running_")) {
        assert_eq!(after[name], before[name], "{name}");
    }
}

#[test]
fn blending_moves_every_value_by_a_share_of_the_difference_and_equal_ones_not_at_all() {
    let trained = trainable(&small(Architecture::ResNet18, 4));
    let mut average = trained.frozen();
    let start = average.state();
    average.blend(&trained, 0.3);
    assert_eq!(average.state(), start, "nothing to move towards");

    let mut moved = trained.clone();
    let (_, mut gradients) = loss(&mut moved);
    moved.update(&mut gradients, &mut Descent { learning_rate: 0.1, ..Descent::default() });
    let end = moved.state();
    average.blend(&moved, 0.3);
    for (name, value) in average.state() {
        for ((found, start), end) in
            value.values.iter().zip(&start[&name].values).zip(&end[&name].values)
        {
            let expected = 0.3 * start + 0.7 * end;
            assert!((found - expected).abs() < 1e-5, "{name}: {found} {expected}");
        }
    }
    assert_eq!(moved.state(), end);
}
