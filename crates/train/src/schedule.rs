//! The learning rate of every step.

use std::f64::consts::PI;

use bitsweep_sweep::{Schedule as Shape, TrainSettings};

/// Linear warm-up, then half a cosine (Loshchilov & Hutter 2017, Eq. 5, without restarts), steps or the
/// peak.
///
/// With `W` warm-up steps of `T`, step `k` (from 1) has `peak · k / W` while `k ≤ W`. Then:
/// - cosine: `end + (peak − end)(1 + cos(π · (k − 1 − W) / (T − W))) / 2`: the first step after the
///   warm-up has the peak and the end is approached but not wasted on a step of its own;
/// - step: the peak times the factor for every epoch of the list that is over, warm-up included;
/// - constant: the peak.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    shape: Shape,
    peak: f64,
    warmup_steps: u64,
    steps_per_epoch: u64,
    total_steps: u64,
}

impl Schedule {
    /// The schedule of a trial whose epochs have `steps_per_epoch` steps.
    pub fn new(settings: &TrainSettings, steps_per_epoch: u64) -> Self {
        let total_steps = u64::from(settings.epochs) * steps_per_epoch;
        let warmup_steps = (settings.warmup_epochs * steps_per_epoch as f64).round() as u64;
        Self {
            shape: settings.schedule.clone(),
            peak: settings.learning_rate,
            warmup_steps: warmup_steps.min(total_steps),
            steps_per_epoch: steps_per_epoch.max(1),
            total_steps,
        }
    }

    /// The learning rate of `step`, which counts from 1 over the whole trial.
    pub fn learning_rate(&self, step: u64) -> f64 {
        if step <= self.warmup_steps {
            return self.peak * step as f64 / self.warmup_steps as f64;
        }
        match &self.shape {
            Shape::Cosine { final_fraction } => {
                let done = step.min(self.total_steps).saturating_sub(1 + self.warmup_steps);
                let length = (self.total_steps - self.warmup_steps).max(1);
                let cosine = (PI * done as f64 / length as f64).cos();
                let end = self.peak * final_fraction;
                end + (self.peak - end) * (1.0 + cosine) / 2.0
            }
            Shape::Step { epochs, factor } => {
                let epochs_done = step.saturating_sub(1) / self.steps_per_epoch;
                let cuts = epochs.iter().filter(|&&epoch| u64::from(epoch) <= epochs_done).count();
                self.peak * factor.powi(cuts as i32)
            }
            Shape::Constant => self.peak,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::settings;

    fn schedule(warmup_epochs: f64, shape: Shape) -> Schedule {
        let settings = TrainSettings {
            epochs: 4,
            learning_rate: 0.8,
            warmup_epochs,
            schedule: shape,
            ..settings()
        };
        Schedule::new(&settings, 10)
    }

    fn cosine(warmup_epochs: f64, final_fraction: f64) -> Schedule {
        schedule(warmup_epochs, Shape::Cosine { final_fraction })
    }

    #[test]
    fn without_warm_up_it_is_the_closed_form_of_the_cosine() {
        let schedule = cosine(0.0, 0.1);
        for step in 1..=40_u64 {
            let expected = 0.08 + 0.72 * (1.0 + (PI * (step - 1) as f64 / 40.0).cos()) / 2.0;
            assert!((schedule.learning_rate(step) - expected).abs() < 1e-15, "step {step}");
        }
        assert_eq!(schedule.learning_rate(1), 0.8);
        assert!((schedule.learning_rate(21) - 0.44).abs() < 1e-12, "half way is the mean");
    }

    #[test]
    fn warm_up_rises_linearly_to_the_peak_and_the_cosine_starts_there() {
        let schedule = cosine(0.5, 0.0);
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
        let schedule = cosine(9.0, 0.0);
        assert_eq!(schedule.learning_rate(40), 0.8);
        assert_eq!(schedule.learning_rate(20), 0.4);
    }

    #[test]
    fn steps_fall_with_the_first_step_after_an_epoch_of_the_list() {
        let schedule = schedule(0.5, Shape::Step { epochs: vec![1, 3], factor: 0.1 });
        let rates = [5, 6, 10, 11, 30, 31, 40].map(|step| schedule.learning_rate(step));
        let expected = [0.8, 0.8, 0.8, 0.08, 0.08, 0.008, 0.008];
        for (rate, expected) in rates.iter().zip(expected) {
            assert!((rate - expected).abs() < 1e-12, "{rates:?}");
        }
        assert!(schedule.learning_rate(1) < 0.2, "warm-up comes first");
    }

    #[test]
    fn constant_is_the_peak_after_the_warm_up() {
        let schedule = schedule(1.0, Shape::Constant);
        assert_eq!(schedule.learning_rate(5), 0.4);
        assert!((11..=40).all(|step| schedule.learning_rate(step) == 0.8));
    }

    #[test]
    fn a_trial_without_epochs_has_no_step_and_no_trouble() {
        let settings = TrainSettings { epochs: 0, ..settings() };
        let schedule = Schedule::new(&settings, 10);
        assert!(schedule.learning_rate(1).is_finite());
    }
}
