//! Reading the weights files that others write.
#![allow(clippy::unwrap_used)]

mod files;
mod fixtures;
mod hostile;
mod misfits;
