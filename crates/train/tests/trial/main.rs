//! Real trainings of small networks on a few hundred images.
#![allow(clippy::unwrap_used)]

mod averages;
mod distillation;
mod evaluation;
mod fixture;
mod frozen;
mod initial;
mod input;
mod interruptions;
mod layers;
mod learning;
mod parents;
mod resume;
mod widths;
