//! GFLOP/s of the convolution kernels for the layers of small residual networks.
//!
//! `cargo bench -p bitsweep-kernels --bench convolution [BATCH] [LAYER]`; `RAYON_NUM_THREADS` sets the
//! threads. Products with padding count as work, although they are skipped.
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use bitsweep_kernels::convolution::{
    Algorithm, ConvolutionShape, backward_input, backward_input_with, backward_weight,
    backward_weight_with, forward, forward_with,
};

/// Nanoseconds that this thread has computed, where the system counts them: other programs do not
/// disturb this clock.
fn processor_time() -> Option<u64> {
    let counts = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    counts.split_whitespace().next()?.parse().ok()
}

/// Seconds of a round: processor time of one thread, or the best wall time of several.
fn time(mut body: impl FnMut()) -> f64 {
    body();
    let start = Instant::now();
    if rayon::current_num_threads() == 1
        && let Some(first) = processor_time()
    {
        let mut rounds = 0;
        while start.elapsed().as_millis() < 150 {
            body();
            rounds += 1;
        }
        // The counter is brought up to date when the thread gives way.
        std::thread::yield_now();
        let last = processor_time().expect("the counter was there before");
        return (last - first) as f64 / 1e9 / f64::from(rounds);
    }
    let round = |_| {
        let start = Instant::now();
        body();
        start.elapsed().as_secs_f64()
    };
    (0..8).map(round).fold(f64::INFINITY, f64::min)
}

fn main() {
    // On a thread of the pool, whose clock is then the right one.
    rayon::scope(|_| measure());
}

fn measure() {
    let batch = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(64);
    let wanted = std::env::args().skip(1).find(|argument| argument.contains("->"));
    println!("{} threads, batch {batch}", rayon::current_num_threads());
    println!(
        "{:<26} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "GFLOP/s", "forward", "d input", "d weight", "Winograd", "d input", "d weight"
    );
    let mut layers = vec![(28, 1, 16, 3, 1), (32, 3, 16, 3, 1)];
    for (size, channels) in [(28, 16), (14, 32), (7, 64), (4, 128)] {
        layers.push((size, channels, channels, 3, 1));
        if channels < 128 {
            layers.push((size, channels, 2 * channels, 3, 2));
            layers.push((size, channels, 2 * channels, 1, 2));
        }
    }
    layers.extend([
        (16, 64, 64, 3, 1),
        (8, 128, 128, 3, 1),
        (4, 256, 256, 3, 1),
        (2, 512, 512, 3, 1),
    ]);
    layers.extend([(56, 64, 64, 3, 1), (28, 128, 128, 3, 1), (14, 256, 256, 3, 1)]);
    layers.extend([
        (7, 512, 512, 3, 1),
        (28, 8, 8, 3, 1),
        (27, 64, 192, 5, 1),
        (13, 384, 256, 3, 1),
    ]);
    for (size, in_channels, out_channels, kernel, stride) in layers {
        let name =
            format!("{size}x{size} {in_channels}->{out_channels} {kernel}x{kernel}/{stride}");
        if wanted.as_ref().is_some_and(|wanted| !name.contains(wanted)) {
            continue;
        }
        let shape = ConvolutionShape {
            batch,
            height: size,
            width: size,
            in_channels,
            out_channels,
            kernel: [kernel; 2],
            stride,
            padding: kernel / 2,
        };
        let x: Vec<f32> = (0..shape.input_length()).map(|i| (i % 13) as f32 - 6.0).collect();
        let w: Vec<f32> = (0..shape.weight_length()).map(|i| (i % 7) as f32 - 3.0).collect();
        let g: Vec<f32> = (0..shape.output_length()).map(|i| (i % 11) as f32 - 5.0).collect();
        let (mut y, mut dx, mut dw) = (g.clone(), x.clone(), w.clone());
        let rate = |seconds: f64| shape.operations() as f64 / seconds / 1e9;
        let rates = [
            rate(time(|| forward(&shape, black_box(&x), &w, &mut y))),
            rate(time(|| backward_input(&shape, black_box(&g), &w, &mut dx))),
            rate(time(|| backward_weight(&shape, black_box(&x), &g, &mut dw))),
            rate(time(|| forward_with(Algorithm::Winograd, &shape, black_box(&x), &w, &mut y))),
            rate(time(|| {
                backward_input_with(Algorithm::Winograd, &shape, black_box(&g), &w, &mut dx)
            })),
            rate(time(|| {
                backward_weight_with(Algorithm::Winograd, &shape, black_box(&x), &g, &mut dw)
            })),
        ];
        let rates = rates.map(|rate| format!("{rate:>9.1}"));
        println!("{name:<26} {}", rates.join(" "));
    }
}
