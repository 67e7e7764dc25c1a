//! The fused operations through burn: values and every gradient against independent references.

#![allow(clippy::unwrap_used)]

mod batch_norm;
mod convolution;
mod ends;
mod pooling;
mod quantizer;
mod tensors;
