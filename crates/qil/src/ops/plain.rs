//! The fused operations where nobody asks for gradients.

#[cfg(feature = "tch")]
use burn::backend::LibTorch;
use burn::backend::{Flex, tensor::FloatTensor};

use super::FusedOps;
use super::layer_ops::{Epilogue, LayerOps, Normalized, Window};
use crate::convolution::Geometry;

/// Implements [`FusedOps`] by [`LayerOps`]. A blanket implementation would overlap with the one for
/// `Autodiff`.
macro_rules! plain {
    ($backend:ty) => {
        impl FusedOps for $backend {
            fn fused_quantize_weights(
                weights: FloatTensor<Self>,
                center: FloatTensor<Self>,
                half_width: FloatTensor<Self>,
                gamma: FloatTensor<Self>,
                levels: u32,
            ) -> FloatTensor<Self> {
                let interval = [center, half_width, gamma];
                Self::quantize_weights(&Self::dense(weights), &interval, levels)
            }

            fn fused_quantize_activations(
                input: FloatTensor<Self>,
                center: FloatTensor<Self>,
                half_width: FloatTensor<Self>,
                levels: u32,
            ) -> FloatTensor<Self> {
                Self::quantize_activations(&Self::dense(input), &[center, half_width], levels)
            }

            fn fused_convolution(
                input: FloatTensor<Self>,
                weights: FloatTensor<Self>,
                geometry: Geometry,
            ) -> FloatTensor<Self> {
                Self::convolve(&Self::dense(input), &Self::dense(weights), geometry)
            }

            fn fused_batch_norm(
                input: FloatTensor<Self>,
                scale: FloatTensor<Self>,
                shift: FloatTensor<Self>,
                epsilon: f32,
                relu: bool,
            ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
                let [input, scale, shift] = [input, scale, shift].map(Self::dense);
                let epilogue = Epilogue { residual: None, relu };
                let Normalized { output, mean, variance } =
                    Self::normalize(&input, &scale, &shift, epsilon, epilogue);
                (output, mean, variance)
            }

            fn fused_batch_norm_residual(
                input: FloatTensor<Self>,
                scale: FloatTensor<Self>,
                shift: FloatTensor<Self>,
                residual: FloatTensor<Self>,
                epsilon: f32,
            ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
                let [input, scale, shift, residual] =
                    [input, scale, shift, residual].map(Self::dense);
                let epilogue = Epilogue { residual: Some(&residual), relu: true };
                let Normalized { output, mean, variance } =
                    Self::normalize(&input, &scale, &shift, epsilon, epilogue);
                (output, mean, variance)
            }

            fn fused_scale_and_shift(
                input: FloatTensor<Self>,
                scale: FloatTensor<Self>,
                shift: FloatTensor<Self>,
                relu: bool,
            ) -> FloatTensor<Self> {
                let [input, scale, shift] = [input, scale, shift].map(Self::dense);
                let epilogue = Epilogue { residual: None, relu };
                Self::scale_and_shift(&input, &scale, &shift, epilogue)
            }

            fn fused_scale_and_shift_residual(
                input: FloatTensor<Self>,
                scale: FloatTensor<Self>,
                shift: FloatTensor<Self>,
                residual: FloatTensor<Self>,
            ) -> FloatTensor<Self> {
                let [input, scale, shift, residual] =
                    [input, scale, shift, residual].map(Self::dense);
                let epilogue = Epilogue { residual: Some(&residual), relu: true };
                Self::scale_and_shift(&input, &scale, &shift, epilogue)
            }

            fn fused_max_pool(
                input: FloatTensor<Self>,
                window: usize,
                stride: usize,
                padding: usize,
            ) -> FloatTensor<Self> {
                let window = Window { size: window, stride, padding };
                Self::max_pool(&Self::dense(input), window).0
            }

            fn fused_average_pool(input: FloatTensor<Self>) -> FloatTensor<Self> {
                Self::average_pool(&Self::dense(input))
            }
        }
    };
}

plain!(Flex);
#[cfg(feature = "tch")]
plain!(LibTorch);
