//! The fused operations through burn: values and every gradient against independent references, on
//! every backend of this build and by every implementation.

#![allow(clippy::unwrap_used)]
#![cfg_attr(feature = "tch", allow(deprecated, reason = "burn deprecates LibTorch"))]

#[macro_use]
mod paths;

mod batch_norm;
mod convolution;
mod empty;
mod ends;
mod host_values;
mod pooling;
mod pytorch;
mod quantizer;
mod random;
mod tensors;
