//! What trials have beyond the defaults, in words.

use bitsweep_sweep::{
    BatchNormStatistics, ConvolutionAlgorithm, DataSpec, Loss, OutputScale, Plan, Precision,
    QuantizerLearningRate, Schedule, TrainSettings, TrainedParameters, TrialSpec,
};

/// A line for each set of trials whose settings differ from the defaults in the same way. A trial stands for its
/// seeds where they all agree.
pub(super) fn lines(plan: &Plan) -> Vec<String> {
    let mut groups: Vec<(String, Vec<&TrialSpec>)> = Vec::new();
    for spec in plan.trials.iter().map(|t| &t.spec) {
        let text = beyond_defaults(spec).join(" · ");
        if text.is_empty() {
            continue;
        }
        match groups.iter_mut().find(|(of, _)| *of == text) {
            Some((_, specs)) => specs.push(spec),
            None => groups.push((text, vec![spec])),
        }
    }
    let mut seeds: Vec<u64> = plan.trials.iter().map(|t| t.spec.seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    let line = |(text, specs): (String, Vec<&TrialSpec>)| {
        format!("{}: {text}", names(&specs, seeds.len()).join(", "))
    };
    groups.into_iter().map(line).collect()
}

/// Names without the seed where all seeds are there.
fn names(specs: &[&TrialSpec], seeds: usize) -> Vec<String> {
    let plain = |spec: &TrialSpec| spec.name.as_str().replacen(&format!("-s{}", spec.seed), "", 1);
    let mut names: Vec<String> = Vec::new();
    for spec in specs {
        let short = plain(spec);
        let all = specs.iter().filter(|other| plain(other) == short).count() == seeds;
        let name = if all { short } else { spec.name.to_string() };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn beyond_defaults(spec: &TrialSpec) -> Vec<String> {
    let mut all = Vec::new();
    if let Some(weights) = &spec.initial_weights {
        all.push(format!("starts from {weights}"));
    }
    if let Some(images) = &spec.training_data {
        all.push(format!("trained on {}", place(images)));
    }
    if spec.train.epochs == 0 {
        all.push(if spec.bits.is_full() { "evaluated only" } else { "calibrated only" }.to_owned());
    } else {
        all.extend(schedule(&spec.train.schedule));
        all.extend(optimizer(&spec.train));
    }
    if !spec.bits.is_full() {
        all.extend(quantizers(&spec.train));
    }
    if spec.train.precision == Precision::Mixed {
        all.push("mixed precision (CUDA only)".to_owned());
    }
    if spec.train.convolution == ConvolutionAlgorithm::Direct {
        all.push("direct convolution".to_owned());
    }
    all
}

/// A data set by name and path.
pub(super) fn place(data: &DataSpec) -> String {
    match &data.path {
        Some(path) => format!("{} {path}", data.name),
        None => data.name.clone(),
    }
}

fn schedule(schedule: &Schedule) -> Option<String> {
    match schedule {
        Schedule::Cosine { final_fraction } if *final_fraction == 0.0 => None,
        Schedule::Cosine { final_fraction } => {
            Some(format!("cosine to {final_fraction} of the rate"))
        }
        Schedule::Step { epochs, factor } => {
            let epochs: Vec<String> = epochs.iter().map(ToString::to_string).collect();
            Some(format!("rate × {factor} after epochs {}", epochs.join(", ")))
        }
        Schedule::Constant => Some("constant rate".to_owned()),
    }
}

fn optimizer(train: &TrainSettings) -> Vec<String> {
    let mut all = Vec::new();
    for (group, what) in [(&train.batch_norm, "batch-norm"), (&train.bias, "biases")] {
        if group.learning_rate_scale != 1.0 {
            all.push(format!("{what} at {} of the rate", group.learning_rate_scale));
        }
        if group.weight_decay != 0.0 {
            all.push(format!("decay of {what} {}", group.weight_decay));
        }
    }
    if train.label_smoothing != 0.0 {
        all.push(format!("label smoothing {}", train.label_smoothing));
    }
    if let Some(norm) = train.gradient_clip_norm {
        all.push(format!("gradients clipped at {norm}"));
    }
    if let Some(decay) = train.ema_decay {
        all.push(format!("moving average {decay}"));
    }
    all
}

fn quantizers(train: &TrainSettings) -> Vec<String> {
    let defaults = TrainSettings::default();
    let mut all = Vec::new();
    if train.epochs > 0 {
        match train.quantizer_learning_rate {
            rate if rate == defaults.quantizer_learning_rate => {}
            QuantizerLearningRate::Scale(scale) => {
                all.push(format!("quantizers at {scale} of the rate"))
            }
            QuantizerLearningRate::PerLayer => all.push("quantizers' rate by layer".to_owned()),
        }
        if train.parameters == TrainedParameters::QuantizersOnly {
            all.push("quantizers only".to_owned());
        }
        if train.loss == Loss::Distillation {
            all.push("distillation".to_owned());
        }
    }
    if train.output_scale == OutputScale::Interval {
        all.push("outputs scaled by their intervals".to_owned());
    }
    match train.batch_norm_statistics {
        BatchNormStatistics::Recomputed => {}
        BatchNormStatistics::Running => all.push("running batch-norm statistics".to_owned()),
        BatchNormStatistics::Parent => all.push("the parent's batch-norm statistics".to_owned()),
    }
    all
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use bitsweep_sweep::SweepFile;

    use super::*;

    fn lines_of(rest: &str) -> Vec<String> {
        let text = format!(
            "name = \"s\"\nnetworks = [\"resnet18\"]\nbits = [32, 4, 3]\nseeds = [0, 1]\n\
             dataset = {{ name = \"fashion-mnist-mini\" }}\n{rest}"
        );
        let file = SweepFile::parse(&text, "s.toml").expect("parses");
        lines(&Plan::new(&file, Some(Path::new("/sweeps"))).expect("plans"))
    }

    #[test]
    fn defaults_need_no_words() {
        assert_eq!(lines_of("train = { epochs = 2 }"), Vec::<String>::new());
    }

    #[test]
    fn trials_that_differ_in_the_same_way_share_a_line() {
        let rest = "init = { resnet18 = \"/r.pth\" }\n[train]\nepochs = 2\nparameters = \"quantizers-only\"\n\
                    [[override]]\nmatch = { bits = 32 }\nepochs = 0\n";
        assert_eq!(
            lines_of(rest),
            [
                "resnet18-32: starts from /r.pth · evaluated only",
                "resnet18-4, resnet18-3: quantizers only · outputs scaled by their intervals · \
                 the parent's batch-norm statistics",
            ]
        );
    }

    #[test]
    fn a_trial_that_differs_from_its_other_seeds_is_named_with_its_own() {
        let rest =
            "[train]\nepochs = 2\n[[override]]\nmatch = { bits = 4, seed = 1 }\nema-decay = 0.9\n";
        assert_eq!(lines_of(rest), ["resnet18-4-s1: moving average 0.9"]);
    }
}
