//! Batch normalization against an `f64` reference and finite differences.
#![allow(missing_docs)]

use bitsweep_kernels::batch_norm::{
    BatchNormBackward, BatchStatistics, Epilogue, apply, forward, statistics,
};
use proptest::prelude::*;

const EPSILON: f32 = 1e-5;

struct Case {
    input: Vec<f32>,
    residual: Option<Vec<f32>>,
    grad: Vec<f32>,
    gamma: Vec<f32>,
    beta: Vec<f32>,
    relu: bool,
}

fn numbers(length: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect()
}

fn case(rows: usize, channels: usize, residual: bool, relu: bool) -> Case {
    let length = rows * channels;
    Case {
        input: numbers(length, 1)
            .iter()
            .enumerate()
            .map(|(i, x)| 2.0 * x + (i % channels % 10) as f32 / 7.0)
            .collect(),
        residual: residual.then(|| numbers(length, 2)),
        grad: numbers(length, 3),
        gamma: numbers(channels, 4).iter().map(|x| 1.0 + 0.5 * x).collect(),
        beta: numbers(channels, 5),
        relu,
    }
}

impl Case {
    fn channels(&self) -> usize {
        self.gamma.len()
    }

    /// Mean, biased variance and result, all in `f64`.
    fn reference(
        &self,
        input: &[f64],
        gamma: &[f64],
        beta: &[f64],
    ) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let channels = self.channels();
        let rows = (input.len() / channels) as f64;
        let (mut mean, mut variance) = (vec![0.0; channels], vec![0.0; channels]);
        for (i, x) in input.iter().enumerate() {
            mean[i % channels] += x / rows;
        }
        for (i, x) in input.iter().enumerate() {
            variance[i % channels] += (x - mean[i % channels]).powi(2) / rows;
        }
        let result = input.iter().enumerate().map(|(i, x)| {
            let c = i % channels;
            let y = gamma[c] * (x - mean[c]) / (variance[c] + f64::from(EPSILON)).sqrt() + beta[c];
            let y = y + self.residual.as_ref().map_or(0.0, |r| f64::from(r[i]));
            if self.relu { y.max(0.0) } else { y }
        });
        let result = result.collect();
        (mean, variance, result)
    }

    fn wide(values: &[f32]) -> Vec<f64> {
        values.iter().map(|&v| f64::from(v)).collect()
    }

    fn forward(&self) -> (BatchStatistics, Vec<f32>) {
        let mut output = vec![f32::NAN; self.input.len()];
        let epilogue = Epilogue { residual: self.residual.as_deref(), relu: self.relu };
        let statistics =
            forward(&self.input, &self.gamma, &self.beta, EPSILON, epilogue, &mut output);
        (statistics, output)
    }

    fn check(&self) {
        let channels = self.channels();
        let (input, gamma, beta) =
            (Self::wide(&self.input), Self::wide(&self.gamma), Self::wide(&self.beta));
        let (mean, variance, want) = self.reference(&input, &gamma, &beta);
        let (statistics, output) = self.forward();
        near("mean", &statistics.mean, &mean, 1e-6);
        near("variance", &statistics.variance, &variance, 1e-6);
        near("output", &output, &want, 1e-5);
        let mut dx = vec![f32::NAN; output.len()];
        let mut dr = vec![f32::NAN; output.len()];
        let backward = BatchNormBackward {
            input: &self.input,
            relu_output: self.relu.then_some(&output[..]),
            grad_output: &self.grad,
            gamma: &self.gamma,
            statistics: &statistics,
            epsilon: EPSILON,
        };
        let grads = backward.run(&mut dx, self.residual.is_some().then_some(&mut dr[..]));
        // The reference takes the kernel's own ReLU mask: at 0 the sides may differ by rounding.
        let rows = (input.len() / channels) as f64;
        let inverse: Vec<f64> =
            variance.iter().map(|v| 1.0 / (v + f64::from(EPSILON)).sqrt()).collect();
        let g: Vec<f64> = self
            .grad
            .iter()
            .zip(&output)
            .map(|(&g, &y)| if self.relu && y <= 0.0 { 0.0 } else { f64::from(g) })
            .collect();
        let normal = |i: usize| (input[i] - mean[i % channels]) * inverse[i % channels];
        let (mut dgamma, mut dbeta) = (vec![0.0; channels], vec![0.0; channels]);
        for (i, g) in g.iter().enumerate() {
            dbeta[i % channels] += g;
            dgamma[i % channels] += g * normal(i);
        }
        let want: Vec<f64> = (0..g.len())
            .map(|i| {
                let c = i % channels;
                gamma[c] * inverse[c] * (g[i] - dbeta[c] / rows - normal(i) * dgamma[c] / rows)
            })
            .collect();
        near("dx", &dx, &want, 1e-5);
        near("dgamma", &grads.gamma, &dgamma, 1e-5 * rows.sqrt());
        near("dbeta", &grads.beta, &dbeta, 1e-6 * rows.sqrt());
        if self.residual.is_some() {
            near("dresidual", &dr, &g, 1e-7);
        }
    }
}

fn near(what: &str, got: &[f32], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len());
    for (i, (&got, &want)) in got.iter().zip(want).enumerate() {
        let error = (f64::from(got) - want).abs();
        assert!(error <= tolerance * (1.0 + want.abs()), "{what} {i}: got {got}, want {want}");
    }
}

#[test]
fn all_epilogues_agree_with_the_reference() {
    for channels in [1, 3, 8, 10, 16, 64, 257] {
        for (residual, relu) in [(false, false), (false, true), (true, false), (true, true)] {
            case(37, channels, residual, relu).check();
        }
    }
}

#[test]
fn long_batches_that_take_several_tasks_agree_with_the_reference() {
    case(9001, 16, true, true).check();
    case(301, 512, true, true).check();
    case(40_000, 3, false, true).check();
}

#[test]
fn closed_forms_are_the_derivatives_of_the_forward_pass() {
    let case = case(6, 3, true, true);
    let (statistics, output) = case.forward();
    let mut dx = vec![f32::NAN; output.len()];
    let backward = BatchNormBackward {
        input: &case.input,
        relu_output: Some(&output),
        grad_output: &case.grad,
        gamma: &case.gamma,
        statistics: &statistics,
        epsilon: EPSILON,
    };
    let grads = backward.run(&mut dx, None);
    let (input, gamma, beta) =
        (Case::wide(&case.input), Case::wide(&case.gamma), Case::wide(&case.beta));
    let loss = |input: &[f64], gamma: &[f64], beta: &[f64]| -> f64 {
        let (_, _, y) = case.reference(input, gamma, beta);
        y.iter().zip(&case.grad).map(|(y, &g)| y * f64::from(g)).sum()
    };
    let h = 1e-6;
    let slope = |values: &[f64], i: usize, loss: &dyn Fn(&[f64]) -> f64| {
        let (mut up, mut down) = (values.to_vec(), values.to_vec());
        up[i] += h;
        down[i] -= h;
        (loss(&up) - loss(&down)) / (2.0 * h)
    };
    let want: Vec<f64> =
        (0..input.len()).map(|i| slope(&input, i, &|v| loss(v, &gamma, &beta))).collect();
    near("dx", &dx, &want, 1e-5);
    let want: Vec<f64> = (0..3).map(|i| slope(&gamma, i, &|v| loss(&input, v, &beta))).collect();
    near("dgamma", &grads.gamma, &want, 1e-5);
    let want: Vec<f64> = (0..3).map(|i| slope(&beta, i, &|v| loss(&input, &gamma, v))).collect();
    near("dbeta", &grads.beta, &want, 1e-5);
}

#[test]
fn variance_survives_a_mean_a_thousand_times_larger() {
    // Exact in f32: 4096 + k / 1024, with an outlier in front.
    let mut input: Vec<f32> = (0..70_000).map(|i| 4096.0 + (i % 4) as f32 / 1024.0).collect();
    input[0] = -4096.0;
    let n = input.len() as f64;
    let mean: f64 = input.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
    let variance = input.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n;
    let got = statistics(&input, 1);
    assert!((f64::from(got.variance[0]) - variance).abs() < 1e-5 * variance, "{got:?} {variance}");
    input[0] = 4096.0;
    let got = statistics(&input, 1);
    let want = 1.25 / (1024.0 * 1024.0);
    assert!((f64::from(got.variance[0]) - want).abs() < 1e-4 * want, "{got:?} {want}");
}

#[test]
fn constant_channels_have_no_variance_and_finite_results() {
    let input = vec![3.0; 64];
    let mut output = vec![f32::NAN; 64];
    let found = forward(&input, &[2.0; 4], &[1.0; 4], EPSILON, Epilogue::default(), &mut output);
    assert_eq!(found.variance, [0.0; 4]);
    assert!(output.iter().all(|&y| (y - 1.0).abs() < 1e-2), "{output:?}");
}

#[test]
fn relu_lets_nan_through() {
    let mut output = [0.0; 3];
    let epilogue = Epilogue { residual: None, relu: true };
    apply(&[f32::NAN, -1.0, 1.0], &[1.0], &[0.0], epilogue, &mut output);
    assert!(output[0].is_nan());
    assert_eq!(output[1..], [0.0, 1.0]);
    let found = statistics(&[1.0, f32::NAN, 2.0, 3.0], 2);
    assert!(found.mean[1].is_nan() && found.variance[1].is_nan());
    assert_eq!((found.mean[0], found.variance[0]), (1.5, 0.25));
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let case = case(9001, 16, true, true);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("a small pool can be built").install(|| {
            let (statistics, output) = case.forward();
            let mut dx = vec![0.0; output.len()];
            let backward = BatchNormBackward {
                input: &case.input,
                relu_output: Some(&output),
                grad_output: &case.grad,
                gamma: &case.gamma,
                statistics: &statistics,
                epsilon: EPSILON,
            };
            let grads = backward.run(&mut dx, None);
            (statistics, output, grads, dx)
        })
    };
    let first = run(1);
    assert!(run(2) == first && run(3) == first);
}

#[test]
#[should_panic(expected = "the input has 5 elements, but whole rows asks for 4")]
fn a_broken_row_panics() {
    statistics(&[0.0; 5], 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn random_sizes_agree_with_the_reference(
        // Fewer rows can be so alike that the result is ill-conditioned.
        rows in 12usize..80,
        channels in 1usize..40,
        residual in any::<bool>(),
        relu in any::<bool>(),
    ) {
        case(rows, channels, residual, relu).check();
    }
}

/// Runs the tests of this file again in processes with lesser instruction sets.
#[test]
fn lesser_instruction_sets_agree_with_the_reference() {
    use bitsweep_kernels::{INSTRUCTIONS_VARIABLE, Instructions, instructions};
    if std::env::var_os(INSTRUCTIONS_VARIABLE).is_some() {
        return;
    }
    let program = std::env::current_exe().expect("a test knows its own program");
    for (name, set) in [("scalar", Instructions::Scalar), ("vector", Instructions::Vector)] {
        if set >= instructions() {
            continue;
        }
        let run = std::process::Command::new(&program)
            .env(INSTRUCTIONS_VARIABLE, name)
            .output()
            .expect("the test program starts again");
        assert!(run.status.success(), "{name}: {}", String::from_utf8_lossy(&run.stdout));
    }
}
