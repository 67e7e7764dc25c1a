//! Gradients of whole networks against differences of their loss.

use bitsweep_models::{
    Architecture, Mode, Model, ModelConfig, OutputScale, ParameterGroup, UpdateRule,
};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor, TensorData};

use crate::fixtures::{ALL, calibrate, images, small, trainable, values};

const BATCH: usize = 12;

fn loss(model: &mut Model) -> Tensor<1> {
    loss_in(model, Mode::Train)
}

fn loss_in(model: &mut Model, mode: Mode) -> Tensor<1> {
    let device = model.device().clone();
    let batch = Tensor::from_data(images(4, [BATCH, 28, 28, 1]).into_data(), &device);
    let labels: Vec<i64> = (0..BATCH as i64).map(|i| i % 10).collect();
    let labels: Tensor<2, Int> = Tensor::from_data(TensorData::new(labels, [BATCH, 1]), &device);
    log_softmax(model.forward(batch, mode), 1).gather(1, labels).mean().neg()
}

/// Moves one tensor along its gradient so far that the loss should change by `change`.
struct Move<'a> {
    target: &'a str,
    change: f32,
}

impl UpdateRule for Move<'_> {
    fn update(&mut self, name: &str, _: ParameterGroup, value: &mut [f32], gradient: &mut [f32]) {
        if name == self.target {
            let square: f32 = gradient.iter().map(|g| g * g).sum();
            let step = self.change / square;
            value
                .iter_mut()
                .zip(gradient.iter())
                .for_each(|(value, gradient)| *value += step * gradient);
        }
    }
}

/// How the loss changes when `target` moves along its gradient, over what its gradient promises.
fn kept_promise(model: &Model, target: &str, change: f32, mode: Mode) -> f32 {
    let moved = |change: f32| {
        let mut model = model.clone();
        let mut gradients = loss_in(&mut model, mode).backward();
        model.update(&mut gradients, &mut Move { target, change });
        values(loss_in(&mut model, mode))[0]
    };
    (moved(change) - moved(-change)) / (2.0 * change)
}

#[test]
fn every_tensors_gradient_is_the_slope_of_the_loss() {
    // One weight at a time would drown in the loss's last bits; a whole tensor moved along its gradient
    // changes the loss by what f32 resolves to about 1 %. Larger moves switch more ReLUs: at 1e-3 some
    // slopes are off by a quarter, and the smaller the move the closer they come.
    const CHANGE: f32 = 3e-5;
    for architecture in ALL {
        let mut model = trainable(&small(architecture, 32));
        let names: Vec<String> =
            model.state().into_keys().filter(|name| !name.contains("running_")).collect();
        let errors =
            names.iter().map(|name| (kept_promise(&model, name, CHANGE, Mode::Train) - 1.0).abs());
        let errors: Vec<f32> = errors.collect();
        let mean = errors.iter().sum::<f32>() / errors.len() as f32;
        let worst = errors.iter().zip(&names).max_by(|a, b| a.0.total_cmp(b.0));
        assert!(mean < 0.02, "{architecture:?}: {mean}");
        assert!(worst.is_some_and(|(error, _)| *error < 0.12), "{architecture:?}: {worst:?}");
    }
}

#[test]
fn exponents_of_two_bit_weights_get_gradients() {
    // Ternary weights: the loss sees the threshold only through rounding, the straight-through gradient
    // through the transformer.
    struct Gammas(Vec<f32>);
    impl UpdateRule for Gammas {
        fn update(&mut self, _: &str, group: ParameterGroup, _: &mut [f32], gradient: &mut [f32]) {
            if group == ParameterGroup::Gamma {
                self.0.extend(&*gradient);
            }
        }
    }
    for (architecture, layers) in
        [(Architecture::ResNet18, 19), (Architecture::ResNet34, 35), (Architecture::AlexNet, 6)]
    {
        let mut model = trainable(&small(architecture, 2));
        calibrate(&mut model, architecture, &images(4, [BATCH, 28, 28, 1]));
        let mut gammas = Gammas(Vec::new());
        let mut gradients = loss(&mut model).backward();
        model.update(&mut gradients, &mut gammas);
        assert_eq!(gammas.0.len(), layers);
        assert!(gammas.0.iter().all(|g| g.is_finite() && *g != 0.0), "{:?}", gammas.0);
    }
}

#[test]
fn behind_scaled_quantized_weights_every_other_gradient_is_still_the_slope_of_the_loss() {
    // Statistics are fixed, so that batch-norm does not absorb the scale; weights and activations between
    // layers are smooth but for ReLU, since activations are not quantized.
    const CHANGE: f32 = 3e-5;
    let config = ModelConfig {
        activation_bits: 32,
        output_scale: OutputScale::Interval,
        ..small(Architecture::ResNet18, 8)
    };
    let mut model = trainable(&config);
    calibrate(&mut model, Architecture::ResNet18, &images(4, [BATCH, 28, 28, 1]));
    let smooth = |name: &String| {
        let quantized = name.contains("conv") && name.starts_with("layer");
        !quantized
            && !name.contains("_quantizer.")
            && !name.contains("running_")
            && !name.contains("downsample.0")
    };
    let names: Vec<String> = model.state().into_keys().filter(smooth).collect();
    assert!(names.len() > 40);
    let promise = |name| kept_promise(&model, name, CHANGE, Mode::Evaluate);
    let errors: Vec<f32> = names.iter().map(|name| (promise(name) - 1.0).abs()).collect();
    let mean = errors.iter().sum::<f32>() / errors.len() as f32;
    assert!(mean < 0.02, "{mean}");
}
