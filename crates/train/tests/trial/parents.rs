//! Children start from where their parent ended.

use std::path::PathBuf;

use bitsweep_sweep::{Gamma, IntervalInit, LayerReport, Role, TrialName, TrialSpec};
use tempfile::TempDir;

use crate::fixture::{Told, finished, folder, request, spec};

/// A baseline that has learned something, made once a test.
fn baseline() -> (TempDir, Told) {
    let folder = folder();
    let mut spec = spec(32);
    spec.data.train_images = Some(640);
    spec.train.epochs = 4;
    let told = finished(&request(&spec, folder.path()));
    (folder, told)
}

fn child(spec: &TrialSpec, parent: PathBuf) -> Told {
    let mut spec = spec.clone();
    spec.parent = Some(TrialName::new("parent"));
    spec.data.train_images = Some(640);
    let folder = folder();
    let mut request = request(&spec, folder.path());
    request.parent_checkpoint = Some(parent);
    finished(&request)
}

/// c, d of the weights; γ; c, d of the activations.
fn parameters(report: &LayerReport) -> Vec<[f64; 5]> {
    let of = |layer: &bitsweep_sweep::LayerState| {
        [
            layer.weight_center,
            layer.weight_half_width,
            layer.gamma,
            layer.activation_center,
            layer.activation_half_width,
        ]
    };
    report.layers.iter().map(of).collect()
}

#[test]
fn four_bits_right_after_initialisation_are_close_to_the_baseline() {
    let (_folder, baseline) = baseline();
    let told = child(&spec(4), baseline.last_checkpoint());
    let start = told.epochs()[0];
    assert_eq!((start.epoch, start.step, start.train_loss), (0, 0, None));
    assert!(
        start.top1 > baseline.result().top1 - 15.0,
        "{} {}",
        start.top1,
        baseline.result().top1
    );
    assert!(start.top1 > 35.0, "{}", start.top1);
    assert_eq!(told.epochs().len(), 3);
    let layers = told.layers();
    assert_eq!(layers.iter().map(|report| report.epoch).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(layers[0].layers.len(), 19, "16 convolutions of blocks and 3 shortcuts");
    assert!(layers[0].layers.iter().all(|layer| layer.histogram.iter().sum::<u64>() > 0));
}

#[test]
fn every_interval_moves_and_gamma_only_if_it_is_learned() {
    let (_folder, baseline) = baseline();
    let mut spec = spec(3);
    let told = child(&spec, baseline.last_checkpoint());
    let (start, end) = (parameters(told.layers()[0]), parameters(told.layers()[2]));
    for (layer, (start, end)) in start.iter().zip(&end).enumerate() {
        assert_eq!(start[2], 1.0);
        for (which, (start, end)) in start.iter().zip(end).enumerate() {
            assert_ne!(start, end, "layer {layer}, parameter {which}");
        }
        assert!(end[0] >= end[1] && end[3] >= end[4], "c ≥ d: {end:?}");
    }
    spec.train.gamma = Gamma::Fixed;
    let told = child(&spec, baseline.last_checkpoint());
    assert!(parameters(told.layers()[2]).iter().all(|layer| layer[2] == 1.0));
}

#[test]
fn intervals_are_inherited_or_searched_as_asked() {
    let (_folder, baseline) = baseline();
    let mut four = spec(4);
    four.parent = Some(TrialName::new("parent"));
    four.data.train_images = Some(640);
    let four_folder = folder();
    let mut request = request(&four, four_folder.path());
    request.parent_checkpoint = Some(baseline.last_checkpoint());
    let parent = finished(&request);
    let ended = parameters(parent.layers()[2]);

    let mut three = spec(3);
    three.train.interval_init = IntervalInit::Inherit;
    let inherited = child(&three, parent.last_checkpoint());
    assert_eq!(parameters(inherited.layers()[0]), ended);
    three.train.interval_init = IntervalInit::Search;
    let searched = child(&three, parent.last_checkpoint());
    for (searched, ended) in parameters(searched.layers()[0]).iter().zip(&ended) {
        assert_ne!(searched[0], ended[0]);
        assert_eq!(searched[2], 1.0);
    }
}

#[test]
fn a_control_starts_exactly_where_its_baseline_ended() {
    let (_folder, baseline) = baseline();
    let mut control = spec(32);
    control.role = Role::Control;
    let told = child(&control, baseline.last_checkpoint());
    let start = told.epochs()[0];
    assert_eq!(start.epoch, 0);
    assert_eq!(start.top1, baseline.result().top1);
    assert_eq!(start.validation_loss, baseline.result().validation_loss);
}

#[test]
fn two_bits_without_a_parent_start_from_searched_intervals_too() {
    let folder = folder();
    let told = finished(&request(&spec(2), folder.path()));
    assert_eq!(told.epochs().len(), 2, "nothing to evaluate before the first epoch");
    assert!(parameters(told.layers()[0]).iter().all(|layer| layer.iter().all(|v| *v > 0.0)));
}
