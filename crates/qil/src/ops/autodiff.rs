//! Gradients of the fused operations, written once for every backend whose tensors are host memory.

use bitsweep_kernels::batch_norm::{BatchNormBackward, BatchStatistics, Epilogue};
use bitsweep_kernels::quantizer::{quantize_activations_backward, quantize_weights_backward};
use bitsweep_kernels::{convolution, pool};
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend};

use super::backend::{HostBackend, scalar_tensor, shape_of};
use super::forward::{
    activation_interval, max_pool, normalize, statistics_tensors, weight_interval,
};
use super::{FusedOps, convolution_shape, pool_shape};

#[derive(Debug)]
struct QuantizeWeights;

impl<B: HostBackend> Backward<B, 4> for QuantizeWeights {
    /// Weights, center, half-width, gamma.
    type State = [FloatTensor<B>; 4];

    fn backward(self, ops: Ops<Self::State, 4>, grads: &mut Gradients, _: &mut Checkpointer) {
        let upstream = B::dense(grads.consume::<B>(&ops.node));
        let [weights, center, half_width, gamma] = ops.state;
        let interval = weight_interval::<B>(&center, &half_width, &gamma);
        let values = B::values(&weights);
        let mut gradient = vec![0.0; values.len()];
        let sums = quantize_weights_backward(values, B::values(&upstream), interval, &mut gradient);
        let [weights_node, center_node, half_width_node, gamma_node] = ops.parents;
        if let Some(node) = weights_node {
            grads.register::<B>(node.id, B::tensor(gradient, &shape_of::<B>(&weights)));
        }
        let scalars = [
            (center_node, sums.center),
            (half_width_node, sums.half_width),
            (gamma_node, sums.gamma),
        ];
        for (node, sum) in scalars {
            if let Some(node) = node {
                grads.register::<B>(node.id, scalar_tensor::<B>(sum));
            }
        }
    }
}

#[derive(Debug)]
struct QuantizeActivations;

impl<B: HostBackend> Backward<B, 3> for QuantizeActivations {
    /// Input, center, half-width.
    type State = [FloatTensor<B>; 3];

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let upstream = B::dense(grads.consume::<B>(&ops.node));
        let [input, center, half_width] = ops.state;
        let interval = activation_interval::<B>(&center, &half_width);
        let values = B::values(&input);
        let mut gradient = vec![0.0; values.len()];
        let sums =
            quantize_activations_backward(values, B::values(&upstream), interval, &mut gradient);
        let [input_node, center_node, half_width_node] = ops.parents;
        if let Some(node) = input_node {
            grads.register::<B>(node.id, B::tensor(gradient, &shape_of::<B>(&input)));
        }
        for (node, sum) in [(center_node, sums.center), (half_width_node, sums.half_width)] {
            if let Some(node) = node {
                grads.register::<B>(node.id, scalar_tensor::<B>(sum));
            }
        }
    }
}

#[derive(Debug)]
struct Convolution;

impl<B: HostBackend> Backward<B, 2> for Convolution {
    /// Input, weights, stride, padding.
    type State = (FloatTensor<B>, FloatTensor<B>, usize, usize);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let upstream = B::dense(grads.consume::<B>(&ops.node));
        let (input, weights, stride, padding) = ops.state;
        let (input_shape, weights_shape) = (shape_of::<B>(&input), shape_of::<B>(&weights));
        let shape = convolution_shape(&input_shape, &weights_shape, stride, padding);
        let [input_node, weights_node] = ops.parents;
        if let Some(node) = input_node {
            let mut gradient = vec![0.0; shape.input_length()];
            convolution::backward_input(
                &shape,
                B::values(&upstream),
                B::values(&weights),
                &mut gradient,
            );
            grads.register::<B>(node.id, B::tensor(gradient, &input_shape));
        }
        if let Some(node) = weights_node {
            let mut gradient = vec![0.0; shape.weight_length()];
            convolution::backward_weight(
                &shape,
                B::values(&input),
                B::values(&upstream),
                &mut gradient,
            );
            grads.register::<B>(node.id, B::tensor(gradient, &weights_shape));
        }
    }
}

/// What the backward pass of batch-norm reads.
#[derive(Debug, Clone)]
struct Normalized<B: HostBackend> {
    input: FloatTensor<B>,
    /// Output, if ReLU followed.
    relu_output: Option<FloatTensor<B>>,
    scale: FloatTensor<B>,
    statistics: BatchStatistics,
    epsilon: f32,
}

/// Gradients of input, scale, shift and, if asked, residual.
fn batch_norm_backward<B: HostBackend>(
    state: &Normalized<B>,
    upstream: &FloatTensor<B>,
    with_residual: bool,
) -> [Option<FloatTensor<B>>; 4] {
    let shape = shape_of::<B>(&state.input);
    let input = B::values(&state.input);
    let mut gradient = vec![0.0; input.len()];
    let mut residual = with_residual.then(|| vec![0.0; input.len()]);
    let parameters = BatchNormBackward {
        input,
        relu_output: state.relu_output.as_ref().map(|output| B::values(output)),
        grad_output: B::values(upstream),
        gamma: B::values(&state.scale),
        statistics: &state.statistics,
        epsilon: state.epsilon,
    }
    .run(&mut gradient, residual.as_deref_mut());
    let channels = [parameters.gamma.len()];
    [
        Some(B::tensor(gradient, &shape)),
        Some(B::tensor(parameters.gamma, &channels)),
        Some(B::tensor(parameters.beta, &channels)),
        residual.map(|values| B::tensor(values, &shape)),
    ]
}

#[derive(Debug)]
struct BatchNorm;

impl<B: HostBackend> Backward<B, 3> for BatchNorm {
    type State = Normalized<B>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let upstream = B::dense(grads.consume::<B>(&ops.node));
        let gradients = batch_norm_backward(&ops.state, &upstream, false);
        for (node, gradient) in ops.parents.into_iter().zip(gradients) {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

#[derive(Debug)]
struct BatchNormResidual;

impl<B: HostBackend> Backward<B, 4> for BatchNormResidual {
    type State = Normalized<B>;

    fn backward(self, ops: Ops<Self::State, 4>, grads: &mut Gradients, _: &mut Checkpointer) {
        let upstream = B::dense(grads.consume::<B>(&ops.node));
        let gradients = batch_norm_backward(&ops.state, &upstream, ops.parents[3].is_some());
        for (node, gradient) in ops.parents.into_iter().zip(gradients) {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

#[derive(Debug)]
struct MaxPool;

impl<B: HostBackend> Backward<B, 1> for MaxPool {
    /// Shape of the input, window, stride, padding, where the maxima came from.
    type State = (Vec<usize>, [usize; 3], Vec<u32>);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let upstream = B::dense(grads.consume::<B>(&ops.node));
        let (input, [window, stride, padding], indices) = ops.state;
        let shape = pool_shape(&input, window, stride, padding);
        let [node] = ops.parents;
        if let Some(node) = node {
            let mut gradient = vec![0.0; shape.input_length()];
            pool::max_pool_backward(&shape, B::values(&upstream), &indices, &mut gradient);
            grads.register::<B>(node.id, B::tensor(gradient, &input));
        }
    }
}

#[derive(Debug)]
struct AveragePool;

impl<B: HostBackend> Backward<B, 1> for AveragePool {
    /// Shape of the input.
    type State = Vec<usize>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let upstream = B::dense(grads.consume::<B>(&ops.node));
        let input = ops.state;
        let [node] = ops.parents;
        if let Some(node) = node {
            let mut gradient = vec![0.0; input.iter().product()];
            pool::average_pool_backward(B::values(&upstream), input[3], &mut gradient);
            grads.register::<B>(node.id, B::tensor(gradient, &input));
        }
    }
}

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
        let (mean, variance) = constants::<B, C>(&statistics);
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
        let (mean, variance) = constants::<B, C>(&statistics);
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
) -> (FloatTensor<Autodiff<B, C>>, FloatTensor<Autodiff<B, C>>) {
    let (mean, variance) = statistics_tensors::<B>(statistics);
    (Autodiff::<B, C>::from_inner(mean), Autodiff::<B, C>::from_inner(variance))
}
