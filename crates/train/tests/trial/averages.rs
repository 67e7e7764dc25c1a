//! Exponential moving averages of the parameters.

use bitsweep_sweep::{Metric, TrialEvent};

use crate::fixture::{child_request, finished, folder, request, spec, tensors};

/// A full-precision trial of a few steps.
fn short() -> bitsweep_sweep::TrialSpec {
    let mut spec = spec(32);
    spec.train.epochs = 1;
    spec.train.ema_decay = Some(0.9);
    spec
}

#[test]
fn averages_leave_the_training_as_it_is_and_checkpoints_hold_both() {
    let (with, without) = (folder(), folder());
    let averaged = finished(&request(&short(), with.path()));
    let mut plain = short();
    plain.train.ema_decay = None;
    let plain = finished(&request(&plain, without.path()));
    assert_eq!(averaged.points(Metric::StepLoss), plain.points(Metric::StepLoss));
    assert_ne!(averaged.result().validation_loss, plain.result().validation_loss);

    let trained = tensors(&averaged.last_checkpoint(), "trained.");
    assert_eq!(trained, tensors(&plain.last_checkpoint(), "model."));
    let average = tensors(&averaged.last_checkpoint(), "model.");
    assert_eq!(trained.len(), average.len());
    assert!(tensors(&plain.last_checkpoint(), "trained.").is_empty());
}

#[test]
fn the_average_follows_its_recurrence_step_by_step() {
    let mut spec = short();
    spec.train.ema_decay = Some(0.75);
    spec.data.train_images = Some(64);
    let states: Vec<_> = (0..=2)
        .map(|stop| {
            let folder = folder();
            let control = bitsweep_train::Control::new();
            control.request_stop_at(stop);
            let told = crate::fixture::told(&request(&spec, folder.path()), &control);
            let path = told.last_checkpoint();
            (tensors(&path, "model."), tensors(&path, "trained."))
        })
        .collect();
    assert_eq!(states[0].0, states[0].1, "it starts with the parameters themselves");
    for step in 1..=2 {
        let (before, (after, trained)) = (&states[step - 1].0, &states[step]);
        for (name, values) in after {
            for (at, &found) in values.iter().enumerate() {
                let expected = 0.75 * before[name][at] + 0.25 * trained[name][at];
                let room = 1e-5 * expected.abs().max(1.0);
                assert!((found - expected).abs() < room, "{name} {found} {expected}");
            }
        }
    }
}

#[test]
fn children_start_from_the_average_and_quantized_averages_have_statistics_of_their_own() {
    let parent_folder = folder();
    let parent = finished(&request(&short(), parent_folder.path()));
    let mut child = spec(4);
    child.train.epochs = 1;
    child.train.ema_decay = Some(0.9);
    let (whole, untrained) = (folder(), folder());
    let told = finished(&child_request(&child, &parent.last_checkpoint(), whole.path()));
    child.train.epochs = 0;
    let start = finished(&child_request(&child, &parent.last_checkpoint(), untrained.path()));
    let average = tensors(&parent.last_checkpoint(), "model.");
    let started = tensors(&start.last_checkpoint(), "model.");
    assert_eq!(started["layer1.0.conv1.weight"], average["layer1.0.conv1.weight"]);

    let path = told.last_checkpoint();
    let (average, trained) = (tensors(&path, "model."), tensors(&path, "trained."));
    for name in ["bn1.running_mean", "layer1.0.conv1.weight_quantizer.center", "fc.bias"] {
        assert_ne!(average[name], trained[name], "{name}");
    }
    assert!(told.result().top1 > 20.0, "{}", told.result().top1);
    assert!(matches!(told.events.last(), Some(TrialEvent::Finished(_))));
}
