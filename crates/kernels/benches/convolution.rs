//! GFLOP/s of the convolution kernels per shape.
fn main() {}
