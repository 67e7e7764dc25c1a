//! Nanoseconds per element of the element-wise kernels.
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use bitsweep_kernels::quantizer::{
    ActivationInterval, WeightInterval, quantize_activations, quantize_activations_backward,
    quantize_weights, quantize_weights_backward,
};

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
}
