//! Initial values, from a seed and the tensor's name: the same whatever else a network contains.

use bitsweep_qil::ConvolutionSettings;
use burn::tensor::{Device, Tensor, TensorData};
use rand::{RngCore, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::parameter::trained;

/// Makes the initial tensors of one network.
pub(crate) struct Initializer<'a> {
    pub(crate) seed: u64,
    pub(crate) device: &'a Device,
    pub(crate) convolution: ConvolutionSettings,
}

impl Initializer<'_> {
    /// Normal with variance 2 / fan-out (He et al. 2015), as torchvision initialises convolutions.
    pub(crate) fn kaiming_normal<const D: usize>(
        &self,
        name: &str,
        shape: [usize; D],
        fan_out: usize,
    ) -> Tensor<D> {
        let deviation = (2.0 / fan_out as f64).sqrt();
        let mut uniform = self.uniform_stream(name);
        let mut normal = std::iter::from_fn(|| {
            // Box–Muller; 1 − u keeps the logarithm finite.
            let radius = (-2.0 * (1.0 - uniform()).ln()).sqrt();
            let angle = std::f64::consts::TAU * uniform();
            Some([radius * angle.cos(), radius * angle.sin()])
        })
        .flatten();
        self.tensor(shape, || normal.next().unwrap_or_default() * deviation)
    }

    /// Uniform in `[-bound, bound]`.
    pub(crate) fn uniform<const D: usize>(
        &self,
        name: &str,
        shape: [usize; D],
        bound: f64,
    ) -> Tensor<D> {
        let mut uniform = self.uniform_stream(name);
        self.tensor(shape, || (2.0 * uniform() - 1.0) * bound)
    }

    fn tensor<const D: usize>(
        &self,
        shape: [usize; D],
        mut next: impl FnMut() -> f64,
    ) -> Tensor<D> {
        let count = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|_| next() as f32).collect();
        trained(Tensor::from_data(TensorData::new(values, shape), self.device))
    }

    /// Uniform numbers in `[0, 1)` with 53 random bits.
    fn uniform_stream(&self, name: &str) -> impl FnMut() -> f64 + use<> {
        let mut seed = [0; 16];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        seed[8..].copy_from_slice(&fnv1a(name.as_bytes()).to_le_bytes());
        let mut random = Pcg64Mcg::from_seed(seed);
        move || (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// The 64-bit FNV-1a hash.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
