//! Trials without training.

use bitsweep_sweep::{IntervalInit, TrialEvent};

use crate::fixture::{child_request, finished, folder, request, spec, tensors};

#[test]
fn without_epochs_a_quantized_trial_is_its_initialisation() {
    let (parent_folder, trained_folder, own, last) = (folder(), folder(), folder(), folder());
    let parent = finished(&request(&spec(32), parent_folder.path())).last_checkpoint();
    let trained = finished(&child_request(&spec(4), &parent, trained_folder.path()));
    let mut untrained = spec(4);
    untrained.train.epochs = 0;
    let told = finished(&child_request(&untrained, &parent, own.path()));

    let TrialEvent::Started(started) = &told.events[0] else { panic!("{:?}", told.events[0]) };
    assert_eq!((started.total_steps, started.from_step), (0, 0));
    let epochs = told.epochs();
    assert_eq!(epochs.len(), 1);
    assert_eq!((epochs[0].epoch, epochs[0].train_loss), (0, None));
    assert_eq!(epochs[0].top1, trained.epochs()[0].top1, "as before the first step of training");
    assert_eq!(told.layers().len(), 1);
    let checkpoints = told.checkpoints();
    assert_eq!(checkpoints.len(), 1);
    assert_eq!((checkpoints[0].0, checkpoints[0].1), (0, true));
    assert_eq!((told.result().epochs, told.result().steps), (0, 0));
    assert_eq!(told.result().top1, epochs[0].top1);
    // Its weights are the parent's, and it can be a parent itself.
    let weights = |path| tensors(path, "model.")["layer2.0.conv1.weight"].clone();
    assert_eq!(weights(&checkpoints[0].2), weights(&parent));
    let mut grandchild = spec(3);
    grandchild.train.epochs = 0;
    grandchild.train.interval_init = IntervalInit::Inherit;
    let told = finished(&child_request(&grandchild, &checkpoints[0].2, last.path()));
    assert_eq!(told.epochs().len(), 1);
}

#[test]
fn without_epochs_a_baseline_is_its_initial_values() {
    let folder = folder();
    let mut spec = spec(32);
    spec.train.epochs = 0;
    let told = finished(&request(&spec, folder.path()));
    assert_eq!(told.epochs().len(), 1);
    assert!(told.result().top1 < 40.0, "nobody has taught it anything");
    assert!(told.checkpoints()[0].1);
}
