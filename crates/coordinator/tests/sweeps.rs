//! Sweeps as clients know them: ids, what blocks and what unblocks, workers of before.
#![allow(clippy::unwrap_used)]

mod support;

use bitsweep_proto::v1;
use support::worker::{Worker, checkpoint, result, started};
use support::{CHAIN, Killable, patient, state, submission};
use v1::{AttemptEnd, Liveness, SweepState, TrialState};

const PARENT: &str = "resnet18-32-s0";
const CHILD: &str = "resnet18-4-s0";

#[tokio::test(flavor = "multi_thread")]
async fn every_key_gets_an_id_of_its_own_also_when_one_begins_like_another() {
    let (_folder, state) = state();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    let keys = ["abcdef1234", "abcdef", "abcdef1", "a", "abcdef12345"];
    let mut ids = Vec::new();
    for key in keys {
        let mut request = submission(CHAIN);
        request.key = Some(key.to_owned());
        let first = coordinator.sweeps().await.submit(request.clone()).await.unwrap().into_inner();
        let again = coordinator.sweeps().await.submit(request).await.unwrap().into_inner();
        assert!(first.created && !again.created, "{key}");
        assert_eq!(first.sweep_id, again.sweep_id);
        assert!(!ids.contains(&first.sweep_id), "{} twice", first.sweep_id);
        ids.push(first.sweep_id);
    }
    coordinator.kill();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    let list = coordinator.sweeps().await.list(v1::ListRequest {}).await.unwrap().into_inner();
    let mut listed: Vec<String> = list.sweeps.into_iter().map(|sweep| sweep.sweep_id).collect();
    listed.sort();
    ids.sort();
    assert_eq!(listed, ids);

    let mut request = submission(CHAIN);
    request.key = Some("no/key".to_owned());
    let refusal = coordinator.sweeps().await.submit(request).await.unwrap_err();
    assert_eq!(refusal.code(), tonic::Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_failed_trial_blocked_waits_again_after_resume_and_runs_in_the_end() {
    let (_folder, state) = state();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    let sweep = coordinator.submit(CHAIN).await;
    let mut worker = Worker::link(&coordinator.address, "w", 1, &[]).await;
    let attempt = worker.assigned().await.attempt.unwrap();
    worker.reports_and_end(&attempt, 1, vec![started(0)], AttemptEnd::BadInput).await;
    worker.acknowledged(2).await;
    assert_eq!(coordinator.trial(PARENT).await.state(), TrialState::Failed);
    assert_eq!(coordinator.trial(CHILD).await.state(), TrialState::Blocked);
    let ended = coordinator.snapshot().await.summary.unwrap();
    assert_eq!((ended.state(), ended.failed), (SweepState::Failed, 1));
    assert!(ended.ended_ms.is_some());
    // It stays so over a restart.
    coordinator.kill();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    assert_eq!(coordinator.snapshot().await.summary.unwrap(), ended);

    let mut worker = Worker::link(&coordinator.address, "w", 1, &[]).await;
    let resumed = coordinator.sweeps().await.resume(v1::ResumeRequest { sweep }).await;
    assert_eq!(resumed.unwrap().into_inner().resumed, 2);
    let attempt = worker.assigned().await.attempt.unwrap();
    assert_eq!(attempt.attempt, 2);
    assert_eq!(coordinator.trial(CHILD).await.state(), TrialState::Waiting);
    let summary = coordinator.snapshot().await.summary.unwrap();
    assert_eq!((summary.state(), summary.ended_ms), (SweepState::Active, None));
    let blob = coordinator.upload(b"the end").await;
    let events = vec![started(0), checkpoint(20, true, &blob), result()];
    worker.reports_and_end(&attempt, 1, events, AttemptEnd::Finished).await;
    let child = worker.assigned().await;
    assert_eq!(child.spec.unwrap().name, CHILD);
    assert_eq!(child.parent_checkpoint, Some(blob));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_with_a_failed_and_a_cancelled_trial_has_failed() {
    let (_folder, state) = state();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    let two = CHAIN.replace("[\"resnet18\"]", "[\"resnet18\", \"resnet34\"]");
    let sweep = coordinator.submit(&two).await;
    let mut worker = Worker::link(&coordinator.address, "w", 1, &[]).await;
    let attempt = worker.assigned().await.attempt.unwrap();
    worker.reports_and_end(&attempt, 1, vec![started(0)], AttemptEnd::BadInput).await;
    worker.acknowledged(2).await;
    let cancel = v1::CancelRequest { sweep };
    let cancelled = coordinator.sweeps().await.cancel(cancel).await.unwrap().into_inner();
    assert_eq!(cancelled.cancelled, 2, "failed and blocked stay what they are");
    let live = coordinator.snapshot().await.summary.unwrap();
    assert_eq!(live.state(), SweepState::Failed);
    assert!(live.ended_ms.is_some(), "the scheduler thinks so, too");
    coordinator.kill();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    assert_eq!(coordinator.snapshot().await.summary.unwrap(), live);
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_hold_leases_are_shown_after_a_restart_and_drains_over_reconnections() {
    let (_folder, state) = state();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    coordinator.submit(CHAIN).await;
    let mut worker = Worker::link(&coordinator.address, "w", 1, &[]).await;
    let attempt = worker.assigned().await.attempt.unwrap();
    coordinator.kill();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    let shown = coordinator.snapshot().await.workers;
    assert_eq!(shown.len(), 1);
    assert_eq!((shown[0].name.as_str(), shown[0].liveness()), ("name of w", Liveness::Silent));
    assert_eq!(shown[0].running, std::slice::from_ref(&attempt));

    let attempts = std::slice::from_ref(&attempt);
    let mut worker = Worker::link(&coordinator.address, "w", 1, attempts).await;
    worker.send(v1::worker_message::Message::Draining(v1::Draining {})).await;
    worker.report(&attempt, 1, started(0)).await;
    worker.acknowledged(1).await;
    let shown = coordinator.snapshot().await.workers;
    assert_eq!((shown[0].liveness(), shown[0].draining), (Liveness::Connected, true));
    let _again = Worker::link(&coordinator.address, "w", 1, attempts).await;
    let shown = coordinator.snapshot().await.workers;
    assert!(shown[0].draining, "it said so before");
    assert_eq!(shown[0].running, attempts);
}
