//! Raw pointers that tasks on several threads may hold at once.

use std::mem::MaybeUninit;

/// Start of a slice that only reads go through.
#[derive(Clone, Copy)]
pub(crate) struct Source(*const f32);

/// Start of a slice that tasks write to, each to elements of its own.
#[derive(Clone, Copy)]
pub(crate) struct Target(*mut f32);

// SAFETY: a `Source` is only made from a shared slice that outlives the tasks, and only read.
unsafe impl Send for Source {}
// SAFETY: as above.
unsafe impl Sync for Source {}
// SAFETY: a `Target` is only made from an exclusive slice that outlives the tasks, and the code that
// makes it gives every task a set of elements that no other task touches.
unsafe impl Send for Target {}
// SAFETY: as above.
unsafe impl Sync for Target {}

impl Source {
    pub(crate) fn new(slice: &[f32]) -> Self {
        Self(slice.as_ptr())
    }

    /// Pointer `offset` elements on. It need not lie inside the slice until it is read.
    #[inline(always)]
    pub(crate) fn at(self, offset: isize) -> *const f32 {
        self.0.wrapping_offset(offset)
    }
}

impl Target {
    pub(crate) fn new(slice: &mut [MaybeUninit<f32>]) -> Self {
        Self(slice.as_mut_ptr().cast())
    }

    /// From the start of memory that outlives the tasks and that nobody else uses.
    pub(crate) fn of(start: *mut f32) -> Self {
        Self(start)
    }

    /// Pointer `offset` elements on. It need not lie inside the slice until it is used.
    #[inline(always)]
    pub(crate) fn at(self, offset: usize) -> *mut f32 {
        self.0.wrapping_add(offset)
    }
}
