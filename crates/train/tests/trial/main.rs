//! Real trainings of small networks on a few hundred images.
#![allow(clippy::unwrap_used)]

mod fixture;
mod input;
mod learning;
mod parents;
mod resume;
