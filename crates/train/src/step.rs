//! One optimizer step.

use bitsweep_data::{Batch, Loader};
use bitsweep_models::Mode;
use bitsweep_sweep::{BatchNormStatistics, TrainSettings};

use crate::error::TrainError;
use crate::images::tensor;
use crate::loss::{cross_entropy, distillation};
use crate::optimizer::Guards;
use crate::start::Progressing;

/// What a step came to.
pub(crate) struct StepResult {
    /// Mean loss of the batch before the step, in nats.
    pub loss: f64,
    /// What the guards did.
    pub guards: Guards,
}

/// Forward, backward and update. A loss that is no finite number changes no parameter.
pub(crate) fn step(
    state: &mut Progressing,
    batch: Batch,
    loader: &Loader,
    settings: &TrainSettings,
    learning_rate: f64,
) -> Result<StepResult, TrainError> {
    let Progressing { model, optimizer, average, teacher, .. } = state;
    let device = model.device().clone();
    let images = tensor(batch.images, batch.labels.len(), loader, &device);
    let mode = match settings.batch_norm_statistics {
        BatchNormStatistics::Parent => Mode::Evaluate,
        BatchNormStatistics::Recomputed | BatchNormStatistics::Running => Mode::Train,
    };
    let loss = match teacher {
        Some(teacher) => {
            let wanted = teacher.logits(&images);
            distillation(model.forward(images, mode), wanted)
        }
        None => {
            let labels = batch.labels.iter().map(|&label| label.into()).collect();
            cross_entropy(model.forward(images, mode), labels, settings.label_smoothing)
        }
    };
    let value = loss.clone().into_data().try_into_vec::<f32>().map_err(|error| {
        TrainError::Engine { doing: "reading the loss", message: format!("{error:?}") }
    })?;
    let value = f64::from(value.first().copied().unwrap_or(f32::NAN));
    if !value.is_finite() {
        return Ok(StepResult { loss: value, guards: Guards::default() });
    }
    let mut gradients = loss.backward();
    let guards = optimizer.step(model, &mut gradients, learning_rate);
    if let (Some(average), Some(decay)) = (average, settings.ema_decay) {
        average.blend(model, decay);
    }
    Ok(StepResult { loss: value, guards })
}
