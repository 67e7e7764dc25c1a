//! When a running trial says what: points in batches, progress a few times a second.
//!
//! Pure: time is an input, events are the output.

use std::collections::VecDeque;
use std::time::Duration;

use bitsweep_sweep::{Metric, Phase, PointBatch, Progress, TrialEvent};

/// Steps in one batch of points, unless time runs out first.
const POINTS_STEPS: usize = 20;
/// A point is never held back longer than this.
const POINTS_DELAY: Duration = Duration::from_secs(1);
/// Between two progress events of the same phase.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);
/// Steps over which the recent throughput is taken.
const RECENT_STEPS: usize = 20;

/// One optimizer step as measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct StepRecord {
    /// Steps done over the whole trial.
    pub step: u64,
    /// Mean loss of the batch.
    pub loss: f64,
    /// Of the weights.
    pub learning_rate: f64,
    /// Images of the batch.
    pub images: u64,
    /// Seconds of the whole step, waiting included.
    pub seconds: f64,
    /// Seconds the step waited for its batch.
    pub data_wait: f64,
}

/// Collects steps and decides what to say.
#[derive(Debug)]
pub(crate) struct Reporter {
    total_steps: u64,
    total_epochs: u32,
    step: u64,
    phase: Phase,
    epoch: u32,
    pending: Vec<StepRecord>,
    pending_since: Duration,
    recent: VecDeque<(u64, f64)>,
    losses: (f64, u64),
    last_progress: Duration,
}

impl Reporter {
    /// A reporter of a trial of `total_steps` of which `step` are done.
    pub(crate) fn new(total_steps: u64, total_epochs: u32, step: u64) -> Self {
        Self {
            total_steps,
            total_epochs,
            step,
            phase: Phase::LoadingData,
            epoch: 0,
            pending: Vec::with_capacity(POINTS_STEPS),
            pending_since: Duration::ZERO,
            recent: VecDeque::with_capacity(RECENT_STEPS),
            losses: (0.0, 0),
            last_progress: Duration::ZERO,
        }
    }

    /// Something else is being done from `now` on: everything pending, then the new phase.
    pub(crate) fn enter(&mut self, phase: Phase, epoch: u32, now: Duration) -> Vec<TrialEvent> {
        self.phase = phase;
        self.epoch = epoch;
        let mut events = self.flush();
        events.push(self.progress(now));
        events
    }

    /// A step is done.
    pub(crate) fn step(&mut self, record: StepRecord, now: Duration) -> Vec<TrialEvent> {
        if self.pending.is_empty() {
            self.pending_since = now;
        }
        self.step = record.step;
        self.pending.push(record);
        self.losses = (self.losses.0 + record.loss, self.losses.1 + 1);
        if self.recent.len() == RECENT_STEPS {
            self.recent.pop_front();
        }
        self.recent.push_back((record.images, record.seconds));
        let due = now.saturating_sub(self.pending_since) >= POINTS_DELAY;
        let mut events =
            if due || self.pending.len() >= POINTS_STEPS { self.flush() } else { Vec::new() };
        events.extend(self.tick(now));
        events
    }

    /// Time has passed within the phase.
    pub(crate) fn tick(&mut self, now: Duration) -> Option<TrialEvent> {
        (now.saturating_sub(self.last_progress) >= PROGRESS_INTERVAL).then(|| self.progress(now))
    }

    /// All pending steps, as one batch a metric.
    pub(crate) fn flush(&mut self) -> Vec<TrialEvent> {
        if self.pending.is_empty() {
            return Vec::new();
        }
        let steps: Vec<u64> = self.pending.iter().map(|record| record.step).collect();
        let batch = |metric, value: fn(&StepRecord) -> f64| {
            let values = self.pending.iter().map(value).collect();
            TrialEvent::Points(PointBatch { metric, steps: steps.clone(), values })
        };
        let events = vec![
            batch(Metric::StepLoss, |record| record.loss),
            batch(Metric::LearningRate, |record| record.learning_rate),
            batch(Metric::ImagesPerSecond, |r| per_second(r.images, r.seconds)),
            batch(Metric::DataWaitSeconds, |record| record.data_wait),
        ];
        self.pending.clear();
        events
    }

    fn progress(&mut self, now: Duration) -> TrialEvent {
        self.last_progress = now;
        let (sum, count) = std::mem::take(&mut self.losses);
        let (images, seconds) =
            self.recent.iter().fold((0, 0.0), |(i, s), &(images, time)| (i + images, s + time));
        TrialEvent::Progress(Progress {
            phase: self.phase,
            step: self.step,
            total_steps: self.total_steps,
            epoch: self.epoch,
            total_epochs: self.total_epochs,
            images_per_second: per_second(images, seconds),
            loss: (count > 0).then(|| sum / count as f64),
        })
    }
}

/// `images / seconds`, 0 where nothing was measured.
pub(crate) fn per_second(images: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { images as f64 / seconds } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(step: u64) -> StepRecord {
        let learning_rate = 0.1;
        StepRecord {
            step,
            loss: step as f64,
            learning_rate,
            images: 8,
            seconds: 0.5,
            data_wait: 0.1,
        }
    }

    fn steps_of(events: &[TrialEvent], wanted: Metric) -> Vec<u64> {
        let of = |event: &TrialEvent| match event {
            TrialEvent::Points(batch) if batch.metric == wanted => batch.steps.clone(),
            _ => Vec::new(),
        };
        events.iter().flat_map(of).collect()
    }

    fn progress_of(events: &[TrialEvent]) -> Vec<Progress> {
        let of = |event: &TrialEvent| match event {
            TrialEvent::Progress(progress) => Some(*progress),
            _ => None,
        };
        events.iter().filter_map(of).collect()
    }

    #[test]
    fn every_step_is_reported_once_in_every_metric_and_batches_hold_whole_steps() {
        let mut reporter = Reporter::new(50, 1, 0);
        let mut events = Vec::new();
        for step in 1..=50 {
            events.extend(reporter.step(record(step), Duration::from_millis(step)));
        }
        assert_eq!(steps_of(&events, Metric::StepLoss), (1..=40).collect::<Vec<_>>());
        events.extend(reporter.enter(Phase::Evaluating, 1, Duration::from_millis(60)));
        for metric in [
            Metric::StepLoss,
            Metric::LearningRate,
            Metric::ImagesPerSecond,
            Metric::DataWaitSeconds,
        ] {
            assert_eq!(steps_of(&events, metric), (1..=50).collect::<Vec<_>>());
        }
        assert!(reporter.flush().is_empty());
    }

    #[test]
    fn a_slow_step_does_not_wait_for_others() {
        let mut reporter = Reporter::new(50, 1, 0);
        assert!(
            steps_of(&reporter.step(record(1), Duration::from_secs(1)), Metric::StepLoss)
                .is_empty()
        );
        let events = reporter.step(record(2), Duration::from_secs(2));
        assert_eq!(steps_of(&events, Metric::StepLoss), [1, 2]);
    }

    #[test]
    fn progress_comes_four_times_a_second_at_most_with_the_mean_loss_since_the_last() {
        let mut reporter = Reporter::new(100, 1, 0);
        let mut events = reporter.enter(Phase::Training, 1, Duration::ZERO);
        for step in 1..=100 {
            events.extend(reporter.step(record(step), Duration::from_millis(10 * step)));
        }
        let progress = progress_of(&events);
        assert_eq!(progress.len(), 5);
        assert_eq!(progress[0].loss, None);
        assert_eq!(progress[1].loss, Some(13.0), "mean of 1 to 25");
        assert_eq!(progress[4].step, 100);
        assert_eq!(progress[4].images_per_second, 16.0);
    }
}
