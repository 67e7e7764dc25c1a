//! What the end-to-end tests stand on: the real binary, its processes, and what it says of a sweep.
// A test has nothing better to do than to wait and to panic.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

mod binary;
mod coordinator;
mod export;
mod process;

pub use binary::{bitsweep, example};
pub use coordinator::{Coordinator, free_address, worker};
pub use export::{Export, Trial};
pub use process::{Finished, Process, eventually};
