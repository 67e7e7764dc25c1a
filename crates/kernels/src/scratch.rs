//! Memory that a task works in and that keeps its place for the next one.

use std::cell::RefCell;

/// Floats of a cache line.
const LINE: usize = 16;

/// Buffers that a thread keeps.
const KEPT: usize = 4;

/// A whole cache line, so that vectors never cross two.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Line([f32; LINE]);

thread_local! {
    static FREE: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

/// Uninitialized memory, aligned to cache lines. Going through pages that the system has just handed
/// out costs as much as a pass over them, so threads keep what they used last.
pub(crate) struct Scratch(Vec<Line>);

impl Scratch {
    /// Room for `length` floats, of any value.
    pub(crate) fn new(length: usize) -> Self {
        let lines = length.div_ceil(LINE);
        let kept = FREE.with_borrow_mut(|free| {
            let fits = (0..free.len()).filter(|&index| free[index].capacity() >= lines);
            let tightest = fits.min_by_key(|&index| free[index].capacity());
            tightest.map(|index| free.swap_remove(index))
        });
        Self(kept.unwrap_or_else(|| Vec::with_capacity(lines)))
    }

    /// Start of the memory. What is read has to have been written through this pointer.
    pub(crate) fn start(&mut self) -> *mut f32 {
        self.0.as_mut_ptr().cast()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.0);
        // Nothing to keep where the thread is ending.
        let _ = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            free.push(buffer);
            if free.len() > KEPT {
                // The smallest is the cheapest to get again.
                let smallest = (0..free.len()).min_by_key(|&index| free[index].capacity());
                smallest.map(|index| free.swap_remove(index));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_starts_on_a_cache_line_and_comes_back() {
        let mut first = Scratch::new(1000);
        let start = first.start();
        assert_eq!(start as usize % 64, 0);
        // SAFETY: there is room for a thousand floats.
        unsafe { start.add(999).write(1.0) };
        drop(first);
        assert_eq!(Scratch::new(10).start(), start);
    }
}
