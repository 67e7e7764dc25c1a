//! What computes, by name.

use burn::tensor::Device;

use crate::error::TrainError;

/// The device called `name`, with gradients.
pub(crate) fn open(name: &str) -> Result<Device, TrainError> {
    match name {
        "flex" | "cpu" => Ok(Device::flex().autodiff()),
        _ => Err(TrainError::Spec(format!(
            "device \"{name}\" is not part of this build; valid: flex, cpu"
        ))),
    }
}
