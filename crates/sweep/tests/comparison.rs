//! The table of quantized against full-precision accuracy.

use bitsweep_sweep::{Bits, Comparison, Plan, SweepFile, TrialOutcome};

fn plan(control: bool) -> Plan {
    let text = format!(
        "name = \"table\"\nnetworks = [\"alexnet\", \"resnet18\"]\nbits = [32, 4, 2]\nseeds = [0, 1]\n\
         control = {control}\ndataset = {{ name = \"fashion-mnist-mini\" }}\ntrain = {{ epochs = 1 }}\n"
    );
    Plan::new(&SweepFile::parse(&text, "table.toml").expect("parses"), None).expect("plans")
}

/// Outcomes in plan order with top-1 by trial name; trials without a figure have not been evaluated.
fn compare(plan: &Plan, top1: &[(&str, f64)]) -> Comparison {
    let outcomes: Vec<TrialOutcome<'_>> = plan
        .trials
        .iter()
        .map(|t| {
            let value =
                top1.iter().find(|(name, _)| *name == t.spec.name.as_str()).map(|(_, v)| *v);
            TrialOutcome { spec: &t.spec, top1: value, is_final: value.is_some() }
        })
        .collect();
    Comparison::new(&outcomes)
}

#[test]
fn columns_descend_and_rows_follow_the_sweep() {
    let table = compare(&plan(false), &[]);
    assert_eq!(table.columns, [Bits::FULL, Bits::both(4), Bits::both(2)]);
    let rows: Vec<String> =
        table.rows.iter().map(|r| format!("{} {}", r.network, r.seed)).collect();
    assert_eq!(rows, ["alexnet 0", "resnet18 0", "alexnet 1", "resnet18 1"]);
}

#[test]
fn a_gap_is_against_the_baseline_of_the_same_network_and_seed() {
    let table = compare(
        &plan(false),
        &[
            ("alexnet-32-s0", 80.0),
            ("alexnet-32-s1", 70.0),
            ("alexnet-4-s1", 69.5),
            ("resnet18-4-s1", 60.0),
        ],
    );
    let cells = &table.rows.iter().find(|r| r.seed == 1).expect("seed 1").cells;
    let four_bits = cells[1].as_ref().expect("a 4-bit trial");
    assert_eq!(four_bits.gap, Some(-0.5));
    assert!(four_bits.is_final);
    assert_eq!(cells[0].as_ref().expect("a baseline").gap, None);
    // No baseline figure yet: no gap, rather than one against something else.
    let other = table.rows.iter().flat_map(|r| r.cells.iter().flatten());
    let resnet =
        other.into_iter().find(|c| c.trial.as_str() == "resnet18-4-s1").expect("the trial");
    assert_eq!((resnet.top1, resnet.gap, resnet.is_final), (Some(60.0), None, false));
}

#[test]
fn with_controls_the_gap_refers_to_them_and_they_have_no_cell() {
    let table = compare(
        &plan(true),
        &[("alexnet-32-s0", 80.0), ("alexnet-4-s0-control", 82.0), ("alexnet-4-s0", 81.0)],
    );
    let cell = table.rows[0].cells[1].as_ref().expect("a 4-bit trial");
    assert_eq!(cell.gap, Some(-1.0));
    assert_eq!(cell.reference.as_ref().map(|r| r.as_str()), Some("alexnet-4-s0-control"));
    let shown = table.rows.iter().flat_map(|r| r.cells.iter().flatten());
    assert!(shown.into_iter().all(|c| !c.trial.as_str().ends_with("control")));
}
