//! A real coordinator and real workers that are killed in the middle of real trainings.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};

use bitsweep_tests::{Coordinator, Export, Process, Trial, eventually, free_address, worker};
use serde_json::Value;
use tempfile::TempDir;

/// Two networks at two widths on a few images: seconds a trial, in enough epochs to be interrupted.
fn tiny(folder: &Path, epochs: u32) -> PathBuf {
    let text = format!(
        r#"
name = "tiny"
networks = ["resnet18", "alexnet"]
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
    std::fs::write(&path, text).unwrap();
    path
}

struct Fleet {
    folder: TempDir,
    coordinator: Coordinator,
}

impl Fleet {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let coordinator = Coordinator::start(&folder.path().join("state"), &free_address());
        Self { folder, coordinator }
    }

    fn worker(&self, name: &str) -> Process {
        worker(&self.coordinator.address, name, &self.folder.path().join("work"), &[])
    }

    /// Kills the coordinator without a word and starts another over its state, at its address.
    fn replace_coordinator(self) -> Self {
        let Self { folder, coordinator } = self;
        let address = coordinator.address.clone();
        coordinator.kill();
        let coordinator = Coordinator::start(&folder.path().join("state"), &address);
        Self { folder, coordinator }
    }
}

/// A trial that has a checkpoint and is in the middle of its training: its name and its worker's.
fn midway(status: &Value) -> Option<(String, String)> {
    status["trials"].as_array().unwrap().iter().find_map(|trial| {
        let progress = &trial["progress"];
        let step = progress["step"].as_u64()?;
        let checkpoint = trial["checkpoint_step"].as_u64()?;
        let running = trial["state"] == "running" && step > checkpoint;
        let half = 2 * step < progress["total_steps"].as_u64()?;
        let attempt = trial["attempts"].as_array()?.last()?;
        let names = (trial["name"].as_str()?.to_owned(), attempt["worker"].as_str()?.to_owned());
        (running && half).then_some(names)
    })
}

#[test]
fn a_worker_killed_in_mid_trial_costs_an_attempt_and_no_step() {
    let fleet = Fleet::start();
    let file = tiny(fleet.folder.path(), 20);
    let sweep = fleet.coordinator.submit(&file);
    let mut workers = vec![("one", fleet.worker("one")), ("two", fleet.worker("two"))];
    let (trial, victim) = eventually("a trial in the middle of its training", || {
        midway(&fleet.coordinator.status(&sweep))
    });
    let index = workers.iter().position(|(name, _)| *name == victim).unwrap();
    workers.remove(index).1.kill();

    assert_eq!(fleet.coordinator.end(&sweep), "finished");
    let export = fleet.coordinator.export(&sweep);
    assert_eq!(export.trials.len(), 4);
    for each in &export.trials {
        each.assert_complete();
        let expected: &[&str] =
            if each.name() == trial { &["lost", "finished"] } else { &["finished"] };
        assert_eq!(each.ends(), expected, "{}: {:?}", each.name(), each.attempts());
    }
    let attempts = export.trial(&trial).attempts();
    assert_eq!(attempts[0]["worker"], victim.as_str());
    assert_ne!(attempts[1]["worker"], victim.as_str());
    assert_eq!(
        (attempts[0]["from_step"].as_u64(), attempts[1]["attempt"].as_u64()),
        (Some(0), Some(2))
    );
    let from = attempts[1]["from_step"].as_u64().unwrap();
    assert!(from > 0, "it continues from its checkpoint: {attempts:?}");

    // Undisturbed, the same sweep comes to the same numbers, to the last bit.
    let undisturbed = fleet.coordinator.submit_afresh(&file);
    assert_eq!(fleet.coordinator.end(&undisturbed), "finished");
    for other in fleet.coordinator.export(&undisturbed).trials {
        let trial = export.trial(other.name());
        for metric in ["step-loss", "train-loss", "validation-loss", "top1", "top5"] {
            let series = |trial: &Trial| trial.series().get(metric).cloned().unwrap_or_default();
            assert_eq!(series(trial), series(&other), "{}: {metric}", trial.name());
        }
        assert_eq!(trial.0["correct"], other.0["correct"], "{}", trial.name());
    }

    let survivor = workers.pop().unwrap().1.terminate();
    assert_eq!(survivor.code(), 0, "{survivor:?}");
    let coordinator = fleet.coordinator.terminate();
    assert_eq!(coordinator.code(), 0, "{coordinator:?}");
}

/// Points of `earlier` that `later` has not, or has otherwise.
fn lost(earlier: &Export, later: &Export) -> Vec<String> {
    let mut lost = Vec::new();
    for trial in &earlier.trials {
        let now = later.trial(trial.name()).series();
        for (metric, points) in trial.series() {
            let kept = now.get(&metric).cloned().unwrap_or_default();
            for point in points.iter().filter(|point| !kept.contains(point)) {
                lost.push(format!("{} {metric} {point:?}", trial.name()));
            }
        }
    }
    lost
}

#[test]
fn a_coordinator_killed_in_mid_sweep_forgets_nothing_and_no_trial_notices() {
    let mut fleet = Fleet::start();
    let sweep = fleet.coordinator.submit(&tiny(fleet.folder.path(), 12));
    let workers = [fleet.worker("one"), fleet.worker("two")];
    let mut seen = Vec::new();
    for _ in 0..2 {
        eventually("a trial in the middle of its training", || {
            midway(&fleet.coordinator.status(&sweep))
        });
        // What it shows is acknowledged, and must be there whatever happens.
        seen.push(fleet.coordinator.export(&sweep));
        fleet = fleet.replace_coordinator();
        let restored = fleet.coordinator.export(&sweep);
        for earlier in &seen {
            assert_eq!(lost(earlier, &restored), Vec::<String>::new());
        }
    }
    assert_eq!(fleet.coordinator.end(&sweep), "finished");
    let export = fleet.coordinator.export(&sweep);
    for earlier in &seen {
        assert_eq!(lost(earlier, &export), Vec::<String>::new());
    }
    for trial in &export.trials {
        trial.assert_complete();
        assert_eq!(
            trial.ends(),
            ["finished"],
            "{}: its worker was there all the time",
            trial.name()
        );
    }
    for worker in workers {
        let worker = worker.terminate();
        assert_eq!(worker.code(), 0, "{worker:?}");
    }
    assert_eq!(fleet.coordinator.terminate().code(), 0);
}

#[test]
fn a_worker_that_is_asked_to_leave_gives_its_trial_to_another() {
    let fleet = Fleet::start();
    let sweep = fleet.coordinator.submit(&tiny(fleet.folder.path(), 20));
    let leaver = fleet.worker("leaver");
    let (trial, _) = eventually("a trial in the middle of its training", || {
        midway(&fleet.coordinator.status(&sweep))
    });
    let left = leaver.terminate();
    assert_eq!(left.code(), 0, "{left:?}");
    let heir = fleet.worker("heir");
    assert_eq!(fleet.coordinator.end(&sweep), "finished");
    let export = fleet.coordinator.export(&sweep);
    for each in &export.trials {
        each.assert_complete();
    }
    let trial = export.trial(&trial);
    assert_eq!(trial.ends(), ["drained", "finished"]);
    assert!(trial.attempts()[1]["from_step"].as_u64().unwrap() > 0, "{:?}", trial.attempts());
    assert_eq!(heir.terminate().code(), 0);
}
