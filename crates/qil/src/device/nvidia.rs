//! NVIDIA's driver: which GPUs there are. Asks without making a context, so that a process that only looks
//! holds no GPU memory.

use std::ffi::{CStr, c_char, c_int, c_uint};

use libloading::{Library, Symbol};

/// A GPU of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gpu {
    pub(super) name: String,
    /// Bytes.
    pub(super) memory: u64,
}

const DRIVER: &str = if cfg!(windows) { "nvcuda.dll" } else { "libcuda.so.1" };

type Initialise = unsafe extern "C" fn(c_uint) -> c_int;
type Count = unsafe extern "C" fn(*mut c_int) -> c_int;
type Name = unsafe extern "C" fn(*mut c_char, c_int, c_int) -> c_int;
type Memory = unsafe extern "C" fn(*mut usize, c_int) -> c_int;

/// The GPUs in the order in which CUDA counts them, or why there are none.
pub(super) fn gpus() -> Result<Vec<Gpu>, String> {
    // SAFETY: NVIDIA's driver, whose initialisers may run at any time.
    #[allow(unsafe_code)]
    let driver = unsafe { Library::new(DRIVER) }
        .map_err(|_| format!("no NVIDIA driver was found ({DRIVER})"))?;
    // SAFETY: the CUDA driver interface gives these names these types (cuda.h), and every pointer is to a
    // place of the type and size it asks for.
    #[allow(unsafe_code)]
    unsafe {
        let initialise: Symbol<'_, Initialise> = symbol(&driver, b"cuInit\0")?;
        let count_of: Symbol<'_, Count> = symbol(&driver, b"cuDeviceGetCount\0")?;
        let name_of: Symbol<'_, Name> = symbol(&driver, b"cuDeviceGetName\0")?;
        let memory_of: Symbol<'_, Memory> = symbol(&driver, b"cuDeviceTotalMem_v2\0")?;
        let mut count = 0;
        check(initialise(0))?;
        check(count_of(&raw mut count))?;
        if count == 0 {
            return Err("the NVIDIA driver sees no GPU".to_owned());
        }
        // A device's handle is its number.
        (0..count)
            .map(|device| {
                let (mut name, mut memory) = ([0; 256], 0);
                check(name_of(name.as_mut_ptr(), 256, device))?;
                check(memory_of(&raw mut memory, device))?;
                name[255] = 0;
                let name = CStr::from_ptr(name.as_ptr()).to_string_lossy().into_owned();
                Ok(Gpu { name, memory: memory as u64 })
            })
            .collect()
    }
}

/// # Safety
/// `T` has to be the type of what is called `name`.
#[allow(unsafe_code)]
unsafe fn symbol<'a, T>(driver: &'a Library, name: &[u8]) -> Result<Symbol<'a, T>, String> {
    // SAFETY: as the caller says.
    unsafe { driver.get(name) }.map_err(|_| "the NVIDIA driver is too old".to_owned())
}

fn check(status: c_int) -> Result<(), String> {
    match status {
        0 => Ok(()),
        100 => Err("the NVIDIA driver sees no GPU".to_owned()),
        _ => Err(format!("the NVIDIA driver does not answer (CUDA error {status})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_have_names_and_memory_or_there_is_a_reason() {
        match gpus() {
            Ok(gpus) => {
                assert!(gpus.iter().all(|gpu| !gpu.name.is_empty() && gpu.memory > 0), "{gpus:?}");
                assert!(!gpus.is_empty());
            }
            Err(reason) => assert!(reason.contains("NVIDIA"), "{reason}"),
        }
    }
}
