//! ResNet-18 against PyTorch in double precision, from files that `scripts/pytorch/make_fixtures.py` wrote:
//! a training step (loss, logits, every gradient, running statistics), evaluation, and ten steps of SGD.
//!
//! Rounding and ReLU make steps, where the smallest error may change a value by a whole level. The
//! fixtures keep every value away from them, by a hundred times PyTorch's own `f32` error in the recorded
//! training step and by some of those errors in the ten.

use std::collections::BTreeMap;

use bitsweep_kernels::sgd::SgdStep;
use bitsweep_models::{
    Architecture, ConvolutionAlgorithm, ConvolutionSettings, Interval, Mode, Model, ModelConfig,
    NamedTensor, OutputScale, ParameterGroup, QuantizersInState, State, Stem, UpdateRule,
};
use bitsweep_qil::{DeviceName, project_gamma};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors};

use crate::fixtures::values;

/// Every error is measured against PyTorch's own in `f32`: other orders of addition err a few times more or
/// less, Winograd's transforms up to ten times more.
const TIMES_PYTORCHS_ERROR: f64 = 15.0;

/// Relative error that each of ten losses may have, if [`TIMES_PYTORCHS_ERROR`] is less. Leaving out weight
/// decay or projection, or a tenth of the quantizers' learning rate, moves losses by 1e-3 to 1e-1.
const LOSSES: f64 = 1e-4;

/// What the ten steps were recorded with.
const LEARNING_RATE: f32 = 0.02;
const MOMENTUM: f32 = 0.9;
const WEIGHT_DECAY: f32 = 0.01;
const QUANTIZER_SCALE: f32 = 0.1;

struct Case {
    name: &'static str,
    bits: u8,
    width: f64,
    learned_gamma: bool,
}

const CASES: [Case; 3] = [
    Case { name: "resnet18-32bit", bits: 32, width: 0.0625, learned_gamma: false },
    Case { name: "resnet18-4bit", bits: 4, width: 0.125, learned_gamma: false },
    Case { name: "resnet18-2bit", bits: 2, width: 0.0625, learned_gamma: true },
];

/// What computes, and how convolutions.
type Engine = (Device, ConvolutionAlgorithm);

/// Every one of this build.
fn engines() -> Vec<Engine> {
    let mut names = vec![DeviceName::Flex];
    if cfg!(feature = "tch") {
        names.push(DeviceName::Cpu);
    }
    let devices = names.into_iter().map(|name| name.open(2).unwrap());
    let algorithms = [ConvolutionAlgorithm::Direct, ConvolutionAlgorithm::Automatic];
    devices.flat_map(|device| algorithms.map(|way| (device.clone(), way))).collect()
}

/// One tensor of a file, its numbers as `f64`.
struct Recorded {
    shape: Vec<usize>,
    numbers: Vec<f64>,
}

type File = BTreeMap<String, Recorded>;

fn file(case: &Case, which: &str) -> File {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
    let bytes = std::fs::read(format!("{folder}/{}-{which}.safetensors", case.name)).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let read = |name: &str| {
        let tensor = tensors.tensor(name).unwrap();
        let bytes = tensor.data();
        let numbers = match tensor.dtype() {
            Dtype::F32 => {
                bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b).into()).collect()
            }
            Dtype::F64 => bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect(),
            // An image: (b − 128) / 64.
            Dtype::U8 => bytes.iter().map(|&b| (f64::from(b) - 128.0) / 64.0).collect(),
            other => panic!("{name} is {other:?}"),
        };
        Recorded { shape: tensor.shape().to_vec(), numbers }
    };
    tensors.names().into_iter().map(|name| (name.to_owned(), read(name))).collect()
}

/// The network as recorded.
fn network(case: &Case, recorded: &File, engine: &Engine) -> Model {
    let config = ModelConfig {
        architecture: Architecture::ResNet18,
        width: case.width,
        stem: Stem::Small,
        in_channels: 3,
        classes: 10,
        weight_bits: case.bits,
        activation_bits: case.bits,
        output_scale: OutputScale::None,
        convolution: ConvolutionSettings { algorithm: engine.1, ..ConvolutionSettings::default() },
    };
    let mut model = Model::new(&config, 1, &engine.0.clone().autodiff()).unwrap();
    let tensors = recorded.iter().filter(|(name, _)| !name.starts_with("images."));
    let state: State = tensors
        .map(|(name, tensor)| {
            let values = tensor.numbers.iter().map(|&v| v as f32).collect();
            (name.clone(), NamedTensor { shape: tensor.shape.clone(), values })
        })
        .collect();
    model.load_state(&state, QuantizersInState::Required).unwrap();
    model
}

/// Batches `[n, h, w, c]` of images recorded as `[…, n, c, h, w]`.
fn batches(recorded: &Recorded, device: &Device) -> Vec<Tensor<4>> {
    let [n, c, h, w] = *recorded.shape.last_chunk().unwrap();
    let values: Vec<f32> = recorded.numbers.iter().map(|&v| v as f32).collect();
    values
        .chunks(n * c * h * w)
        .map(|batch| {
            let data = TensorData::new(batch.to_vec(), [n, c, h, w]);
            Tensor::<4>::from_data(data, device).permute([0, 2, 3, 1])
        })
        .collect()
}

/// Mean cross-entropy; the label of image i is i.
fn cross_entropy(logits: Tensor<2>) -> Tensor<1> {
    let count = logits.dims()[0];
    let labels = TensorData::new((0..count as i64).collect(), [count, 1]);
    let labels: Tensor<2, Int> = Tensor::from_data(labels, &logits.device());
    log_softmax(logits, 1).gather(1, labels).mean().neg()
}

fn norm(numbers: impl Iterator<Item = f64>) -> f64 {
    numbers.map(|v| v * v).sum::<f64>().sqrt()
}

/// Norm of the difference.
fn error(found: &[f32], expected: &Recorded) -> f64 {
    assert_eq!(found.len(), expected.numbers.len());
    norm(found.iter().zip(&expected.numbers).map(|(&found, expected)| f64::from(found) - expected))
}

fn relative_error(found: &[f32], expected: &Recorded) -> f64 {
    error(found, expected) / norm(expected.numbers.iter().copied())
}

/// Leaves gradients where values were, so that the state shows them in torchvision's layout.
struct Show;

impl UpdateRule for Show {
    fn update(&mut self, _: &str, _: ParameterGroup, value: &mut [f32], gradient: &mut [f32]) {
        value.copy_from_slice(gradient);
    }
}

/// What rounding errors of the gradient called `name` are relative to: its norm, or for an interval's the
/// magnitudes that it adds up.
fn scale(name: &str, results: &File, state: &File) -> f64 {
    let Some((quantizer, part)) = name.rsplit_once('.').filter(|_| name.contains("_quantizer."))
    else {
        return norm(results[&format!("gradient.{name}")].numbers.iter().copied());
    };
    let terms = results[&format!("terms.{quantizer}")].numbers[0];
    let value = |part: &str| state[&format!("{quantizer}.{part}")].numbers[0];
    // With u = g γ t^(γ−1) / 2d, a term of γ is g t^γ ln t = u · 2d / γ · t ln t, and |t ln t| ≤ 1/e.
    let gamma = || 2.0 * value("half_width") / value("gamma") / std::f64::consts::E;
    if part == "gamma" { terms * gamma() } else { terms }
}

#[test]
fn a_training_step_has_pytorchs_loss_and_gradients() {
    for case in &CASES {
        let (state, results) = (file(case, "state"), file(case, "results"));
        let tolerance = TIMES_PYTORCHS_ERROR * results["f32_error.tensors"].numbers[0];
        for engine in engines() {
            let mut model = network(case, &state, &engine);
            let device = model.device().clone();
            let images = batches(&state["images.step"], &device).remove(0);
            let logits = model.forward(images, Mode::Train);
            let close = |what: &str, found: f64| {
                assert!(found <= tolerance, "{} {engine:?} {what}: {found:.1e}", case.name);
            };
            close("logits", relative_error(&values(logits.clone()), &results["f64.logits"]));
            let loss = cross_entropy(logits);
            close("loss", relative_error(&values(loss.clone()), &results["f64.loss"]));

            let mut gradients = loss.backward();
            model.update(&mut gradients, &mut Show);
            let found = model.state();
            for (name, tensor) in &found {
                let found = &tensor.values;
                if name.contains("running_") {
                    close(name, relative_error(found, &results[&format!("after.{name}")]));
                } else {
                    let error = error(found, &results[&format!("gradient.{name}")]);
                    close(name, error / scale(name, &results, &state));
                }
            }
        }
    }
}

#[test]
fn evaluation_has_pytorchs_logits() {
    for case in &CASES {
        let (state, results) = (file(case, "state"), file(case, "results"));
        let tolerance = TIMES_PYTORCHS_ERROR * results["f32_error.tensors"].numbers[0];
        for engine in engines() {
            let mut model = network(case, &state, &engine).frozen();
            let images = batches(&state["images.evaluation"], model.device()).remove(0);
            let logits = values(model.forward(images, Mode::Evaluate));
            let error = relative_error(&logits, &results["f64.evaluation"]);
            assert!(error <= tolerance, "{} {engine:?}: {error:.1e}", case.name);
        }
    }
}

/// SGD as a trial does it.
struct Sgd {
    learned_gamma: bool,
    velocities: BTreeMap<String, Vec<f32>>,
}

impl UpdateRule for Sgd {
    fn update(
        &mut self,
        name: &str,
        group: ParameterGroup,
        value: &mut [f32],
        gradient: &mut [f32],
    ) {
        let (scale, weight_decay) = match group {
            ParameterGroup::Weight => (1.0, WEIGHT_DECAY),
            ParameterGroup::BatchNorm | ParameterGroup::Bias => (1.0, 0.0),
            ParameterGroup::Gamma if !self.learned_gamma => return,
            ParameterGroup::Interval | ParameterGroup::Gamma => (QUANTIZER_SCALE, 0.0),
        };
        let learning_rate = LEARNING_RATE * scale;
        let step = SgdStep { learning_rate, momentum: MOMENTUM, weight_decay, nesterov: false };
        let velocity =
            self.velocities.entry(name.to_owned()).or_insert_with(|| vec![0.0; value.len()]);
        step.run(value, gradient, velocity);
    }
}

/// No step of c or d beyond 5 %, d at least 1 % of its first value, c at least d.
fn project(after: Interval, before: Interval, initial_half_width: f32) -> Interval {
    let cut = |after: f32, before: f32| {
        let room = 0.05 * before.abs();
        after.clamp(before - room, before + room)
    };
    let half_width = cut(after.half_width, before.half_width).max(0.01 * initial_half_width);
    Interval { center: cut(after.center, before.center).max(half_width), half_width }
}

/// One step, and what keeps the intervals valid after it.
fn train(model: &mut Model, images: Tensor<4>, sgd: &mut Sgd, initial: &[[f32; 2]]) -> f64 {
    let before = model.quantizers();
    let loss = cross_entropy(model.forward(images, Mode::Train));
    let value = values(loss.clone())[0];
    let mut gradients = loss.backward();
    model.update(&mut gradients, sgd);
    let mut after = model.quantizers();
    for ((layer, before), initial) in after.iter_mut().zip(&before).zip(initial) {
        if let (Some(weights), Some(before)) = (&mut layer.weights, before.weights) {
            weights.interval = project(weights.interval, before.interval, initial[0]);
            weights.gamma = project_gamma(weights.gamma);
        }
        if let (Some(activations), Some(before)) = (&mut layer.activations, before.activations) {
            *activations = project(*activations, before, initial[1]);
        }
    }
    model.set_quantizers(&after);
    value.into()
}

#[test]
fn ten_steps_have_pytorchs_losses() {
    for case in &CASES {
        let (state, results) = (file(case, "state"), file(case, "results"));
        let expected = &results["f64.losses"].numbers;
        let own = results["f32.losses"].numbers.iter().zip(expected);
        let own = own.map(|(single, double)| (single / double - 1.0).abs()).fold(0.0, f64::max);
        let tolerance = LOSSES.max(TIMES_PYTORCHS_ERROR * own);
        for engine in engines() {
            let mut model = network(case, &state, &engine);
            let device = model.device().clone();
            let mut sgd = Sgd { learned_gamma: case.learned_gamma, velocities: BTreeMap::new() };
            let quantizers = model.quantizers();
            let initial: Vec<[f32; 2]> = quantizers
                .iter()
                .map(|layer| {
                    let weights = layer.weights.map_or(0.0, |w| w.interval.half_width);
                    [weights, layer.activations.map_or(0.0, |interval| interval.half_width)]
                })
                .collect();
            let batches = batches(&state["images.steps"], &device);
            assert_eq!(batches.len(), 10);
            for (step, images) in batches.into_iter().enumerate() {
                let found = train(&mut model, images, &mut sgd, &initial);
                let expected = expected[step];
                let error = (found / expected - 1.0).abs();
                let what = format!("{} {engine:?} step {step}", case.name);
                assert!(error <= tolerance, "{what}: {found} where {expected} is expected");
            }
        }
    }
}
