//! What is said of every layer.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use bitsweep_sweep::{Collapse, IntervalInit, Level};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use crate::fixture::{child_request, finished, folder, request, spec};

#[test]
fn every_fraction_is_measured_at_every_epoch() {
    let own = folder();
    let told = finished(&request(&spec(3), own.path()));
    for report in told.layers() {
        for layer in &report.layers {
            let zero = layer.activation_zero.unwrap();
            let clipped = layer.activation_clipped.unwrap();
            assert!(zero > 0.0 && zero < 1.0, "{} {zero}", layer.name);
            assert!((0.0..0.5).contains(&clipped), "{} {clipped}", layer.name);
            assert!(layer.zero > 0.0 && layer.zero < 1.0);
            assert_eq!(layer.histogram.len(), 64);
            assert_eq!(layer.collapse, None);
        }
    }
    assert!(told.logged(Level::Warn, "collapsed").is_empty());
}

/// Writes a copy of a checkpoint in which one number is another.
fn changed(from: &Path, to: &Path, tensor: &str, value: f32) {
    let bytes = fs::read(from).unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let metadata: HashMap<String, String> = metadata.metadata().clone().unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let number = value.to_le_bytes();
    let views = file.iter().map(|(name, view)| {
        let data = if name == tensor { &number[..] } else { view.data() };
        (name, TensorView::new(Dtype::F32, view.shape().to_vec(), data).unwrap())
    });
    fs::write(to, safetensors::serialize(views, Some(metadata)).unwrap()).unwrap();
}

#[test]
fn a_collapsed_layer_is_reported_by_name() {
    let (parent_folder, own) = (folder(), folder());
    let parent = finished(&request(&spec(4), parent_folder.path())).last_checkpoint();
    let mut spec = spec(4);
    spec.train.epochs = 0;
    spec.train.interval_init = IntervalInit::Inherit;
    let broken = own.path().join("broken.safetensors");
    // An interval beyond every weight prunes all of them; one far below every activation clips them.
    let cases = [
        ("layer2.0.conv2", "weight_quantizer.center", 100.0, Collapse::Pruned),
        ("layer1.1.conv1", "activation_quantizer.center", 1e6, Collapse::Pruned),
        ("layer3.0.conv1", "weight_quantizer.center", -100.0, Collapse::Clipped),
    ];
    for (layer, value, number, collapse) in cases {
        changed(&parent, &broken, &format!("model.{layer}.{value}"), number);
        let told = finished(&child_request(&spec, &broken, own.path()));
        let states = &told.layers()[0].layers;
        let found = states.iter().find(|state| state.name == layer).unwrap();
        assert_eq!(found.collapse, Some(collapse), "{layer}");
        let warnings = told.logged(Level::Warn, "collapsed");
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].starts_with("epoch 0") && warnings[0].contains(layer), "{warnings:?}");
    }
}
