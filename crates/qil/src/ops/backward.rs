//! Backward passes of the fused operations: what each keeps from its forward pass, and what it makes of
//! the gradient that comes in.

use bitsweep_kernels::batch_norm::{BatchNormBackward, BatchStatistics};
use bitsweep_kernels::quantizer::{quantize_activations_backward, quantize_weights_backward};
use bitsweep_kernels::{convolution, pool};
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;

use super::backend::{HostBackend, scalar_tensor, shape_of};
use super::forward::{activation_interval, weight_interval};
use super::{convolution_shape, pool_shape};

#[derive(Debug)]
pub(super) struct QuantizeWeights;

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
pub(super) struct QuantizeActivations;

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
pub(super) struct Convolution;

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
pub(super) struct Normalized<B: HostBackend> {
    pub(super) input: FloatTensor<B>,
    /// Output, if ReLU followed.
    pub(super) relu_output: Option<FloatTensor<B>>,
    pub(super) scale: FloatTensor<B>,
    pub(super) statistics: BatchStatistics,
    pub(super) epsilon: f32,
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
pub(super) struct BatchNorm;

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
pub(super) struct BatchNormResidual;

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
pub(super) struct MaxPool;

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
pub(super) struct AveragePool;

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
