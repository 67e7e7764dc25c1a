//! Captured inputs, passed-by quantizers and re-estimated batch-norm.

use std::collections::BTreeMap;

use bitsweep_models::{Architecture, Mode, State};
use burn::tensor::Tensor;

use crate::fixtures::{ALL, calibrate, images, small, trainable, values};

#[test]
fn at_32_bits_there_is_no_quantizer_and_nothing_to_pass_by() {
    for architecture in ALL {
        let mut full = trainable(&small(architecture, 32)).frozen();
        assert!(full.quantizers().is_empty());
        assert!(full.state().keys().all(|name| !name.contains("quantizer")));
        // A quantized network of the same seed, quantizers passed by, sees the same values bit for bit.
        let mut quantized = trainable(&small(architecture, 2)).frozen();
        let batch = images(5, [3, 28, 28, 1]);
        let (mut with, mut without) = (Vec::new(), Vec::new());
        full.capture_inputs(batch.clone(), false, |n, v| without.push((n.to_owned(), v)));
        quantized.capture_inputs(batch, true, |n, v| with.push((n.to_owned(), v)));
        assert_eq!(with, without);
    }
}

#[test]
fn captured_inputs_are_those_of_every_quantizable_layer_and_never_negative() {
    for architecture in ALL {
        let mut model = trainable(&small(architecture, 4)).frozen();
        let expected: Vec<String> = model.quantizers().into_iter().map(|q| q.layer).collect();
        let mut found = Vec::new();
        model.capture_inputs(images(5, [3, 28, 28, 1]), true, |layer, values| {
            assert!(values.iter().all(|v| *v >= 0.0), "{layer}");
            assert!(values.iter().any(|v| *v > 0.0), "{layer}");
            found.push(layer.to_owned());
        });
        // Shortcuts run after the block's second convolution.
        assert_eq!(found, expected);
    }
}

#[test]
fn captured_inputs_at_own_widths_are_those_of_the_quantized_network() {
    let mut model = trainable(&small(Architecture::ResNet18, 2));
    let batch = images(5, [4, 28, 28, 1]);
    calibrate(&mut model, Architecture::ResNet18, &batch);
    let mut model = model.frozen();
    let capture = |model: &mut bitsweep_models::Model, full| {
        let mut found = BTreeMap::new();
        model.capture_inputs(batch.clone(), full, |n, v| {
            found.insert(n.to_owned(), v);
        });
        found
    };
    let (own, full) = (capture(&mut model, false), capture(&mut model, true));
    assert_eq!(own["layer1.0.conv1"], full["layer1.0.conv1"]);
    assert_ne!(own["layer1.0.conv2"], full["layer1.0.conv2"]);
}

fn statistic<'a>(state: &'a State, name: &str) -> &'a [f32] {
    &state[name].values
}

#[test]
fn a_training_step_moves_statistics_by_a_tenth_and_recomputation_all_the_way() {
    for architecture in ALL {
        let mut model = trainable(&small(architecture, 32));
        let batch = images(6, [16, 28, 28, 1]);
        let before = model.state();
        let mut trained = model.clone();
        trained.forward(on_device_of(&trained, &batch), Mode::Train);
        let after = trained.state();
        model.recompute_batch_norm(std::iter::once(batch));
        let recomputed = model.state();
        for name in before.keys().filter(|name| name.contains("running_")) {
            let [old, moved, new] =
                [&before, &after, &recomputed].map(|state| statistic(state, name));
            for ((&old, &moved), &new) in old.iter().zip(moved).zip(new) {
                assert!((moved - (0.9 * old + 0.1 * new)).abs() < 1e-4, "{name}");
            }
        }
        // Nothing else changed.
        assert!(before.iter().all(|(n, t)| n.contains("running_") || recomputed[n] == *t));
    }
}

fn on_device_of(model: &bitsweep_models::Model, images: &Tensor<4>) -> Tensor<4> {
    Tensor::from_data(images.clone().into_data(), model.device())
}

#[test]
fn running_variance_is_unbiased() {
    let mut model = trainable(&small(Architecture::AlexNet, 32));
    model.recompute_batch_norm(std::iter::once(images(6, [4, 28, 28, 1])));
    let four = model.state();
    // The same images twice: the biased variance stays, the unbiased one shrinks from 4/3 to 8/7 of it.
    let twice = Tensor::cat(vec![images(6, [4, 28, 28, 1]); 2], 0);
    model.recompute_batch_norm(std::iter::once(twice));
    let eight = model.state();
    let name = "classifier.1.bn.running_var";
    let ratios = statistic(&four, name).iter().zip(statistic(&eight, name)).map(|(a, b)| a / b);
    for ratio in ratios {
        assert!((ratio - (4.0 / 3.0) / (8.0 / 7.0)).abs() < 1e-3, "{ratio}");
    }
}

#[test]
fn recomputation_averages_batches_evenly() {
    let mut model = trainable(&small(Architecture::ResNet18, 4));
    let batches = [1, 2, 3].map(|seed| images(seed, [8, 28, 28, 1]));
    let each = batches.clone().map(|batch| {
        let mut alone = model.clone();
        alone.recompute_batch_norm(std::iter::once(batch));
        alone.state()
    });
    model.recompute_batch_norm(batches.into_iter());
    let all = model.state();
    for name in ["bn1.running_mean", "bn1.running_var"] {
        for (channel, &found) in statistic(&all, name).iter().enumerate() {
            let mean = each.iter().map(|state| statistic(state, name)[channel]).sum::<f32>() / 3.0;
            assert!((found - mean).abs() < 1e-5, "{name}: {found} {mean}");
        }
    }
}

#[test]
fn without_batches_statistics_stay() {
    let mut model = trainable(&small(Architecture::ResNet18, 4));
    let before = model.state();
    model.recompute_batch_norm(std::iter::empty());
    assert_eq!(model.state(), before);
}

#[test]
fn recomputation_forgets_statistics_that_are_not_finite() {
    let mut model = trainable(&small(Architecture::ResNet18, 32));
    let mut state = model.state();
    state.get_mut("bn1.running_mean").unwrap().values[0] = f32::NAN;
    model.load_state(&state, bitsweep_models::QuantizersInState::Required).unwrap();
    model.recompute_batch_norm(std::iter::once(images(6, [4, 28, 28, 1])));
    assert!(model.state().values().all(|t| t.values.iter().all(|v| v.is_finite())));
}

#[test]
fn with_recomputed_statistics_evaluation_is_training_on_the_same_images() {
    for (architecture, bits) in
        [(Architecture::ResNet18, 32), (Architecture::ResNet34, 32), (Architecture::AlexNet, 32)]
    {
        let mut model = trainable(&small(architecture, bits));
        let batch = images(6, [64, 28, 28, 1]);
        calibrate(&mut model, architecture, &batch);
        let evaluated = values(model.frozen().forward(batch.clone(), Mode::Evaluate));
        let trained = values(model.forward(on_device_of(&model, &batch), Mode::Train));
        let largest = trained.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
        for (a, b) in evaluated.iter().zip(&trained) {
            // The running variance is unbiased, the batch's own is not: 64/63 at most.
            assert!((a - b).abs() < 0.03 * largest, "{architecture:?}: {a} {b}");
        }
    }
}

#[test]
fn evaluation_of_a_frozen_network_builds_no_graph() {
    let model = trainable(&small(Architecture::ResNet18, 4));
    let logits = model.frozen().forward(images(1, [2, 28, 28, 1]), Mode::Evaluate);
    assert!(!logits.is_autodiff());
}

#[test]
fn an_identity_batch_norm_adds_its_shift_whatever_the_images() {
    let mut model = trainable(&small(Architecture::AlexNet, 32));
    let mut state = model.state();
    // As an import leaves it: statistics of nothing, the bias as shift.
    for (name, tensor) in &mut state {
        let value = match name {
            name if name.ends_with(".bn.weight") => (1.0_f32 + 1e-5).sqrt(),
            name if name.ends_with(".running_mean") => 0.0,
            name if name.ends_with(".running_var") => 1.0,
            name if name.ends_with(".bn.bias") => 0.05,
            _ => continue,
        };
        tensor.values.fill(value);
    }
    model.load_state(&state, bitsweep_models::QuantizersInState::Required).unwrap();
    let other = images(8, [5, 28, 28, 1]);
    let before = values(model.frozen().forward(other.clone(), Mode::Evaluate));
    let batches = [1, 2].map(|seed| images(seed, [8, 28, 28, 1]));
    model.make_batch_norm_identity(batches.into_iter()).unwrap();
    let after = values(model.frozen().forward(other, Mode::Evaluate));
    let largest = before.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    for (before, after) in before.iter().zip(&after) {
        assert!((before - after).abs() < 1e-4 * largest, "{before} {after}");
    }
    let changed = model.state();
    assert!(statistic(&changed, "features.3.bn.running_var").iter().all(|v| *v != 1.0));
    assert!(statistic(&changed, "features.3.bn.running_mean").iter().any(|v| *v != 0.0));
}
