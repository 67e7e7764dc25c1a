//! Where panics of the engine become errors.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bitsweep_sweep::TrialSpec;

use crate::error::TrainError;

/// What LibTorch, CUDA and the C++ library say when memory has run out.
const OUT_OF_MEMORY: [&str; 5] =
    ["out of memory", "can't allocate memory", "ALLOC_FAILED", "bad_alloc", "memory allocation"];

/// Runs a part of a trial in which the engine computes.
///
/// LibTorch's errors reach us as panics. The trial cannot go on after one: whatever `compute` was changing is
/// not used again.
///
/// # Errors
/// [`TrainError::OutOfMemory`] when a panic says so, [`TrainError::Engine`] for every other one.
pub(crate) fn call<T>(
    doing: &'static str,
    spec: &TrialSpec,
    compute: impl FnOnce() -> Result<T, TrainError>,
) -> Result<T, TrainError> {
    catch_unwind(AssertUnwindSafe(compute)).unwrap_or_else(|panic| Err(error(doing, spec, &*panic)))
}

fn error(doing: &'static str, spec: &TrialSpec, panic: &(dyn Any + Send)) -> TrainError {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no reason given");
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if OUT_OF_MEMORY.iter().any(|sign| text.contains(sign)) {
        let batch_size = spec.train.batch_size;
        let advice = match batch_size / 2 {
            0 => "this network needs a device with more memory".to_owned(),
            half => format!("try batch-size = {half} instead of {batch_size}"),
        };
        let reason = lines.first().copied().unwrap_or_default();
        return TrainError::OutOfMemory(format!(
            "trial {}: the device ran out of memory while {doing}; {advice} ({reason})",
            spec.name
        ));
    }
    TrainError::Engine { doing, message: lines.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::spec;
    use bitsweep_sweep::AttemptEnd;

    #[test]
    fn a_device_without_memory_is_named_with_the_batch_size_to_try() {
        let mut spec = spec();
        spec.train.batch_size = 64;
        let message =
            "Torch(\"CUDA out of memory. Tried to allocate 2.00 GiB\\n\n  at somewhere\")";
        let ended: Result<(), _> = call("training", &spec, || panic!("{message}"));
        let error = ended.expect_err("it panicked");
        assert_eq!(error.reason(), AttemptEnd::OutOfMemory);
        let message = error.to_string();
        assert!(message.contains("batch-size = 32 instead of 64"), "{message}");
        assert!(message.contains("Tried to allocate"), "{message}");
        assert!(!message.contains('\n'), "{message}");
        spec.train.batch_size = 1;
        let ended: Result<(), _> = call("training", &spec, || panic!("CUBLAS_STATUS_ALLOC_FAILED"));
        let message = ended.expect_err("it panicked").to_string();
        assert!(message.contains("more memory"), "{message}");
    }

    #[test]
    fn every_other_panic_is_one_line_of_what_was_being_done() {
        let ended: Result<(), _> = call("evaluating", &spec(), || panic!("first\n  second"));
        let error = ended.expect_err("it panicked");
        assert_eq!(error.reason(), AttemptEnd::Crashed);
        assert_eq!(error.to_string(), "the engine failed while evaluating: first second");
        assert!(matches!(call("evaluating", &spec(), || Ok(5)), Ok(5)));
    }

    #[cfg(feature = "tch")]
    #[test]
    fn libtorch_without_memory_is_told_apart() {
        use burn::tensor::Tensor;
        let device = crate::device::open("cpu", 1).expect("part of this build");
        let ended = call("training", &spec(), || {
            let huge = Tensor::<1>::zeros([1_usize << 46], &device);
            Ok(huge.into_data())
        });
        let error = ended.expect_err("nobody has so much memory");
        assert_eq!(error.reason(), AttemptEnd::OutOfMemory, "{error}");
    }
}
