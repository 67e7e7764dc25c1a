//! Sweep files: what is read, and what is said of what cannot be.

use bitsweep_sweep::{Bits, Gamma, Plan, Role, SweepFile};

const SWEEP: &str = r#"
name = "quickstart"
networks = ["resnet18", "resnet34", "alexnet"]
bits = [32, 4, 3, 2]
seeds = [0]
order = "progressive" # each width starts from the next wider one: 32 → 4 → 3 → 2

[dataset]
name = "fashion-mnist-mini"
resolution = 28
flip = true

[model]
width = 0.25

[train]
epochs = 2
batch-size = 64
learning-rate = 0.05
warmup-epochs = 0.2
weight-decay = 1e-4

[[override]]
match = { bits = [4, 3, 2] }
learning-rate = 0.02
epochs = 1
"#;

fn error_of(text: &str) -> String {
    match SweepFile::parse(text, "sweep.toml").and_then(|file| Plan::new(&file, None)) {
        Ok(_) => panic!("accepted:\n{text}"),
        Err(error) => error.to_string(),
    }
}

/// The sweep with one line replaced.
fn with(line: &str, replacement: &str) -> String {
    assert!(SWEEP.contains(line), "the sweep has no line {line:?}");
    SWEEP.replacen(line, replacement, 1)
}

fn plan(text: &str) -> Plan {
    let file = SweepFile::parse(text, "sweep.toml").expect("parses");
    Plan::new(&file, None).expect("plans")
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.trials.iter().map(|t| t.spec.name.as_str()).collect()
}

#[test]
fn every_network_is_a_chain_of_widths() {
    let plan = plan(SWEEP);
    assert_eq!(plan.trials.len(), 12);
    assert_eq!(plan.chains(), 3);
    assert_eq!(
        names(&plan)[..5],
        ["resnet18-32-s0", "resnet18-4-s0", "resnet18-3-s0", "resnet18-2-s0", "resnet34-32-s0"]
    );
    for pair in plan.trials[..4].windows(2) {
        assert_eq!(pair[1].spec.parent.as_ref(), Some(&pair[0].spec.name));
        assert_eq!(pair[1].spec.reference.as_ref(), Some(&plan.trials[0].spec.name));
    }
    assert_eq!(plan.trials[0].spec.parent, None);
    assert_eq!(plan.trials[0].spec.reference, None);
}

#[test]
fn every_trial_comes_after_its_parent() {
    let text =
        with("bits = [32, 4, 3, 2]", "bits = [2, 3, 4, 32, { weights = 2, activations = 32 }]")
            .replacen("seeds = [0]", "seeds = [0, 7]\ncontrol = true", 1);
    let plan = plan(&text);
    for (at, trial) in plan.trials.iter().enumerate() {
        if let Some(parent) = &trial.spec.parent {
            assert!(
                plan.trials[..at].iter().any(|t| t.spec.name == *parent),
                "{}",
                trial.spec.name
            );
        }
    }
    assert!(names(&plan).contains(&"resnet18-w2a32-s7"));
}

#[test]
fn the_quickstart_compares_three_networks_at_four_widths() {
    let plan = plan(include_str!("../../../sweeps/quickstart.toml"));
    assert_eq!(plan.trials.len(), 12);
    assert_eq!(plan.chains(), 3);
}

#[test]
fn direct_order_starts_every_width_from_the_baseline() {
    let plan = plan(&with("order = \"progressive\"", "order = \"direct\""));
    for trial in &plan.trials[1..4] {
        assert_eq!(trial.spec.parent.as_ref(), Some(&plan.trials[0].spec.name));
    }
}

#[test]
fn a_control_has_the_epochs_its_trial_had_since_the_baseline() {
    let plan = plan(&with("seeds = [0]", "seeds = [0]\ncontrol = true"));
    let epochs = |name: &str| {
        let trial = plan.trials.iter().find(|t| t.spec.name.as_str() == name).expect(name);
        (trial.spec.role, trial.spec.bits, trial.spec.train.epochs)
    };
    let (_, _, first) = epochs("resnet18-4-s0");
    let (_, _, second) = epochs("resnet18-3-s0");
    assert_eq!(epochs("resnet18-4-s0-control"), (Role::Control, Bits::FULL, first));
    assert_eq!(epochs("resnet18-3-s0-control"), (Role::Control, Bits::FULL, first + second));
    let quantized = plan.trials.iter().find(|t| t.spec.name.as_str() == "resnet18-3-s0");
    let reference = quantized.and_then(|t| t.spec.reference.clone()).expect("a reference");
    assert_eq!(reference.as_str(), "resnet18-3-s0-control");
}

#[test]
fn overrides_apply_to_what_they_match_and_later_ones_win() {
    let text = format!(
        "{SWEEP}\n[[override]]\nmatch = {{ network = \"alexnet\", bits = 2 }}\nlearning-rate = 0.001\n\
         gamma = \"fixed\"\n"
    );
    let plan = plan(&text);
    let of = |name: &str| {
        &plan.trials.iter().find(|t| t.spec.name.as_str() == name).expect(name).spec.train
    };
    assert!((of("alexnet-2-s0").learning_rate - 0.001).abs() < 1e-12);
    assert_eq!(of("alexnet-2-s0").gamma, Gamma::Fixed);
    assert_eq!(of("resnet18-2-s0").gamma, Gamma::Learned, "auto learns gamma at 2 bits");
    assert_eq!(of("resnet18-3-s0").gamma, Gamma::Fixed, "and at no other width");
    assert!(of("alexnet-3-s0").learning_rate > 0.001);
}

#[test]
fn the_same_file_has_the_same_key_and_another_seed_another() {
    assert_eq!(plan(SWEEP).key(), plan(&format!("# a comment\n{SWEEP}")).key());
    assert_ne!(plan(SWEEP).key(), plan(&with("seeds = [0]", "seeds = [1]")).key());
}

#[test]
fn what_is_wrong_is_named_with_line_key_value_and_what_is_valid() {
    let broken = [
        with("\"resnet18\", ", "\"resnet81\", "),
        with("bits = [32, 4, 3, 2]", "bits = [32, 4, 1]"),
        with("bits = [32, 4, 3, 2]", "bits = [4, 3]"),
        with("bits = [32, 4, 3, 2]", "bits = [32, 4, 4]"),
        with("bits = [32, 4, 3, 2]", "bits = []"),
        with("bits = [32, 4, 3, 2]", "bits = [32, { weights = 2 }]"),
        with("name = \"quickstart\"", "name = \"Quick Start\""),
        with("name = \"quickstart\"\n", ""),
        with("epochs = 2", "epochs = -2"),
        with("epochs = 2", "epochs = 2.5"),
        with("epochs = 2", "epoch = 2"),
        with("learning-rate = 0.05", "learning-rate = \"fast\""),
        with("learning-rate = 0.05", "learning_rate = 0.05"),
        with("\"fashion-mnist-mini\"", "\"fashion-mnist-mni\""),
        with("\"fashion-mnist-mini\"", "\"cifar10\""),
        with("resolution = 28", "resolution = 8"),
        with("resolution = 28", "train-images = 5"),
        with("width = 0.25", "width = 0"),
        with("width = 0.25", "width = 0.25\nstem = \"large\""),
        with("match = { bits = [4, 3, 2] }", "match = { bits = [5] }"),
        with("match = { bits = [4, 3, 2] }\n", ""),
        with("order = \"progressive\"", "order = \"progresive\""),
        with("seeds = [0]", "seeds = [0"),
        with("seeds = [0]", "seeds = [0]\nretry = 5"),
        with("[model]", "[modle]"),
    ];
    let messages: Vec<String> = broken.iter().map(|text| error_of(text)).collect();
    insta::assert_snapshot!(messages.join("\n"));
}
