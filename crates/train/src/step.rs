//! One optimizer step.

use bitsweep_data::{Batch, Loader};
use bitsweep_models::{Mode, Model};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor, TensorData};

use crate::error::TrainError;
use crate::images::tensor;
use crate::optimizer::Optimizer;

/// What a step came to.
pub(crate) struct StepResult {
    /// Mean cross-entropy of the batch before the step, in nats.
    pub loss: f64,
    /// Interval steps that the guard cut.
    pub cuts: u64,
}

/// Forward, backward and update. A loss that is no finite number changes no parameter.
pub(crate) fn step(
    model: &mut Model,
    optimizer: &mut Optimizer,
    batch: Batch,
    loader: &Loader,
    learning_rate: f64,
) -> Result<StepResult, TrainError> {
    let device = model.device().clone();
    let labels: Vec<i64> = batch.labels.iter().map(|&label| label.into()).collect();
    let count = labels.len();
    let images = tensor(batch.images, count, loader, &device);
    let logits = model.forward(images, Mode::Train);
    let loss = cross_entropy(logits, labels);
    let value = loss.clone().into_data().try_into_vec::<f32>().map_err(|error| {
        TrainError::Engine { doing: "reading the loss", message: format!("{error:?}") }
    })?;
    let value = f64::from(value.first().copied().unwrap_or(f32::NAN));
    if !value.is_finite() {
        return Ok(StepResult { loss: value, cuts: 0 });
    }
    let mut gradients = loss.backward();
    let cuts = optimizer.step(model, &mut gradients, learning_rate);
    Ok(StepResult { loss: value, cuts })
}

/// Mean of −log softmax(logits)[label].
fn cross_entropy(logits: Tensor<2>, labels: Vec<i64>) -> Tensor<1> {
    let count = labels.len();
    let device = logits.device();
    let labels: Tensor<2, Int> = Tensor::from_data(TensorData::new(labels, [count, 1]), &device);
    log_softmax(logits, 1).gather(1, labels).mean().neg()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::metrics::Metrics;
    use burn::tensor::Device;

    #[test]
    fn the_training_loss_is_the_evaluation_loss_and_its_gradient_is_softmax_minus_one_hot() {
        let device = Device::flex().autodiff();
        let rows = [0.5_f32, -1.0, 2.0, 30.0, -30.0, 0.0];
        let logits = Tensor::<2>::from_data(TensorData::new(rows.to_vec(), [2, 3]), &device);
        let logits = logits.require_grad();
        let loss = cross_entropy(logits.clone(), vec![2, 1]);
        let value = loss.clone().into_data().try_into_vec::<f32>().unwrap()[0];
        let mut metrics = Metrics::default();
        metrics.add(&rows, 3, &[2, 1]);
        assert!((f64::from(value) - metrics.loss()).abs() < 1e-5);

        let gradient = logits.grad(&loss.backward()).unwrap();
        let gradient = gradient.into_data().try_into_vec::<f32>().unwrap();
        let sum: f64 = rows[..3].iter().map(|&v| f64::from(v).exp()).sum();
        for (class, &found) in gradient[..3].iter().enumerate() {
            let softmax = f64::from(rows[class]).exp() / sum;
            let expected = (softmax - f64::from(u8::from(class == 2))) / 2.0;
            assert!((f64::from(found) - expected).abs() < 1e-6, "{found} {expected}");
        }
    }
}
