//! LibTorch's devices.

use std::mem::forget;
use std::sync::OnceLock;

use burn::tensor::Device;

use super::nvidia::{self, Gpu};
use super::{AvailableDevice, DeviceName, processors};
use crate::ops::torch_version;

/// LibTorch's part that computes on NVIDIA GPUs. Nothing refers to it by name, so that a linker may have left
/// it out.
const CUDA_LIBRARY: &str = "libtorch_cuda.so";

/// The GPUs that LibTorch can use, or why there are none. Looks once.
pub(super) fn gpus() -> Result<&'static [Gpu], String> {
    static GPUS: OnceLock<Result<Vec<Gpu>, String>> = OnceLock::new();
    GPUS.get_or_init(|| {
        let gpus = nvidia::gpus()?;
        load_cuda()?;
        let usable = usize::try_from(tch::Cuda::device_count()).unwrap_or(0);
        if usable == 0 {
            return Err("LibTorch cannot use the NVIDIA driver of this machine".to_owned());
        }
        Ok(gpus.into_iter().take(usable).collect())
    })
    .as_deref()
    .map_err(Clone::clone)
}

/// Loads LibTorch's part for NVIDIA GPUs for the life of the process. It makes itself known to the rest
/// when it is loaded, but only to those that have not asked yet: this comes first.
fn load_cuda() -> Result<(), String> {
    #[cfg(unix)]
    {
        use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_LAZY};
        // SAFETY: LibTorch's own library, whose initialisers register its operators and may run at any time.
        #[allow(unsafe_code)]
        let library = unsafe { Library::open(Some(CUDA_LIBRARY), RTLD_LAZY | RTLD_GLOBAL) };
        match library {
            Ok(library) => forget(library),
            Err(error) => {
                return Err(format!("this LibTorch cannot compute on NVIDIA GPUs ({error})"));
            }
        }
    }
    Ok(())
}

/// LibTorch on the processor, and on every GPU.
pub(super) fn available(instructions: &str) -> Vec<AvailableDevice> {
    let version = torch_version();
    let cpu = AvailableDevice {
        name: DeviceName::Cpu,
        description: format!("LibTorch {version} on this processor, {instructions}"),
        threads: Some(processors()),
        memory: None,
    };
    let gpus = gpus().unwrap_or_default().iter().enumerate().map(|(index, gpu)| AvailableDevice {
        name: DeviceName::Cuda(index),
        description: format!("{}, LibTorch {version}", gpu.name),
        threads: None,
        memory: Some(gpu.memory),
    });
    std::iter::once(cpu).chain(gpus).collect()
}

/// LibTorch's own threads, which compute what the kernels do not.
fn set_threads(threads: usize) {
    tch::set_num_threads(i32::try_from(threads.max(1)).unwrap_or(i32::MAX));
}

pub(super) fn cpu(threads: usize) -> Device {
    set_threads(threads);
    Device::libtorch()
}

pub(super) fn gpu(index: usize, threads: usize) -> Device {
    set_threads(threads);
    // Shapes repeat from step to step: finding each one's fastest algorithm pays at once.
    tch::Cuda::cudnn_set_benchmark(true);
    Device::libtorch_cuda(index)
}
