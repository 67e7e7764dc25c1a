//! Calls of kernels and their times.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bitsweep_kernels::batch_norm::{self, BatchNormBackward, Epilogue};
use bitsweep_kernels::convolution::{self, Algorithm, ConvolutionShape};
use bitsweep_kernels::linear::{self, LinearShape};
use bitsweep_kernels::pool::{self, MaxPoolShape};
use bitsweep_kernels::quantizer::{self, ActivationInterval, WeightInterval};
use bitsweep_kernels::sgd::SgdStep;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Call {
    /// The first layer needs no gradient of its input.
    Convolution {
        shape: ConvolutionShape,
        first: bool,
    },
    Linear {
        batch: usize,
        inputs: usize,
        outputs: usize,
    },
    BatchNorm {
        rows: usize,
        channels: usize,
        relu: bool,
        residual: bool,
    },
    QuantizeActivations(usize),
    QuantizeWeights(usize),
    MaxPool(MaxPoolShape),
    AveragePool {
        batch: usize,
        pixels: usize,
        channels: usize,
    },
    Sgd(usize),
}

/// One pass of a call.
pub(crate) struct Timing {
    pub(crate) pass: &'static str,
    pub(crate) seconds: f64,
    /// Operations or bytes, as `unit` says.
    pub(crate) operations: u64,
    pub(crate) unit: &'static str,
}

/// Least time of a call, tried for a while.
fn least(mut body: impl FnMut()) -> f64 {
    body();
    let end = Instant::now() + Duration::from_millis(120);
    let mut best = f64::INFINITY;
    let mut rounds = 0;
    while rounds < 4 || Instant::now() < end {
        let start = Instant::now();
        body();
        best = best.min(start.elapsed().as_secs_f64());
        rounds += 1;
    }
    best
}

fn work(pass: &'static str, operations: u64, body: impl FnMut()) -> Timing {
    Timing { pass, seconds: least(body), operations, unit: "GFLOP/s" }
}

/// A call that moves `floats` numbers if it moves each once.
fn memory(pass: &'static str, floats: usize, body: impl FnMut()) -> Timing {
    Timing { pass, seconds: least(body), operations: 4 * floats as u64, unit: "GB/s   " }
}

fn values(length: usize) -> Vec<f32> {
    (0..length).map(|i| ((i * 7919) % 1009) as f32 / 504.5 - 1.0).collect()
}

impl Call {
    pub(crate) fn name(&self) -> String {
        match *self {
            Self::Convolution { shape: s, .. } => format!(
                "{}x{} {}->{} {}x{}/{}",
                s.height,
                s.width,
                s.in_channels,
                s.out_channels,
                s.kernel[0],
                s.kernel[1],
                s.stride
            ),
            Self::Linear { inputs, outputs, .. } => format!("linear {inputs}->{outputs}"),
            Self::BatchNorm { rows, channels, relu, residual } => {
                let relu = if relu { ", relu" } else { "" };
                let residual = if residual { ", add" } else { "" };
                format!("batch-norm {rows}x{channels}{residual}{relu}")
            }
            Self::QuantizeActivations(n) => format!("activation quantizer {n}"),
            Self::QuantizeWeights(n) => format!("weight quantizer {n}"),
            Self::MaxPool(s) => format!("max-pool {}x{}x{}", s.height, s.width, s.channels),
            Self::AveragePool { pixels, channels, .. } => format!("mean {pixels}x{channels}"),
            Self::Sgd(n) => format!("sgd {n}"),
        }
    }

    pub(crate) fn time(&self, direct: bool) -> Vec<Timing> {
        match *self {
            Self::Convolution { shape, first } => convolution(&shape, first, direct),
            Self::Linear { batch, inputs, outputs } => linear(batch, inputs, outputs),
            Self::BatchNorm { rows, channels, relu, residual } => {
                batch_norm(rows, channels, relu, residual)
            }
            Self::QuantizeActivations(n) => quantize_activations(n),
            Self::QuantizeWeights(n) => quantize_weights(n),
            Self::MaxPool(shape) => max_pool(&shape),
            Self::AveragePool { batch, pixels, channels } => average_pool(batch, pixels, channels),
            Self::Sgd(n) => sgd(n),
        }
    }
}

fn convolution(shape: &ConvolutionShape, first: bool, direct: bool) -> Vec<Timing> {
    let (x, w) = (values(shape.input_length()), values(shape.weight_length()));
    let g = values(shape.output_length());
    let (mut y, mut dx, mut dw) = (g.clone(), x.clone(), w.clone());
    let algorithm = if direct { Algorithm::Direct } else { Algorithm::Fastest };
    let operations = shape.operations();
    let mut timings = vec![work("forward", operations, || {
        convolution::forward_with(algorithm, shape, black_box(&x), &w, &mut y);
    })];
    if !first {
        timings.push(work("input gradient", operations, || {
            convolution::backward_input_with(algorithm, shape, black_box(&g), &w, &mut dx);
        }));
    }
    timings.push(work("weight gradient", operations, || {
        convolution::backward_weight_with(algorithm, shape, black_box(&x), &g, &mut dw);
    }));
    timings
}

fn linear(batch: usize, inputs: usize, outputs: usize) -> Vec<Timing> {
    let shape = LinearShape { batch, inputs, outputs };
    let (x, w, g) = (values(batch * inputs), values(inputs * outputs), values(batch * outputs));
    let (mut y, mut dx, mut dw) = (g.clone(), x.clone(), w.clone());
    let operations = shape.operations();
    vec![
        work("forward", operations, || linear::forward(&shape, black_box(&x), &w, &mut y)),
        work("input gradient", operations, || {
            linear::backward_input(&shape, black_box(&g), &w, &mut dx);
        }),
        work("weight gradient", operations, || {
            linear::backward_weight(&shape, black_box(&x), &g, &mut dw);
        }),
    ]
}

fn batch_norm(rows: usize, channels: usize, relu: bool, residual: bool) -> Vec<Timing> {
    let n = rows * channels;
    let (x, g, r) = (values(n), values(n), values(n));
    let (gamma, beta) = (vec![1.0; channels], vec![0.0; channels]);
    let (mut y, mut dx, mut dr) = (r.clone(), r.clone(), r.clone());
    let epilogue = Epilogue { residual: residual.then_some(&r[..]), relu };
    let forward = memory("forward", n * (3 + usize::from(residual)), || {
        batch_norm::forward(black_box(&x), &gamma, &beta, 1e-5, epilogue, &mut y);
    });
    let statistics = batch_norm::forward(&x, &gamma, &beta, 1e-5, epilogue, &mut y);
    let backward = BatchNormBackward {
        input: &x,
        relu_output: relu.then_some(&y[..]),
        grad_output: &g,
        gamma: &gamma,
        statistics: &statistics,
        epsilon: 1e-5,
    };
    let moved = n * (5 + 2 * usize::from(relu) + usize::from(residual));
    let backward = memory("backward", moved, || {
        black_box(backward.run(&mut dx, residual.then_some(&mut dr[..])));
    });
    vec![forward, backward]
}

fn quantize_activations(n: usize) -> Vec<Timing> {
    let (x, g) = (values(n), values(n));
    let (mut y, mut dx) = (g.clone(), g.clone());
    let interval = ActivationInterval { center: 0.5, half_width: 0.5 };
    vec![
        memory("forward", 2 * n, || {
            quantizer::quantize_activations(black_box(&x), interval, 15, &mut y);
        }),
        memory("backward", 3 * n, || {
            let sums =
                quantizer::quantize_activations_backward(&x, black_box(&g), interval, &mut dx);
            black_box(sums);
        }),
    ]
}

fn quantize_weights(n: usize) -> Vec<Timing> {
    let (x, g) = (values(n), values(n));
    let (mut y, mut dx) = (g.clone(), g.clone());
    let interval = WeightInterval { center: 0.5, half_width: 0.4, gamma: 1.1 };
    vec![
        memory("forward", 2 * n, || {
            quantizer::quantize_weights(black_box(&x), interval, 7, &mut y);
        }),
        memory("backward", 3 * n, || {
            let sums = quantizer::quantize_weights_backward(&x, black_box(&g), interval, &mut dx);
            black_box(sums);
        }),
    ]
}

fn max_pool(shape: &MaxPoolShape) -> Vec<Timing> {
    let (x, g) = (values(shape.input_length()), values(shape.output_length()));
    let (mut y, mut indices, mut dx) = (g.clone(), vec![0; g.len()], x.clone());
    let moved = x.len() + 2 * g.len();
    let forward = memory("forward", moved, || {
        pool::max_pool(shape, black_box(&x), &mut y, &mut indices);
    });
    let backward = memory("backward", moved, || {
        pool::max_pool_backward(shape, black_box(&g), &indices, &mut dx);
    });
    vec![forward, backward]
}

fn average_pool(batch: usize, pixels: usize, channels: usize) -> Vec<Timing> {
    let (x, mut y) = (values(batch * pixels * channels), values(batch * channels));
    let mut dx = x.clone();
    let moved = x.len() + y.len();
    let forward = memory("forward", moved, || {
        pool::average_pool(black_box(&x), channels, &mut y);
    });
    let backward = memory("backward", moved, || {
        pool::average_pool_backward(black_box(&y), channels, &mut dx);
    });
    vec![forward, backward]
}

fn sgd(n: usize) -> Vec<Timing> {
    let step = SgdStep { learning_rate: 0.0, momentum: 0.9, weight_decay: 1e-4, nesterov: false };
    let (mut p, g, mut v) = (values(n), values(n), values(n));
    vec![memory("step", 5 * n, || step.run(&mut p, black_box(&g), &mut v))]
}
