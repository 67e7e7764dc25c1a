//! What watchers are told adds up to what the store holds, for each of them.
#![allow(clippy::unwrap_used)]

mod support;

use bitsweep_proto::v1;
use support::worker::{
    Worker, checkpoint, end_report, epoch, event_report, losses, result, started,
};
use support::{CHAIN, Killable, PATIENCE, patient, state};
use v1::trial_event::Event;
use v1::watch_update::Update;
use v1::worker_message::Message as Up;
use v1::{AttemptEnd, Metric, TrialState};

const PARENT: &str = "resnet18-32-s0";

/// A watcher that keeps what it is told of one trial, as a dashboard does.
struct Watcher {
    stream: tonic::Streaming<v1::WatchUpdate>,
    cursor: u64,
    losses: Vec<(u64, f64)>,
    trial: v1::TrialStatus,
}

impl Watcher {
    async fn new(coordinator: &Killable) -> Self {
        let newest = v1::WatchRequest { sweep: String::new() };
        let stream = coordinator.sweeps().await.watch(newest).await.unwrap().into_inner();
        let trial = v1::TrialStatus::default();
        let mut watcher = Self { stream, cursor: 0, losses: Vec::new(), trial };
        watcher.next().await;
        assert!(!watcher.trial.trial_id.is_empty(), "a snapshot comes first");
        watcher
    }

    async fn next(&mut self) {
        let update = tokio::time::timeout(PATIENCE, self.stream.message()).await;
        let update = update.expect("an update in time").unwrap().expect("an open stream");
        assert!(update.cursor > self.cursor || self.cursor == 0, "cursors grow");
        self.cursor = update.cursor;
        match update.update.unwrap() {
            Update::Snapshot(snapshot) => {
                let is_it = |t: &v1::TrialStatus| t.trial_id.ends_with(PARENT);
                self.trial = snapshot.trials.into_iter().find(is_it).unwrap();
            }
            Update::Trial(trial) if trial.trial_id == self.trial.trial_id => self.trial = trial,
            Update::Progress(update) if update.trial_id == self.trial.trial_id => {
                self.trial.progress = update.progress;
            }
            Update::Points(added) if added.trial_id == self.trial.trial_id => self.add(added),
            _ => {}
        }
    }

    fn add(&mut self, added: v1::PointsAdded) {
        if let Some(step) = added.truncated_after {
            self.losses.retain(|(at, _)| *at <= step);
        }
        for batch in added.series.into_iter().filter(|b| b.metric() == Metric::StepLoss) {
            for (step, value) in batch.steps.into_iter().zip(batch.values) {
                self.losses.retain(|(at, _)| *at != step);
                self.losses.push((step, value));
            }
        }
    }

    async fn until(&mut self, is_so: impl Fn(&Self) -> bool) {
        while !is_so(self) {
            self.next().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_ends_and_is_followed_at_once_leaves_no_hole() {
    let (_folder, state) = state();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    coordinator.submit(CHAIN).await;
    let mut watchers = [Watcher::new(&coordinator).await, Watcher::new(&coordinator).await];
    let mut worker = Worker::link(&coordinator.address, "w", 1, &[]).await;
    let attempt = worker.assigned().await.attempt.unwrap();
    let blob = coordinator.upload(b"at step 10").await;
    // All in one message, so that it is one batch with the start of the second attempt.
    let events =
        vec![started(0), losses(1..=8, 0.0), losses(9..=14, 0.0), checkpoint(10, false, &blob)];
    worker.reports_and_end(&attempt, 1, events, AttemptEnd::Crashed).await;
    let second = worker.assigned().await;
    assert_eq!(second.resume_checkpoint, Some(blob));
    let second = second.attempt.unwrap();
    worker.reports(&second, 1, vec![started(10), losses(11..=12, 50.0)]).await;
    worker.acknowledged(2).await;

    let stored = coordinator.series(&attempt.trial_id, Metric::StepLoss).await;
    assert_eq!(stored.len(), 12);
    for watcher in &mut watchers {
        watcher.until(|w| w.losses.iter().any(|(_, value)| *value > 50.0)).await;
        assert_eq!(watcher.losses, stored);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_that_ended_shows_no_progress() {
    let (_folder, state) = state();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    coordinator.submit(CHAIN).await;
    let mut watcher = Watcher::new(&coordinator).await;
    let mut worker = Worker::link(&coordinator.address, "w", 1, &[]).await;
    let attempt = worker.assigned().await.attempt.unwrap();
    let blob = coordinator.upload(b"the end").await;
    let progress = v1::Progress { step: 20, total_steps: 20, ..Default::default() };
    worker.report(&attempt, 0, Event::Progress(progress)).await;
    watcher.until(|w| w.trial.progress.is_some()).await;
    let events = [started(0), epoch(1, 20), checkpoint(20, true, &blob), result()];
    let mut reports: Vec<_> =
        (1..).zip(events).map(|(at, event)| event_report(&attempt, at, event)).collect();
    // In the same batch as the end, on both sides of it.
    reports.push(event_report(&attempt, 0, Event::Progress(progress)));
    reports.push(end_report(&attempt, 5, AttemptEnd::Finished));
    reports.push(event_report(&attempt, 0, Event::Progress(progress)));
    worker.send(Up::Reports(v1::Reports { reports })).await;
    let child = worker.assigned().await.attempt.unwrap();
    worker.report(&child, 1, started(0)).await;
    worker.acknowledged(1).await;
    watcher.until(|w| w.trial.state() == TrialState::Finished).await;
    let last = coordinator.snapshot().await.cursor;
    watcher.until(|w| w.cursor >= last).await;
    assert_eq!(watcher.trial.progress, None);
    assert_eq!(watcher.trial.result.as_ref().unwrap().top1, 90.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_without_end_is_cut() {
    let (_folder, state) = state();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    coordinator.submit(CHAIN).await;
    let mut worker = Worker::link(&coordinator.address, "w", 1, &[]).await;
    let attempt = worker.assigned().await.attempt.unwrap();
    let message = "ä".repeat(1 << 20);
    let level = v1::Level::Warn.into();
    worker.report(&attempt, 1, Event::Log(v1::LogLine { level, message, time_ms: 0 })).await;
    worker.acknowledged(1).await;
    let log = coordinator.snapshot().await.log;
    let line = log.iter().find(|line| line.message.starts_with('ä')).unwrap();
    assert!(line.message.len() < 1 << 14, "{}", line.message.len());
    assert_eq!(line.worker_name, "name of w");
}
