//! What becomes of trial processes.

use bitsweep_proto::v1;
use v1::AttemptEnd;
use v1::trial_event::Event;

use super::{Coordinator, Running, gone, key, process};

/// Runs one trial of the stand-in to its end.
async fn end_of(mode: &str) -> (v1::Ended, Vec<Event>) {
    let coordinator = Coordinator::start().await;
    let worker = Running::start(&coordinator, mode);
    let key = key(mode);
    coordinator.assign(&key).await;
    let ended = coordinator.end(&key).await;
    let events = coordinator.events(&key);
    worker.leave().await.unwrap();
    assert_eq!(coordinator.with(|record| record.breaches.clone()), Vec::<String>::new());
    (ended, events)
}

#[tokio::test]
async fn a_trial_that_finishes_is_delivered_whole_and_leaves_nothing_behind() {
    let coordinator = Coordinator::start().await;
    let worker = Running::start(&coordinator, "finish");
    let key = key("finish");
    coordinator.assign(&key).await;
    let ended = coordinator.end(&key).await;
    assert_eq!((ended.reason(), ended.message.as_str()), (AttemptEnd::Finished, ""));

    let events = coordinator.events(&key);
    let steps: Vec<u64> = events
        .iter()
        .filter_map(|event| match event {
            Event::Points(points) => Some(points.steps[0]),
            _ => None,
        })
        .collect();
    assert_eq!(steps, (1..=10).collect::<Vec<_>>());
    let saved: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Checkpoint(checkpoint) => Some(checkpoint.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(saved.iter().map(|c| c.r#final).collect::<Vec<_>>(), [false, true]);
    for checkpoint in saved {
        assert_eq!(checkpoint.path, None, "paths stay on the worker");
        let hash = checkpoint.artifact.unwrap().hash;
        let blob = coordinator.with(|record| record.blobs[&hash].clone());
        let expected = format!("checkpoint at step {}", checkpoint.step).repeat(100_000);
        assert!(blob == expected.as_bytes(), "the blob is the file's contents");
    }
    let Some(Event::Started(started)) = events.iter().find(|e| matches!(e, Event::Started(_)))
    else {
        panic!("{events:?}")
    };
    let provenance = started.provenance.clone().unwrap();
    assert_eq!((provenance.threads, provenance.device.as_str()), (3, "flex"));
    coordinator
        .wait(|record| record.heartbeats.last().filter(|last| last.running.is_empty()).map(|_| ()))
        .await;
    assert_eq!(worker.files(), Vec::<std::path::PathBuf>::new());
    worker.leave().await.unwrap();
}

#[tokio::test]
async fn a_crash_costs_the_attempt_and_quotes_the_log() {
    let (ended, events) = end_of("crash").await;
    assert_eq!(ended.reason(), AttemptEnd::Crashed);
    assert!(ended.message.contains("status 101"), "{}", ended.message);
    assert!(ended.message.ends_with("first words | index out of bounds"), "{}", ended.message);
    let logged =
        |event: &Event| matches!(event, Event::Log(l) if l.message == "index out of bounds");
    assert!(events.iter().any(logged), "log lines are forwarded");
}

#[tokio::test]
async fn a_kill_from_outside_is_told_as_one() {
    let (ended, _) = end_of("kill").await;
    // The kernel of this very host may have killed something meanwhile.
    assert!(matches!(ended.reason(), AttemptEnd::Crashed | AttemptEnd::OutOfMemory));
    assert!(ended.message.contains("memory"), "{}", ended.message);
}

#[tokio::test]
async fn printed_text_breaks_the_protocol_and_ends_the_process() {
    let (ended, _) = end_of("print").await;
    assert_eq!(ended.reason(), AttemptEnd::Crashed);
    assert!(ended.message.contains("broke its protocol"), "{}", ended.message);
    assert!(ended.message.contains("loss 2.3"), "what was printed is shown: {}", ended.message);
}

#[tokio::test]
async fn an_absurd_length_is_refused_without_waiting_for_its_bytes() {
    let (ended, _) = end_of("huge").await;
    assert_eq!(ended.reason(), AttemptEnd::Crashed);
    assert!(ended.message.contains("1073741824 bytes"), "{}", ended.message);
}

#[tokio::test]
async fn a_failure_keeps_its_reason_and_words() {
    let (ended, _) = end_of("fail").await;
    assert_eq!(ended.reason(), AttemptEnd::Diverged);
    assert_eq!(ended.message, "loss is NaN at step 7");
}

#[tokio::test]
async fn a_missing_program_is_bad_input_that_names_it() {
    let coordinator = Coordinator::start().await;
    let worker = Running::start_with(&coordinator, vec!["/nowhere/trainer".into()]);
    let key = key("missing");
    coordinator.assign(&key).await;
    let ended = coordinator.end(&key).await;
    assert_eq!(ended.reason(), AttemptEnd::BadInput);
    assert!(ended.message.contains("/nowhere/trainer"), "{}", ended.message);
    worker.leave().await.unwrap();
}

#[tokio::test]
async fn a_checkpoint_outside_its_folder_is_not_read() {
    let (ended, _) = end_of("outside").await;
    assert_eq!(ended.reason(), AttemptEnd::Crashed);
    assert!(ended.message.contains("outside the folder"), "{}", ended.message);
}

#[tokio::test]
async fn checkpoints_are_fetched_and_verified_before_the_start() {
    let coordinator = Coordinator::start().await;
    let worker = Running::start(&coordinator, "show-inputs");
    let store = |contents: &str, bytes: &str| {
        let hash = blake3::hash(contents.as_bytes()).to_hex().to_string();
        coordinator.with(|record| record.blobs.insert(hash.clone(), bytes.into()));
        Some(v1::ArtifactRef { hash, bytes: contents.len() as u64 })
    };
    let good = key("good");
    coordinator
        .assign_with(&good, store("of the parent", "of the parent"), store("own", "own"))
        .await;
    assert_eq!(coordinator.end(&good).await.reason(), AttemptEnd::Finished);
    let logged: Vec<_> = coordinator
        .events(&good)
        .into_iter()
        .filter_map(|event| match event {
            Event::Log(line) if !line.message.starts_with("process") => Some(line.message),
            _ => None,
        })
        .collect();
    assert_eq!(logged, ["parent Some(\"of the parent\")", "resume Some(\"own\")"]);

    for (name, artifact, problem) in [
        ("damaged", store("what was saved", "what was read"), "damaged"),
        ("longer", store("short", "short and more"), "damaged"),
        ("lost", Some(v1::ArtifactRef { hash: "0".repeat(64), bytes: 1 }), "does not have"),
        ("path", Some(v1::ArtifactRef { hash: "../x".into(), bytes: 1 }), "not the hash"),
    ] {
        let key = key(name);
        coordinator.assign_with(&key, artifact, None).await;
        let ended = coordinator.end(&key).await;
        assert_eq!(ended.reason(), AttemptEnd::Crashed, "{name}");
        assert!(ended.message.contains(problem), "{name}: {}", ended.message);
    }
    worker.leave().await.unwrap();
}

#[tokio::test]
async fn uploads_that_fail_are_tried_again() {
    let coordinator = Coordinator::start().await;
    coordinator.with(|record| record.failing_uploads = 2);
    let worker = Running::start(&coordinator, "finish");
    let key = key("finish");
    coordinator.assign(&key).await;
    assert_eq!(coordinator.end(&key).await.reason(), AttemptEnd::Finished);
    assert_eq!(coordinator.with(|record| record.blobs.len()), 2);
    worker.leave().await.unwrap();
}

#[tokio::test]
async fn leaving_saves_a_checkpoint_and_gives_the_lease_back() {
    let coordinator = Coordinator::start().await;
    let worker = Running::start(&coordinator, "until-stopped");
    let key = key("running");
    coordinator.assign(&key).await;
    coordinator.reports(&key, 5).await;
    let process = process(&coordinator, &key).await;
    worker.leave().await.unwrap();
    assert_eq!(coordinator.end(&key).await.reason(), AttemptEnd::Drained);
    let events = coordinator.events(&key);
    let [.., Event::Checkpoint(saved), Event::Stopped(_)] = events.as_slice() else {
        panic!("{:?}", &events[events.len() - 2..])
    };
    let blobs = coordinator.with(|record| record.blobs.len());
    assert!(saved.artifact.is_some() && blobs == 1);
    assert_eq!(coordinator.with(|record| record.drainings), 1);
    assert!(!process.exists());
}

#[tokio::test]
async fn dropping_the_worker_kills_its_trials() {
    let coordinator = Coordinator::start().await;
    let worker = Running::start(&coordinator, "print");
    drop(worker);
    let worker = Running::start(&coordinator, "until-stopped");
    let key = key("running");
    coordinator.assign(&key).await;
    let process = process(&coordinator, &key).await;
    assert!(process.exists());
    worker.worker.abort();
    gone(&process).await;
}

#[tokio::test]
async fn a_worker_that_cannot_write_gives_its_leases_back_and_says_why_it_goes() {
    let coordinator = Coordinator::start().await;
    let worker = Running::start(&coordinator, "finish");
    coordinator.wait(|record| (!record.hellos.is_empty()).then_some(())).await;
    // A file where a folder is expected: as final as a full disk, also for root.
    let own = std::fs::read_dir(worker.directory.path()).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_dir_all(&own).unwrap();
    std::fs::write(&own, "").unwrap();
    let folder = worker.directory.path().to_str().unwrap().to_owned();
    let key = key("finish");
    coordinator.assign(&key).await;
    assert_eq!(coordinator.end(&key).await.reason(), AttemptEnd::Drained);
    let error = worker.ended().await.unwrap_err().to_string();
    assert!(error.contains(&folder) && error.lines().count() == 1, "{error}");
}
