//! The sweep files that come with bitsweep.

use std::path::{Path, PathBuf};

use bitsweep_sweep::{Bits, Plan, SweepFile};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sweeps")
}

fn plan(name: &str) -> Plan {
    let path = folder().join(name);
    let text = std::fs::read_to_string(&path).expect("the file is there");
    SweepFile::parse(&text, name)
        .and_then(|file| Plan::new(&file, path.parent()))
        .unwrap_or_else(|error| panic!("{error}"))
}

fn names() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .expect("the folder is there")
        .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".toml"))
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn every_file_is_read_and_named_after_its_sweep() {
    let names = names();
    assert!(names.len() >= 4, "{names:?}");
    for name in names {
        let plan = plan(&name);
        assert_eq!(format!("{}.toml", plan.name), name);
        assert!(plan.trials.iter().all(|t| t.spec.check().is_ok()), "{name}");
    }
}

#[test]
fn cifar10_goes_through_five_bits_and_its_direct_form_differs_in_the_order_alone() {
    let (progressive, direct) = (plan("cifar10.toml"), plan("cifar10-direct.toml"));
    let widths: Vec<Bits> = progressive.trials[..5].iter().map(|t| t.spec.bits).collect();
    assert_eq!(widths, [Bits::FULL, Bits::both(5), Bits::both(4), Bits::both(3), Bits::both(2)]);
    // At 5 bits both orders start from full precision: it is there once.
    assert_eq!(direct.trials.len(), progressive.trials.len() - 3);
    for direct in &direct.trials {
        let progressive = progressive.find(&direct.spec.name).unwrap();
        let mut same = direct.spec.clone();
        same.parent.clone_from(&progressive.spec.parent);
        assert_eq!(same, progressive.spec);
        assert!(direct.spec.parent.as_ref().is_none_or(|p| p.as_str().contains("-32-")));
    }
}
