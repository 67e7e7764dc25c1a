//! The fused operations with gradients, written once for every backend.

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::ops::{Backward, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend};

use super::FusedOps;
use super::backward::{
    AveragePool, BatchNorm, BatchNormResidual, Convolution, MaxPool, QuantizeActivations,
    QuantizeWeights, ScaleAndShift, ScaleAndShiftResidual, shape_of,
};
use super::layer_ops::{Epilogue, LayerOps, Normalized, NormalizedState, ScaledState, Window};
use crate::convolution::Geometry;

impl<B: LayerOps + FusedOps, C: CheckpointStrategy> FusedOps for Autodiff<B, C> {
    fn fused_quantize_weights(
        weights: FloatTensor<Self>,
        center: FloatTensor<Self>,
        half_width: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        levels: u32,
    ) -> FloatTensor<Self> {
        let nodes = [weights.node(), center.node(), half_width.node(), gamma.node()];
        let interval = [center, half_width, gamma].map(|tensor| tensor.into_primitive());
        let weights = B::dense(weights.into_primitive());
        let output = B::quantize_weights(&weights, &interval, levels);
        match QuantizeWeights.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((weights, interval), output),
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
        let interval = [center, half_width].map(|tensor| tensor.into_primitive());
        let input = B::dense(input.into_primitive());
        let output = B::quantize_activations(&input, &interval, levels);
        match QuantizeActivations.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((input, interval), output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }

    fn fused_convolution(
        input: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        geometry: Geometry,
    ) -> FloatTensor<Self> {
        let nodes = [input.node(), weights.node()];
        let [input, weights] = [input, weights].map(|tensor| B::dense(tensor.into_primitive()));
        let output = B::convolve(&input, &weights, geometry);
        match Convolution.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((input, weights, geometry), output),
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
        let [input, scale, shift] =
            [input, scale, shift].map(|tensor| B::dense(tensor.into_primitive()));
        let epilogue = Epilogue { residual: None, relu };
        let Normalized { output, mean, variance } =
            B::normalize(&input, &scale, &shift, epsilon, epilogue);
        let [mean_constant, variance_constant] = constants::<B, C>(&mean, &variance);
        let output = match BatchNorm.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let relu_output = relu.then(|| output.clone());
                let state = NormalizedState { input, relu_output, scale, mean, variance, epsilon };
                prep.finish(state, output)
            }
            OpsKind::UnTracked(prep) => prep.finish(output),
        };
        (output, mean_constant, variance_constant)
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
            [input, scale, shift, residual].map(|tensor| B::dense(tensor.into_primitive()));
        let epilogue = Epilogue { residual: Some(&residual), relu: true };
        let Normalized { output, mean, variance } =
            B::normalize(&input, &scale, &shift, epsilon, epilogue);
        let [mean_constant, variance_constant] = constants::<B, C>(&mean, &variance);
        let output = match BatchNormResidual.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let relu_output = Some(output.clone());
                let state = NormalizedState { input, relu_output, scale, mean, variance, epsilon };
                prep.finish(state, output)
            }
            OpsKind::UnTracked(prep) => prep.finish(output),
        };
        (output, mean_constant, variance_constant)
    }

    fn fused_scale_and_shift(
        input: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        relu: bool,
    ) -> FloatTensor<Self> {
        let nodes = [input.node(), scale.node(), shift.node()];
        let [input, scale, shift] =
            [input, scale, shift].map(|tensor| B::dense(tensor.into_primitive()));
        let epilogue = Epilogue { residual: None, relu };
        let output = B::scale_and_shift(&input, &scale, &shift, epilogue);
        match ScaleAndShift.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let relu_output = relu.then(|| output.clone());
                prep.finish(ScaledState { input, relu_output, scale }, output)
            }
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }

    fn fused_scale_and_shift_residual(
        input: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        residual: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let nodes = [input.node(), scale.node(), shift.node(), residual.node()];
        let [input, scale, shift, residual] =
            [input, scale, shift, residual].map(|tensor| B::dense(tensor.into_primitive()));
        let epilogue = Epilogue { residual: Some(&residual), relu: true };
        let output = B::scale_and_shift(&input, &scale, &shift, epilogue);
        match ScaleAndShiftResidual.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let relu_output = Some(output.clone());
                prep.finish(ScaledState { input, relu_output, scale }, output)
            }
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }

    fn fused_max_pool(
        input: FloatTensor<Self>,
        window: usize,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self> {
        let nodes = [input.node()];
        let window = Window { size: window, stride, padding };
        let input = B::dense(input.into_primitive());
        let shape = shape_of::<B>(&input);
        let (output, indices) = B::max_pool(&input, window);
        match MaxPool.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((shape, window, indices), output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }

    fn fused_average_pool(input: FloatTensor<Self>) -> FloatTensor<Self> {
        let nodes = [input.node()];
        let input = B::dense(input.into_primitive());
        let output = B::average_pool(&input);
        match AveragePool.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(shape_of::<B>(&input), output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }
}

/// Statistics as tensors that no gradient flows through.
fn constants<B: LayerOps, C: CheckpointStrategy>(
    mean: &FloatTensor<B>,
    variance: &FloatTensor<B>,
) -> [FloatTensor<Autodiff<B, C>>; 2] {
    [mean.clone(), variance.clone()].map(Autodiff::<B, C>::from_inner)
}
