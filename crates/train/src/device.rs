//! What computes, by name.

use bitsweep_qil::{DeviceError, DeviceName};
use burn::tensor::Device;

use crate::error::TrainError;
use crate::provenance;

/// The device called `name`, with gradients, ready to compute with `threads` of the processor.
pub(crate) fn open(name: &str, threads: usize) -> Result<Device, TrainError> {
    let found = name.parse::<DeviceName>().and_then(|name| name.open(threads));
    found.map(Device::autodiff).map_err(|error: DeviceError| TrainError::Spec(error.to_string()))
}

/// The device called `name` on this machine, for people.
pub(crate) fn describe(name: &str) -> String {
    let devices = bitsweep_qil::available_devices();
    let gpu = devices.into_iter().find(|device| {
        matches!(device.name, DeviceName::Cuda(_)) && name.parse() == Ok(device.name)
    });
    match gpu {
        Some(gpu) => format!("{name}: {}", gpu.description),
        None => format!("{name} on {}", provenance::processor()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flex_has_gradients_and_says_on_what_it_runs() {
        assert!(open("flex", 1).expect("every build has it").is_autodiff());
        assert_eq!(describe("flex"), format!("flex on {}", provenance::processor()));
    }

    #[test]
    fn a_device_that_is_not_there_is_bad_input_that_names_it() {
        for name in ["cuda:77", "tpu"] {
            let error = open(name, 1).expect_err(name);
            assert!(!error.reason().is_retryable(), "{error}");
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
