//! What becomes of the link to the coordinator.

use std::time::Duration;

use bitsweep_proto::v1;
use bitsweep_worker::{Worker, WorkerError, WorkerOptions};
use tokio_util::sync::CancellationToken;
use v1::coordinator_message::Message as Down;
use v1::trial_event::Event;

use super::coordinator::reference;
use super::{Coordinator, Running, gone, key, process, stand_in};

#[tokio::test]
async fn training_goes_on_without_the_coordinator_and_everything_arrives_once() {
    let mut coordinator = Coordinator::start().await;
    let worker = Running::start(&coordinator, "until-stopped");
    let key = key("running");
    coordinator.assign(&key).await;
    coordinator.reports(&key, 10).await;
    let process = process(&coordinator, &key).await;
    for round in 2..5 {
        // What arrives from here on is durable, but the worker does not know it.
        coordinator.with(|record| record.silent = true);
        let before = coordinator.with(|record| record.durable[&key].len());
        coordinator.reports(&key, before + 10).await;
        coordinator.die();
        coordinator.with(|record| record.silent = false);
        tokio::time::sleep(Duration::from_millis(50)).await;
        coordinator.come_back().await;
        coordinator.wait(|record| (record.hellos.len() >= round).then_some(())).await;
        let before = coordinator.with(|record| record.durable[&key].len());
        coordinator.reports(&key, before + 10).await;
    }
    assert!(process.exists(), "one process all the time");
    worker.leave().await.unwrap();

    let hellos = coordinator.with(|record| record.hellos.clone());
    assert!(hellos.windows(2).all(|pair| pair[0].worker_id == pair[1].worker_id));
    assert_eq!(hellos[1].attempts, [reference(&key)]);
    assert_eq!(coordinator.with(|record| record.breaches.clone()), Vec::<String>::new());
    let steps: Vec<u64> = coordinator
        .events(&key)
        .into_iter()
        .filter_map(|event| match event {
            Event::Points(points) => Some(points.steps[0]),
            _ => None,
        })
        .collect();
    assert_eq!(steps, (1..=steps.len() as u64).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_fenced_attempt_is_stopped_when_the_worker_comes_back() {
    let mut coordinator = Coordinator::start().await;
    let worker = Running::start(&coordinator, "until-stopped");
    let fenced = key("fenced");
    coordinator.assign(&fenced).await;
    let process = process(&coordinator, &fenced).await;
    coordinator.die();
    coordinator.with(|record| record.fenced.push(fenced.clone()));
    coordinator.come_back().await;
    gone(&process).await;
    let nothing_runs = |heartbeat: &v1::Heartbeat| heartbeat.running.is_empty();
    coordinator
        .wait(|record| record.heartbeats.last().filter(|last| nothing_runs(last)).map(|_| ()))
        .await;
    // The slot is free again.
    let next = key("next");
    coordinator.assign(&next).await;
    coordinator.reports(&next, 3).await;
    worker.leave().await.unwrap();
}

#[tokio::test]
async fn a_cancelled_attempt_is_stopped() {
    let coordinator = Coordinator::start().await;
    let worker = Running::start(&coordinator, "until-stopped");
    let key = key("cancelled");
    coordinator.assign(&key).await;
    let process = process(&coordinator, &key).await;
    let cancel = v1::CancelAttempt { attempt: Some(reference(&key)), reason: "by hand".into() };
    coordinator.say(Down::Cancel(cancel)).await;
    gone(&process).await;
    worker.leave().await.unwrap();
}

#[tokio::test]
async fn a_drain_from_the_coordinator_ends_the_worker_in_good_order() {
    let coordinator = Coordinator::start().await;
    let worker = Running::start(&coordinator, "until-stopped");
    let key = key("drained");
    coordinator.assign(&key).await;
    coordinator.reports(&key, 3).await;
    coordinator.say(Down::Drain(v1::Drain {})).await;
    worker.ended().await.unwrap();
    assert_eq!(coordinator.end(&key).await.reason(), v1::AttemptEnd::Drained);
}

#[tokio::test]
async fn heartbeats_name_what_runs_and_how_the_host_is() {
    let coordinator = Coordinator::start().await;
    let worker = Running::start(&coordinator, "until-stopped");
    let key = key("running");
    coordinator.assign(&key).await;
    let beat = coordinator
        .wait(|record| record.heartbeats.iter().rfind(|b| !b.running.is_empty()).cloned())
        .await;
    assert_eq!(beat.running, [reference(&key)]);
    if cfg!(target_os = "linux") {
        let telemetry = beat.telemetry.unwrap();
        assert!(telemetry.memory_used_bytes.unwrap() < telemetry.memory_total_bytes.unwrap());
    }
    worker.leave().await.unwrap();
}

#[tokio::test]
async fn another_protocol_is_final_and_named() {
    let coordinator = Coordinator::start().await;
    let refusal = "the coordinator speaks protocol 2, the caller protocol 1".to_owned();
    coordinator.with(|record| record.refusal = Some(refusal.clone()));
    let worker = Running::start(&coordinator, "finish");
    let error = worker.ended().await.unwrap_err();
    assert!(matches!(error, WorkerError::Refused { .. }), "{error:?}");
    assert!(error.to_string().ends_with(&refusal), "{error}");
}

#[tokio::test]
async fn an_unreachable_coordinator_is_named_in_one_line() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let directory = tempfile::tempdir().unwrap();
    let mut options =
        WorkerOptions::new(&address, directory.path(), vec![stand_in().into(), "finish".into()]);
    options.patience = Duration::from_millis(10);
    let error = Worker::run(options.clone(), CancellationToken::new()).await.unwrap_err();
    assert!(error.to_string().contains(&address) && error.to_string().lines().count() == 1);
    options.coordinator = "nonsense".into();
    let error = Worker::run(options, CancellationToken::new()).await.unwrap_err();
    assert!(matches!(error, WorkerError::Address(_)), "{error:?}");
}
