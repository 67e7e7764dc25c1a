//! What was acknowledged is there after the coordinator was killed, and a coordinator that stands still
//! ends nobody's lease.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use bitsweep_proto::v1;
use support::worker::{Worker, checkpoint, epoch, losses, result, started};
use support::{CHAIN, Killable, impatient, patient, state};
use v1::{AttemptEnd, Metric, TrialState};

const PARENT: &str = "resnet18-32-s0";

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_reports_and_running_leases_survive_a_killed_coordinator() {
    let (_folder, state) = state();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    let sweep = coordinator.submit(CHAIN).await;
    let mut worker = Worker::link(&coordinator.address, "w", 1, &[]).await;
    let attempt = worker.assigned().await.attempt.unwrap();
    let blob = coordinator.upload(b"at step 10").await;
    worker.report(&attempt, 1, started(0)).await;
    for sequence in 2..=200 {
        worker.report(&attempt, sequence, losses(sequence..=sequence, 0.5)).await;
    }
    worker.reports(&attempt, 201, vec![epoch(1, 200), checkpoint(200, false, &blob)]).await;
    let durable = worker.acknowledged(150).await;
    coordinator.kill();

    let coordinator = Killable::start(patient(&state)).await.unwrap();
    assert_eq!(coordinator.submit(CHAIN).await, sweep, "the sweep is known");
    let status = coordinator.trial(PARENT).await;
    assert_eq!((status.state(), status.attempts.len()), (TrialState::Running, 1));
    let attempts = std::slice::from_ref(&attempt);
    let mut worker = Worker::link(&coordinator.address, "w", 1, attempts).await;
    let verdict = worker.welcome.verdicts[0].clone();
    assert!(verdict.keep);
    assert!(verdict.durable_sequence >= durable);
    let expected = verdict.durable_sequence.min(200);
    let series = coordinator.series(&attempt.trial_id, Metric::StepLoss).await;
    let steps: Vec<u64> = series.iter().map(|(step, _)| *step).collect();
    assert_eq!(steps, (2..=expected).collect::<Vec<_>>());

    // It sends the rest again, and goes on.
    for sequence in verdict.durable_sequence + 1..=200 {
        worker.report(&attempt, sequence, losses(sequence..=sequence, 0.5)).await;
    }
    if verdict.durable_sequence < 202 {
        let rest = [epoch(1, 200), checkpoint(200, false, &blob)];
        let known = verdict.durable_sequence.saturating_sub(200) as usize;
        worker.reports(&attempt, 201 + known as u64, rest[known..].to_vec()).await;
    }
    worker.report(&attempt, 203, losses(201..=201, 0.5)).await;
    worker.acknowledged(203).await;
    let series = coordinator.series(&attempt.trial_id, Metric::StepLoss).await;
    assert_eq!(series, (2..=201).map(|s| (s, 0.5 + s as f64)).collect::<Vec<_>>());
    let status = coordinator.trial(PARENT).await;
    assert_eq!((status.attempts.len(), status.checkpoint_step), (1, Some(200)));
    assert_eq!(status.epochs.len(), 1);
    assert_eq!(status.provenance.unwrap().device, "none");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loss_that_is_no_number_does_not_keep_the_coordinator_from_starting() {
    let (_folder, state) = state();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    coordinator.submit(CHAIN).await;
    let mut worker = Worker::link(&coordinator.address, "w", 1, &[]).await;
    let attempt = worker.assigned().await.attempt.unwrap();
    let nan = f64::NAN;
    let lost = v1::EpochSummary { epoch: 1, step: 10, validation_loss: nan, ..Default::default() };
    let layer = v1::LayerState { name: "conv".into(), gamma: f64::INFINITY, ..Default::default() };
    let layers = v1::LayerReport { epoch: 1, step: 10, layers: vec![layer] };
    let end = v1::FinalResult { validation_loss: nan, top1: 10.0, ..Default::default() };
    let events = vec![
        started(0),
        v1::trial_event::Event::Epoch(lost),
        v1::trial_event::Event::Layers(layers),
        v1::trial_event::Event::Finished(end),
    ];
    worker.reports(&attempt, 1, events).await;
    worker.acknowledged(4).await;
    coordinator.kill();

    let coordinator = Killable::start(patient(&state)).await.expect("starts again");
    let status = coordinator.trial(PARENT).await;
    assert!(status.epochs[0].validation_loss.is_nan());
    let request = v1::LayersRequest { trial_id: attempt.trial_id };
    let reports = coordinator.sweeps().await.read_layers(request).await.unwrap().into_inner();
    assert_eq!(reports.reports[0].layers[0].gamma, f64::INFINITY);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_trial_stays_finished_after_a_restart() {
    let (_folder, state) = state();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    coordinator.submit(CHAIN).await;
    let mut worker = Worker::link(&coordinator.address, "w", 1, &[]).await;
    let attempt = worker.assigned().await.attempt.unwrap();
    let blob = coordinator.upload(b"the end").await;
    worker.reports(&attempt, 1, vec![started(0), checkpoint(20, true, &blob), result()]).await;
    worker.ended(&attempt, 4, AttemptEnd::Finished).await;
    worker.acknowledged(4).await;
    let child = worker.assigned().await.attempt.unwrap();
    coordinator.kill();

    let coordinator = Killable::start(patient(&state)).await.unwrap();
    let status = coordinator.trial(PARENT).await;
    assert_eq!(status.state(), TrialState::Finished);
    assert_eq!(status.result.unwrap().top1, 90.0);
    // The child's order may or may not have been heard; one that was not is given anew.
    let mut worker = Worker::link(&coordinator.address, "w", 1, &[]).await;
    let again = worker.assigned().await;
    assert_eq!(again.parent_checkpoint, Some(blob));
    let again = again.attempt.unwrap();
    assert_eq!(again.trial_id, child.trial_id);
    assert!(again.attempt >= child.attempt);
}

/// The database is held by somebody else for three leases, as by a disk that hangs or is full.
#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_that_cannot_store_ends_nobodys_lease() {
    let (_folder, state) = state();
    let coordinator = Killable::start(impatient(&state)).await.unwrap();
    let two = CHAIN.replace("[\"resnet18\"]", "[\"resnet18\", \"resnet34\"]");
    coordinator.submit(&two).await;
    // Each could take the other's trial at once.
    let mut workers = Vec::new();
    for id in ["a", "b"] {
        let mut worker = Worker::link(&coordinator.address, id, 1, &[]).await;
        let attempt = worker.assigned().await.attempt.unwrap();
        workers.push((worker, attempt));
    }
    for (index, (worker, attempt)) in workers.iter_mut().enumerate() {
        let attempts = std::slice::from_ref(&*attempt);
        *worker = Worker::link(&coordinator.address, ["a", "b"][index], 2, attempts).await;
        worker.report(attempt, 1, started(0)).await;
        worker.acknowledged(1).await;
    }
    let blocker = rusqlite::Connection::open(state.join("bitsweep.sqlite")).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let beat = async |workers: &[(Worker, v1::AttemptRef)]| {
        for (worker, attempt) in workers {
            worker.heartbeat(std::slice::from_ref(attempt)).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    workers[0].0.report(&workers[0].1, 2, losses(1..=3, 0.0)).await;
    for _ in 0..30 {
        beat(&workers).await;
    }
    blocker.execute_batch("ROLLBACK").unwrap();
    workers[0].0.acknowledged(2).await;
    for _ in 0..5 {
        beat(&workers).await;
    }
    for trial in coordinator.snapshot().await.trials {
        assert!(trial.attempts.len() <= 1, "{:?}", trial.attempts);
        assert!(trial.attempts.iter().all(|a| a.ended_ms.is_none()), "{:?}", trial.attempts);
    }
    let said = coordinator.snapshot().await.log;
    let lost: Vec<_> = said.iter().filter(|line| line.message.contains("not been heard")).collect();
    assert!(lost.is_empty(), "{lost:?}");
}
