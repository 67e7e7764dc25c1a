//! The fused operations with gradients, written once for every backend whose tensors are host memory.

use bitsweep_kernels::batch_norm::{BatchStatistics, Epilogue};
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::ops::{Backward, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend};

use super::FusedOps;
use super::backend::{HostBackend, shape_of};
use super::backward::{
    AveragePool, BatchNorm, BatchNormResidual, Convolution, MaxPool, Normalized,
    QuantizeActivations, QuantizeWeights,
};
use super::forward::{max_pool, normalize, statistics_tensors};

impl<B: HostBackend + FusedOps, C: CheckpointStrategy> FusedOps for Autodiff<B, C> {
    fn fused_quantize_weights(
        weights: FloatTensor<Self>,
        center: FloatTensor<Self>,
        half_width: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        levels: u32,
    ) -> FloatTensor<Self> {
        let nodes = [weights.node(), center.node(), half_width.node(), gamma.node()];
        let [weights, center, half_width, gamma] =
            [weights, center, half_width, gamma].map(|t| B::dense(t.into_primitive()));
        let output = B::fused_quantize_weights(
            weights.clone(),
            center.clone(),
            half_width.clone(),
            gamma.clone(),
            levels,
        );
        match QuantizeWeights.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish([weights, center, half_width, gamma], output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }

    fn fused_quantize_activations(
        input: FloatTensor<Self>,
        center: FloatTensor<Self>,
        half_width: FloatTensor<Self>,
        levels: u32,
    ) -> FloatTensor<Self> {
        let nodes = [input.node(), center.node(), half_width.node()];
        let [input, center, half_width] =
            [input, center, half_width].map(|t| B::dense(t.into_primitive()));
        let output = B::fused_quantize_activations(
            input.clone(),
            center.clone(),
            half_width.clone(),
            levels,
        );
        match QuantizeActivations.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish([input, center, half_width], output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }

    fn fused_convolution(
        input: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self> {
        let nodes = [input.node(), weights.node()];
        let [input, weights] = [input, weights].map(|t| B::dense(t.into_primitive()));
        let output = B::fused_convolution(input.clone(), weights.clone(), stride, padding);
        match Convolution.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((input, weights, stride, padding), output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }

    fn fused_batch_norm(
        input: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        epsilon: f32,
        relu: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let nodes = [input.node(), scale.node(), shift.node()];
        let [input, scale, shift] = [input, scale, shift].map(|t| B::dense(t.into_primitive()));
        let epilogue = Epilogue { residual: None, relu };
        let (output, statistics) = normalize::<B>(&input, &scale, &shift, epsilon, epilogue);
        let [mean, variance] = constants::<B, C>(&statistics);
        let output = match BatchNorm.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let relu_output = relu.then(|| output.clone());
                prep.finish(Normalized { input, relu_output, scale, statistics, epsilon }, output)
            }
            OpsKind::UnTracked(prep) => prep.finish(output),
        };
        (output, mean, variance)
    }

    fn fused_batch_norm_residual(
        input: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        epsilon: f32,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let nodes = [input.node(), scale.node(), shift.node(), residual.node()];
        let [input, scale, shift, residual] =
            [input, scale, shift, residual].map(|t| B::dense(t.into_primitive()));
        let epilogue = Epilogue { residual: Some(B::values(&residual)), relu: true };
        let (output, statistics) = normalize::<B>(&input, &scale, &shift, epsilon, epilogue);
        let [mean, variance] = constants::<B, C>(&statistics);
        let output = match BatchNormResidual.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let relu_output = Some(output.clone());
                prep.finish(Normalized { input, relu_output, scale, statistics, epsilon }, output)
            }
            OpsKind::UnTracked(prep) => prep.finish(output),
        };
        (output, mean, variance)
    }

    fn fused_max_pool(
        input: FloatTensor<Self>,
        window: usize,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self> {
        let nodes = [input.node()];
        let input = B::dense(input.into_primitive());
        let (output, indices) = max_pool::<B>(&input, window, stride, padding);
        match MaxPool.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                prep.finish((shape_of::<B>(&input), [window, stride, padding], indices), output)
            }
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }

    fn fused_average_pool(input: FloatTensor<Self>) -> FloatTensor<Self> {
        let nodes = [input.node()];
        let input = B::dense(input.into_primitive());
        let output = B::fused_average_pool(input.clone());
        match AveragePool.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(shape_of::<B>(&input), output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }
}

/// Statistics as tensors that no gradient flows through.
fn constants<B: HostBackend, C: CheckpointStrategy>(
    statistics: &BatchStatistics,
) -> [FloatTensor<Autodiff<B, C>>; 2] {
    let (mean, variance) = statistics_tensors::<B>(statistics);
    [mean, variance].map(Autodiff::<B, C>::from_inner)
}
