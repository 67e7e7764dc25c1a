//! What is not a worker's to say changes nothing, and does not crash whoever said it.
#![allow(clippy::unwrap_used)]

mod support;

use bitsweep_proto::v1;
use support::worker::{Worker, checkpoint, losses, result, started};
use support::{CHAIN, Killable, artifact, patient, state};
use v1::{AttemptEnd, Metric, TrialState};

const PARENT: &str = "resnet18-32-s0";

#[tokio::test(flavor = "multi_thread")]
async fn reports_of_somebody_elses_attempt_are_refused() {
    let (_folder, state) = state();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    coordinator.submit(CHAIN).await;
    let mut owner = Worker::link(&coordinator.address, "owner", 1, &[]).await;
    let attempt = owner.assigned().await.attempt.unwrap();
    let mut other = Worker::link(&coordinator.address, "other", 1, &[]).await;
    other.reports(&attempt, 1, vec![started(0), losses(1..=5, 100.0)]).await;
    assert_eq!(other.cancelled().await, attempt);
    other.ended(&attempt, 1, AttemptEnd::Crashed).await;
    assert_eq!(other.cancelled().await, attempt);

    owner.reports(&attempt, 1, vec![started(0), losses(1..=2, 0.0)]).await;
    owner.acknowledged(2).await;
    let series = coordinator.series(&attempt.trial_id, Metric::StepLoss).await;
    assert_eq!(series, [(1, 1.0), (2, 2.0)]);
    assert_eq!(coordinator.trial(PARENT).await.state(), TrialState::Running);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_taken_after_the_end_of_an_attempt_but_the_end_again() {
    let (_folder, state) = state();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    coordinator.submit(CHAIN).await;
    let mut worker = Worker::link(&coordinator.address, "w", 1, &[]).await;
    let attempt = worker.assigned().await.attempt.unwrap();
    let blob = coordinator.upload(b"the end").await;
    worker.reports(&attempt, 1, vec![started(0), checkpoint(20, true, &blob), result()]).await;
    worker.ended(&attempt, 4, AttemptEnd::Finished).await;
    worker.acknowledged(4).await;
    worker.ended(&attempt, 4, AttemptEnd::Crashed).await;
    assert_eq!(worker.acknowledged(4).await, 4, "its acknowledgement may have been lost");
    worker.report(&attempt, 5, losses(1..=5, 0.0)).await;
    assert_eq!(worker.cancelled().await, attempt);
    let status = coordinator.trial(PARENT).await;
    assert_eq!((status.state(), status.progress), (TrialState::Finished, None));
    assert_eq!(status.attempts[0].end(), AttemptEnd::Finished);
    assert!(coordinator.series(&attempt.trial_id, Metric::StepLoss).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hole_in_the_reports_ends_the_link_and_the_next_one_says_where_to_go_on() {
    let (_folder, state) = state();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    coordinator.submit(CHAIN).await;
    let mut worker = Worker::link(&coordinator.address, "w", 1, &[]).await;
    let attempt = worker.assigned().await.attempt.unwrap();
    worker.report(&attempt, 1, started(0)).await;
    worker.acknowledged(1).await;
    worker.report(&attempt, 3, losses(3..=3, 0.0)).await;
    let reason = worker.end().await.expect_err("it is told why");
    assert_eq!(reason.code(), tonic::Code::Aborted);
    assert!(reason.message().contains("report 3") && reason.message().contains("where 2 is next"));

    let attempts = std::slice::from_ref(&attempt);
    let mut worker = Worker::link(&coordinator.address, "w", 1, attempts).await;
    let verdict = &worker.welcome.verdicts[0];
    assert_eq!((verdict.keep, verdict.durable_sequence), (true, 1));
    worker.reports(&attempt, 2, vec![losses(2..=2, 0.0), losses(3..=3, 0.0)]).await;
    worker.acknowledged(3).await;
    let series = coordinator.series(&attempt.trial_id, Metric::StepLoss).await;
    assert_eq!(series, [(2, 2.0), (3, 3.0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_still_comes_over_a_replaced_link_is_not_heard() {
    let (_folder, state) = state();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    coordinator.submit(CHAIN).await;
    let mut before = Worker::link(&coordinator.address, "w", 1, &[]).await;
    let attempt = before.assigned().await.attempt.unwrap();
    let attempts = std::slice::from_ref(&attempt);
    let mut now = Worker::link(&coordinator.address, "w", 1, attempts).await;
    before.end().await.expect("a replaced link ends without a complaint");
    for sequence in 1..=20 {
        // A hole: it would end the link if anybody listened.
        before.report(&attempt, 100, losses(100..=100, 0.0)).await;
        now.report(&attempt, sequence, losses(sequence..=sequence, 0.0)).await;
        now.acknowledged(sequence).await;
    }
    drop(before);
    now.report(&attempt, 21, losses(21..=21, 0.0)).await;
    now.acknowledged(21).await;
    let series = coordinator.series(&attempt.trial_id, Metric::StepLoss).await;
    assert_eq!(series, (1..=21).map(|step| (step, step as f64)).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_was_never_uploaded_continues_nothing() {
    let (_folder, state) = state();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    coordinator.submit(CHAIN).await;
    let mut worker = Worker::link(&coordinator.address, "w", 1, &[]).await;
    let attempt = worker.assigned().await.attempt.unwrap();
    let nowhere = artifact(b"nowhere");
    worker.reports(&attempt, 1, vec![started(0), checkpoint(10, false, &nowhere)]).await;
    let again = worker.assigned().await;
    assert_eq!(again.attempt.unwrap().attempt, 2);
    assert_eq!(again.resume_checkpoint, None);
    let status = coordinator.trial(PARENT).await;
    assert_eq!(status.attempts[0].end(), AttemptEnd::Crashed);
    assert!(status.attempts[0].message.contains(&nowhere.hash), "{}", status.attempts[0].message);
    assert_eq!(status.checkpoint_step, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_result_of_an_attempt_that_did_not_finish_is_not_the_trials() {
    let (_folder, state) = state();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    coordinator.submit(CHAIN).await;
    let mut worker = Worker::link(&coordinator.address, "w", 1, &[]).await;
    let attempt = worker.assigned().await.attempt.unwrap();
    worker.reports(&attempt, 1, vec![started(0), result()]).await;
    worker.ended(&attempt, 3, AttemptEnd::OutOfMemory).await;
    assert_eq!(worker.assigned().await.attempt.unwrap().attempt, 2);
    assert_eq!(coordinator.trial(PARENT).await.result, None);
    coordinator.kill();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    assert_eq!(coordinator.trial(PARENT).await.result, None);
}
