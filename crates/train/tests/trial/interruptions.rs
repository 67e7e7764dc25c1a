//! Interrupted at random steps, with everything on that has a state.

use std::path::{Path, PathBuf};

use bitsweep_sweep::{
    BatchNormStatistics, Loss, Metric, OutputScale, QuantizerLearningRate, Schedule, TrialSpec,
};
use bitsweep_train::{Control, Outcome, TrialRequest};

use crate::fixture::{Told, child_request, finished, folder, request, spec, tensors, told};

/// Splitmix64: the same steps on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

/// Momentum, a stepped schedule after a warm-up, clipping, averages, decay of everything.
fn full_precision() -> TrialSpec {
    let mut spec = spec(32);
    spec.train.schedule = Schedule::Step { epochs: vec![1], factor: 0.3 };
    spec.train.gradient_clip_norm = Some(0.5);
    spec.train.ema_decay = Some(0.9);
    spec.train.label_smoothing = 0.1;
    spec.train.batch_norm.weight_decay = 1e-3;
    spec
}

/// A teacher, layers with rates of their own, learned exponents, averages.
fn distilled() -> TrialSpec {
    let mut spec = spec(3);
    spec.train.loss = Loss::Distillation;
    spec.train.quantizer_learning_rate = QuantizerLearningRate::PerLayer;
    spec.train.quantizer_weight_decay = 1e-4;
    spec.train.output_scale = OutputScale::Interval;
    spec.train.batch_norm_statistics = BatchNormStatistics::Running;
    spec.train.ema_decay = Some(0.8);
    spec.train.gradient_clip_norm = Some(1.0);
    spec
}

fn on(device: &str, mut request: TrialRequest) -> TrialRequest {
    request.device = device.to_owned();
    request
}

/// Every tensor of the final checkpoint, bit for bit.
fn bits(told: &Told) -> Vec<(String, Vec<u32>)> {
    let all = tensors(&told.last_checkpoint(), "");
    all.into_iter().map(|(n, v)| (n, v.into_iter().map(f32::to_bits).collect())).collect()
}

fn survives_interruptions(whole: &TrialRequest, seed: u64, rounds: usize) {
    let straight = finished(whole);
    let mut random = Random(seed);
    for round in 0..rounds {
        let own = folder();
        let mut stops: Vec<u64> = (0..1 + random.below(4)).map(|_| random.below(20)).collect();
        stops.sort_unstable();
        stops.dedup();
        let mut part = TrialRequest { directory: own.path().to_owned(), ..whole.clone() };
        let mut losses = Vec::new();
        for &stop in &stops {
            let control = Control::new();
            control.request_stop_at(stop);
            let told = told(&part, &control);
            assert_eq!(told.ended.as_ref().unwrap(), &Outcome::Stopped, "{stops:?}");
            losses.extend(told.points(Metric::StepLoss));
            part.resume_checkpoint = Some(told.last_checkpoint());
            // Another machine has the checkpoint and nothing else.
            part.parent_checkpoint = None;
        }
        let last = finished(&part);
        losses.extend(last.points(Metric::StepLoss));
        assert_eq!(losses, straight.points(Metric::StepLoss), "round {round}: {stops:?}");
        assert_eq!(bits(&last), bits(&straight), "round {round}: {stops:?}");
        assert_eq!(last.result(), straight.result(), "round {round}: {stops:?}");
    }
}

fn parent(device: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = folder();
    let path = finished(&on(device, request(&spec(32), folder.path()))).last_checkpoint();
    (folder, path)
}

fn in_full_precision(device: &str, rounds: usize) {
    let own = folder();
    survives_interruptions(&on(device, request(&full_precision(), own.path())), 1, rounds);
}

fn quantized(device: &str, rounds: usize) {
    let (_folder, parent) = parent(device);
    let own = folder();
    let whole = |path: &Path| on(device, child_request(&distilled(), &parent, path));
    survives_interruptions(&whole(own.path()), 2, rounds);
}

#[test]
fn a_full_precision_trial_on_flex_ends_the_same_wherever_it_was_interrupted() {
    in_full_precision("flex", 4);
}

#[test]
fn a_distilled_trial_on_flex_ends_the_same_wherever_it_was_interrupted() {
    quantized("flex", 4);
}

#[cfg(feature = "tch")]
#[test]
fn a_full_precision_trial_on_libtorch_ends_the_same_wherever_it_was_interrupted() {
    in_full_precision("cpu", 3);
}

#[cfg(feature = "tch")]
#[test]
fn a_distilled_trial_on_libtorch_ends_the_same_wherever_it_was_interrupted() {
    quantized("cpu", 3);
}
