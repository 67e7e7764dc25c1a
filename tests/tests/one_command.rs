//! `bitsweep run`: coordinator, workers and trials behind one command, and what becomes of them.
#![allow(clippy::unwrap_used, missing_docs)]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use bitsweep_tests::{Export, Process, eventually};
use serde_json::Value;

/// One network at two widths on a few images.
fn tiny(folder: &Path, networks: &str, epochs: u32) -> PathBuf {
    let text = format!(
        r#"
name = "tiny"
networks = [{networks}]
bits = [32, 4]
[dataset]
name = "fashion-mnist-mini"
train-images = 320
validation-images = 100
[model]
width = 0.0625
[train]
epochs = {epochs}
batch-size = 32
calibration-images = 64
"#
    );
    let path = folder.join("tiny.toml");
    fs::write(&path, text).unwrap();
    path
}

fn run(file: &Path, state: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["run".into(), file.into(), "--headless".into()];
    arguments.extend(["--state".into(), state.into()]);
    arguments.extend(["--workers", "2", "--threads", "1"].map(Into::into));
    arguments
}

/// What the sweep has measured; `None` while there is nothing to ask.
fn export(state: &Path) -> Option<Export> {
    let answer = Process::run(["export", "tiny", "--state", state.to_str().unwrap()]);
    answer.status.success().then(|| Export::parse(&answer.stdout))
}

/// Waits until a trial has a checkpoint and goes on.
fn wait_for_checkpoint(state: &Path) {
    eventually("a checkpoint in the middle of a training", || {
        // While nobody listens `status` would open the state folder itself, and be in the way.
        state.join("address").exists().then_some(())?;
        let state = state.to_str().unwrap();
        let answer = Process::run(["status", "tiny", "--json", "--state", state]);
        let status: Value = serde_json::from_str(&answer.stdout).ok()?;
        let mut trials = status["trials"].as_array()?.iter();
        trials
            .any(|trial| trial["checkpoint_step"].is_u64() && trial["state"] == "running")
            .then_some(())
    });
}

/// Processes of this machine that were started, directly or not, with `mark` in their environment.
fn marked(mark: &Path) -> Vec<PathBuf> {
    let mark = mark.as_os_str().as_encoded_bytes();
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    processes
        .filter(|path| {
            let environment = fs::read(path.join("environ")).unwrap_or_default();
            environment.windows(mark.len()).any(|window| window == mark)
        })
        .collect()
}

/// Lines of the comparison: other lines begin with a time.
fn table_rows(output: &str) -> Vec<&str> {
    output
        .lines()
        .filter(|line| ["resnet18 ", "alexnet "].iter().any(|n| line.starts_with(n)))
        .collect()
}

#[test]
fn a_whole_sweep_prints_its_table_and_knows_when_it_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let file = tiny(folder.path(), r#""resnet18", "alexnet""#, 1);
    let state = folder.path().join("state");
    let first = Process::run(run(&file, &state));
    assert_eq!(first.code(), 0, "{first:?}");
    let rows = table_rows(&first.stdout);
    assert_eq!(rows.len(), 2, "a row a network: {}", first.stdout);
    let again = Process::run(run(&file, &state));
    assert_eq!(again.code(), 0, "{again:?}");
    assert!(again.stdout.contains("has finished already"), "{}", again.stdout);
    assert_eq!(table_rows(&again.stdout), rows, "the same table");

    let export = export(&state).unwrap();
    assert_eq!(export.trials.len(), 4);
    for trial in &export.trials {
        trial.assert_complete();
        assert_eq!(trial.ends(), ["finished"]);
        assert!(trial.0["provenance"]["data_fingerprint"].is_string(), "{}", trial.0);
    }
}

#[test]
fn asked_to_stop_it_saves_and_the_same_command_continues() {
    let folder = tempfile::tempdir().unwrap();
    let file = tiny(folder.path(), r#""resnet18""#, 20);
    let state = folder.path().join("state");
    let running = Process::start(run(&file, &state));
    wait_for_checkpoint(&state);
    let stopped = running.terminate();
    assert_eq!(stopped.code(), 130, "{stopped:?}");

    let continued = Process::run(run(&file, &state));
    assert_eq!(continued.code(), 0, "{continued:?}");
    let export = export(&state).unwrap();
    for trial in &export.trials {
        trial.assert_complete();
    }
    let attempts: Vec<_> = export.trials.iter().map(|trial| trial.ends()).collect();
    assert!(attempts.contains(&vec!["drained", "finished"]), "{attempts:?}");
    let resumed = export.trials.iter().find(|trial| trial.ends().len() == 2).unwrap();
    assert!(resumed.attempts()[1]["from_step"].as_u64().unwrap() > 0, "{:?}", resumed.attempts());
}

#[test]
fn killed_it_takes_its_workers_and_trials_along_and_the_same_command_continues() {
    let folder = tempfile::tempdir().unwrap();
    let file = tiny(folder.path(), r#""resnet18""#, 20);
    let state = folder.path().join("state");
    let running = Process::start(run(&file, &state));
    let mark = running.mark();
    wait_for_checkpoint(&state);
    if cfg!(target_os = "linux") {
        assert!(marked(&mark).len() >= 3, "itself, a worker and a trial at least");
    }
    running.kill();
    if cfg!(target_os = "linux") {
        eventually("the end of workers and trials", || marked(&mark).is_empty().then_some(()));
    }

    let continued = Process::run(run(&file, &state));
    assert_eq!(continued.code(), 0, "{continued:?}");
    let export = export(&state).unwrap();
    for trial in &export.trials {
        trial.assert_complete();
    }
    let attempts: Vec<_> = export.trials.iter().map(|trial| trial.ends()).collect();
    assert!(attempts.contains(&vec!["lost", "finished"]), "{attempts:?}");
}
