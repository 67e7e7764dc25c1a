//! Sweep files in short, and what becomes of them.

#![allow(dead_code)]

use std::path::Path;

use bitsweep_sweep::{Plan, SweepFile, TrialSpec};

/// A sweep of ResNet-18 on CIFAR-10 at the given widths, with `rest` behind its epochs in `[train]`.
pub(crate) fn sweep(bits: &str, rest: &str) -> String {
    format!(
        "name = \"s\"\nnetworks = [\"resnet18\"]\nbits = [{bits}]\n\
         dataset = {{ name = \"cifar10\", path = \"/cifar\" }}\n[train]\nepochs = 10\n{rest}\n"
    )
}

/// The same on a folder of images of 224 pixels, with `data` in `[dataset]` and `rest` behind `[train]`.
pub(crate) fn folder(data: &str, rest: &str) -> String {
    format!(
        "name = \"s\"\nnetworks = [\"resnet18\"]\nbits = [32, 4, 2]\n\n[dataset]\nname = \"image-folder\"\n\
         path = \"images\"\nclasses = 100\nresolution = 224\n{data}\n[train]\nepochs = 10\n{rest}\n"
    )
}

pub(crate) fn planned(text: &str) -> Result<Plan, String> {
    SweepFile::parse(text, "s.toml")
        .and_then(|file| Plan::new(&file, Some(Path::new("/sweeps"))))
        .map_err(|error| error.to_string())
}

#[track_caller]
pub(crate) fn plan(text: &str) -> Plan {
    planned(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[track_caller]
pub(crate) fn error_of(text: &str) -> String {
    planned(text).map(|plan| panic!("accepted {} trials:\n{text}", plan.trials.len())).unwrap_err()
}

#[track_caller]
pub(crate) fn spec<'p>(plan: &'p Plan, name: &str) -> &'p TrialSpec {
    let found = plan.trials.iter().find(|t| t.spec.name.as_str() == name);
    &found.unwrap_or_else(|| panic!("no trial {name}")).spec
}
