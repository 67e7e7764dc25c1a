//! What is wrong is said in one line, and nothing is lost over it.
#![allow(clippy::unwrap_used, missing_docs)]

mod refuser;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bitsweep_proto::v1;
use bitsweep_proto::v1::sweeps_client::SweepsClient;
use bitsweep_tests::{Coordinator, Process, free_address, worker};

const TINY: &str = r#"
name = "tiny"
networks = ["resnet18"]
bits = [32]
[dataset]
name = "fashion-mnist-mini"
train-images = 64
validation-images = 10
[model]
width = 0.0625
[train]
epochs = 1
[retry]
attempts = 1
"#;

fn write(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("sweep.toml");
    fs::write(&path, text).unwrap();
    path
}

/// Checks the tiny sweep with one piece of text replaced.
#[track_caller]
fn refused_file(from: &str, to: &str, words: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    assert!(TINY.contains(from));
    let file = write(folder.path(), &TINY.replace(from, to));
    let state = folder.path().join("state");
    Process::run(["check", file.to_str().unwrap()]).assert_refused(2, words);
    let run = ["run", file.to_str().unwrap(), "--headless", "--state", state.to_str().unwrap()];
    Process::run(run).assert_refused(2, words);
}

#[test]
fn an_unknown_network_is_named_with_the_known_ones() {
    refused_file("resnet18", "resnet19", &["sweep.toml:3:", "resnet19", "resnet18", "alexnet"]);
}

#[test]
fn an_unknown_width_is_named_with_its_line() {
    refused_file("bits = [32]", "bits = [32, 9]", &["sweep.toml:4:", "9"]);
}

#[test]
fn a_missing_file_is_named() {
    Process::run(["run", "/nowhere/sweep.toml", "--headless"])
        .assert_refused(2, &["/nowhere/sweep.toml"]);
}

#[test]
fn a_port_in_use_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let state = folder.path().to_str().unwrap();
    Process::run(["coordinator", "--listen", &address, "--state", state])
        .assert_refused(1, &[&address]);
}

#[test]
fn listening_beyond_this_machine_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_str().unwrap();
    let answer = Process::run(["coordinator", "--listen", "0.0.0.0:0", "--state", state]);
    assert_ne!(answer.code(), 0);
    answer.assert_refused(answer.code(), &["0.0.0.0"]);
}

#[test]
fn a_state_folder_has_one_coordinator_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Coordinator::start(folder.path(), &free_address());
    let state = folder.path().to_str().unwrap();
    Process::run(["coordinator", "--listen", &free_address(), "--state", state])
        .assert_refused(1, &[state]);
}

#[test]
fn a_state_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let state = file.join("state");
    let state = state.to_str().unwrap();
    Process::run(["coordinator", "--listen", "127.0.0.1:0", "--state", state])
        .assert_refused(1, &[state]);
}

#[test]
fn an_unreachable_coordinator_is_named() {
    let address = free_address();
    Process::run(["status", "--coordinator", &address]).assert_refused(1, &[&address]);
    let folder = tempfile::tempdir().unwrap();
    worker(&address, "lonely", folder.path(), &[]).finish().assert_refused(1, &[&address]);
}

#[test]
fn another_protocol_is_final_and_both_versions_are_named() {
    let address = refuser::start("the coordinator speaks protocol 7, the caller protocol 1");
    let words = ["protocol 7", "protocol 1"];
    let folder = tempfile::tempdir().unwrap();
    worker(&address, "old", folder.path(), &[]).finish().assert_refused(1, &words);
    Process::run(["status", "--coordinator", &address]).assert_refused(1, &words);
    let file = write(folder.path(), TINY);
    Process::run(["submit", file.to_str().unwrap(), "--coordinator", &address])
        .assert_refused(1, &words);
}

#[tokio::test]
async fn the_coordinator_refuses_another_protocol_naming_both_versions() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(folder.path(), &free_address());
    let channel =
        tonic::transport::Endpoint::from_shared(format!("http://{}", coordinator.address))
            .unwrap()
            .connect()
            .await
            .unwrap();
    let mut request = tonic::Request::new(v1::ListRequest {});
    request.metadata_mut().insert(bitsweep_proto::PROTOCOL_HEADER, "77".parse().unwrap());
    let status = SweepsClient::new(channel).list(request).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::FailedPrecondition);
    let own = bitsweep_proto::PROTOCOL_VERSION.to_string();
    assert!(status.message().contains("77") && status.message().contains(&own), "{status:?}");
}

#[test]
fn corrupt_images_are_named_and_end_the_trial() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    fs::create_dir(&images).unwrap();
    for file in ["train-images", "train-labels", "t10k-images", "t10k-labels"] {
        let kind = if file.ends_with("images") { "idx3-ubyte" } else { "idx1-ubyte" };
        fs::write(images.join(format!("{file}-{kind}.gz")), "not a gzip file").unwrap();
    }
    let dataset = "name = \"fashion-mnist\"\npath = \"images\"";
    let file = write(folder.path(), &TINY.replace("name = \"fashion-mnist-mini\"", dataset));
    let state = folder.path().join("state");
    let state = state.to_str().unwrap();
    let run = ["run", file.to_str().unwrap(), "--headless", "--state", state, "--workers", "1"];
    let answer = Process::run(run);
    assert_eq!(answer.code(), 1, "{answer:?}");
    let named = answer.stdout.lines().any(|line| line.contains("-ubyte.gz"));
    assert!(named, "the file is named: {answer:?}");
}

#[test]
fn a_trainer_that_prints_garbage_fails_its_trial_and_not_its_worker() {
    let folder = tempfile::tempdir().unwrap();
    let trainer = folder.path().join("trainer");
    let script = "#!/bin/sh\nfor i in 1 2 3 4 5 6 7 8 9; do echo \"epoch $i: loss 2.3, top-1 10 %\"; done\nsleep 600\n";
    fs::write(&trainer, script).unwrap();
    fs::set_permissions(&trainer, fs::Permissions::from_mode(0o755)).unwrap();
    let coordinator = Coordinator::start(&folder.path().join("state"), &free_address());
    let more = ["--trainer", trainer.to_str().unwrap()];
    let worker = worker(&coordinator.address, "strange", &folder.path().join("work"), &more);
    let sweep = coordinator.submit(&write(folder.path(), TINY));
    assert_eq!(coordinator.end(&sweep), "failed");
    let export = coordinator.export(&sweep);
    let [attempt] = export.trials[0].attempts() else { panic!("{}", export.trials[0].0) };
    assert_eq!(attempt["end"], "crashed");
    let message = attempt["message"].as_str().unwrap();
    assert!(message.contains("broke its protocol") && message.contains("loss 2.3"), "{message}");
    assert_eq!(worker.terminate().code(), 0);
}

#[test]
fn a_trainer_that_is_not_there_is_bad_input_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(&folder.path().join("state"), &free_address());
    let more = ["--trainer", "/nowhere/trainer"];
    let worker = worker(&coordinator.address, "strange", &folder.path().join("work"), &more);
    let sweep = coordinator.submit(&write(folder.path(), TINY));
    assert_eq!(coordinator.end(&sweep), "failed");
    let export = coordinator.export(&sweep);
    let attempt = &export.trials[0].attempts()[0];
    assert_eq!(attempt["end"], "bad input");
    assert!(attempt["message"].as_str().unwrap().contains("/nowhere/trainer"), "{attempt}");
    assert_eq!(worker.terminate().code(), 0);
}
