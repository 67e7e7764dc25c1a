//! Images a second of whole training steps and of evaluation, one line a case.
//!
//! `cargo run --release -p bitsweep-models --example step [steps]`, with `RAYON_NUM_THREADS=1` for what
//! one core does. ResNet-18 at a quarter of its channels on 28×28 images, batches of 64.

#![allow(clippy::print_stdout, reason = "the lines are what it is for")]

use std::time::{Duration, Instant};

use bitsweep_models::{
    Architecture, ConvolutionSettings, Mode, Model, ModelConfig, OutputScale, ParameterGroup, Stem,
    UpdateRule,
};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};

const BATCH: usize = 64;
const SIZE: usize = 28;
const CLASSES: usize = 10;

/// Plain gradient descent on weights; intervals stay, so that every step does the same work.
struct Descent;

impl UpdateRule for Descent {
    fn update(&mut self, _: &str, group: ParameterGroup, value: &mut [f32], gradient: &mut [f32]) {
        if group == ParameterGroup::Weight {
            value
                .iter_mut()
                .zip(gradient.iter())
                .for_each(|(value, gradient)| *value -= 1e-3 * gradient);
        }
    }
}

/// Shortest time of each part of a step: what the machine does when nothing else runs.
struct Parts {
    forward: Duration,
    backward: Duration,
    update: Duration,
    evaluation: Duration,
}

impl Default for Parts {
    fn default() -> Self {
        let [forward, backward, update, evaluation] = [Duration::MAX; 4];
        Self { forward, backward, update, evaluation }
    }
}

fn images(device: &Device) -> Tensor<4> {
    let count = BATCH * SIZE * SIZE;
    let values: Vec<f32> = (0..count).map(|i| (i as f32 * 0.37).sin()).collect();
    Tensor::from_data(TensorData::new(values, [BATCH, SIZE, SIZE, 1]), device)
}

fn step(model: &mut Model, parts: &mut Parts) {
    let device = model.device().clone();
    let labels: Vec<i64> = (0..BATCH).map(|i| (i % CLASSES) as i64).collect();
    let labels: Tensor<2, Int> = Tensor::from_data(TensorData::new(labels, [BATCH, 1]), &device);
    let start = Instant::now();
    let logits = model.forward(images(&device), Mode::Train);
    let loss = log_softmax(logits, 1).gather(1, labels).mean().neg();
    let computed = Instant::now();
    let mut gradients = loss.backward();
    let derived = Instant::now();
    model.update(&mut gradients, &mut Descent);
    let updated = Instant::now();
    parts.forward = parts.forward.min(computed - start);
    parts.backward = parts.backward.min(derived - computed);
    parts.update = parts.update.min(updated - derived);
}

fn evaluate(model: &Model, parts: &mut Parts) {
    let mut frozen = model.frozen();
    let images = images(frozen.device());
    let start = Instant::now();
    frozen.forward(images, Mode::Evaluate);
    parts.evaluation = parts.evaluation.min(start.elapsed());
}

fn main() {
    let steps: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(20);
    for bits in [32, 4, 2] {
        let config = ModelConfig {
            architecture: Architecture::ResNet18,
            width: 0.25,
            stem: Stem::Small,
            in_channels: 1,
            classes: CLASSES,
            weight_bits: bits,
            activation_bits: bits,
            output_scale: OutputScale::None,
            convolution: ConvolutionSettings::default(),
        };
        let mut model =
            Model::new(&config, 1, &Device::flex().autodiff()).expect("this is a network");
        step(&mut model, &mut Parts::default());
        evaluate(&model, &mut Parts::default());
        let mut parts = Parts::default();
        for _ in 0..steps {
            step(&mut model, &mut parts);
            evaluate(&model, &mut parts);
        }
        let milliseconds = |part: Duration| part.as_secs_f64() * 1e3;
        let whole = parts.forward + parts.backward + parts.update;
        println!(
            "{bits:2} bits: {:.0} images/s training ({:.1} ms forward, {:.1} ms backward, {:.2} ms update), \
             {:.0} images/s evaluating",
            BATCH as f64 * 1e3 / milliseconds(whole),
            milliseconds(parts.forward),
            milliseconds(parts.backward),
            milliseconds(parts.update),
            BATCH as f64 * 1e3 / milliseconds(parts.evaluation),
        );
    }
}
