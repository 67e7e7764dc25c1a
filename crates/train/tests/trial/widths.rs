//! One side alone, and every width.

use std::path::PathBuf;

use bitsweep_sweep::{Bits, IntervalInit};
use tempfile::TempDir;

use crate::fixture::{child_request, finished, folder, request, spec, tensors};

fn baseline() -> (TempDir, PathBuf) {
    let folder = folder();
    let path = finished(&request(&spec(32), folder.path())).last_checkpoint();
    (folder, path)
}

#[test]
fn one_side_alone_is_quantized_trained_and_reported() {
    let (_folder, parent) = baseline();
    for bits in [Bits { weights: 2, activations: 32 }, Bits { weights: 32, activations: 3 }] {
        let mut spec = spec(32);
        spec.bits = bits;
        let own = folder();
        let told = finished(&child_request(&spec, &parent, own.path()));
        let (start, end) = (&told.layers()[0].layers, &told.layers()[2].layers);
        assert_eq!(start.len(), 19);
        for (start, end) in start.iter().zip(end) {
            let weights = (start.weight_center, start.gamma, start.histogram.len());
            let activations = (start.activation_center, start.activation_zero);
            if bits.weights == 32 {
                assert_eq!((weights, end.weight_center), ((0.0, 1.0, 0), 0.0));
                assert_ne!(start.activation_center, end.activation_center);
                assert!(activations.1.is_some_and(|zero| zero > 0.0));
            } else {
                assert_eq!((activations, end.activation_center), ((0.0, None), 0.0));
                assert_ne!(start.weight_center, end.weight_center);
                assert_eq!(weights.2, 64);
            }
        }
        let names = tensors(&told.last_checkpoint(), "model.");
        let has = |part: &str| names.keys().any(|name| name.contains(part));
        assert_eq!(has("weight_quantizer"), bits.weights != 32);
        assert_eq!(has("activation_quantizer"), bits.activations != 32);
        assert!(told.result().top1 > 20.0, "{bits}: {}", told.result().top1);
    }
}

#[test]
fn every_width_from_two_to_eight_starts_near_its_parent_and_wider_is_closer() {
    let (_folder, parent) = baseline();
    let loss = |bits: u8| {
        let mut spec = spec(bits);
        spec.train.epochs = 0;
        let own = folder();
        let told = finished(&child_request(&spec, &parent, own.path()));
        told.result().validation_loss
    };
    let losses: Vec<f64> = (2..=8).map(loss).collect();
    assert!(losses.iter().all(|loss| loss.is_finite()), "{losses:?}");
    assert!(losses[6] < losses[0], "{losses:?}");
}

#[test]
fn a_chain_of_widths_may_add_a_side_and_inherit_the_other() {
    let (_folder, parent) = baseline();
    let mut weights = spec(32);
    weights.bits = Bits { weights: 4, activations: 32 };
    weights.train.epochs = 1;
    let (first, second) = (folder(), folder());
    let parent = finished(&child_request(&weights, &parent, first.path()));
    let mut both = spec(4);
    both.train.epochs = 0;
    both.train.interval_init = IntervalInit::Inherit;
    let told = finished(&child_request(&both, &parent.last_checkpoint(), second.path()));
    let ended = &parent.layers().last().unwrap().layers;
    for (layer, parent) in told.layers()[0].layers.iter().zip(ended) {
        assert_eq!(layer.weight_center, parent.weight_center, "inherited");
        assert!(layer.activation_center > 0.0, "searched");
    }
}
