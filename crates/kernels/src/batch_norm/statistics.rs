//! Batch mean and variance.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::period;
use crate::blocks::same_length;
use crate::dispatch::dispatch;

/// Periods summed in `f32` before the sum moves to `f64`.
const FLUSH: usize = 32;

/// Mean and biased variance of every channel.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchStatistics {
    /// Mean per channel.
    pub mean: Vec<f32>,
    /// Biased variance (divided by the number of rows) per channel. Running averages usually take
    /// the unbiased one: multiply by `rows / (rows - 1)`.
    pub variance: Vec<f32>,
}

impl BatchStatistics {
    /// Factor and summand that normalize: `x scale + shift`.
    ///
    /// # Panics
    /// If the lengths of `gamma` or `beta` are not the number of channels.
    #[track_caller]
    pub fn scale_and_shift(
        &self,
        gamma: &[f32],
        beta: &[f32],
        epsilon: f32,
    ) -> (Vec<f32>, Vec<f32>) {
        same_length("gamma", gamma.len(), "the statistics", self.mean.len());
        same_length("beta", beta.len(), "the statistics", self.mean.len());
        same_length("the variance", self.variance.len(), "the mean", self.mean.len());
        let channels = gamma.iter().zip(beta).zip(self.mean.iter().zip(&self.variance));
        channels
            .map(|((&gamma, &beta), (&mean, &variance))| {
                let scale = f64::from(gamma) * inverse_deviation(variance, epsilon);
                (scale as f32, (f64::from(beta) - f64::from(mean) * scale) as f32)
            })
            .unzip()
    }
}

/// `1 / sqrt(variance + epsilon)`.
pub(super) fn inverse_deviation(variance: f32, epsilon: f32) -> f64 {
    1.0 / (f64::from(variance) + f64::from(epsilon)).sqrt()
}

/// Mean and biased variance of every channel of `rows x channels`; zeros if there is no row.
///
/// # Panics
/// If `channels` is zero or the length of `input` is no multiple of it.
#[track_caller]
pub fn statistics(input: &[f32], channels: usize) -> BatchStatistics {
    period::check(input.len(), channels);
    let task = period::task(channels);
    let moments = |input: &[f32]| dispatch(Moments { input, channels });
    let parts: Vec<Vec<Moment>> = if input.len() <= task {
        vec![moments(input)]
    } else {
        input.par_chunks(task).map(moments).collect()
    };
    let mut parts = parts.into_iter();
    let mut total = parts.next().unwrap_or_default();
    for part in parts {
        for (total, part) in total.iter_mut().zip(part) {
            total.merge(part);
        }
    }
    BatchStatistics {
        mean: total.iter().map(|moment| moment.mean as f32).collect(),
        variance: total.iter().map(|moment| moment.variance() as f32).collect(),
    }
}

/// Rows, mean and sum of squared deviations from it.
#[derive(Clone, Copy)]
struct Moment {
    rows: f64,
    mean: f64,
    squares: f64,
}

impl Moment {
    /// Chan, Golub and LeVeque, *Algorithms for Computing the Sample Variance*, 1983, eq. 2.1.
    fn merge(&mut self, other: Self) {
        let rows = self.rows + other.rows;
        let difference = other.mean - self.mean;
        self.mean += difference * other.rows / rows;
        self.squares += other.squares + difference * difference * self.rows * other.rows / rows;
        self.rows = rows;
    }

    fn variance(&self) -> f64 {
        self.squares / self.rows.max(1.0)
    }
}

struct Moments<'a> {
    input: &'a [f32],
    channels: usize,
}

impl WithSimd for Moments<'_> {
    type Output = Vec<Moment>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Vec<Moment> {
        let Self { input, channels } = self;
        let rows = (input.len() / channels) as f64;
        let zeros = vec![0.0; channels];
        let (means, _) = sums(input, &zeros);
        let center: Vec<f32> = means.iter().map(|sum| (sum / rows.max(1.0)) as f32).collect();
        let (sums, squares) = sums(input, &center);
        let parts = center.iter().zip(sums.iter().zip(&squares));
        parts
            .map(|(&center, (&sum, &squares))| {
                let offset = sum / rows.max(1.0);
                let squares = squares - sum * offset;
                // Rounding may leave less than nothing; NaN has to stay.
                let squares = if squares < 0.0 { 0.0 } else { squares };
                Moment { rows, mean: f64::from(center) + offset, squares }
            })
            .collect()
    }
}

/// Per channel, the sum of `x - center` and of its square.
#[inline(always)]
fn sums(input: &[f32], center: &[f32]) -> (Vec<f64>, Vec<f64>) {
    let channels = center.len();
    let period = period::length(channels);
    let center = period::repeat(center);
    let (mut sums, mut squares) = (vec![0.0f64; channels], vec![0.0f64; channels]);
    let (mut sum, mut square) = (vec![0.0f32; period], vec![0.0f32; period]);
    for block in input.chunks(period * FLUSH) {
        sum.fill(0.0);
        square.fill(0.0);
        for part in block.chunks(period) {
            for (((&x, &center), sum), square) in
                part.iter().zip(&center).zip(&mut sum).zip(&mut square)
            {
                let offset = x - center;
                *sum += offset;
                *square += offset * offset;
            }
        }
        period::fold(&sum, &mut sums);
        period::fold(&square, &mut squares);
    }
    (sums, squares)
}
