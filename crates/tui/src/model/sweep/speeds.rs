//! What a trial costs in seconds, measured where it can be and scaled from its kin where not. Sums
//! are kept, so that a measurement more costs the same however many trials there are.

use bitsweep_sweep::Network;

use super::Trials;
use crate::model::trial::{Trial, TrialState};

/// A sum and how many went into it.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    sum: f64,
    n: u32,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.n += 1;
    }

    fn remove(&mut self, value: f64) {
        self.n = self.n.saturating_sub(1);
        // An empty sum is exactly nothing, whatever rounding left of it.
        self.sum = if self.n == 0 { 0.0 } else { self.sum - value };
    }

    fn value(self) -> Option<f64> {
        (self.n > 0).then(|| self.sum / f64::from(self.n))
    }
}

/// Seconds a training image takes, its share of evaluation included, as measured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Speeds {
    /// By trial.
    measured: Vec<Option<f64>>,
    /// By network and whether it is full precision.
    by_kind: [[Mean; 2]; Network::ALL.len()],
    by_network: [Mean; Network::ALL.len()],
    /// Divided by the multiply-accumulates of an image.
    by_work: Mean,
}

impl Speeds {
    /// Takes in what the trial at `at` measured; `images` are those of an epoch.
    pub(super) fn set(&mut self, at: usize, trial: &Trial, images: Option<u64>) {
        if self.measured.len() <= at {
            self.measured.resize(at + 1, None);
        }
        let network = place(trial.spec.model.network);
        let kind = &mut self.by_kind[network][usize::from(trial.spec.bits.is_full())];
        let of_network = &mut self.by_network[network];
        let work = trial.size.map(|s| s.multiply_accumulates as f64).filter(|w| *w > 0.0);
        if let Some(before) = self.measured[at] {
            kind.remove(before);
            of_network.remove(before);
            work.into_iter().for_each(|w| self.by_work.remove(before / w));
        }
        let now = images.and_then(|images| seconds_per_image(trial, images));
        if let Some(now) = now {
            kind.add(now);
            of_network.add(now);
            work.into_iter().for_each(|w| self.by_work.add(now / w));
        }
        self.measured[at] = now;
    }

    /// From the nearest kin: network and kind of precision, then network, then any trial by the
    /// multiply-accumulates of an image.
    fn seconds_per_image(&self, trial: &Trial) -> Option<f64> {
        let network = place(trial.spec.model.network);
        let kind = self.by_kind[network][usize::from(trial.spec.bits.is_full())];
        kind.value().or_else(|| self.by_network[network].value()).or_else(|| {
            Some(self.by_work.value()? * trial.size?.multiply_accumulates as f64)
                .filter(|seconds| *seconds > 0.0)
        })
    }
}

fn place(network: Network) -> usize {
    Network::ALL.iter().position(|n| *n == network).unwrap_or_default()
}

/// Seconds until `trial` ends once it has a slot; `None` while unknown.
pub(crate) fn remaining(trials: &Trials, trial: &Trial) -> Option<f64> {
    if trial.state.is_final() {
        return Some(0.0);
    }
    let running = trial.state == TrialState::Running;
    if let Some(seconds) = running.then(|| from_progress(trial)).flatten() {
        return Some(seconds);
    }
    let known = trials.images(trial).map(|(train, _)| train);
    let images = known.or(trial.spec.data.train_images.map(u64::from))? as f64;
    let epochs = f64::from(trial.spec.train.epochs);
    let steps = (images / f64::from(trial.spec.train.batch_size.max(1))).ceil() * epochs;
    let done = trial.checkpoint_step.unwrap_or(0) as f64 / steps.max(1.0);
    let each = trials.speeds().seconds_per_image(trial)?;
    Some(each * images * epochs * (1.0 - done.clamp(0.0, 1.0)))
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut mean = Mean::default();
    values.for_each(|v| mean.add(v));
    mean.value()
}

fn seconds_per_image(trial: &Trial, images: u64) -> Option<f64> {
    let trained = trial.epochs.iter().filter(|e| e.epoch > 0).map(|e| e.seconds);
    if let Some(seconds) = mean(trained) {
        return Some(seconds / images.max(1) as f64);
    }
    let rate = trial.progress.map(|p| p.images_per_second).filter(|r| *r > 0.0)?;
    Some(1.0 / rate + evaluation_seconds(trial) / images.max(1) as f64)
}

/// Seconds an epoch spends outside training steps.
fn evaluation_seconds(trial: &Trial) -> f64 {
    let steps_an_epoch = trial
        .progress
        .filter(|p| p.total_epochs > 0)
        .map_or(0.0, |p| p.total_steps as f64 / f64::from(p.total_epochs));
    let images = steps_an_epoch * f64::from(trial.spec.train.batch_size);
    let measured = trial.epochs.iter().filter_map(|e| {
        let rate = e.images_per_second.filter(|r| *r > 0.0)?;
        Some((e.seconds - images / rate).max(0.0))
    });
    mean(measured)
        .or_else(|| trial.epochs.iter().find(|e| e.epoch == 0).map(|e| e.seconds))
        .unwrap_or(0.0)
}

/// Seconds left of a running trial: its steps at the recent rate and the evaluations to come.
fn from_progress(trial: &Trial) -> Option<f64> {
    let progress = trial.progress?;
    let newest = trial.epochs.iter().rev().find_map(|e| e.images_per_second);
    let rate = Some(progress.images_per_second).filter(|r| *r > 0.0).or(newest)?;
    let steps = progress.total_steps.saturating_sub(progress.step) as f64;
    let done = trial.epochs.last().map_or(0, |e| e.epoch);
    let evaluations = f64::from(progress.total_epochs.saturating_sub(done));
    let batch = f64::from(trial.spec.train.batch_size);
    Some(steps * batch / rate + evaluations * evaluation_seconds(trial))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use crate::model::sweep::Sweep;
    use crate::view_model::eta::sweep_seconds;

    fn sweep(snapshot: bitsweep_proto::v1::SweepSnapshot) -> Sweep {
        fixture::model(snapshot).sweep.expect("a snapshot came")
    }

    fn close(value: Option<f64>, expected: f64) {
        let value = value.expect("known");
        assert!((value - expected).abs() < 0.05, "{value} is not {expected}");
    }

    #[test]
    fn a_running_trial_needs_its_steps_and_the_evaluations_to_come() {
        let sweep = sweep(fixture::running());
        // 120 of 316 steps of 128 images at 640 a second, and evaluations after epochs 3 and 4.
        // An epoch took 10,000 / 640 + 1.5 s, of which 79 · 128 / 640 s were steps.
        let evaluation = 10_000.0 / 640.0 + 1.5 - 79.0 * 128.0 / 640.0;
        close(remaining(&sweep.trials, &sweep.trials[3]), 120.0 * 128.0 / 640.0 + 2.0 * evaluation);
    }

    #[test]
    fn a_trial_to_come_costs_what_its_network_cost() {
        let sweep = sweep(fixture::running());
        close(remaining(&sweep.trials, &sweep.trials[7]), 4.0 * (10_000.0 / 310.0 + 1.5));
    }

    #[test]
    fn a_resumed_trial_costs_only_what_is_left() {
        let sweep = sweep(fixture::failed());
        close(remaining(&sweep.trials, &sweep.trials[3]), 2.0 * (10_000.0 / 640.0 + 1.5));
    }

    #[test]
    fn an_unmeasured_network_is_scaled_by_its_multiply_accumulates() {
        let mut snapshot = fixture::running();
        for trial in &mut snapshot.trials[8..] {
            *trial = fixture::trial(2, 0).ready();
        }
        let sweep = sweep(snapshot);
        let seconds = remaining(&sweep.trials, &sweep.trials[8]).expect("known");
        assert!(seconds > 0.5 && seconds < 500.0, "{seconds}");
    }

    #[test]
    fn the_end_of_a_sweep_is_its_longest_chain_on_the_slots_there_are() {
        let sweep = sweep(fixture::running());
        let left = |at: usize| remaining(&sweep.trials, &sweep.trials[at]).expect("known");
        // gpu02 ends resnet18/2 and takes alexnet/3 then alexnet/2; gpu03 works on resnet34.
        let chains = [left(3) + left(10) + left(11), left(6) + left(7)];
        close(sweep_seconds(&sweep), chains[0].max(chains[1]));
    }

    #[test]
    fn without_a_measurement_or_a_worker_the_end_is_unknown() {
        assert_eq!(sweep_seconds(&sweep(fixture::empty())), None);
        let mut no_workers = fixture::running();
        no_workers.workers.clear();
        assert_eq!(sweep_seconds(&sweep(no_workers)), None);
    }
}
