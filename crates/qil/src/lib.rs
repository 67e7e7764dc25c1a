//! The quantizer of QIL (Jung et al., CVPR 2019) and the fused operations that networks with it are
//! built from. Knows tensors only.
//!
//! With t = (|w| − (c − d)) / 2d, clamped to [0, 1], a weight becomes sign(w)·round(q·t^γ)/q and a
//! non-negative activation round(q·t)/q. Rounding is to even and passes gradients straight through;
//! gradients of c, d and γ follow the transformer. At 32 bits nothing is called: the identity.

#![cfg_attr(
    feature = "tch",
    allow(
        deprecated,
        reason = "burn 0.22 is the last with LibTorch, and says so at every use of it"
    )
)]

mod convolution;
mod device;
mod implementation;
mod interval;
mod layers;
mod ops;
mod search;
mod statistics;
mod values;

pub use convolution::{ConvolutionAlgorithm, ConvolutionSettings, Precision};
pub use device::{AvailableDevice, DeviceError, DeviceName, available_devices, without_gpu};
pub use implementation::{Implementation, with_implementation};
pub use interval::{GAMMA_RANGE, Interval, activation_levels, project_gamma, weight_levels};
pub use layers::{
    BatchStatistics, batch_norm, conv2d, global_average_pool, max_pool2d, quantize_activations,
    quantize_weights, scale_and_shift,
};
pub use search::{search_activations, search_weights};
pub use statistics::{
    ActivationStatistics, HISTOGRAM_BINS, WeightStatistics, activation_statistics,
    weight_statistics, zero_threshold,
};
pub use values::{change_values, read_values};
