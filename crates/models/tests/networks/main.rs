//! Whole networks: what they are made of, what they compute, how they train and how they are kept.

#![allow(clippy::unwrap_used)]

mod calibration;
mod fixtures;
mod gradients;
mod plan;
mod pytorch;
mod reference;
mod shapes;
mod state;
mod training;
