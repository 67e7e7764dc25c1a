//! Keys of `[train]` and of overrides: each is read, and what does not go together is refused.

mod reading;

use bitsweep_sweep::{
    BatchNormStatistics, ConvolutionAlgorithm, Gamma, GroupSettings, IntervalInit, Loss,
    OutputScale, Precision, QuantizerLearningRate, Role, Schedule, TrainSettings,
    TrainedParameters,
};
use reading::{error_of, plan, spec, sweep};

/// The settings of the 4-bit trial with these keys.
#[track_caller]
fn four_bits(rest: &str) -> TrainSettings {
    spec(&plan(&sweep("32, 4", rest)), "resnet18-4-s0").train.clone()
}

#[test]
fn without_keys_the_settings_are_the_defaults() {
    assert_eq!(four_bits(""), TrainSettings { epochs: 10, ..TrainSettings::default() });
}

#[test]
fn each_key_changes_its_own_setting_and_no_other() {
    type Change = fn(&mut TrainSettings);
    let keys: [(&str, Change); 36] = [
        ("batch-size = 32", |t| t.batch_size = 32),
        ("learning-rate = 0.4", |t| t.learning_rate = 0.4),
        ("schedule = \"cosine\"", |_| {}),
        ("schedule = \"constant\"", |t| t.schedule = Schedule::Constant),
        ("final-learning-rate-fraction = 0.1", |t| {
            t.schedule = Schedule::Cosine { final_fraction: 0.1 };
        }),
        ("schedule = \"step\"\nstep-epochs = [4, 8]", |t| {
            t.schedule = Schedule::Step { epochs: vec![4, 8], factor: 0.1 };
        }),
        ("schedule = \"step\"\nstep-epochs = [9]\nstep-factor = 0.2", |t| {
            t.schedule = Schedule::Step { epochs: vec![9], factor: 0.2 };
        }),
        ("warmup-epochs = 0.5", |t| t.warmup_epochs = 0.5),
        ("momentum = 0.8", |t| t.momentum = 0.8),
        ("nesterov = true", |t| t.nesterov = true),
        ("weight-decay = 5e-4", |t| t.weight_decay = 5e-4),
        ("batch-norm-weight-decay = 1e-5", |t| t.batch_norm.weight_decay = 1e-5),
        ("bias-weight-decay = 2e-5", |t| t.bias.weight_decay = 2e-5),
        ("batch-norm-learning-rate-scale = 0.5", |t| t.batch_norm.learning_rate_scale = 0.5),
        ("bias-learning-rate-scale = 2", |t| t.bias.learning_rate_scale = 2.0),
        ("quantizer-learning-rate-scale = 0.001", |t| {
            t.quantizer_learning_rate = QuantizerLearningRate::Scale(0.001);
        }),
        ("quantizer-learning-rate-scale = \"per-layer\"", |t| {
            t.quantizer_learning_rate = QuantizerLearningRate::PerLayer;
        }),
        ("gamma-learning-rate-scale = 0.1", |t| t.gamma_learning_rate_scale = 0.1),
        ("quantizer-weight-decay = 1e-6", |t| t.quantizer_weight_decay = 1e-6),
        ("interval-step-limit = 0.01", |t| t.interval_step_limit = 0.01),
        ("gamma = \"learned\"", |t| t.gamma = Gamma::Learned),
        ("gamma = \"auto\"", |t| t.gamma = Gamma::Fixed),
        ("interval-init = \"inherit\"", |t| t.interval_init = IntervalInit::Inherit),
        ("calibration-images = 256", |t| t.calibration_images = 256),
        ("loss = \"distillation\"", |t| t.loss = Loss::Distillation),
        ("label-smoothing = 0.1", |t| t.label_smoothing = 0.1),
        ("gradient-clip-norm = 5", |t| t.gradient_clip_norm = Some(5.0)),
        ("gradient-clip-norm = \"none\"", |_| {}),
        ("ema-decay = 0.999", |t| t.ema_decay = Some(0.999)),
        ("ema-decay = \"none\"", |_| {}),
        ("output-scale = \"interval\"", |t| t.output_scale = OutputScale::Interval),
        ("output-scale = \"none\"", |_| {}),
        ("batch-norm-statistics = \"running\"", |t| {
            t.batch_norm_statistics = BatchNormStatistics::Running;
        }),
        ("precision = \"mixed\"", |t| t.precision = Precision::Mixed),
        ("convolution = \"direct\"", |t| t.convolution = ConvolutionAlgorithm::Direct),
        ("parameters = \"joint\"", |_| {}),
    ];
    for (key, change) in keys {
        let mut expected = TrainSettings { epochs: 10, ..TrainSettings::default() };
        change(&mut expected);
        assert_eq!(four_bits(key), expected, "{key}");
        let plain = plan(&sweep("32, 4", ""));
        let patched =
            plan(&sweep("32, 4", &format!("[[override]]\nmatch = {{ bits = 4 }}\n{key}")));
        assert_eq!(spec(&patched, "resnet18-4-s0").train, expected, "{key} in an override");
        assert_eq!(spec(&patched, "resnet18-32-s0"), spec(&plain, "resnet18-32-s0"), "{key}");
    }
}

#[test]
fn quantizers_only_keeps_the_parents_scale_and_statistics_unless_told_otherwise() {
    let alone = four_bits("parameters = \"quantizers-only\"");
    assert_eq!(alone.parameters, TrainedParameters::QuantizersOnly);
    assert_eq!(alone.output_scale, OutputScale::Interval);
    assert_eq!(alone.batch_norm_statistics, BatchNormStatistics::Parent);
    let told =
        four_bits("parameters = \"quantizers-only\"\nbatch-norm-statistics = \"recomputed\"");
    assert_eq!(told.output_scale, OutputScale::Interval);
    assert_eq!(told.batch_norm_statistics, BatchNormStatistics::Recomputed);
}

#[test]
fn what_is_said_of_quantizers_in_train_leaves_32_bit_trials_alone() {
    let text = sweep("32, 4", "parameters = \"quantizers-only\"\nloss = \"distillation\"");
    let baseline = &spec(&plan(&text), "resnet18-32-s0").train.clone();
    assert_eq!(baseline, &TrainSettings { epochs: 10, ..TrainSettings::default() });
}

#[test]
fn gamma_is_learned_at_two_weight_bits_alone() {
    let plan = plan(&sweep("32, 3, 2, { weights = 2, activations = 32 }", ""));
    assert_eq!(spec(&plan, "resnet18-3-s0").train.gamma, Gamma::Fixed);
    assert_eq!(spec(&plan, "resnet18-2-s0").train.gamma, Gamma::Learned);
    assert_eq!(spec(&plan, "resnet18-w2a32-s0").train.gamma, Gamma::Learned);
}

#[test]
fn an_override_with_another_schedule_drops_the_numbers_of_the_first() {
    let text = sweep(
        "32, 4",
        "schedule = \"step\"\nstep-epochs = [5]\n[[override]]\nmatch = { bits = 4 }\nschedule = \"cosine\"",
    );
    let plan = plan(&text);
    assert_eq!(
        spec(&plan, "resnet18-4-s0").train.schedule,
        Schedule::Cosine { final_fraction: 0.0 }
    );
    let baseline = Schedule::Step { epochs: vec![5], factor: 0.1 };
    assert_eq!(spec(&plan, "resnet18-32-s0").train.schedule, baseline);
}

#[test]
fn a_control_takes_its_steps_at_the_same_fractions_and_learns_from_labels() {
    let rest = "schedule = \"step\"\nstep-epochs = [4, 8]\nloss = \"distillation\"\n\
                output-scale = \"interval\"";
    let text = sweep("32, 4, 3", rest).replacen("dataset", "control = true\ndataset", 1);
    let plan = plan(&text);
    let control = spec(&plan, "resnet18-3-s0-control");
    assert_eq!(control.role, Role::Control);
    assert_eq!(control.train.epochs, 20);
    assert_eq!(control.train.schedule, Schedule::Step { epochs: vec![8, 16], factor: 0.1 });
    assert_eq!(control.train.loss, Loss::CrossEntropy);
    assert_eq!(control.train.output_scale, OutputScale::None);
    assert_eq!(control.train.bias, GroupSettings { learning_rate_scale: 1.0, weight_decay: 0.0 });
}

#[test]
fn each_bad_value_is_refused_with_its_line() {
    let bad = [
        "batch-size = 1",
        "learning-rate = 0",
        "learning-rate = nan",
        "learning-rate = inf",
        "schedule = \"linear\"",
        "schedule = \"steps\"",
        "final-learning-rate-fraction = 1.5",
        "schedule = \"step\"",
        "schedule = \"step\"\nstep-epochs = []",
        "schedule = \"step\"\nstep-epochs = [8, 4]",
        "schedule = \"step\"\nstep-epochs = [4, 10]",
        "schedule = \"step\"\nstep-epochs = [0]",
        "schedule = \"step\"\nstep-epochs = 4",
        "schedule = \"step\"\nstep-epochs = [4]\nstep-factor = 1",
        "schedule = \"step\"\nstep-epochs = [4]\nfinal-learning-rate-fraction = 0.1",
        "schedule = \"constant\"\nstep-factor = 0.1",
        "step-epochs = [4]",
        "warmup-epochs = -1",
        "warmup-epochs = 11",
        "momentum = 1",
        "nesterov = 1",
        "weight-decay = -1e-4",
        "batch-norm-weight-decay = -1",
        "bias-weight-decay = \"none\"",
        "batch-norm-learning-rate-scale = -1",
        "bias-learning-rate-scale = nan",
        "quantizer-learning-rate-scale = -0.01",
        "quantizer-learning-rate-scale = \"per-channel\"",
        "quantizer-learning-rate = 0.01",
        "gamma-learning-rate-scale = -1",
        "quantizer-weight-decay = -1",
        "interval-step-limit = 0",
        "gamma = \"free\"",
        "interval-init = \"inherited\"",
        "calibration-images = 8",
        "parameters = \"quantizer-only\"",
        "loss = \"kl\"",
        "label-smoothing = 1",
        "loss = \"distillation\"\nlabel-smoothing = 0.1",
        "gradient-clip-norm = 0",
        "ema-decay = 1",
        "ema-decay = \"off\"",
        "output-scale = \"intervals\"",
        "batch-norm-statistics = \"re-computed\"",
        "batch-norm-statistics = \"parent\"",
        "parameters = \"quantizers-only\"\nbatch-norm-statistics = \"running\"",
        "parameters = \"quantizers-only\"\noutput-scale = \"none\"",
        "precision = \"half\"",
        "convolution = \"fft\"",
        "[[override]]\nmatch = { bits = 32 }\nloss = \"distillation\"",
        "[[override]]\nmatch = { bits = 32 }\nepochs = 0",
        "[[override]]\nmatch = { bits = 4 }\nstep-epochs = [4]",
    ];
    let messages: Vec<String> = bad
        .iter()
        .map(|rest| {
            format!("{}\n    {}", rest.replace('\n', "; "), error_of(&sweep("32, 4", rest)))
        })
        .collect();
    insta::assert_snapshot!(messages.join("\n"));
}
