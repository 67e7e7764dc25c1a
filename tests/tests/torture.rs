//! Everything is killed, again and again, and nothing is lost: real coordinator, real workers, and
//! trials that only pretend to train, so that the time goes into the killing.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};

use bitsweep_tests::{Coordinator, Process, eventually, example, free_address, worker};

const SWEEP: &str = r#"
name = "torture"
networks = ["resnet18", "resnet34", "alexnet"]
bits = [32, 4, 2]
[dataset]
name = "fashion-mnist-mini"
train-images = 640
[train]
epochs = 30
batch-size = 32
[retry]
attempts = 100
backoff-seconds = 0.1
"#;

struct Fleet {
    folder: PathBuf,
    coordinator: Option<Coordinator>,
    address: String,
    workers: Vec<Process>,
    /// Worker processes started so far.
    started: usize,
}

impl Fleet {
    fn new(folder: &Path) -> Self {
        let address = free_address();
        let coordinator = Some(Coordinator::start(&folder.join("state"), &address));
        let mut fleet = Self {
            folder: folder.to_owned(),
            coordinator,
            address,
            workers: Vec::new(),
            started: 0,
        };
        for _ in 0..3 {
            fleet.add_worker();
        }
        fleet
    }

    fn add_worker(&mut self) {
        self.started += 1;
        let name = format!("worker-{}", self.started);
        let trainer = example("paced_trainer");
        let more = ["--trainer", trainer.to_str().unwrap()];
        self.workers.push(worker(&self.address, &name, &self.folder.join("work"), &more));
    }

    fn coordinator(&self) -> &Coordinator {
        self.coordinator.as_ref().unwrap()
    }

    /// Steps stored of all trials together.
    fn steps(&self, sweep: &str) -> usize {
        let export = self.coordinator().export(sweep);
        export.trials.iter().filter_map(|trial| trial.series().get("step-loss").map(Vec::len)).sum()
    }

    fn wait_for_steps(&self, sweep: &str, more: usize) {
        let before = self.steps(sweep);
        eventually("more steps", || {
            assert_ne!(
                self.coordinator().status(sweep)["state"],
                "finished",
                "too few steps to kill in"
            );
            (self.steps(sweep) >= before + more).then_some(())
        });
    }

    fn kill_a_worker(&mut self) {
        self.workers.remove(0).kill();
        self.add_worker();
    }

    fn kill_the_coordinator(&mut self) {
        self.coordinator.take().unwrap().kill();
        self.coordinator = Some(Coordinator::start(&self.folder.join("state"), &self.address));
    }

    /// Kills a trial process of some worker.
    fn kill_a_trial(&self) {
        self.workers.iter().any(Process::kill_a_child);
    }
}

#[test]
fn what_is_not_a_number_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut fleet = Fleet::new(folder.path());
    let file = folder.path().join("torture.toml");
    let small = SWEEP
        .replace("epochs = 30", "epochs = 2")
        .replace("bits = [32, 4, 2]", "bits = [32]\nseeds = [13]");
    std::fs::write(&file, small).unwrap();
    let sweep = fleet.coordinator().submit(&file);
    assert_eq!(fleet.coordinator().end(&sweep), "finished");
    fleet.kill_the_coordinator();
    for trial in &fleet.coordinator().export(&sweep).trials {
        trial.assert_complete();
    }
}

#[test]
fn every_trial_finishes_with_every_point_once_whatever_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut fleet = Fleet::new(folder.path());
    let file = folder.path().join("torture.toml");
    std::fs::write(&file, SWEEP).unwrap();
    let sweep = fleet.coordinator().submit(&file);
    for round in 0..6 {
        fleet.wait_for_steps(&sweep, 200);
        match round % 3 {
            0 => fleet.kill_a_trial(),
            1 => fleet.kill_the_coordinator(),
            _ => fleet.kill_a_worker(),
        }
    }
    assert_eq!(fleet.coordinator().end(&sweep), "finished");
    let export = fleet.coordinator().export(&sweep);
    assert_eq!(export.trials.len(), 9);
    for trial in &export.trials {
        trial.assert_complete();
        for (step, loss) in &trial.series()["step-loss"] {
            // JSON is read to the last bit but one.
            let difference = (loss - 1.0 / *step as f64).abs();
            assert!(difference < 1e-12, "{} at step {step}: {loss}", trial.name());
        }
    }
    let ends: Vec<&str> = export.trials.iter().flat_map(|trial| trial.ends()).collect();
    for end in ["crashed", "lost", "finished"] {
        assert!(ends.contains(&end), "{end} is missing: {ends:?}");
    }
    for worker in fleet.workers {
        let worker = worker.terminate();
        assert_eq!(worker.code(), 0, "{worker:?}");
    }
}
