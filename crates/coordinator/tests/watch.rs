//! Watchers see every change, and never hold anybody up.
#![allow(clippy::unwrap_used)]

mod support;

use bitsweep_proto::v1;
use support::worker::{Worker, epoch, losses, started};
use support::{CHAIN, Killable, PATIENCE, patient, state};
use v1::watch_update::Update;

async fn watch(coordinator: &Killable) -> tonic::Streaming<v1::WatchUpdate> {
    let newest = v1::WatchRequest { sweep: String::new() };
    coordinator.sweeps().await.watch(newest).await.unwrap().into_inner()
}

async fn next(stream: &mut tonic::Streaming<v1::WatchUpdate>) -> v1::WatchUpdate {
    let update = tokio::time::timeout(PATIENCE, stream.message()).await;
    update.expect("an update in time").unwrap().expect("an open stream")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_gets_a_snapshot_and_then_every_point_in_order() {
    let (_folder, state) = state();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    coordinator.submit(CHAIN).await;
    let mut updates = watch(&coordinator).await;
    let first = next(&mut updates).await;
    let Some(Update::Snapshot(snapshot)) = first.update else { panic!("a snapshot comes first") };
    assert_eq!((snapshot.trials.len(), snapshot.cursor), (2, first.cursor));

    let mut worker = Worker::link(&coordinator.address, "w", 1, &[]).await;
    let attempt = worker.assigned().await.attempt.unwrap();
    worker.report(&attempt, 1, started(0)).await;
    for sequence in 2..=50 {
        worker.report(&attempt, sequence, losses(sequence..=sequence, 0.0)).await;
    }
    worker.report(&attempt, 51, epoch(1, 50)).await;
    let (mut cursor, mut steps, mut was_cut) = (first.cursor, Vec::new(), false);
    let mut has_epoch = false;
    while steps.len() < 49 || !has_epoch {
        let update = next(&mut updates).await;
        assert!(update.cursor > cursor, "cursors grow");
        cursor = update.cursor;
        match update.update.unwrap() {
            Update::Points(added) => {
                was_cut |= added.truncated_after == Some(0);
                let losses =
                    added.series.into_iter().filter(|b| b.metric() == v1::Metric::StepLoss);
                steps.extend(losses.flat_map(|batch| batch.steps));
            }
            Update::Trial(trial) => has_epoch |= !trial.epochs.is_empty(),
            Update::Snapshot(_) => panic!("this watcher keeps up"),
            _ => {}
        }
    }
    assert!(was_cut, "the first attempt starts its series");
    assert_eq!(steps, (2..=50).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_that_does_not_read_holds_nobody_up_and_is_brought_up_to_date_later() {
    let (_folder, state) = state();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    coordinator.submit(CHAIN).await;
    let mut slow = watch(&coordinator).await;
    assert!(matches!(next(&mut slow).await.update, Some(Update::Snapshot(_))));

    let mut worker = Worker::link(&coordinator.address, "w", 1, &[]).await;
    let attempt = worker.assigned().await.attempt.unwrap();
    worker.report(&attempt, 1, started(0)).await;
    // Far more than sockets and queues hold on the way to one watcher.
    let mut sequence = 2;
    for _ in 0..80 {
        let lines = (0..100).map(|_| {
            let message = "x".repeat(2000);
            let level = v1::Level::Info.into();
            v1::trial_event::Event::Log(v1::LogLine { level, message, time_ms: 0 })
        });
        worker.reports(&attempt, sequence, lines.collect()).await;
        sequence += 100;
        worker.acknowledged(sequence - 1).await;
    }
    worker.report(&attempt, sequence, epoch(1, 10)).await;
    worker.acknowledged(sequence).await;

    let mut snapshots = 0;
    loop {
        match next(&mut slow).await.update.unwrap() {
            Update::Snapshot(snapshot) => {
                snapshots += 1;
                if snapshot.trials.iter().any(|trial| !trial.epochs.is_empty()) {
                    break;
                }
            }
            Update::Trial(trial) if !trial.epochs.is_empty() => break,
            _ => {}
        }
    }
    assert!(snapshots > 0, "what it missed comes as a snapshot");
}
