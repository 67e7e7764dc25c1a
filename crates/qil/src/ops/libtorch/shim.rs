//! `shim.cpp`: the backward passes that LibTorch has and torch-sys does not.

use std::ffi::{CStr, c_char};
use std::ptr::null_mut;

use tch::Tensor;

/// LibTorch's own tensor.
#[repr(C)]
struct AtTensor {
    _private: [u8; 0],
}

// SAFETY: declarations as `shim.cpp` defines them.
#[allow(unsafe_code)]
unsafe extern "C" {
    fn bitsweep_free(text: *mut c_char);
    fn bitsweep_torch_version() -> *const c_char;
    fn bitsweep_convolution_backward(
        upstream: *const AtTensor,
        input: *const AtTensor,
        weights: *const AtTensor,
        stride: i64,
        padding: i64,
        input_wanted: bool,
        weights_wanted: bool,
        by_input: *mut *mut AtTensor,
        by_weights: *mut *mut AtTensor,
    ) -> *mut c_char;
    fn bitsweep_batch_norm_backward(
        upstream: *const AtTensor,
        input: *const AtTensor,
        scale: *const AtTensor,
        mean: *const AtTensor,
        inverse_deviation: *const AtTensor,
        epsilon: f64,
        by_input: *mut *mut AtTensor,
        by_scale: *mut *mut AtTensor,
        by_shift: *mut *mut AtTensor,
    ) -> *mut c_char;
}

fn handle(tensor: &Tensor) -> *const AtTensor {
    tensor.as_ptr().cast()
}

/// Takes over a tensor that the shim made; null is none.
fn owned(tensor: *mut AtTensor) -> Option<Tensor> {
    // SAFETY: the shim hands out tensors from `new`, once, which `Tensor` deletes when dropped.
    #[allow(unsafe_code)]
    (!tensor.is_null()).then(|| unsafe { Tensor::from_ptr(tensor.cast()) })
}

/// Panics with what the shim says, as tch does with LibTorch's exceptions.
fn check(operation: &str, failure: *mut c_char) {
    if failure.is_null() {
        return;
    }
    // SAFETY: a text from the shim, ended by zero, that is ours until it is freed.
    #[allow(unsafe_code)]
    let message = unsafe {
        let message = CStr::from_ptr(failure).to_string_lossy().into_owned();
        bitsweep_free(failure);
        message
    };
    panic!("LibTorch's {operation} failed: {message}");
}

/// Version of the LibTorch this was compiled against.
pub(crate) fn torch_version() -> &'static str {
    // SAFETY: a constant text, ended by zero.
    #[allow(unsafe_code)]
    let version = unsafe { CStr::from_ptr(bitsweep_torch_version()) };
    version.to_str().unwrap_or("unknown")
}

/// Gradients of a convolution, NCHW and OIHW; those that are wanted.
///
/// # Panics
/// If LibTorch fails, out of memory for one.
pub(super) fn convolution_backward(
    upstream: &Tensor,
    input: &Tensor,
    weights: &Tensor,
    stride: i64,
    padding: i64,
    wanted: [bool; 2],
) -> [Option<Tensor>; 2] {
    let [mut by_input, mut by_weights] = [null_mut(); 2];
    // SAFETY: the handles live as long as the tensors they are borrowed from, and the two places are ours.
    #[allow(unsafe_code)]
    let failure = unsafe {
        bitsweep_convolution_backward(
            handle(upstream),
            handle(input),
            handle(weights),
            stride,
            padding,
            wanted[0],
            wanted[1],
            &raw mut by_input,
            &raw mut by_weights,
        )
    };
    check("convolution_backward", failure);
    [owned(by_input), owned(by_weights)]
}

/// Gradients of a batch-norm with the batch's statistics, NCHW: of input, scale and shift.
///
/// # Panics
/// If LibTorch fails, out of memory for one.
pub(super) fn batch_norm_backward(
    upstream: &Tensor,
    input: &Tensor,
    scale: &Tensor,
    mean: &Tensor,
    inverse_deviation: &Tensor,
    epsilon: f64,
) -> [Tensor; 3] {
    let mut gradients = [null_mut(); 3];
    let [by_input, by_scale, by_shift] = &mut gradients;
    // SAFETY: the handles live as long as the tensors they are borrowed from, and the places are ours.
    #[allow(unsafe_code)]
    let failure = unsafe {
        bitsweep_batch_norm_backward(
            handle(upstream),
            handle(input),
            handle(scale),
            handle(mean),
            handle(inverse_deviation),
            epsilon,
            by_input,
            by_scale,
            by_shift,
        )
    };
    check("native_batch_norm_backward", failure);
    gradients.map(|tensor| owned(tensor).expect("all three gradients were asked for"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libtorch_refuses_is_said() {
        let one = Tensor::from_slice(&[1.0_f32]);
        let refused = std::panic::catch_unwind(|| {
            convolution_backward(&one, &one, &one, 1, 0, [true, true]);
        });
        let message =
            *refused.expect_err("a vector is no image").downcast::<String>().expect("text");
        assert!(message.starts_with("LibTorch's convolution_backward failed: "), "{message}");
    }

    #[test]
    fn only_gradients_that_are_wanted_are_made() {
        let input = Tensor::ones([1, 1, 3, 3], (tch::Kind::Float, tch::Device::Cpu));
        let weights = Tensor::ones([1, 1, 3, 3], (tch::Kind::Float, tch::Device::Cpu));
        let upstream = Tensor::ones([1, 1, 1, 1], (tch::Kind::Float, tch::Device::Cpu));
        for wanted in [[true, false], [false, true], [true, true], [false, false]] {
            let made = convolution_backward(&upstream, &input, &weights, 1, 0, wanted);
            assert_eq!(made.each_ref().map(Option::is_some), wanted);
        }
    }

    #[test]
    fn the_version_is_that_of_the_headers() {
        assert!(torch_version().starts_with("2."), "{}", torch_version());
    }
}
