//! States out and in.

use bitsweep_models::{
    Architecture, Interval, Mode, Model, NamedTensor, QuantizersInState, WeightQuantizer,
};
use burn::tensor::Device;

use crate::fixtures::{ALL, images, small, trainable, values};

fn seeded(architecture: Architecture, bits: u8, seed: u64) -> Model {
    Model::new(&small(architecture, bits), seed, &Device::flex()).unwrap()
}

#[test]
fn a_state_makes_another_network_the_same() {
    for architecture in ALL {
        for bits in [32, 3] {
            let mut from = seeded(architecture, bits, 1);
            from.recompute_batch_norm(std::iter::once(images(2, [4, 28, 28, 1])));
            let mut to = seeded(architecture, bits, 2);
            let state = from.state();
            assert_ne!(to.state(), state);
            to.load_state(&state, QuantizersInState::Required).unwrap();
            assert_eq!(to.state(), state);
            let batch = images(3, [2, 28, 28, 1]);
            let logits = from.forward(batch.clone(), Mode::Evaluate);
            assert_eq!(values(logits), values(to.forward(batch, Mode::Evaluate)));
        }
    }
}

#[test]
fn everything_that_does_not_fit_is_named_and_nothing_is_changed() {
    let mut model = seeded(Architecture::ResNet18, 32, 1);
    let before = model.state();
    let mut state = seeded(Architecture::ResNet18, 32, 2).state();
    state.remove("conv1.weight");
    state.remove("layer4.1.bn2.running_var");
    let one = NamedTensor { shape: vec![1], values: vec![0.0] };
    state.insert("head.weight".to_owned(), one.clone());
    state.insert("fc.bias".to_owned(), one);

    let error = model.load_state(&state, QuantizersInState::Required).unwrap_err();
    assert_eq!(error.missing, ["conv1.weight", "layer4.1.bn2.running_var"]);
    assert_eq!(error.unexpected, ["head.weight"]);
    assert_eq!(error.mis_shaped, [("fc.bias".to_owned(), vec![1], vec![10])]);
    let message = error.to_string();
    for part in ["missing conv1.weight", "unexpected head.weight", "fc.bias is [1] where [10]"] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(model.state(), before);
}

#[test]
fn a_child_takes_weights_from_a_parent_of_another_width() {
    let mut full = seeded(Architecture::AlexNet, 32, 1);
    let mut child = seeded(Architecture::AlexNet, 4, 2);
    let quantizers = child.quantizers();
    let error = child.load_state(&full.state(), QuantizersInState::Required).unwrap_err();
    assert_eq!(error.missing.len(), 6 * 5);
    assert!(error.missing.iter().all(|name| name.contains("_quantizer.")));

    child.load_state(&full.state(), QuantizersInState::Optional).unwrap();
    assert_eq!(child.quantizers(), quantizers);
    let state = child.state();
    assert!(full.state().iter().all(|(name, tensor)| state[name] == *tensor));
    // And back: what a network has no place for is left out only if asked.
    assert!(full.load_state(&state, QuantizersInState::Required).is_err());
    full.load_state(&state, QuantizersInState::Optional).unwrap();
}

#[test]
fn intervals_are_set_layer_by_layer_and_kept_where_nothing_is_given() {
    let mut model = trainable(&small(Architecture::ResNet18, 3));
    let mut all = model.quantizers();
    let interval = Interval { center: 0.5, half_width: 0.25 };
    let old = all[1].clone();
    all[0].weights = Some(WeightQuantizer { interval, gamma: 2.0, levels: 3 });
    all[0].activations = None;
    all[1].weights = None;
    all[1].activations = Some(interval);
    model.set_quantizers(&all);

    let found = model.quantizers();
    assert_eq!(found[0].weights, all[0].weights);
    assert_eq!(found[1].weights, old.weights);
    assert_eq!(found[1].activations, Some(interval));
    let state = model.state();
    assert_eq!(state["layer1.0.conv1.weight_quantizer.gamma"].values, [2.0]);
    assert_eq!(state["layer1.0.conv2.activation_quantizer.half_width"].values, [0.25]);
}
