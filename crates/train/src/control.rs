//! How a running trial is asked to stop.

use std::sync::atomic::{AtomicU64, Ordering};

/// Nothing asked.
const NEVER: u64 = u64::MAX;

/// A request to stop, made from another thread or a signal handler and read after every step.
#[derive(Debug)]
pub struct Control {
    stop_at: AtomicU64,
}

impl Control {
    /// Nothing asked yet; usable in a `static`.
    pub const fn new() -> Self {
        Self { stop_at: AtomicU64::new(NEVER) }
    }

    /// Asks the trial to save a checkpoint after the current step and to return.
    pub fn request_stop(&self) {
        self.request_stop_at(0);
    }

    /// Asks the trial to do so once `step` of its steps are done.
    pub fn request_stop_at(&self, step: u64) {
        self.stop_at.fetch_min(step, Ordering::AcqRel);
    }

    /// Whether a trial that has done `step` steps is to stop.
    pub fn stop_requested(&self, step: u64) -> bool {
        self.stop_at.load(Ordering::Acquire) <= step
    }
}

impl Default for Control {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_request_counts() {
        let control = Control::new();
        assert!(!control.stop_requested(u64::MAX - 1));
        control.request_stop_at(7);
        control.request_stop_at(9);
        assert!(!control.stop_requested(6));
        assert!(control.stop_requested(7));
        control.request_stop();
        assert!(control.stop_requested(0));
    }
}
