//! Nanoseconds per element of the element-wise kernels.
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use bitsweep_kernels::batch_norm::{BatchNormBackward, Epilogue, forward};
use bitsweep_kernels::quantizer::{
    ActivationInterval, WeightInterval, quantize_activations, quantize_activations_backward,
    quantize_weights, quantize_weights_backward,
};
use bitsweep_kernels::sgd::SgdStep;

fn time(name: &str, elements: usize, mut body: impl FnMut()) {
    body();
    let best = (0..10)
        .map(|_| {
            let start = Instant::now();
            body();
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min);
    println!("{name:<40} {:>7.3} ns per element", best * 1e9 / elements as f64);
}

fn main() {
    let n = 64 * 28 * 28 * 16;
    let x: Vec<f32> = (0..n).map(|i| (i % 1009) as f32 / 1009.0).collect();
    let g: Vec<f32> = (0..n).map(|i| (i % 997) as f32 / 997.0 - 0.5).collect();
    let mut y = vec![0.0; n];
    let activation = ActivationInterval { center: 0.5, half_width: 0.5 };
    time("quantize activations", n, || quantize_activations(black_box(&x), activation, 15, &mut y));
    time("quantize activations, backward", n, || {
        black_box(quantize_activations_backward(black_box(&x), &g, activation, &mut y));
    });
    for gamma in [1.0, 1.5] {
        let weight = WeightInterval { center: 0.5, half_width: 0.5, gamma };
        time(&format!("quantize weights, gamma {gamma}"), n, || {
            quantize_weights(black_box(&x), weight, 7, &mut y);
        });
        time(&format!("quantize weights, gamma {gamma}, backward"), n, || {
            black_box(quantize_weights_backward(black_box(&x), &g, weight, &mut y));
        });
    }
    for channels in [16, 128] {
        let (gamma, beta) = (vec![1.0; channels], vec![0.0; channels]);
        let mut normalized = vec![0.0; n];
        let epilogue = Epilogue { residual: Some(&g), relu: true };
        let statistics = forward(&x, &gamma, &beta, 1e-5, epilogue, &mut normalized);
        time(&format!("batch norm, residual, relu, {channels}"), n, || {
            black_box(forward(black_box(&x), &gamma, &beta, 1e-5, epilogue, &mut y));
        });
        let backward = BatchNormBackward {
            input: &x,
            relu_output: Some(&normalized),
            grad_output: &g,
            gamma: &gamma,
            statistics: &statistics,
            epsilon: 1e-5,
        };
        let mut residual = vec![0.0; n];
        time(&format!("the same, backward, {channels}"), n, || {
            black_box(backward.run(&mut y, Some(&mut residual)));
        });
    }
    let step = SgdStep { learning_rate: 0.0, momentum: 0.9, weight_decay: 1e-4, nesterov: false };
    let mut velocity = vec![0.0; n];
    time("sgd", n, || step.run(&mut y, black_box(&g), &mut velocity));
}
