//! Learning from the full-precision network, on images whose labels nobody asks for.

use std::fs;
use std::path::Path;

use bitsweep_sweep::{
    AttemptEnd, BatchNormStatistics, DataSpec, Loss, Metric, OutputScale, TrainedParameters,
    TrialSpec,
};
use bitsweep_train::Control;

use crate::fixture::{Told, child_request, finished, folder, request, spec, tensors, told};

/// Writes 160 training and 20 validation images of 28 × 28 pixels, of which `label` says the class.
fn write_images(folder: &Path, label: impl Fn(u32) -> u8) {
    for (prefix, count) in [("train", 160_u32), ("t10k", 20)] {
        let mut images = vec![0, 0, 8, 3];
        for size in [count, 28, 28] {
            images.extend(size.to_be_bytes());
        }
        for image in 0..count {
            // Bars of another place and width in every image.
            let bar = |at: u32| (at * (1 + image % 7) / 9 + image).is_multiple_of(4);
            images.extend((0..28 * 28).map(|pixel| if bar(pixel % 28) { 220 } else { 10 }));
        }
        let mut labels = vec![0, 0, 8, 1];
        labels.extend(count.to_be_bytes());
        labels.extend((0..count).map(&label));
        fs::write(folder.join(format!("{prefix}-images-idx3-ubyte")), images).unwrap();
        fs::write(folder.join(format!("{prefix}-labels-idx1-ubyte")), labels).unwrap();
    }
}

fn foreign(folder: &Path) -> DataSpec {
    DataSpec {
        name: "fashion-mnist".to_owned(),
        path: Some(folder.to_str().unwrap().to_owned()),
        resolution: 28,
        flip: true,
        ..DataSpec::default()
    }
}

/// The paper's heterogeneous setting: intervals alone, on other images, towards the own outputs.
fn heterogeneous(folder: &Path) -> TrialSpec {
    let mut spec = spec(4);
    spec.training_data = Some(foreign(folder));
    spec.train.loss = Loss::Distillation;
    spec.train.parameters = TrainedParameters::QuantizersOnly;
    spec.train.batch_norm_statistics = BatchNormStatistics::Parent;
    spec.train.output_scale = OutputScale::Interval;
    spec.train.epochs = 3;
    spec
}

fn losses(told: &Told) -> Vec<f64> {
    told.epochs().iter().filter_map(|epoch| epoch.train_loss).collect()
}

#[test]
fn distillation_brings_outputs_closer_to_the_teachers_and_asks_for_no_label() {
    let parent_folder = folder();
    let parent = finished(&request(&spec(32), parent_folder.path())).last_checkpoint();
    let (one, other) = (folder(), folder());
    write_images(one.path(), |image| (image % 10) as u8);
    write_images(other.path(), |_| 3);
    let run = |data: &Path| {
        let own = folder();
        let told = finished(&child_request(&heterogeneous(data), &parent, own.path()));
        let end = tensors(&told.last_checkpoint(), "model.");
        (told, end)
    };
    let ((told, end), (_, other_end)) = (run(one.path()), run(other.path()));
    assert_eq!(end, other_end, "labels make no difference");
    let losses = losses(&told);
    assert!(losses[2] < losses[0], "{losses:?}");
    assert!(losses.iter().all(|loss| *loss > 0.0), "{losses:?}");
    assert_eq!(told.result().correct.len(), 25, "evaluated on the data set of the trial");
}

#[test]
fn a_joint_trial_learns_from_its_teacher_too() {
    let parent_folder = folder();
    let parent = finished(&request(&spec(32), parent_folder.path())).last_checkpoint();
    let mut spec = spec(3);
    spec.train.loss = Loss::Distillation;
    let own = folder();
    let told = finished(&child_request(&spec, &parent, own.path()));
    let losses = losses(&told);
    assert!(losses[1] < losses[0], "{losses:?}");
    // The same trial with labels minimises something else.
    spec.train.loss = Loss::CrossEntropy;
    let own = folder();
    let labelled = finished(&child_request(&spec, &parent, own.path()));
    assert_ne!(labelled.points(Metric::StepLoss), told.points(Metric::StepLoss));
    assert!(labelled.epochs()[1].train_loss > Some(losses[0]), "{losses:?}");
}

#[test]
fn the_teacher_is_in_checkpoints_until_the_trial_is_over() {
    let parent_folder = folder();
    let parent = finished(&request(&spec(32), parent_folder.path())).last_checkpoint();
    let data = folder();
    write_images(data.path(), |_| 0);
    let own = folder();
    let told = finished(&child_request(&heterogeneous(data.path()), &parent, own.path()));
    let checkpoints = told.checkpoints();
    let first = tensors(&checkpoints[0].2, "teacher.");
    assert_eq!(first, tensors(&parent, "model."));
    assert!(tensors(&checkpoints.last().unwrap().2, "teacher.").is_empty());
}

#[test]
fn the_provenance_covers_both_data_sets() {
    let parent_folder = folder();
    let parent = finished(&request(&spec(32), parent_folder.path())).last_checkpoint();
    let data = folder();
    write_images(data.path(), |image| (image % 10) as u8);
    let mut spec = heterogeneous(data.path());
    spec.train.epochs = 0;
    let own = folder();
    let told = finished(&child_request(&spec, &parent, own.path()));
    let bitsweep_sweep::TrialEvent::Started(started) = &told.events[0] else { panic!() };
    assert_eq!((started.provenance.train_images, started.provenance.validation_images), (160, 200));
    spec.training_data = None;
    let own = folder();
    let alone = finished(&child_request(&spec, &parent, own.path()));
    let bitsweep_sweep::TrialEvent::Started(other) = &alone.events[0] else { panic!() };
    assert_ne!(started.provenance.data_fingerprint, other.provenance.data_fingerprint);
    assert!(alone.points(Metric::StepLoss).is_empty());
}

#[test]
fn distillation_without_weights_to_start_from_is_refused() {
    let own = folder();
    let mut spec = spec(4);
    spec.train.loss = Loss::Distillation;
    let error = told(&request(&spec, own.path()), &Control::new()).ended.unwrap_err();
    assert_eq!(error.reason(), AttemptEnd::BadInput);
    assert!(error.to_string().contains("parent or initial weights"), "{error}");
}
