//! Stochastic gradient descent with momentum, in place.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::blocks::{TASK, same_length};
use crate::dispatch::dispatch;

/// One step: `g += weight_decay p`, `v = momentum v + g`, `p -= learning_rate v`, or with Nesterov's
/// look-ahead `p -= learning_rate (g + momentum v)`.
///
/// The form of Sutskever et al., *On the importance of initialization and momentum in deep
/// learning*, ICML 2013, with the learning rate outside the velocity, as in PyTorch. Velocities start
/// at zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SgdStep {
    /// Learning rate.
    pub learning_rate: f32,
    /// Share of the velocity that is kept; zero for plain gradient descent.
    pub momentum: f32,
    /// Coupled weight decay (L2 penalty).
    pub weight_decay: f32,
    /// Nesterov's look-ahead.
    pub nesterov: bool,
}

impl SgdStep {
    /// Updates parameters and velocity.
    ///
    /// # Panics
    /// If the three lengths differ.
    #[track_caller]
    pub fn run(&self, parameters: &mut [f32], gradient: &[f32], velocity: &mut [f32]) {
        same_length("the gradient", gradient.len(), "the parameters", parameters.len());
        same_length("the velocity", velocity.len(), "the parameters", parameters.len());
        let part = |parameters: &mut [f32], gradient: &[f32], velocity: &mut [f32]| {
            dispatch(Part { step: *self, parameters, gradient, velocity });
        };
        if parameters.len() <= TASK {
            return part(parameters, gradient, velocity);
        }
        parameters
            .par_chunks_mut(TASK)
            .zip(gradient.par_chunks(TASK))
            .zip(velocity.par_chunks_mut(TASK))
            .for_each(|((parameters, gradient), velocity)| part(parameters, gradient, velocity));
    }
}

struct Part<'a> {
    step: SgdStep,
    parameters: &'a mut [f32],
    gradient: &'a [f32],
    velocity: &'a mut [f32],
}

impl WithSimd for Part<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let SgdStep { learning_rate, momentum, weight_decay, nesterov } = self.step;
        let elements = self.parameters.iter_mut().zip(self.gradient).zip(self.velocity);
        for ((parameter, &gradient), velocity) in elements {
            let gradient = gradient + weight_decay * *parameter;
            *velocity = momentum * *velocity + gradient;
            let direction = if nesterov { gradient + momentum * *velocity } else { *velocity };
            *parameter -= learning_rate * direction;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_steps_by_hand() {
        let step =
            SgdStep { learning_rate: 0.5, momentum: 0.5, weight_decay: 0.25, nesterov: false };
        let (mut p, mut v) = ([4.0], [0.0]);
        // g = 1 + 0.25 * 4 = 2, v = 2, p = 4 - 1
        step.run(&mut p, &[1.0], &mut v);
        assert_eq!((p, v), ([3.0], [2.0]));
        // g = 1 + 0.75, v = 1 + 1.75, p = 3 - 1.375
        step.run(&mut p, &[1.0], &mut v);
        assert_eq!((p, v), ([1.625], [2.75]));
    }

    #[test]
    fn nesterov_looks_ahead() {
        let step = SgdStep { learning_rate: 0.5, momentum: 0.5, weight_decay: 0.0, nesterov: true };
        let (mut p, mut v) = ([4.0], [2.0]);
        // v = 1 + 1, direction = 1 + 1
        step.run(&mut p, &[1.0], &mut v);
        assert_eq!((p, v), ([3.0], [2.0]));
    }

    #[test]
    fn every_element_of_a_long_slice_moves_once() {
        let step =
            SgdStep { learning_rate: 1.0, momentum: 0.0, weight_decay: 0.0, nesterov: false };
        let n = 3 * TASK + 17;
        let gradient: Vec<f32> = (0..n).map(|i| (i % 1000) as f32).collect();
        let (mut p, mut v) = (vec![0.0; n], vec![7.0; n]);
        step.run(&mut p, &gradient, &mut v);
        assert!(p.iter().zip(&gradient).all(|(p, g)| *p == -g));
        assert_eq!(v, gradient);
    }
}
