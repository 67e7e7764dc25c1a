//! CPU kernels of the training step, on slices and shapes.
//!
//! Activations are NHWC (`[batch, height, width, channels]`), convolution weights HWIO
//! (`[kernel height, kernel width, in channels, out channels]`), everything `f32` and dense.
//!
//! One source serves every instruction set: AVX-512, AVX2 with FMA, NEON or plain scalar code is
//! chosen at run time. Work is spread over the current rayon pool in parts whose bounds depend on
//! shapes and on the number of threads alone, and partial sums are added in a fixed order, so a
//! call gives the same bits each time it runs on the same machine with the same number of threads.
//!
//! A slice whose length contradicts its shape is a programming error and panics. No *value* does:
//! NaN and infinity flow through, because a diverging training has to be reported, not crashed.

pub mod batch_norm;
pub mod convolution;
pub mod linear;
pub mod pool;
pub mod quantizer;
pub mod sgd;

mod blocks;
mod dispatch;
mod fresh;
mod pointer;
mod product;
mod scratch;
mod tasks;
mod vector;

pub use dispatch::{INSTRUCTIONS_VARIABLE, Instructions, instructions};
