//! The points of one trial that are on this side of the wire, bounded.

use std::collections::BTreeMap;

use bitsweep_proto::v1;
use bitsweep_sweep::{Metric, PointBatch};

/// Points kept a series; more than a terminal has dots, few enough to redraw at any time.
const CAPACITY: usize = 8192;

/// One metric of one trial. `steps` ascend.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series {
    pub(crate) steps: Vec<u64>,
    pub(crate) values: Vec<f64>,
}

impl Series {
    /// Adds points; at a step that is known the new value replaces the old one.
    fn merge(&mut self, steps: &[u64], values: &[f64]) {
        for (&step, &value) in steps.iter().zip(values) {
            match self.steps.last() {
                Some(&last) if last >= step => match self.steps.binary_search(&step) {
                    Ok(at) => self.values[at] = value,
                    Err(at) => {
                        self.steps.insert(at, step);
                        self.values.insert(at, value);
                    }
                },
                _ => {
                    self.steps.push(step);
                    self.values.push(value);
                }
            }
        }
        if self.steps.len() > CAPACITY {
            self.thin();
        }
    }

    fn truncate_after(&mut self, step: u64) {
        let keep = self.steps.partition_point(|&s| s <= step);
        self.steps.truncate(keep);
        self.values.truncate(keep);
    }

    /// Keeps the lowest and the highest of every four points, so that spikes survive.
    fn thin(&mut self) {
        let all: Vec<(u64, f64)> =
            self.steps.iter().copied().zip(self.values.iter().copied()).collect();
        let kept = all.chunks(4).flat_map(|chunk| {
            let by_value = |a: &&(u64, f64), b: &&(u64, f64)| a.1.total_cmp(&b.1);
            let low = *chunk.iter().min_by(by_value).unwrap_or(&chunk[0]);
            let high = *chunk.iter().max_by(by_value).unwrap_or(&chunk[0]);
            let (first, second) = if low.0 <= high.0 { (low, high) } else { (high, low) };
            std::iter::once(first).chain((first.0 != second.0).then_some(second))
        });
        (self.steps, self.values) = kept.unzip();
    }
}

/// What the model does with an answer to a request for points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fetch {
    /// Nothing is under way.
    Idle,
    /// An answer is awaited.
    Pending,
    /// Points were dropped while an answer was awaited: the answer may hold them, so ask again.
    Outdated,
}

/// All series of one trial that the dashboard follows.
#[derive(Clone, Debug)]
pub(crate) struct TrialSeries {
    pub(crate) metrics: BTreeMap<Metric, Series>,
    pub(crate) fetch: Fetch,
}

impl TrialSeries {
    /// Awaits the first answer.
    pub(crate) fn pending() -> Self {
        Self { metrics: BTreeMap::new(), fetch: Fetch::Pending }
    }

    /// Points as they become durable.
    pub(crate) fn add(&mut self, batches: Vec<v1::PointBatch>, truncated_after: Option<u64>) {
        if let Some(step) = truncated_after {
            self.metrics.values_mut().for_each(|s| s.truncate_after(step));
            if self.fetch == Fetch::Pending {
                self.fetch = Fetch::Outdated;
            }
        }
        self.merge(batches);
    }

    /// The answer to a request. `false`: it is outdated, ask again.
    pub(crate) fn answer(&mut self, batches: Vec<v1::PointBatch>) -> bool {
        if self.fetch == Fetch::Outdated {
            self.fetch = Fetch::Pending;
            return false;
        }
        self.fetch = Fetch::Idle;
        // What was streamed meanwhile is newer than the answer.
        let newer = std::mem::take(&mut self.metrics);
        self.merge(batches);
        for (metric, series) in newer {
            self.metrics.entry(metric).or_default().merge(&series.steps, &series.values);
        }
        true
    }

    fn merge(&mut self, batches: Vec<v1::PointBatch>) {
        // A metric this program does not know is of no use to it.
        for batch in batches.into_iter().filter_map(|b| PointBatch::try_from(b).ok()) {
            self.metrics.entry(batch.metric).or_default().merge(&batch.steps, &batch.values);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(steps: &[u64], value: f64) -> Vec<v1::PointBatch> {
        vec![v1::PointBatch {
            metric: v1::Metric::StepLoss.into(),
            steps: steps.to_vec(),
            values: vec![value; steps.len()],
        }]
    }

    fn loss(series: &TrialSeries) -> &Series {
        &series.metrics[&Metric::StepLoss]
    }

    #[test]
    fn a_resumed_attempt_replaces_its_steps() {
        let mut series = TrialSeries::pending();
        assert!(series.answer(batch(&[1, 2, 3, 4, 5], 1.0)));
        series.add(batch(&[4, 5, 6], 2.0), Some(3));
        assert_eq!(loss(&series).steps, [1, 2, 3, 4, 5, 6]);
        assert_eq!(loss(&series).values, [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]);
    }

    #[test]
    fn points_streamed_while_an_answer_is_awaited_win_over_it() {
        let mut series = TrialSeries::pending();
        series.add(batch(&[3, 4], 2.0), None);
        assert!(series.answer(batch(&[1, 2, 3], 1.0)));
        assert_eq!(loss(&series).steps, [1, 2, 3, 4]);
        assert_eq!(loss(&series).values, [1.0, 1.0, 2.0, 2.0]);
    }

    #[test]
    fn an_answer_that_may_hold_dropped_points_is_asked_for_again() {
        let mut series = TrialSeries::pending();
        series.add(batch(&[3], 2.0), Some(2));
        assert!(!series.answer(batch(&[1, 2, 3, 9], 1.0)));
        assert!(series.answer(batch(&[1, 2, 3], 1.0)));
        assert_eq!(loss(&series).steps, [1, 2, 3]);
    }

    #[test]
    fn a_long_series_stays_bounded_and_keeps_its_spike() {
        let mut series = Series::default();
        let steps: Vec<u64> = (1..=3 * CAPACITY as u64).collect();
        let values: Vec<f64> = steps.iter().map(|&s| if s == 777 { 99.0 } else { 1.0 }).collect();
        for (s, v) in steps.chunks(1000).zip(values.chunks(1000)) {
            series.merge(s, v);
        }
        assert!(series.steps.len() <= CAPACITY);
        assert!(series.values.contains(&99.0));
        assert!(series.steps.is_sorted());
    }
}
