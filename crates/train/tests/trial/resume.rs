//! Stopped anywhere, a trial goes on as if nothing had been.

use std::fs;
use std::path::PathBuf;

use bitsweep_sweep::{Metric, TrialEvent, TrialSpec};
use bitsweep_train::{Control, Outcome};

use crate::fixture::{Told, finished, folder, request, spec, told};

/// Summaries without wall-clock time.
fn timeless(told: &[&Told]) -> Vec<(u32, u64, Option<u64>, u64, u64)> {
    let epochs = told.iter().flat_map(|told| told.epochs());
    let bits = |value: f64| value.to_bits();
    epochs
        .map(|e| (e.epoch, e.step, e.train_loss.map(bits), bits(e.validation_loss), bits(e.top1)))
        .collect()
}

/// A final checkpoint with the wall-clock seconds of its header left out: all tensors.
fn tensors(path: &PathBuf) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    bytes[8 + header..].to_vec()
}

fn stopped_and_resumed_is_the_same(spec: &TrialSpec, parent: Option<PathBuf>, stops: &[u64]) {
    let straight_folder = folder();
    let mut straight = request(spec, straight_folder.path());
    straight.parent_checkpoint = parent;
    let whole = finished(&straight);

    let parts_folder = folder();
    let mut part = straight.clone();
    part.directory = parts_folder.path().to_owned();
    let mut parts = Vec::new();
    for &stop in stops {
        let control = Control::new();
        control.request_stop_at(stop);
        let told = told(&part, &control);
        assert_eq!(told.ended.as_ref().unwrap(), &Outcome::Stopped);
        assert_eq!(told.events.last(), Some(&TrialEvent::Stopped));
        let (step, is_final, path) = told.checkpoints().last().unwrap().clone();
        assert_eq!((step, is_final), (stop, false));
        part.resume_checkpoint = Some(path);
        part.parent_checkpoint = None;
        parts.push(told);
    }
    parts.push(finished(&part));

    let all: Vec<&Told> = parts.iter().collect();
    for metric in [Metric::StepLoss, Metric::LearningRate] {
        let points: Vec<_> = all.iter().flat_map(|told| told.points(metric)).collect();
        assert_eq!(points, whole.points(metric), "{metric:?}");
    }
    assert_eq!(timeless(&all), timeless(&[&whole]));
    let last = all.last().unwrap();
    assert_eq!(last.result(), whole.result());
    assert_eq!(tensors(&last.last_checkpoint()), tensors(&whole.last_checkpoint()));
}

#[test]
fn a_full_precision_trial_resumes_bit_for_bit_within_and_between_epochs() {
    stopped_and_resumed_is_the_same(&spec(32), None, &[0, 3, 10, 11, 20]);
}

#[test]
fn a_quantized_trial_resumes_bit_for_bit_within_and_between_epochs() {
    let parent_folder = folder();
    let parent = finished(&request(&spec(32), parent_folder.path())).last_checkpoint();
    stopped_and_resumed_is_the_same(&spec(3), Some(parent), &[0, 7, 10, 15]);
}

#[test]
fn the_same_specification_twice_is_the_same_bit_for_bit_and_another_seed_is_not() {
    let (one, other) = (folder(), folder());
    let (first, second) =
        (finished(&request(&spec(32), one.path())), finished(&request(&spec(32), other.path())));
    assert_eq!(first.points(Metric::StepLoss), second.points(Metric::StepLoss));
    assert_eq!(tensors(&first.last_checkpoint()), tensors(&second.last_checkpoint()));

    let mut reseeded = spec(32);
    reseeded.seed = 1;
    let third = finished(&request(&reseeded, folder().path()));
    assert_ne!(first.points(Metric::StepLoss), third.points(Metric::StepLoss));
}

#[test]
fn a_trial_that_was_over_tells_its_result_again() {
    let first_folder = folder();
    let first = finished(&request(&spec(32), first_folder.path()));
    let again_folder = folder();
    let mut again = request(&spec(32), again_folder.path());
    again.resume_checkpoint = Some(first.last_checkpoint());
    let again = finished(&again);
    assert_eq!(again.result(), first.result());
    assert!(again.epochs().is_empty() && again.points(Metric::StepLoss).is_empty());
    let (step, is_final, path) = again.checkpoints().last().unwrap().clone();
    assert_eq!((step, is_final), (20, true));
    assert_eq!(tensors(&path), tensors(&first.last_checkpoint()));
}
