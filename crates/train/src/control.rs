//! How a running trial is asked to stop.

use std::sync::atomic::{AtomicBool, Ordering};

/// A request to stop, set from another thread or a signal handler and read after every step.
#[derive(Debug, Default)]
pub struct Control {
    stop: AtomicBool,
}

impl Control {
    /// Nothing asked yet; usable in a `static`.
    pub const fn new() -> Self {
        Self { stop: AtomicBool::new(false) }
    }

    /// Asks the trial to save a checkpoint after the current step and to return.
    pub fn request_stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    /// Whether a stop was asked for.
    pub fn stop_requested(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
}
