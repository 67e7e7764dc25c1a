//! What is read from good files.

use std::collections::HashMap;

use bitsweep_models::import::{Weights, read};
use bitsweep_models::{Mode, Model, QuantizersInState};
use burn::tensor::{Device, Tensor, TensorData};
use safetensors::tensor::{Dtype, TensorView};

use crate::fixtures::{alexnet, fixture, resnet18, shared_data};

#[test]
fn the_same_network_is_read_from_every_kind_of_file() {
    let safetensors = read(&fixture("resnet18.safetensors")).unwrap();
    let legacy = read(&fixture("resnet18-legacy.pth")).unwrap();
    let training = read(&fixture("resnet18-training.pth")).unwrap();
    assert_eq!(legacy.state, safetensors.state);
    assert_eq!(training.state, safetensors.state);
    assert!(safetensors.notes.is_empty() && legacy.notes.is_empty());
    let notes = training.notes.join("\n");
    for said in ["stripped `state_dict.`", "stripped `module.`", "`optimizer`", "`best_prec1`"] {
        assert!(notes.contains(said), "{said} in {notes}");
    }
    assert!(!safetensors.state.keys().any(|name| name.ends_with("num_batches_tracked")));

    let mut model = Model::new(&resnet18(), 0, &Device::flex()).unwrap();
    model.load_state(&safetensors.state, QuantizersInState::Required).unwrap();
    assert_eq!(model.state(), safetensors.state);
}

#[test]
fn alexnet_without_batch_norm_computes_what_it_did_in_pytorch() {
    let weights = read(&fixture("alexnet.pth")).unwrap();
    assert!(weights.batch_norm_added);
    let mut model = Model::new(&alexnet(), 0, &Device::flex()).unwrap();
    model.load_state(&weights.state, QuantizersInState::Required).unwrap();
    let expected = read(&fixture("alexnet-logits.safetensors")).unwrap();
    assert_close(&logits(&mut model), &expected.state["logits"].values);
}

#[test]
fn alexnet_computes_the_same_after_its_batch_norm_has_measured_images() {
    let weights = read(&fixture("alexnet.pth")).unwrap();
    let mut model = Model::new(&alexnet(), 0, &Device::flex()).unwrap();
    model.load_state(&weights.state, QuantizersInState::Required).unwrap();
    model.make_batch_norm_identity(std::iter::once(images())).unwrap();
    let settled = model.state();
    assert_ne!(settled["features.3.bn.running_mean"].values, [0.0]);
    let expected = read(&fixture("alexnet-logits.safetensors")).unwrap();
    assert_close(&logits(&mut model), &expected.state["logits"].values);
}

#[test]
fn a_checkpoint_from_another_project_is_read() {
    let Some(path) = shared_data("resnet20-12fca82f.th") else { return };
    let Weights { state, notes, .. } = read(&path).unwrap();
    assert_eq!(state["conv1.weight"].shape, [16, 3, 3, 3]);
    assert_eq!(state["layer3.2.conv2.weight"].shape, [64, 64, 3, 3]);
    assert_eq!(state["linear.bias"].shape, [10]);
    let values: usize = state.values().map(|tensor| tensor.values.len()).sum();
    // 269,722 parameters, as its authors state, and 2 · 688 running statistics.
    assert_eq!(values, 269_722 + 1_376);
    assert!(state.values().all(|tensor| tensor.values.iter().any(|value| *value != 0.0)));
    assert!(notes.iter().any(|note| note.contains("`module.`")), "{notes:?}");
}

#[test]
fn narrower_and_wider_numbers_become_32_bits_and_metadata_is_kept() {
    let half: Vec<u8> = [0x3c00_u16, 0xc100].iter().flat_map(|v| v.to_le_bytes()).collect();
    let brain: Vec<u8> = [0x3fc0_u16, 0xbf80].iter().flat_map(|v| v.to_le_bytes()).collect();
    let double: Vec<u8> = [0.1_f64, 3.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let view = |dtype, bytes| TensorView::new(dtype, vec![2], bytes).unwrap();
    let tensors = [
        ("half", view(Dtype::F16, &half)),
        ("brain", view(Dtype::BF16, &brain)),
        ("double", view(Dtype::F64, &double)),
    ];
    let metadata = HashMap::from([("bitsweep.classes".to_owned(), "10".to_owned())]);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, safetensors::serialize(tensors, Some(metadata)).unwrap()).unwrap();
    let weights = read(file.path()).unwrap();
    assert_eq!(weights.state["half"].values, [1.0, -2.5]);
    assert_eq!(weights.state["brain"].values, [1.5, -1.0]);
    assert_eq!(weights.state["double"].values, [0.1, 3.0]);
    assert_eq!(weights.metadata["bitsweep.classes"], "10");
    assert_eq!(weights.notes, ["rounded 1 tensors from 64 to 32 bits"]);
}

/// The images of the script: value i is sin(i / 10).
fn images() -> Tensor<4> {
    let shape = [2, 227, 227, 3];
    let count: usize = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|i| (i as f64 / 10.0).sin() as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

fn logits(model: &mut Model) -> Vec<f32> {
    model.forward(images(), Mode::Evaluate).into_data().try_into_vec().unwrap()
}

fn assert_close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        // Sums of at most 363 products in 32 bits against PyTorch's in 64.
        assert!((found - expected).abs() < 2e-5, "{found} {expected}");
    }
}
