//! Backward passes of the fused operations: what each keeps from its forward pass, and which nodes get
//! the gradients that a backend makes of it.

use burn::backend::TensorMetadata;
use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::{FloatTensor, IntTensor};

use super::layer_ops::{LayerOps, NormalizedState, ScaledState, Window};
use crate::convolution::Geometry;

/// Sizes of `[n, h, w, c]`.
pub(super) fn shape_of<B: LayerOps>(tensor: &FloatTensor<B>) -> [usize; 4] {
    let shape = tensor.shape();
    [shape[0], shape[1], shape[2], shape[3]]
}

/// Gives every node that asks for one its gradient.
fn register<B: LayerOps>(
    grads: &mut Gradients,
    nodes: impl IntoIterator<Item = Option<NodeId>>,
    gradients: impl IntoIterator<Item = Option<FloatTensor<B>>>,
) {
    for (node, gradient) in nodes.into_iter().zip(gradients) {
        if let (Some(node), Some(gradient)) = (node, gradient) {
            grads.register::<B>(node, gradient);
        }
    }
}

#[derive(Debug)]
pub(super) struct QuantizeWeights;

impl<B: LayerOps> Backward<B, 4> for QuantizeWeights {
    /// Weights; center, half-width, gamma.
    type State = (FloatTensor<B>, [FloatTensor<B>; 3]);

    fn backward(self, ops: Ops<Self::State, 4>, grads: &mut Gradients, _: &mut Checkpointer) {
        let upstream = grads.consume::<B>(&ops.node);
        let nodes = ops.parents.map(|node| node.map(|node| node.id));
        let (weights, interval) = ops.state;
        let gradients = B::quantize_weights_backward(&weights, &interval, upstream);
        register::<B>(grads, nodes, gradients.map(Some));
    }
}

#[derive(Debug)]
pub(super) struct QuantizeActivations;

impl<B: LayerOps> Backward<B, 3> for QuantizeActivations {
    /// Input; center, half-width.
    type State = (FloatTensor<B>, [FloatTensor<B>; 2]);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let upstream = grads.consume::<B>(&ops.node);
        let nodes = ops.parents.map(|node| node.map(|node| node.id));
        let (input, interval) = ops.state;
        let gradients = B::quantize_activations_backward(&input, &interval, upstream);
        register::<B>(grads, nodes, gradients.map(Some));
    }
}

#[derive(Debug)]
pub(super) struct Convolution;

impl<B: LayerOps> Backward<B, 2> for Convolution {
    /// Input, weights.
    type State = (FloatTensor<B>, FloatTensor<B>, Geometry);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let upstream = grads.consume::<B>(&ops.node);
        let nodes = ops.parents.map(|node| node.map(|node| node.id));
        let (input, weights, geometry) = ops.state;
        let wanted = nodes.map(|node| node.is_some());
        let gradients = B::convolve_backward(&input, &weights, upstream, geometry, wanted);
        register::<B>(grads, nodes, gradients);
    }
}

#[derive(Debug)]
pub(super) struct BatchNorm;

impl<B: LayerOps> Backward<B, 3> for BatchNorm {
    type State = NormalizedState<B>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let upstream = grads.consume::<B>(&ops.node);
        let nodes = ops.parents.map(|node| node.map(|node| node.id));
        let gradients = B::normalize_backward(&ops.state, upstream, false);
        let gradients = [gradients.input, gradients.scale, gradients.shift];
        register::<B>(grads, nodes, gradients.map(Some));
    }
}

#[derive(Debug)]
pub(super) struct BatchNormResidual;

impl<B: LayerOps> Backward<B, 4> for BatchNormResidual {
    type State = NormalizedState<B>;

    fn backward(self, ops: Ops<Self::State, 4>, grads: &mut Gradients, _: &mut Checkpointer) {
        let upstream = grads.consume::<B>(&ops.node);
        let nodes = ops.parents.map(|node| node.map(|node| node.id));
        let residual_wanted = nodes[3].is_some();
        let gradients = B::normalize_backward(&ops.state, upstream, residual_wanted);
        let parameters = [gradients.input, gradients.scale, gradients.shift].map(Some);
        register::<B>(grads, nodes, parameters.into_iter().chain([gradients.residual]));
    }
}

#[derive(Debug)]
pub(super) struct ScaleAndShift;

impl<B: LayerOps> Backward<B, 3> for ScaleAndShift {
    type State = ScaledState<B>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let upstream = grads.consume::<B>(&ops.node);
        let nodes = ops.parents.map(|node| node.map(|node| node.id));
        let gradients = B::scale_and_shift_backward(&ops.state, upstream, false);
        let gradients = [gradients.input, gradients.scale, gradients.shift];
        register::<B>(grads, nodes, gradients.map(Some));
    }
}

#[derive(Debug)]
pub(super) struct ScaleAndShiftResidual;

impl<B: LayerOps> Backward<B, 4> for ScaleAndShiftResidual {
    type State = ScaledState<B>;

    fn backward(self, ops: Ops<Self::State, 4>, grads: &mut Gradients, _: &mut Checkpointer) {
        let upstream = grads.consume::<B>(&ops.node);
        let nodes = ops.parents.map(|node| node.map(|node| node.id));
        let gradients = B::scale_and_shift_backward(&ops.state, upstream, nodes[3].is_some());
        let parameters = [gradients.input, gradients.scale, gradients.shift].map(Some);
        register::<B>(grads, nodes, parameters.into_iter().chain([gradients.residual]));
    }
}

#[derive(Debug)]
pub(super) struct MaxPool;

impl<B: LayerOps> Backward<B, 1> for MaxPool {
    /// Shape of the input, window, where the maxima came from.
    type State = ([usize; 4], Window, IntTensor<B>);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let upstream = grads.consume::<B>(&ops.node);
        let nodes = ops.parents.map(|node| node.map(|node| node.id));
        let (shape, window, indices) = ops.state;
        if nodes[0].is_some() {
            let gradient = B::max_pool_backward(shape, window, upstream, indices);
            register::<B>(grads, nodes, [Some(gradient)]);
        }
    }
}

#[derive(Debug)]
pub(super) struct AveragePool;

impl<B: LayerOps> Backward<B, 1> for AveragePool {
    /// Shape of the input.
    type State = [usize; 4];

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let upstream = grads.consume::<B>(&ops.node);
        let nodes = ops.parents.map(|node| node.map(|node| node.id));
        if nodes[0].is_some() {
            let gradient = B::average_pool_backward(ops.state, upstream);
            register::<B>(grads, nodes, [Some(gradient)]);
        }
    }
}
