//! What a worker may rely on: leases, fences, acknowledgements, and the order of trials.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use bitsweep_proto::v1;
use support::worker::{Worker, checkpoint, epoch, losses, result, started};
use support::{CHAIN, Killable, impatient, patient, state};
use v1::{AttemptEnd, Metric, SweepState, TrialState};

const PARENT: &str = "resnet18-32-s0";
const CHILD: &str = "resnet18-4-s0";

#[tokio::test(flavor = "multi_thread")]
async fn the_same_file_is_the_same_sweep() {
    let (_folder, state) = state();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    let mut client = coordinator.sweeps().await;
    let first = client.submit(support::submission(CHAIN)).await.unwrap().into_inner();
    let second = client.submit(support::submission(CHAIN)).await.unwrap().into_inner();
    assert!(first.created && !second.created);
    assert_eq!(first.sweep_id, second.sweep_id);
    assert!(first.sweep_id.starts_with("chain-"), "{}", first.sweep_id);
    let wrong = CHAIN.replace("resnet18", "resnet19");
    let refusal = client.submit(support::submission(&wrong)).await.unwrap_err();
    assert_eq!(refusal.code(), tonic::Code::InvalidArgument);
    assert!(refusal.message().starts_with("test.toml:2:"), "{}", refusal.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_starts_from_its_parents_final_checkpoint_on_the_same_worker() {
    let (_folder, state) = state();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    let mut near = Worker::link(&coordinator.address, "near", 1, &[]).await;
    coordinator.submit(CHAIN).await;
    let parent = near.assigned().await;
    assert_eq!(parent.spec.as_ref().unwrap().name, PARENT);
    assert_eq!((parent.parent_checkpoint, parent.resume_checkpoint), (None, None));
    let _far = Worker::link(&coordinator.address, "far", 8, &[]).await;
    assert_eq!(coordinator.trial(CHILD).await.state(), TrialState::Waiting);

    let parent = parent.attempt.unwrap();
    let blob = coordinator.upload(b"the parent at its end").await;
    let events = vec![started(0), losses(1..=20, 0.0), checkpoint(20, true, &blob), result()];
    near.reports(&parent, 1, events).await;
    near.ended(&parent, 5, AttemptEnd::Finished).await;
    let child = near.assigned().await;
    assert_eq!(child.spec.as_ref().unwrap().name, CHILD);
    assert_eq!((child.parent_checkpoint, child.resume_checkpoint), (Some(blob.clone()), None));

    let child = child.attempt.unwrap();
    near.reports(&child, 1, vec![started(0), checkpoint(20, true, &blob), result()]).await;
    near.ended(&child, 4, AttemptEnd::Finished).await;
    near.acknowledged(4).await;
    let summary = coordinator.snapshot().await.summary.unwrap();
    assert_eq!(summary.state(), SweepState::Finished);
    assert_eq!((summary.trials, summary.finished), (2, 2));
    assert!(summary.ended_ms.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_comes_twice_counts_once_and_is_acknowledged_again() {
    let (_folder, state) = state();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    coordinator.submit(CHAIN).await;
    let mut worker = Worker::link(&coordinator.address, "w", 1, &[]).await;
    let attempt = worker.assigned().await.attempt.unwrap();
    worker.reports(&attempt, 1, vec![started(0), losses(1..=5, 0.0), losses(6..=9, 0.0)]).await;
    worker.acknowledged(3).await;
    // The same numbers with other content: the first to arrive counts.
    worker.reports(&attempt, 2, vec![losses(1..=5, 100.0), losses(6..=12, 100.0)]).await;
    assert_eq!(worker.acknowledged(3).await, 3);
    let expected: Vec<_> = (1..=9).map(|step| (step, step as f64)).collect();
    assert_eq!(coordinator.series(&attempt.trial_id, Metric::StepLoss).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_workers_trial_continues_elsewhere_and_its_late_reports_are_refused() {
    let (_folder, state) = state();
    let coordinator = Killable::start(impatient(&state)).await.unwrap();
    coordinator.submit(CHAIN).await;
    let mut silent = Worker::link(&coordinator.address, "silent", 1, &[]).await;
    let first = silent.assigned().await.attempt.unwrap();
    let blob = coordinator.upload(b"at step 10").await;
    let events = vec![
        started(0),
        losses(1..=10, 0.0),
        epoch(1, 10),
        checkpoint(10, false, &blob),
        losses(11..=14, 0.0),
        epoch(2, 14),
    ];
    silent.reports(&first, 1, events).await;
    silent.acknowledged(6).await;
    // Nothing more is heard of it, though its link stays open.
    let mut other = Worker::link(&coordinator.address, "other", 1, &[]).await;
    let second = loop {
        other.heartbeat(&[]).await;
        let message = tokio::time::timeout(Duration::from_millis(100), other.assigned()).await;
        if let Ok(assign) = message {
            break assign;
        }
    };
    assert_eq!(second.resume_checkpoint, Some(blob));
    let second = second.attempt.unwrap();
    assert_eq!((&second.trial_id, second.attempt), (&first.trial_id, 2));
    let kept: Vec<u64> = coordinator
        .series(&first.trial_id, Metric::StepLoss)
        .await
        .into_iter()
        .map(|(step, _)| step)
        .collect();
    assert_eq!(kept, (1..=10).collect::<Vec<_>>(), "the rest is measured again");
    let tops = coordinator.series(&first.trial_id, Metric::Top1).await;
    assert_eq!(tops, [(10, 51.0)]);

    silent.report(&first, 7, losses(15..=16, 0.0)).await;
    assert_eq!(silent.cancelled().await, first);
    let (mut attempts, mut epochs) = (Vec::new(), Vec::new());
    let status = coordinator.trial(PARENT).await;
    for attempt in &status.attempts {
        attempts.push((attempt.attempt, attempt.end(), attempt.from_step));
    }
    for epoch in &status.epochs {
        epochs.push(epoch.epoch);
    }
    assert_eq!(attempts, [(1, AttemptEnd::Lost, 0), (2, AttemptEnd::Unspecified, 10)]);
    assert_eq!(epochs, [1]);
    let steps = coordinator.series(&first.trial_id, Metric::StepLoss).await.len();
    assert_eq!(steps, 10, "what came under the fence is not stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_comes_back_keeps_what_nobody_else_was_given() {
    let (_folder, state) = state();
    let coordinator = Killable::start(impatient(&state)).await.unwrap();
    coordinator.submit(CHAIN).await;
    let mut worker = Worker::link(&coordinator.address, "w", 1, &[]).await;
    let attempt = worker.assigned().await.attempt.unwrap();
    worker.reports(&attempt, 1, vec![started(0), losses(1..=3, 0.0)]).await;
    worker.acknowledged(2).await;
    drop(worker);
    let lost = coordinator.until(PARENT, |t| t.attempts[0].end() == AttemptEnd::Lost).await;
    assert_eq!(lost.state(), TrialState::Ready);

    let back = Worker::link(&coordinator.address, "w", 1, std::slice::from_ref(&attempt)).await;
    assert_eq!(back.welcome.verdicts.len(), 1);
    let verdict = &back.welcome.verdicts[0];
    assert!(verdict.keep);
    assert_eq!(verdict.durable_sequence, 2);
    let status = coordinator.trial(PARENT).await;
    assert_eq!((status.state(), status.attempts.len()), (TrialState::Running, 1));
    assert_eq!(status.attempts[0].end(), AttemptEnd::Unspecified);
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_stops_what_runs_and_resuming_continues_under_a_new_number() {
    let (_folder, state) = state();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    let sweep = coordinator.submit(CHAIN).await;
    let mut worker = Worker::link(&coordinator.address, "w", 2, &[]).await;
    let first = worker.assigned().await.attempt.unwrap();
    let blob = coordinator.upload(b"at step 10").await;
    worker.reports(&first, 1, vec![started(0), checkpoint(10, false, &blob)]).await;
    worker.acknowledged(2).await;

    let mut client = coordinator.sweeps().await;
    let cancel = v1::CancelRequest { sweep: sweep.clone() };
    assert_eq!(client.cancel(cancel.clone()).await.unwrap().into_inner().cancelled, 2);
    assert_eq!(worker.cancelled().await, first);
    assert_eq!(client.cancel(cancel).await.unwrap().into_inner().cancelled, 0);
    let summary = coordinator.snapshot().await.summary.unwrap();
    assert_eq!(summary.state(), SweepState::Cancelled);
    // What the process still said on its way out changes nothing.
    worker.ended(&first, 3, AttemptEnd::Cancelled).await;
    assert_eq!(worker.cancelled().await, first);
    let status = coordinator.trial(PARENT).await;
    assert_eq!((status.state(), status.attempts.len()), (TrialState::Cancelled, 1));

    let resume = v1::ResumeRequest { sweep };
    assert_eq!(client.resume(resume).await.unwrap().into_inner().resumed, 2);
    let again = worker.assigned().await;
    assert_eq!(again.resume_checkpoint, Some(blob));
    assert_eq!(again.attempt.unwrap().attempt, 2);
    assert_eq!(coordinator.snapshot().await.summary.unwrap().state(), SweepState::Active);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_that_keeps_crashing_fails_with_every_reason_kept_and_blocks_its_child() {
    let (_folder, state) = state();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    coordinator.submit(CHAIN).await;
    let mut worker = Worker::link(&coordinator.address, "w", 1, &[]).await;
    for number in 1..=3 {
        let attempt = worker.assigned().await.attempt.unwrap();
        assert_eq!(attempt.attempt, number);
        worker.report(&attempt, 1, started(0)).await;
        worker.ended(&attempt, 2, AttemptEnd::Crashed).await;
        worker.acknowledged(2).await;
    }
    let status = coordinator.until(PARENT, |t| t.state() == TrialState::Failed).await;
    let ends: Vec<_> = status.attempts.iter().map(|a| (a.end(), a.message.as_str())).collect();
    assert_eq!(ends, [(AttemptEnd::Crashed, "as told"); 3]);
    assert_eq!(coordinator.trial(CHILD).await.state(), TrialState::Blocked);
    assert_eq!(coordinator.snapshot().await.summary.unwrap().state(), SweepState::Failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_that_finishes_without_its_final_checkpoint_does_not_hang_its_children() {
    let (_folder, state) = state();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    coordinator.submit(CHAIN).await;
    let mut worker = Worker::link(&coordinator.address, "w", 1, &[]).await;
    let attempt = worker.assigned().await.attempt.unwrap();
    worker.reports(&attempt, 1, vec![started(0), result()]).await;
    worker.ended(&attempt, 3, AttemptEnd::Finished).await;
    let again = worker.assigned().await;
    assert_eq!(again.spec.unwrap().name, PARENT, "it is tried again");
    assert_eq!(again.attempt.unwrap().attempt, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_protocol_version_is_refused_naming_both() {
    let (_folder, state) = state();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    let channel = bitsweep_proto::endpoint(&coordinator.address).unwrap().connect().await.unwrap();
    let mut request = tonic::Request::new(v1::ListRequest {});
    request.metadata_mut().insert(bitsweep_proto::PROTOCOL_HEADER, "99".parse().unwrap());
    let refusal = v1::sweeps_client::SweepsClient::new(channel.clone()).list(request).await;
    let refusal = refusal.unwrap_err();
    assert_eq!(refusal.code(), tonic::Code::FailedPrecondition);
    let ours = format!("protocol {}", bitsweep_proto::PROTOCOL_VERSION);
    assert!(refusal.message().contains(&ours) && refusal.message().contains("protocol 99"));

    let mut link = tonic::Request::new(tokio_stream::pending());
    link.metadata_mut().insert(bitsweep_proto::PROTOCOL_HEADER, "99".parse().unwrap());
    let refusal = v1::workers_client::WorkersClient::new(channel).link(link).await.unwrap_err();
    assert_eq!(refusal.code(), tonic::Code::FailedPrecondition);
}
