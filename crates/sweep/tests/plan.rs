//! Which trial starts from which, what it is compared with, and what it costs.

mod reading;

use std::path::Path;

use bitsweep_sweep::{Bits, ImageCounts, Plan, Role, SplitCounts, SweepFile};
use proptest::prelude::*;
use reading::{folder, plan, spec, sweep};

/// Name and parent of every quantized trial.
fn parents(plan: &Plan) -> Vec<(&str, &str)> {
    let quantized = plan.trials.iter().map(|t| &t.spec).filter(|s| s.role == Role::Quantized);
    quantized
        .map(|s| (s.name.as_str(), s.parent.as_ref().map_or("", |parent| parent.as_str())))
        .collect()
}

#[test]
fn the_papers_order_goes_through_five_bits() {
    let plan = plan(&sweep("32, 5, 4, 3, 2", ""));
    assert_eq!(
        parents(&plan),
        [
            ("resnet18-5-s0", "resnet18-32-s0"),
            ("resnet18-4-s0", "resnet18-5-s0"),
            ("resnet18-3-s0", "resnet18-4-s0"),
            ("resnet18-2-s0", "resnet18-3-s0"),
        ]
    );
}

#[test]
fn weight_only_and_activation_only_trials_have_chains_of_their_own() {
    let bits = "32, 4, 2, { weights = 2, activations = 32 }, { weights = 3, activations = 32 }, \
                { weights = 32, activations = 4 }, { weights = 2, activations = 8 }";
    let plan = plan(&sweep(bits, ""));
    assert_eq!(
        parents(&plan),
        [
            ("resnet18-w32a4-s0", "resnet18-32-s0"),
            ("resnet18-4-s0", "resnet18-32-s0"),
            ("resnet18-w3a32-s0", "resnet18-32-s0"),
            ("resnet18-w2a32-s0", "resnet18-w3a32-s0"),
            // Neither at least as wide in both as the other: 4/4 is no start for 2/8.
            ("resnet18-w2a8-s0", "resnet18-32-s0"),
            ("resnet18-2-s0", "resnet18-4-s0"),
        ]
    );
}

#[test]
fn a_weight_only_trial_beside_quantized_ones_starts_from_full_precision() {
    let plan = plan(&sweep("32, 4, { weights = 2, activations = 32 }", ""));
    assert_eq!(
        parents(&plan),
        [("resnet18-4-s0", "resnet18-32-s0"), ("resnet18-w2a32-s0", "resnet18-32-s0")]
    );
}

#[test]
fn controls_match_the_epochs_in_which_weights_were_trained() {
    let rest = "[[override]]\nmatch = { bits = 4 }\nepochs = 3\n\
                [[override]]\nmatch = { bits = 3 }\nparameters = \"quantizers-only\"\noutput-scale = \"none\"\n\
                batch-norm-statistics = \"recomputed\"\n[[override]]\nmatch = { bits = 2 }\nepochs = 5";
    let text = sweep("32, 4, 3, 2", rest).replacen("dataset", "control = true\ndataset", 1);
    let plan = plan(&text);
    let reference = |name| spec(&plan, name).reference.as_ref().expect("a reference").as_str();
    assert_eq!(reference("resnet18-4-s0"), "resnet18-4-s0-control");
    assert_eq!(reference("resnet18-3-s0"), "resnet18-4-s0-control", "no weight was trained");
    assert_eq!(reference("resnet18-2-s0"), "resnet18-2-s0-control");
    assert_eq!(spec(&plan, "resnet18-4-s0-control").train.epochs, 3);
    assert_eq!(spec(&plan, "resnet18-2-s0-control").train.epochs, 8);
    assert!(plan.trials.iter().all(|t| t.spec.name.as_str() != "resnet18-3-s0-control"));
}

#[test]
fn calibration_alone_is_compared_with_the_baseline() {
    let rest = "[[override]]\nmatch = { bits = 4 }\nepochs = 0";
    let text = sweep("32, 4, 3", rest).replacen("dataset", "control = true\ndataset", 1);
    let plan = plan(&text);
    let reference = spec(&plan, "resnet18-4-s0").reference.clone().expect("a reference");
    assert_eq!(reference.as_str(), "resnet18-32-s0");
    assert_eq!(spec(&plan, "resnet18-3-s0-control").train.epochs, 10);
}

#[test]
fn counted_images_change_costs_and_not_the_sweep() {
    let file = SweepFile::parse(&folder("", ""), "s.toml").expect("parses");
    let base = Some(Path::new("/sweeps"));
    let assumed = Plan::new(&file, base).expect("plans");
    let counts = SplitCounts { train: 200_000, validation: 10_000 };
    let counts = ImageCounts { data: Some(counts), training_data: None };
    let counted = Plan::with_counts(&file, base, counts).expect("plans");
    assert_eq!(assumed.key(), counted.key());
    for (assumed, counted) in assumed.trials.iter().zip(&counted.trials) {
        assert_eq!(assumed.spec, counted.spec);
        // 100 classes: 100,000 and 5,000 images were assumed. Calibration images stay as many.
        assert!(counted.cost > 1.9 * assumed.cost && counted.cost <= 2.0 * assumed.cost);
    }
}

#[test]
fn a_relative_path_without_a_folder_to_take_it_from_is_refused() {
    let file = SweepFile::parse(&folder("", ""), "s.toml").expect("parses");
    let error = Plan::new(&file, None).expect_err("no folder").to_string();
    assert!(error.contains("dataset.path = \"images\" is relative"), "{error}");
}

fn width() -> impl Strategy<Value = u8> {
    prop_oneof![2_u8..=8, Just(32_u8)]
}

fn widths() -> impl Strategy<Value = Vec<Bits>> {
    let bits = (width(), width()).prop_map(|(weights, activations)| Bits { weights, activations });
    prop::collection::vec(bits, 1..9).prop_map(|mut bits| {
        bits.push(Bits::FULL);
        bits.sort_unstable();
        bits.dedup();
        bits
    })
}

fn written(bits: &[Bits]) -> String {
    let one = |b: &Bits| format!("{{ weights = {}, activations = {} }}", b.weights, b.activations);
    bits.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn at_least(wide: Bits, narrow: Bits) -> bool {
    wide.weights >= narrow.weights && wide.activations >= narrow.activations
}

fn kind(bits: Bits) -> (bool, bool) {
    (bits.weights == 32, bits.activations == 32)
}

proptest! {
    #[test]
    fn every_width_is_there_once_after_a_parent_that_is_next_wider(
        bits in widths(),
        direct: bool,
        control: bool,
    ) {
        let order = if direct { "direct" } else { "progressive" };
        prop_assume!(bits.len() > 1);
        let head = format!("order = \"{order}\"\ncontrol = {control}\ndataset");
        let plan = plan(&sweep(&written(&bits), "").replacen("dataset", &head, 1));
        let found: Vec<Bits> = {
            let shown = plan.trials.iter().filter(|t| t.spec.role != Role::Control);
            let mut found: Vec<Bits> = shown.map(|t| t.spec.bits).collect();
            found.sort_unstable();
            found
        };
        prop_assert_eq!(&found, &bits);
        for (at, trial) in plan.trials.iter().enumerate() {
            let own = &trial.spec;
            prop_assert!(own.check().is_ok());
            let Some(parent) = &own.parent else {
                prop_assert_eq!(own.role, Role::Baseline);
                continue;
            };
            let parent = plan.trials[..at].iter().find(|t| t.spec.name == *parent);
            let parent = &parent.expect("a parent comes first").spec;
            let reference = own.reference.as_ref().map(|name| &plan.find(name).expect("a trial").spec);
            prop_assert!(reference.is_none_or(|r| r.bits.is_full()));
            if own.role == Role::Control || direct {
                prop_assert_eq!(parent.role, Role::Baseline);
                continue;
            }
            prop_assert!(at_least(parent.bits, own.bits) && parent.bits != own.bits);
            let between = bits.iter().any(|b| {
                *b != own.bits
                    && *b != parent.bits
                    && kind(*b) == kind(own.bits)
                    && at_least(*b, own.bits)
                    && at_least(parent.bits, *b)
            });
            prop_assert!(!between, "{} does not start from the next wider", own.name);
        }
    }
}
