//! Reading the weights files that others write.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod files;
mod fixtures;
mod hostile;
mod misfits;
