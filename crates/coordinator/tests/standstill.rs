//! A store that stands still lets the coordinator be stopped, and nothing be promised meanwhile.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use bitsweep_proto::v1;
use support::worker::{Worker, losses, started};
use support::{CHAIN, Killable, PATIENCE, patient, state};
use v1::Metric;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_stored_was_not_answered_and_the_folder_is_held_until_nobody_writes() {
    let (_folder, state) = state();
    let mut first = Killable::start(patient(&state)).await.unwrap();
    let blocker = rusqlite::Connection::open(state.join("bitsweep.sqlite")).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut client = first.sweeps().await;
    let asking = tokio::spawn(async move { client.submit(support::submission(CHAIN)).await });
    // Whatever is asked after it waits behind it.
    let mut other = first.sweeps().await;
    let moment = Duration::from_millis(300);
    while tokio::time::timeout(moment, other.list(v1::ListRequest {})).await.is_ok() {}
    assert!(!asking.is_finished());
    first.stop().await.unwrap();
    let refusal = asking.await.unwrap().unwrap_err();
    assert_eq!(refusal.code(), tonic::Code::Unavailable, "{refusal}");

    // Its last transaction may still be under way.
    let message = Killable::start(patient(&state)).await.err().unwrap().to_string();
    assert!(message.contains("another coordinator"), "{message}");
    blocker.execute_batch("ROLLBACK").unwrap();
    let again = async {
        loop {
            match Killable::start(patient(&state)).await {
                Ok(coordinator) => return coordinator,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    let second = tokio::time::timeout(PATIENCE, again).await.expect("the folder is let go");
    let sweep = second.submit(CHAIN).await;
    assert_eq!(second.submit(CHAIN).await, sweep);
    let sweeps = second.sweeps().await.list(v1::ListRequest {}).await.unwrap().into_inner().sweeps;
    assert_eq!(sweeps.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_that_never_reads_does_not_keep_it_from_stopping() {
    let (_folder, state) = state();
    let mut coordinator = Killable::start(patient(&state)).await.unwrap();
    coordinator.submit(CHAIN).await;
    let newest = v1::WatchRequest { sweep: String::new() };
    let _deaf = coordinator.sweeps().await.watch(newest).await.unwrap().into_inner();
    let mut worker = Worker::link(&coordinator.address, "w", 1, &[]).await;
    let attempt = worker.assigned().await.attempt.unwrap();
    worker.report(&attempt, 1, started(0)).await;
    for sequence in 2..600 {
        let first = sequence * 1000;
        worker.report(&attempt, sequence, losses(first..=first + 99, 0.0)).await;
        worker.acknowledged(sequence).await;
    }
    let stored = coordinator.series(&attempt.trial_id, Metric::StepLoss).await.len();
    assert_eq!(stored, 598 * 100, "it holds up nobody");
    coordinator.stop().await.unwrap();
    assert!(!state.join("address").exists());
    let second = Killable::start(patient(&state)).await.unwrap();
    assert_eq!(second.series(&attempt.trial_id, Metric::StepLoss).await.len(), stored);
}
