//! Intervals trained alone, and batch-norm that keeps its statistics.

use std::collections::BTreeMap;
use std::path::Path;

use bitsweep_sweep::{BatchNormStatistics, Gamma, OutputScale, TrainedParameters, TrialSpec};

use crate::fixture::{child_request, finished, folder, request, spec, tensors};

fn quantizers_only() -> TrialSpec {
    let mut spec = spec(3);
    spec.train.epochs = 1;
    spec.train.parameters = TrainedParameters::QuantizersOnly;
    spec.train.batch_norm_statistics = BatchNormStatistics::Parent;
    spec.train.output_scale = OutputScale::Interval;
    spec
}

fn is_interval(name: &str) -> bool {
    name.contains("_quantizer.")
}

/// Names of values that differ between two checkpoints.
fn changed(before: &Path, after: &Path) -> Vec<String> {
    let (before, after) = (tensors(before, "model."), tensors(after, "model."));
    let differ =
        |(name, values): (String, Vec<f32>)| (before.get(&name) != Some(&values)).then_some(name);
    after.into_iter().filter_map(differ).collect()
}

#[test]
fn quantizers_only_moves_every_interval_and_nothing_else() {
    let (parent_folder, untrained_folder, own) = (folder(), folder(), folder());
    let parent = finished(&request(&spec(32), parent_folder.path())).last_checkpoint();
    let spec = quantizers_only();
    let mut untrained = spec.clone();
    untrained.train.epochs = 0;
    let untrained = finished(&child_request(&untrained, &parent, untrained_folder.path()));
    let told = finished(&child_request(&spec, &parent, own.path()));
    let (before, after) = (untrained.last_checkpoint(), told.last_checkpoint());

    let moved = changed(&before, &after);
    let intervals = tensors(&after, "model.").into_keys().filter(|name| is_interval(name));
    assert_eq!(moved, intervals.collect::<Vec<_>>());
    let from_parent = changed(&parent, &after);
    assert!(from_parent.iter().all(|name| is_interval(name)), "{from_parent:?}");
    let momentum = tensors(&after, "optimizer.momentum.");
    assert!(momentum.keys().all(|name| is_interval(name)), "{:?}", momentum.keys());

    let mut fixed = spec.clone();
    fixed.train.gamma = Gamma::Fixed;
    let fixed_folder = folder();
    let told = finished(&child_request(&fixed, &parent, fixed_folder.path()));
    let moved = changed(&before, &told.last_checkpoint());
    assert!(!moved.is_empty() && moved.iter().all(|name| !name.ends_with("gamma")), "{moved:?}");
}

#[test]
fn with_the_output_scale_the_parents_statistics_suit_the_quantized_network() {
    let parent_folder = folder();
    let mut baseline = spec(32);
    baseline.data.train_images = Some(640);
    baseline.train.epochs = 4;
    let parent = finished(&request(&baseline, parent_folder.path()));
    let evaluated = |scale, bits| {
        let mut spec = spec(bits);
        spec.train.epochs = 0;
        spec.train.batch_norm_statistics = BatchNormStatistics::Parent;
        spec.train.output_scale = scale;
        let own = folder();
        let told = finished(&child_request(&spec, &parent.last_checkpoint(), own.path()));
        told.result().top1
    };
    let full = parent.result().top1;
    let scaled = evaluated(OutputScale::Interval, 6);
    assert!((scaled - full).abs() < 8.0, "{scaled} {full}");
    let unscaled = evaluated(OutputScale::None, 6);
    assert!(unscaled < scaled - 10.0, "another scale than the statistics are for: {unscaled}");
}

#[test]
fn parents_statistics_never_change_and_running_ones_follow_the_training() {
    let parent_folder = folder();
    let parent = finished(&request(&spec(32), parent_folder.path())).last_checkpoint();
    let statistics = |which| {
        let mut spec = spec(4);
        spec.train.epochs = 1;
        spec.train.learning_rate = 0.01;
        spec.train.output_scale = OutputScale::Interval;
        spec.train.batch_norm_statistics = which;
        let own = folder();
        let told = finished(&child_request(&spec, &parent, own.path()));
        let all = tensors(&told.last_checkpoint(), "model.");
        let kept = all.into_iter().filter(|(name, _)| name.contains("running_"));
        kept.collect::<BTreeMap<_, _>>()
    };
    let mut from_parent = tensors(&parent, "model.");
    from_parent.retain(|name, _| name.contains("running_"));
    assert_eq!(statistics(BatchNormStatistics::Parent), from_parent);
    let running = statistics(BatchNormStatistics::Running);
    let recomputed = statistics(BatchNormStatistics::Recomputed);
    for name in ["bn1.running_mean", "layer3.0.bn1.running_var"] {
        assert_ne!(running[name], from_parent[name]);
        assert_ne!(running[name], recomputed[name]);
    }
}
