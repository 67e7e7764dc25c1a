//! Gradient clipping by the L2 norm of all gradients together.

use bitsweep_models::ParameterGroup;
use rayon::prelude::*;

/// Elements summed by one task. Parts of a fixed size added in order: the same sum on any number of threads.
const TASK: usize = 1 << 15;

/// The norm of one step's gradients, and what it does to them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clipping {
    largest: f64,
    squares: f64,
}

impl Clipping {
    /// Gradients together no longer than `largest`.
    pub(crate) fn new(largest: f64) -> Self {
        Self { largest, squares: 0.0 }
    }

    /// Whether a group's gradients count and are clipped: all but those of quantizers, which have a limit of
    /// their own.
    pub(crate) fn concerns(group: ParameterGroup) -> bool {
        match group {
            ParameterGroup::Weight | ParameterGroup::Bias | ParameterGroup::BatchNorm => true,
            ParameterGroup::Interval | ParameterGroup::Gamma => false,
        }
    }

    /// Counts a gradient in.
    pub(crate) fn add(&mut self, group: ParameterGroup, gradient: &[f32]) {
        if Self::concerns(group) {
            self.squares += squares(gradient);
        }
    }

    /// What every gradient is to be multiplied by, if they are too long together.
    pub(crate) fn factor(&self) -> Option<f32> {
        let norm = self.squares.sqrt();
        (norm > self.largest).then(|| (self.largest / norm) as f32)
    }
}

fn squares(values: &[f32]) -> f64 {
    let of = |part: &[f32]| part.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>();
    let parts: Vec<f64> = values.par_chunks(TASK).map(of).collect();
    parts.into_iter().sum()
}

/// Multiplies a gradient by the factor.
pub(crate) fn scale(gradient: &mut [f32], factor: f32) {
    gradient.par_chunks_mut(TASK).for_each(|part| part.iter_mut().for_each(|v| *v *= factor));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_gradients_come_out_with_the_largest_norm_and_short_ones_unchanged() {
        let mut clipping = Clipping::new(1.0);
        clipping.add(ParameterGroup::Weight, &[3.0; 1]);
        assert_eq!(clipping.factor(), Some(1.0 / 3.0));
        clipping.add(ParameterGroup::Bias, &[4.0]);
        clipping.add(ParameterGroup::BatchNorm, &[12.0]);
        clipping.add(ParameterGroup::Interval, &[1e9]);
        clipping.add(ParameterGroup::Gamma, &[1e9]);
        let factor = clipping.factor().unwrap_or(1.0);
        assert!((factor - 1.0 / 13.0).abs() < 1e-7);
        let mut gradient = [3.0, 4.0, 12.0];
        scale(&mut gradient, factor);
        assert!((squares(&gradient) - 1.0).abs() < 1e-6);
        let mut short = Clipping::new(20.0);
        short.add(ParameterGroup::Weight, &[3.0, 4.0, 12.0]);
        assert_eq!(short.factor(), None);
    }

    #[test]
    fn the_sum_does_not_depend_on_the_number_of_threads() {
        let values: Vec<f32> = (0..5 * TASK + 7).map(|i| (i as f32 * 0.37).sin()).collect();
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.map(|pool| pool.install(|| squares(&values))).ok()
        };
        assert!(on(1).is_some());
        assert_eq!(on(1), on(3));
    }
}
