//! Weights from files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bitsweep_sweep::{AttemptEnd, Network, TrialSpec};
use bitsweep_train::Control;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use crate::fixture::{Told, finished, folder, request, spec, tensors, told};

/// Shape and values by name.
type Weights = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

fn write(path: &Path, weights: &Weights) {
    let bytes =
        |values: &Vec<f32>| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let all: Vec<_> =
        weights.iter().map(|(name, (shape, values))| (name, shape, bytes(values))).collect();
    let views = all.iter().map(|(name, shape, bytes)| {
        (name.as_str(), TensorView::new(Dtype::F32, (*shape).clone(), bytes).unwrap())
    });
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// A checkpoint's model as a file of others would have it.
fn exported(checkpoint: &Path) -> Weights {
    let bytes = fs::read(checkpoint).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let values = tensors(checkpoint, "model.");
    let shapes = file.iter().filter_map(|(name, view)| {
        Some((name.strip_prefix("model.")?.to_owned(), view.shape().to_vec()))
    });
    shapes.map(|(name, shape)| (name.clone(), (shape, values[&name].clone()))).collect()
}

fn from_weights(spec: &TrialSpec, weights: &Weights) -> Told {
    let own = folder();
    let path: PathBuf = own.path().join("weights.safetensors");
    write(&path, weights);
    let mut spec = spec.clone();
    spec.initial_weights = Some(path.to_str().unwrap().to_owned());
    told(&request(&spec, own.path()), &Control::new())
}

#[test]
fn a_trial_starts_from_the_weights_of_a_file() {
    let parent_folder = folder();
    let parent = finished(&request(&spec(32), parent_folder.path()));
    let weights = exported(&parent.last_checkpoint());
    let mut evaluated = spec(32);
    evaluated.train.epochs = 0;
    let told = from_weights(&evaluated, &weights);
    assert_eq!(told.result().validation_loss, parent.result().validation_loss);
    assert_eq!(told.result().correct, parent.result().correct);

    let mut trained = spec(32);
    trained.train.epochs = 1;
    let told = from_weights(&trained, &weights);
    assert_eq!(told.epochs()[0].validation_loss, parent.result().validation_loss, "epoch 0 first");
    assert_eq!(told.epochs().len(), 2);

    // Quantized at once, it is what a child of the baseline is.
    let mut quantized = spec(4);
    quantized.train.epochs = 0;
    let told = from_weights(&quantized, &weights);
    let child_folder = folder();
    let child =
        crate::fixture::child_request(&quantized, &parent.last_checkpoint(), child_folder.path());
    assert_eq!(told.result().validation_loss, finished(&child).result().validation_loss);
}

fn refused(spec: &TrialSpec, weights: &Weights, parts: &[&str]) {
    let error = from_weights(spec, weights).ended.unwrap_err();
    assert_eq!(error.reason(), AttemptEnd::BadInput);
    let message = error.to_string();
    assert!(!message.contains('\n') && message.len() < 1000, "{message}");
    for part in parts {
        assert!(message.contains(part), "{message} lacks {part}");
    }
}

#[test]
fn weights_that_do_not_fit_are_explained() {
    let own = folder();
    let mut untrained = spec(32);
    untrained.train.epochs = 0;
    let weights = exported(&finished(&request(&untrained, own.path())).last_checkpoint());

    let mut thousand = weights.clone();
    thousand.insert("fc.weight".to_owned(), (vec![1000, 32], vec![0.0; 32_000]));
    thousand.insert("fc.bias".to_owned(), (vec![1000], vec![0.0; 1000]));
    refused(&untrained, &thousand, &["weights.safetensors", "1000 classes", "10"]);

    let mut missing = weights.clone();
    missing.remove("layer2.0.bn1.weight");
    refused(&untrained, &missing, &["layer2.0.bn1.weight"]);

    let mut alexnet = untrained.clone();
    alexnet.model.network = Network::AlexNet;
    refused(&alexnet, &weights, &["weights.safetensors"]);

    let mut nowhere = untrained.clone();
    nowhere.initial_weights = Some("/nowhere/weights.pth".to_owned());
    let error = told(&request(&nowhere, own.path()), &Control::new()).ended.unwrap_err();
    assert_eq!(error.reason(), AttemptEnd::BadInput);
    assert!(error.to_string().contains("/nowhere/weights.pth"), "{error}");
}

/// torchvision's AlexNet at 1/16 of its channels for small images: biases and no batch-norm.
fn alexnet() -> Weights {
    let shapes: [(&str, &[usize]); 8] = [
        ("features.0", &[4, 1, 3, 3]),
        ("features.3", &[12, 4, 5, 5]),
        ("features.6", &[24, 12, 3, 3]),
        ("features.8", &[16, 24, 3, 3]),
        ("features.10", &[16, 16, 3, 3]),
        ("classifier.1", &[256, 144]),
        ("classifier.4", &[256, 256]),
        ("classifier.6", &[10, 256]),
    ];
    let mut weights = Weights::new();
    for (layer, shape) in shapes {
        let count: usize = shape.iter().product();
        let scale = (2.0 / (count / shape[0]) as f32).sqrt();
        let values = (0..count).map(|at| ((at * at) as f32 * 0.731).sin() * scale).collect();
        let biases = (0..shape[0]).map(|at| 0.1 * (at as f32).cos()).collect();
        weights.insert(format!("{layer}.weight"), (shape.to_vec(), values));
        weights.insert(format!("{layer}.bias"), (vec![shape[0]], biases));
    }
    weights
}

#[test]
fn an_alexnet_without_batch_norm_gets_one_that_is_the_identity_on_the_calibration_images() {
    let mut spec = spec(32);
    spec.model.network = Network::AlexNet;
    spec.train.epochs = 0;
    let own = folder();
    let path = own.path().join("alexnet.safetensors");
    write(&path, &alexnet());
    spec.initial_weights = Some(path.to_str().unwrap().to_owned());
    let told = finished(&request(&spec, own.path()));
    let state = tensors(&told.last_checkpoint(), "model.");
    for (layer, (_, bias)) in
        alexnet().iter().filter_map(|(n, b)| Some((n.strip_suffix(".bias")?, b)))
    {
        if layer == "classifier.6" {
            continue;
        }
        let part = |part: &str| &state[&format!("{layer}.bn.{part}")];
        for (channel, &bias) in bias.iter().enumerate() {
            let [scale, shift, mean, variance] =
                ["weight", "bias", "running_mean", "running_var"].map(|p| part(p)[channel]);
            assert!((scale * scale - variance - 1e-5).abs() < 1e-4 * variance.max(0.1), "{layer}");
            assert!((shift - mean - bias).abs() < 1e-5, "{layer}: {shift} {mean}");
            assert!(variance != 1.0, "statistics of the images");
        }
    }
}
