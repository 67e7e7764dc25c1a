//! A trial's weights as a file: out of a sweep, and back to the accuracy that the sweep recorded.
#![allow(clippy::print_stdout)]

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;

const SWEEP: &str = r#"
name = "tiny"
networks = ["resnet18"]
bits = [32, 3]
[dataset]
name = "fashion-mnist-mini"
train-images = 320
validation-images = 500
[model]
width = 0.0625
[train]
epochs = 1
batch-size = 32
learning-rate = 0.1
calibration-images = 64
"#;

fn bitsweep(arguments: &[&str]) -> assert_cmd::assert::Assert {
    Command::new(env!("CARGO_BIN_EXE_bitsweep")).args(arguments).assert()
}

fn json(arguments: &[&str]) -> Value {
    let assert = bitsweep(arguments).success();
    serde_json::from_slice(&assert.get_output().stdout).expect("JSON")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary folder in UTF-8")
}

/// Trains the sweep, exports its quantized trial and gives the recorded top-1.
fn trained(folder: &Path) -> (PathBuf, f64) {
    let (file, state) = (folder.join("tiny.toml"), folder.join("state"));
    std::fs::write(&file, SWEEP).expect("written");
    let common = ["--headless", "--workers", "1", "--threads", "2", "--state", text(&state)];
    bitsweep(&[&["run", text(&file)], &common[..]].concat()).success();
    let output = folder.join("exported.safetensors");
    let arguments = ["export", "tiny/resnet18-3-s0", "--format", "safetensors", "--state"];
    bitsweep(&[&arguments[..], &[text(&state), "--output", text(&output)]].concat()).success();
    let status = json(&["export", "tiny", "--state", text(&state)]);
    let trials = status["trials"].as_array().expect("trials");
    let trial = trials.iter().find(|trial| trial["name"] == "resnet18-3-s0").expect("there");
    let missing = ["export", "tiny/resnet18-2-s0", "--format", "safetensors", "--state"];
    let told = bitsweep(&[&missing[..], &[text(&state)]].concat()).code(2);
    let told = String::from_utf8_lossy(&told.get_output().stderr).into_owned();
    assert!(told.contains("no trial resnet18-2-s0; it has resnet18-32-s0"), "{told}");
    (output, trial["top1"].as_f64().expect("measured"))
}

#[test]
fn an_exported_trial_evaluates_to_what_its_sweep_recorded() {
    let folder = tempfile::tempdir().expect("a folder");
    let (weights, recorded) = trained(folder.path());
    let report = json(&["eval", text(&weights), "--data", "fashion-mnist-mini", "--json"]);
    assert_eq!(report["images"], 500);
    assert_eq!(report["top1"].as_f64(), Some(recorded));
    assert_eq!(report["recorded_top1"].as_f64(), Some(recorded));
    assert_eq!(report["weight_bits"], 3);

    let Some(python) = std::env::var_os("BITSWEEP_PYTHON") else {
        println!("SKIPPED: PyTorch's side; BITSWEEP_PYTHON names a Python that has it");
        return;
    };
    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/pytorch/evaluate_export.py");
    let assert = Command::new(python).args([&script, &weights]).assert().success();
    let found: Value = serde_json::from_slice(&assert.get_output().stdout).expect("JSON");
    assert_eq!(found["top1"].as_f64(), Some(recorded));
}

#[test]
fn weights_that_cannot_be_evaluated_are_bad_input_in_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("weights.pth");
    std::fs::write(&file, "nothing of the kind").expect("written");
    for (arguments, expected) in [
        (vec!["eval", text(&file), "--data", "fashion-mnist-mini"], "neither safetensors nor"),
        (vec!["eval", "no-such.pth", "--data", "fashion-mnist-mini"], "no-such.pth"),
        (vec!["eval", text(&file), "--data", "x", "--mean", "0.5"], "belong together"),
    ] {
        let told = bitsweep(&arguments).code(2);
        let told = String::from_utf8_lossy(&told.get_output().stderr).into_owned();
        assert!(told.contains(expected), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
}
