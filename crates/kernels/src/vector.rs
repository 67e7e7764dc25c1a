//! Vectors that may be longer than what they are read from or written to.

use pulp::Simd;

/// The first `count` floats behind a pointer, or a whole vector of them; zeros fill it up.
///
/// # Safety
/// So many floats have to be readable.
#[inline(always)]
pub(crate) unsafe fn load<S: Simd>(s: S, from: *const f32, count: usize) -> S::f32s {
    if count >= S::F32_LANES {
        // SAFETY: a whole vector is readable, and it is a struct of `f32`.
        unsafe { from.cast::<S::f32s>().read_unaligned() }
    } else {
        // SAFETY: `count` floats are readable.
        s.partial_load_f32s(unsafe { std::slice::from_raw_parts(from, count) })
    }
}

/// Writes `count` floats, or a whole vector of them.
///
/// # Safety
/// So many floats have to be writable.
#[inline(always)]
pub(crate) unsafe fn store<S: Simd>(_: S, to: *mut f32, count: usize, value: S::f32s) {
    if count >= S::F32_LANES {
        // SAFETY: a whole vector is writable, and it is a struct of `f32`.
        unsafe { to.cast::<S::f32s>().write_unaligned(value) }
    } else {
        // SAFETY: `count` floats are writable, and the vector has more.
        unsafe { std::ptr::copy_nonoverlapping((&raw const value).cast::<f32>(), to, count) };
    }
}
