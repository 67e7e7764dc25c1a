//! Results in memory that nobody has to fill with zeros first.

use std::mem::MaybeUninit;

/// A vector whose every element `write` writes.
///
/// # Safety
/// `write` has to initialize all of the slice.
pub(crate) unsafe fn vector<T, R>(
    length: usize,
    write: impl FnOnce(&mut [MaybeUninit<T>]) -> R,
) -> (Vec<T>, R) {
    let mut vector = Vec::with_capacity(length);
    let result = write(&mut vector.spare_capacity_mut()[..length]);
    // SAFETY: there is room for `length` elements, and the caller has initialized them.
    unsafe { vector.set_len(length) };
    (vector, result)
}

/// The same memory for a function that only writes initialized elements to it.
///
/// # Safety
/// Nothing uninitialized may be written to the slice.
pub(crate) unsafe fn uninitialized<T>(slice: &mut [T]) -> &mut [MaybeUninit<T>] {
    // SAFETY: `MaybeUninit` has the layout of what it holds, and the caller keeps it initialized.
    unsafe { &mut *(std::ptr::from_mut(slice) as *mut [MaybeUninit<T>]) }
}

/// The same memory once all of it is written.
///
/// # Safety
/// Every element has to be initialized.
#[inline(always)]
pub(crate) unsafe fn initialized<T>(slice: &mut [MaybeUninit<T>]) -> &mut [T] {
    // SAFETY: as above, and the caller has initialized every element.
    unsafe { &mut *(std::ptr::from_mut(slice) as *mut [T]) }
}
