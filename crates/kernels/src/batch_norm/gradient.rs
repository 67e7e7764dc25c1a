//! Backward pass of batch normalization with residual and ReLU.

use std::mem::MaybeUninit;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::statistics::inverse_deviation;
use super::{BatchStatistics, period};
use crate::blocks::same_length;
use crate::dispatch::dispatch;
use crate::fresh::{initialized, uninitialized, vector};

/// Periods summed in `f32` before the sum moves to `f64`.
const FLUSH: usize = 32;

/// What the backward pass reads.
#[derive(Clone, Copy, Debug)]
pub struct BatchNormBackward<'a> {
    /// Input of the forward pass, `rows x channels`.
    pub input: &'a [f32],
    /// Output of the forward pass if ReLU followed; its zeros stop the gradient.
    pub relu_output: Option<&'a [f32]>,
    /// Gradient of the loss with respect to the output.
    pub grad_output: &'a [f32],
    /// Factor per channel.
    pub gamma: &'a [f32],
    /// What the forward pass returned.
    pub statistics: &'a BatchStatistics,
    /// As in the forward pass.
    pub epsilon: f32,
}

/// Gradients with respect to the parameters, one per channel.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNormGradients {
    /// With respect to gamma.
    pub gamma: Vec<f32>,
    /// With respect to beta.
    pub beta: Vec<f32>,
}

impl BatchNormBackward<'_> {
    /// Writes the gradient of the input and, if asked, of the residual, and returns those of the
    /// parameters.
    ///
    /// With `g` the gradient behind ReLU and `n` the rows: `dbeta = sum g`, `dgamma = sum g xhat`,
    /// `dx = gamma / sigma (g - dbeta / n - xhat dgamma / n)`, `dresidual = g`.
    ///
    /// # Panics
    /// If a slice's length contradicts that of the input or the number of channels.
    #[track_caller]
    pub fn run(
        &self,
        grad_input: &mut [f32],
        grad_residual: Option<&mut [f32]>,
    ) -> BatchNormGradients {
        // SAFETY: the pass writes initialized elements only.
        unsafe {
            self.write_all(
                uninitialized(grad_input),
                grad_residual.map(|residual| uninitialized(residual)),
            )
        }
    }

    /// [`run`](Self::run) to new vectors, whose memory is written once only: gradients of the input,
    /// of the residual if asked, and of the parameters.
    ///
    /// # Panics
    /// As [`run`](Self::run).
    #[track_caller]
    pub fn run_to_vec(
        &self,
        with_residual: bool,
    ) -> (Vec<f32>, Option<Vec<f32>>, BatchNormGradients) {
        let length = self.input.len();
        if !with_residual {
            // SAFETY: the pass writes every element.
            let (grad_input, gradients) =
                unsafe { vector(length, |grad_input| self.write_all(grad_input, None)) };
            return (grad_input, None, gradients);
        }
        // SAFETY: the pass writes every element of both.
        let (grad_input, (residual, gradients)) = unsafe {
            vector(length, |grad_input| {
                vector(length, |residual| self.write_all(grad_input, Some(residual)))
            })
        };
        (grad_input, Some(residual), gradients)
    }

    #[track_caller]
    fn write_all(
        &self,
        grad_input: &mut [MaybeUninit<f32>],
        grad_residual: Option<&mut [MaybeUninit<f32>]>,
    ) -> BatchNormGradients {
        let channels = self.gamma.len();
        let length = self.input.len();
        period::check(length, channels);
        same_length("the output's gradient", self.grad_output.len(), "the input", length);
        same_length("the input's gradient", grad_input.len(), "the input", length);
        same_length("the mean", self.statistics.mean.len(), "gamma", channels);
        same_length("the variance", self.statistics.variance.len(), "gamma", channels);
        if let Some(output) = self.relu_output {
            same_length("the output", output.len(), "the input", length);
        }
        if let Some(residual) = &grad_residual {
            same_length("the residual's gradient", residual.len(), "the input", length);
        }
        let (gamma, beta) = self.sums();
        self.write(&gamma, &beta, grad_input, grad_residual);
        BatchNormGradients {
            gamma: gamma.iter().map(|&sum| sum as f32).collect(),
            beta: beta.iter().map(|&sum| sum as f32).collect(),
        }
    }

    /// dgamma and dbeta.
    fn sums(&self) -> (Vec<f64>, Vec<f64>) {
        let channels = self.gamma.len();
        let task = period::task(channels);
        let mean = &period::repeat(&self.statistics.mean)[..];
        let part = |index: usize| {
            let range = index * task..((index + 1) * task).min(self.input.len());
            let (input, grad) = (&self.input[range.clone()], &self.grad_output[range.clone()]);
            match self.relu_output {
                None => dispatch(Sums::<false> { input, output: input, grad, mean, channels }),
                Some(output) => {
                    let output = &output[range];
                    dispatch(Sums::<true> { input, output, grad, mean, channels })
                }
            }
        };
        let parts: Vec<(Vec<f64>, Vec<f64>)> = match self.input.len().div_ceil(task) {
            0 | 1 => vec![part(0)],
            tasks => (0..tasks).into_par_iter().map(part).collect(),
        };
        let (mut gamma, mut beta) = (vec![0.0; channels], vec![0.0; channels]);
        for (products, grads) in parts {
            for channel in 0..channels {
                gamma[channel] += products[channel];
                beta[channel] += grads[channel];
            }
        }
        for (sum, &variance) in gamma.iter_mut().zip(&self.statistics.variance) {
            *sum *= inverse_deviation(variance, self.epsilon);
        }
        (gamma, beta)
    }

    fn write(
        &self,
        dgamma: &[f64],
        dbeta: &[f64],
        grad_input: &mut [MaybeUninit<f32>],
        grad_residual: Option<&mut [MaybeUninit<f32>]>,
    ) {
        let channels = self.gamma.len();
        let rows = (self.input.len() / channels) as f64;
        let (mut scale, mut slope, mut offset) = (Vec::new(), Vec::new(), Vec::new());
        for channel in 0..channels {
            let inverse = inverse_deviation(self.statistics.variance[channel], self.epsilon);
            let factor = f64::from(self.gamma[channel]) * inverse;
            scale.push(factor as f32);
            slope.push((-factor * inverse * dgamma[channel] / rows) as f32);
            offset.push((-factor * dbeta[channel] / rows) as f32);
        }
        let per_channel = PerChannel {
            mean: &period::repeat(&self.statistics.mean),
            scale: &period::repeat(&scale),
            slope: &period::repeat(&slope),
            offset: &period::repeat(&offset),
        };
        let task = period::task(channels);
        let body = |index: usize,
                    grad_input: &mut [MaybeUninit<f32>],
                    residual: Option<&mut [MaybeUninit<f32>]>| {
            let range = index * task..index * task + grad_input.len();
            let write = Write {
                input: &self.input[range.clone()],
                output: self.relu_output.map(|output| &output[range.clone()]),
                grad: &self.grad_output[range],
                per_channel,
                grad_input,
            };
            match residual {
                None => dispatch(write),
                Some(residual) => dispatch(WriteBoth(write, residual)),
            }
        };
        match grad_residual {
            None => grad_input
                .par_chunks_mut(task)
                .enumerate()
                .for_each(|(index, grad_input)| body(index, grad_input, None)),
            Some(residual) => grad_input
                .par_chunks_mut(task)
                .zip(residual.par_chunks_mut(task))
                .enumerate()
                .for_each(|(index, (grad_input, residual))| {
                    body(index, grad_input, Some(residual))
                }),
        }
    }
}

/// Gradient behind ReLU: NaN in the output keeps it, so that NaN is not hidden.
#[inline(always)]
fn behind_relu(grad: f32, output: f32) -> f32 {
    if output <= 0.0 { 0.0 } else { grad }
}

struct Sums<'a, const RELU: bool> {
    input: &'a [f32],
    /// The input again where no ReLU followed.
    output: &'a [f32],
    grad: &'a [f32],
    /// Over a period.
    mean: &'a [f32],
    channels: usize,
}

impl<const RELU: bool> WithSimd for Sums<'_, RELU> {
    type Output = (Vec<f64>, Vec<f64>);

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Self::Output {
        let period = self.mean.len();
        let (mut products, mut grads) = (vec![0.0f64; self.channels], vec![0.0f64; self.channels]);
        let (mut product, mut sum) = (vec![0.0f32; period], vec![0.0f32; period]);
        let block = period * FLUSH;
        let blocks = self.input.chunks(block).zip(self.output.chunks(block));
        for ((input, output), grad) in blocks.zip(self.grad.chunks(block)) {
            product.fill(0.0);
            sum.fill(0.0);
            let parts = input.chunks(period).zip(output.chunks(period)).zip(grad.chunks(period));
            for ((input, output), grad) in parts {
                let sums = product.iter_mut().zip(sum.iter_mut());
                let values = input.iter().zip(output).zip(grad).zip(self.mean);
                for ((((&x, &y), &grad), &mean), (product, sum)) in values.zip(sums) {
                    let grad = if RELU { behind_relu(grad, y) } else { grad };
                    *product += grad * (x - mean);
                    *sum += grad;
                }
            }
            period::fold(&product, &mut products);
            period::fold(&sum, &mut grads);
        }
        (products, grads)
    }
}

/// Coefficients over a period: `dx = scale g + slope (x - mean) + offset`.
#[derive(Clone, Copy)]
struct PerChannel<'a> {
    mean: &'a [f32],
    scale: &'a [f32],
    slope: &'a [f32],
    offset: &'a [f32],
}

struct Write<'a> {
    input: &'a [f32],
    output: Option<&'a [f32]>,
    grad: &'a [f32],
    per_channel: PerChannel<'a>,
    grad_input: &'a mut [MaybeUninit<f32>],
}

impl WithSimd for Write<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { input, output, grad, per_channel, grad_input } = self;
        let period = per_channel.mean.len();
        let parts = input.chunks(period).zip(grad.chunks(period));
        let parts = parts.zip(grad_input.chunks_mut(period));
        match output {
            None => {
                for ((input, grad), grad_input) in parts {
                    per_channel.write::<false>(input, input, grad, grad_input);
                }
            }
            Some(output) => {
                for (((input, grad), grad_input), output) in parts.zip(output.chunks(period)) {
                    per_channel.write::<true>(input, output, grad, grad_input);
                }
            }
        }
    }
}

/// Writes the residual's gradient first and then reads it as the gradient behind ReLU.
struct WriteBoth<'a>(Write<'a>, &'a mut [MaybeUninit<f32>]);

impl WithSimd for WriteBoth<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self(write, residual) = self;
        match write.output {
            None => {
                for (residual, &grad) in residual.iter_mut().zip(write.grad) {
                    residual.write(grad);
                }
            }
            Some(output) => {
                for ((residual, &grad), &output) in residual.iter_mut().zip(write.grad).zip(output)
                {
                    residual.write(behind_relu(grad, output));
                }
            }
        }
        // SAFETY: one of the loops above has written every element.
        let grad = unsafe { initialized(residual) };
        Write { output: None, grad, ..write }.with_simd(simd);
    }
}

impl PerChannel<'_> {
    #[inline(always)]
    fn write<const RELU: bool>(
        &self,
        input: &[f32],
        output: &[f32],
        grad: &[f32],
        grad_input: &mut [MaybeUninit<f32>],
    ) {
        let lines = self.mean.iter().zip(self.slope).zip(self.scale.iter().zip(self.offset));
        let values = input.iter().zip(output).zip(grad.iter().zip(grad_input));
        for (((&x, &y), (&grad, to)), ((&mean, &slope), (&scale, &offset))) in values.zip(lines) {
            let grad = if RELU { behind_relu(grad, y) } else { grad };
            to.write(scale * grad + (slope * (x - mean) + offset));
        }
    }
}
