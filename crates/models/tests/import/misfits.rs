//! What is said of weights that do not fit.

use bitsweep_models::import::{explain, read};
use bitsweep_models::{
    Architecture, Model, ModelConfig, NamedTensor, QuantizersInState, State, Stem,
};
use burn::tensor::Device;

use crate::fixtures::{alexnet, fixture, resnet18, shared_data};

fn misfit(state: &State, config: &ModelConfig) -> String {
    let mut model = Model::new(config, 0, &Device::flex()).unwrap();
    let before = model.state();
    let error = model.load_state(state, QuantizersInState::Required).unwrap_err();
    assert_eq!(model.state(), before, "nothing is changed");
    let message = explain(&error, state, config);
    assert!(!message.contains('\n'), "{message}");
    message
}

fn state_of(config: &ModelConfig) -> State {
    Model::new(config, 0, &Device::flex()).unwrap().state()
}

#[test]
fn another_network_is_recognized() {
    let resnet34 = ModelConfig { architecture: Architecture::ResNet34, ..resnet18() };
    assert_eq!(
        misfit(&state_of(&resnet34), &resnet18()),
        "the file holds ResNet-34 (blocks 3, 4, 6, 3), the network is ResNet-18 (blocks 2, 2, 2, 2)"
    );
    assert_eq!(
        misfit(&state_of(&alexnet()), &resnet18()),
        "the file holds AlexNet, the network is ResNet-18 (blocks 2, 2, 2, 2)"
    );
    let mut resnet50 = state_of(&resnet34);
    let bottleneck = NamedTensor { shape: vec![1, 1, 1, 1], values: vec![0.0] };
    resnet50.insert("layer1.0.conv3.weight".to_owned(), bottleneck);
    assert!(misfit(&resnet50, &resnet18()).starts_with("the file holds ResNet-50"));
    if let Some(path) = shared_data("resnet20-12fca82f.th") {
        let message = misfit(&read(&path).unwrap().state, &resnet18());
        assert!(message.starts_with("the file holds ResNet-20 (blocks 3, 3, 3)"), "{message}");
    }
}

#[test]
fn another_number_of_classes_is_said_as_such() {
    let state = read(&fixture("resnet18.safetensors")).unwrap().state;
    let other = ModelConfig { classes: 1000, ..resnet18() };
    assert_eq!(misfit(&state, &other), "fc.weight has 10 classes, the network 1000");
}

#[test]
fn other_first_layers_and_another_width_are_said_as_such() {
    let state = read(&fixture("resnet18.safetensors")).unwrap().state;
    let gray = ModelConfig { in_channels: 1, stem: Stem::ImageNet, ..resnet18() };
    assert_eq!(
        misfit(&state, &gray),
        "conv1.weight reads images of 3 channels, the network 1; \
         conv1.weight is 3×3, the network's stem \"imagenet\" has 7×7"
    );
    let wide = ModelConfig { width: 0.125, ..resnet18() };
    assert_eq!(
        misfit(&state, &wide),
        "conv1.weight has 1 channels, the network 8: another width than 0.125"
    );
}

#[test]
fn quantized_and_not_is_said_as_such() {
    let quantized = ModelConfig { weight_bits: 4, activation_bits: 4, ..resnet18() };
    assert_eq!(
        misfit(&state_of(&resnet18()), &quantized),
        "the network has intervals that the file has not (95 values)"
    );
    assert_eq!(
        misfit(&state_of(&quantized), &resnet18()),
        "the file has intervals that the network, at its widths, has not (95 values)"
    );
}

#[test]
fn names_are_grouped_by_layer_and_a_renamed_one_is_suggested() {
    let mut state = state_of(&resnet18());
    for part in ["weight", "bias"] {
        let tensor = state.remove(&format!("fc.{part}")).unwrap();
        state.insert(format!("linear.{part}"), tensor);
    }
    let message = misfit(&state, &resnet18());
    assert!(message.contains("fc.bias is missing; linear.bias [10] may be it"), "{message}");

    let mut state = state_of(&resnet18());
    state.retain(|name, _| !name.contains("bn"));
    let message = misfit(&state, &resnet18());
    assert!(
        message.starts_with("missing: bn1.{weight, bias, running_mean, running_var}, "),
        "{message}"
    );
    assert!(message.ends_with("and 48 more"), "{message}");
}
