//! Weights from files that others wrote, for a trial or an evaluation.

use std::path::Path;

use bitsweep_models::import::{self, ImportError, Weights};
use bitsweep_models::{ModelConfig, State, StateError};

use crate::error::TrainError;

/// What a weights file holds, `.pth` or `.safetensors`, in torchvision's names; see
/// [`Weights`] for what is made of wrappers, counters and an AlexNet without batch-norm.
///
/// # Errors
/// When the file cannot be read, is no weights file or a damaged one.
pub fn read(path: &Path) -> Result<Weights, TrainError> {
    import::read(path).map_err(|error| match error {
        ImportError::Read { path, source } => TrainError::io("read weights", &path, source),
        error @ ImportError::Content { .. } => TrainError::Data(error.to_string()),
    })
}

/// The tensors of [`read`] alone.
///
/// # Errors
/// As [`read`].
pub fn read_weights(path: &Path) -> Result<State, TrainError> {
    Ok(read(path)?.state)
}

/// Says why the weights of `path` do not fit the network of `config`.
pub fn misfit(path: &Path, error: &StateError, state: &State, config: &ModelConfig) -> TrainError {
    let reason = import::explain(error, state, config);
    TrainError::Data(format!("weights {} do not fit the network: {reason}", path.display()))
}
