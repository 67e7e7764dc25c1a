//! A trial's step on one fixed batch, for measuring it.

use bitsweep_models::{Interval, LayerQuantizers, Mode, Model, ParameterGroup};
use bitsweep_sweep::{Gamma, TrialSpec};
use burn::tensor::{Tensor, TensorData};

use crate::device;
use crate::error::TrainError;
use crate::loss::cross_entropy;
use crate::network;
use crate::optimizer::Optimizer;

/// Largest weight that an interval holds, over their root mean square: what suits 4 bits.
const UPPER_END: f32 = 2.45;

/// Everything that a trial does between two batches: forward, loss, backward, update, projection.
#[derive(Debug)]
pub struct TrainingStep {
    model: Model,
    optimizer: Optimizer,
    images: Tensor<4>,
    labels: Vec<i64>,
    learning_rate: f64,
    label_smoothing: f64,
}

impl TrainingStep {
    /// The step of `spec`'s network on a batch of its size, images of `spec.data.resolution` pixels with
    /// values that look random. Computes on the device of that name, with `threads` of the processor.
    ///
    /// # Errors
    /// When the specification is no network or the device is not there.
    pub fn new(spec: &TrialSpec, device: &str, threads: usize) -> Result<Self, TrainError> {
        // Fails if there is a pool already: then the caller chose its size.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
        let device = device::open(device, threads)?;
        let train = &spec.train;
        let mut model = network::build(spec, spec.bits, train.output_scale, &device)?;
        set_intervals(&mut model);
        model.set_trained(|group| match group {
            ParameterGroup::Gamma => train.gamma == Gamma::Learned,
            _ => true,
        });
        let mut optimizer = Optimizer::new(train);
        optimizer.start_from(&mut model);
        let (count, side) = (train.batch_size as usize, spec.data.resolution as usize);
        let shape = [count, side, side, spec.model.in_channels as usize];
        let values: Vec<f32> =
            (0..shape.iter().product()).map(|i| 1.5 * (i as f32 * 0.37).sin()).collect();
        Ok(Self {
            images: Tensor::from_data(TensorData::new(values, shape), &device),
            labels: (0..count as i64).map(|i| i % i64::from(spec.model.classes)).collect(),
            model,
            optimizer,
            learning_rate: train.learning_rate,
            label_smoothing: train.label_smoothing,
        })
    }

    /// One step; the loss before it.
    ///
    /// # Errors
    /// When the engine cannot say the loss.
    pub fn run(&mut self) -> Result<f64, TrainError> {
        let logits = self.model.forward(self.images.clone(), Mode::Train);
        let loss = cross_entropy(logits, self.labels.clone(), self.label_smoothing);
        let value = loss.clone().into_data().try_into_vec::<f32>().map_err(|error| {
            TrainError::Engine { doing: "reading the loss", message: format!("{error:?}") }
        })?;
        let mut gradients = loss.backward();
        self.optimizer.step(&mut self.model, &mut gradients, self.learning_rate);
        Ok(value.first().copied().unwrap_or(f32::NAN).into())
    }
}

/// Weight intervals that suit the weights, without the images that a trial searches its intervals with.
fn set_intervals(model: &mut Model) {
    let mut uppers = Vec::new();
    model.quantized_weights(|_, weights| {
        let squares: f64 = weights.iter().map(|&w| f64::from(w).powi(2)).sum();
        uppers.push(UPPER_END * (squares / weights.len() as f64).sqrt() as f32);
    });
    let mut layers: Vec<LayerQuantizers> = model.quantizers();
    for (layer, upper) in layers.iter_mut().zip(uppers) {
        if let Some(weights) = &mut layer.weights {
            weights.interval = Interval::up_to(upper);
        }
    }
    model.set_quantizers(&layers);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::spec;
    use bitsweep_sweep::Bits;

    #[test]
    fn steps_on_one_batch_lower_its_loss() {
        let mut spec = spec();
        spec.bits = Bits { weights: 4, activations: 4 };
        let mut step = TrainingStep::new(&spec, "flex", 1).expect("this is a network");
        let losses: Vec<f64> = (0..8).map(|_| step.run().expect("it has a loss")).collect();
        assert!(losses[7] < losses[0], "{losses:?}");
    }
}
