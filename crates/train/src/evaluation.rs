//! Loss and accuracy on the validation images.

use bitsweep_data::Loader;
use bitsweep_models::{Mode, Model};

use crate::error::TrainError;
use crate::images::{data_error, tensor};
use crate::metrics::Metrics;

/// Evaluates `model` on all images of `loader` in file order, asking before each batch whether to go on.
///
/// `None` when it was not to go on.
pub(crate) fn evaluate(
    model: &Model,
    loader: &Loader,
    mut go_on: impl FnMut() -> Result<bool, TrainError>,
) -> Result<Option<Metrics>, TrainError> {
    let mut frozen = model.frozen();
    let device = frozen.device().clone();
    let mut metrics = Metrics::default();
    for batch in loader.epoch(0, 0) {
        if !go_on()? {
            return Ok(None);
        }
        let batch = batch.map_err(data_error)?;
        let labels: Vec<u32> = batch.labels.iter().map(|&label| label.into()).collect();
        let images = tensor(batch.images, labels.len(), loader, &device);
        let logits = frozen.forward(images, Mode::Evaluate);
        let [_, classes] = logits.dims();
        let logits = logits.into_data().try_into_vec::<f32>().map_err(|error| {
            TrainError::Engine { doing: "reading logits", message: format!("{error:?}") }
        })?;
        metrics.add(&logits, classes, &labels);
    }
    Ok(Some(metrics))
}
