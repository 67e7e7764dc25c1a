//! What can compute on this machine with this build, by name.

#[cfg(feature = "tch")]
mod libtorch;
#[cfg(feature = "tch")]
mod nvidia;

use std::fmt;
use std::str::FromStr;

use bitsweep_kernels::Instructions;
use burn::tensor::Device;
use thiserror::Error;

/// Names a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeviceName {
    /// `flex`: the processor, without LibTorch. Every build has it.
    Flex,
    /// `cpu`: the processor, with LibTorch.
    Cpu,
    /// `cuda:N`: an NVIDIA GPU, counted from 0, with LibTorch. `cuda` is the first.
    Cuda(usize),
}

/// A device that is there and that this build can use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AvailableDevice {
    /// What it is called.
    pub name: DeviceName,
    /// For people: the instruction set, the LibTorch version or the GPU's name.
    pub description: String,
    /// Processors it can use, if it is the processor.
    pub threads: Option<usize>,
    /// Bytes of memory of its own, if it has any.
    pub memory: Option<u64>,
}

/// Why a device cannot be used. Every message is one line and says what can be done.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DeviceError {
    /// No device is called that.
    #[error("\"{0}\" names no device; devices are flex, cpu and cuda:N with N from 0")]
    Unknown(String),
    /// The build lacks what the device needs.
    #[error(
        "device {0} needs LibTorch, which this bitsweep was built without; prepare LibTorch with \
         scripts/libtorch and build with --features tch, or use flex"
    )]
    NotBuilt(DeviceName),
    /// The machine has no such device.
    #[error("device {name} is not there: {reason}; this machine has {present}")]
    Missing {
        /// Which.
        name: DeviceName,
        /// Why not.
        reason: String,
        /// Names of those that are.
        present: String,
    },
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flex => f.write_str("flex"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

impl FromStr for DeviceName {
    type Err = DeviceError;

    fn from_str(name: &str) -> Result<Self, DeviceError> {
        match name {
            "flex" => Ok(Self::Flex),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => name
                .strip_prefix("cuda:")
                .filter(|index| index.bytes().all(|byte| byte.is_ascii_digit()))
                .and_then(|index| index.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(|| DeviceError::Unknown(name.to_owned())),
        }
    }
}

/// Processors this process may use.
fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get())
}

/// What the kernels compute with.
fn instructions() -> &'static str {
    let x86 = cfg!(any(target_arch = "x86_64", target_arch = "x86"));
    match bitsweep_kernels::instructions() {
        Instructions::WideVector => "AVX-512",
        Instructions::Vector if x86 => "AVX2",
        Instructions::Vector => "NEON",
        Instructions::Scalar => "no vector instructions",
    }
}

/// All devices of this machine that this build can use, `flex` first.
pub fn available_devices() -> Vec<AvailableDevice> {
    let instructions = instructions();
    #[cfg_attr(not(feature = "tch"), expect(unused_mut, reason = "one device"))]
    let mut devices = vec![AvailableDevice {
        name: DeviceName::Flex,
        description: format!("this processor, {instructions}"),
        threads: Some(processors()),
        memory: None,
    }];
    #[cfg(feature = "tch")]
    devices.extend(libtorch::available(instructions));
    devices
}

/// Why this build or machine has no GPU to offer; `None` if it has one.
pub fn without_gpu() -> Option<String> {
    #[cfg(feature = "tch")]
    {
        libtorch::gpus().err()
    }
    #[cfg(not(feature = "tch"))]
    {
        Some("this bitsweep was built without LibTorch".to_owned())
    }
}

impl DeviceName {
    /// The device of this name.
    ///
    /// # Errors
    /// If the build or the machine does not have it.
    pub fn find(self) -> Result<AvailableDevice, DeviceError> {
        let devices = available_devices();
        if let Some(device) = devices.iter().find(|device| device.name == self) {
            return Ok(device.clone());
        }
        if cfg!(not(feature = "tch")) {
            return Err(DeviceError::NotBuilt(self));
        }
        let present: Vec<String> = devices.iter().map(|device| device.name.to_string()).collect();
        let reason = without_gpu().unwrap_or_else(|| "there is no GPU of this number".to_owned());
        Err(DeviceError::Missing { name: self, reason, present: present.join(", ") })
    }

    /// Makes the device ready to compute with `threads` of the processor, without gradients. The kernels'
    /// threads are those of the rayon pool.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn open(self, threads: usize) -> Result<Device, DeviceError> {
        match self {
            Self::Flex => Ok(Device::flex()),
            #[cfg(feature = "tch")]
            Self::Cpu => Ok(libtorch::cpu(threads)),
            #[cfg(feature = "tch")]
            Self::Cuda(index) => self.find().map(|_| libtorch::gpu(index, threads)),
            #[cfg(not(feature = "tch"))]
            Self::Cpu | Self::Cuda(_) => {
                let _ = threads;
                Err(DeviceError::NotBuilt(self))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in [DeviceName::Flex, DeviceName::Cpu, DeviceName::Cuda(0), DeviceName::Cuda(12)] {
            assert_eq!(name.to_string().parse(), Ok(name));
        }
        assert_eq!("cuda".parse(), Ok(DeviceName::Cuda(0)));
        for name in ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:+1", "FLEX", "cuda:0 "] {
            assert_eq!(
                name.parse::<DeviceName>(),
                Err(DeviceError::Unknown(name.to_owned())),
                "{name:?}"
            );
        }
    }

    #[test]
    fn flex_is_always_there() {
        let devices = available_devices();
        assert_eq!(devices[0].name, DeviceName::Flex);
        assert!(devices[0].threads.is_some_and(|threads| threads > 0));
        assert!(DeviceName::Flex.open(1).is_ok());
    }

    #[test]
    fn what_is_listed_can_be_opened_and_nothing_else_can() {
        let listed: Vec<DeviceName> =
            available_devices().into_iter().map(|device| device.name).collect();
        for name in [DeviceName::Flex, DeviceName::Cpu, DeviceName::Cuda(0), DeviceName::Cuda(99)] {
            let opened = name.open(1);
            assert_eq!(opened.is_ok(), listed.contains(&name), "{name}");
            if let Err(error) = opened {
                let message = error.to_string();
                assert!(message.contains(&name.to_string()), "{message}");
                assert!(message.contains("flex"), "what there is instead: {message}");
                assert!(!message.contains('\n'));
            }
        }
    }

    #[cfg(not(feature = "tch"))]
    #[test]
    fn a_build_without_libtorch_says_how_to_get_it() {
        let message = DeviceName::Cpu.open(1).expect_err("not built").to_string();
        assert!(message.contains("scripts/libtorch"), "{message}");
        assert!(message.contains("--features tch"), "{message}");
        assert!(without_gpu().is_some());
    }
}
