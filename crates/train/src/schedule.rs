//! The learning rate of every step.

use std::f64::consts::PI;

use bitsweep_sweep::TrainSettings;

/// Linear warm-up, then half a cosine (Loshchilov & Hutter 2017, Eq. 5, without restarts).
///
/// With `W` warm-up steps of `T`, step `k` (from 1) has `peak · k / W` while `k ≤ W`; then
/// `end + (peak − end)(1 + cos(π · (k − 1 − W) / (T − W))) / 2`: the first step after the warm-up
/// has the peak and the end is approached but not wasted on a step of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    peak: f64,
    end: f64,
    warmup_steps: u64,
    total_steps: u64,
}

impl Schedule {
    /// The schedule of a trial whose epochs have `steps_per_epoch` steps.
    pub fn new(settings: &TrainSettings, steps_per_epoch: u64) -> Self {
        let total_steps = u64::from(settings.epochs) * steps_per_epoch;
        let warmup_steps = (settings.warmup_epochs * steps_per_epoch as f64).round() as u64;
        Self {
            peak: settings.learning_rate,
            end: settings.learning_rate * settings.final_learning_rate_fraction,
            warmup_steps: warmup_steps.min(total_steps),
            total_steps,
        }
    }

    /// The learning rate of `step`, which counts from 1 over the whole trial.
    pub fn learning_rate(&self, step: u64) -> f64 {
        if step <= self.warmup_steps {
            return self.peak * step as f64 / self.warmup_steps as f64;
        }
        let done = step.min(self.total_steps).saturating_sub(1 + self.warmup_steps);
        let length = (self.total_steps - self.warmup_steps).max(1);
        let cosine = (PI * done as f64 / length as f64).cos();
        self.end + (self.peak - self.end) * (1.0 + cosine) / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::settings;

    fn schedule(warmup_epochs: f64, fraction: f64) -> Schedule {
        let mut settings = settings();
        settings.epochs = 4;
        settings.learning_rate = 0.8;
        settings.warmup_epochs = warmup_epochs;
        settings.final_learning_rate_fraction = fraction;
        Schedule::new(&settings, 10)
    }

    #[test]
    fn without_warm_up_it_is_the_closed_form_of_the_cosine() {
        let schedule = schedule(0.0, 0.1);
        for step in 1..=40_u64 {
            let expected = 0.08 + 0.72 * (1.0 + (PI * (step - 1) as f64 / 40.0).cos()) / 2.0;
            assert!((schedule.learning_rate(step) - expected).abs() < 1e-15, "step {step}");
        }
        assert_eq!(schedule.learning_rate(1), 0.8);
        assert!((schedule.learning_rate(21) - 0.44).abs() < 1e-12, "half way is the mean");
    }

    #[test]
    fn warm_up_rises_linearly_to_the_peak_and_the_cosine_starts_there() {
        let schedule = schedule(0.5, 0.0);
        for step in 1..=5 {
            assert!((schedule.learning_rate(step) - 0.16 * step as f64).abs() < 1e-15);
        }
        assert_eq!(schedule.learning_rate(6), 0.8);
        let mut previous = 0.8;
        for step in 7..=40 {
            let rate = schedule.learning_rate(step);
            assert!(rate < previous && rate > 0.0, "step {step}: {rate}");
            previous = rate;
        }
    }

    #[test]
    fn a_warm_up_longer_than_the_trial_never_leaves_the_ramp() {
        let schedule = schedule(9.0, 0.0);
        assert_eq!(schedule.learning_rate(40), 0.8);
        assert_eq!(schedule.learning_rate(20), 0.4);
    }
}
