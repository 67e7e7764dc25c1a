//! Batch-norm with residual and ReLU.

use bitsweep_kernels::batch_norm::{self, BatchNormBackward, BatchNormGradients, BatchStatistics};
use burn::backend::tensor::FloatTensor;

use super::{HostTensors, copied, shape_of};
use crate::ops::layer_ops::{
    Epilogue, Normalized, NormalizedGradients, NormalizedState, ScaledState,
};

fn epilogue<'a, B: HostTensors>(epilogue: &Epilogue<'a, B>) -> batch_norm::Epilogue<'a> {
    batch_norm::Epilogue {
        residual: epilogue.residual.map(|residual| B::values(residual)),
        relu: epilogue.relu,
    }
}

pub(crate) fn normalize<B: HostTensors>(
    input: &FloatTensor<B>,
    scale: &FloatTensor<B>,
    shift: &FloatTensor<B>,
    epsilon: f32,
    following: Epilogue<'_, B>,
) -> Normalized<B> {
    let mut statistics = None;
    let output = B::written(&shape_of::<B>(input), |output| {
        let (scale, shift) = (B::values(scale), B::values(shift));
        let epilogue = epilogue(&following);
        statistics =
            Some(batch_norm::forward(B::values(input), scale, shift, epsilon, epilogue, output));
    });
    let BatchStatistics { mean, variance } = statistics.expect("`written` writes");
    Normalized { output, mean: copied::<B>(&mean), variance: copied::<B>(&variance) }
}

pub(crate) fn normalize_backward<B: HostTensors>(
    forward: &NormalizedState<B>,
    upstream: FloatTensor<B>,
    residual_wanted: bool,
) -> NormalizedGradients<B> {
    let shape = shape_of::<B>(&forward.input);
    let upstream = B::row_major(upstream);
    let statistics = BatchStatistics {
        mean: B::values(&forward.mean).to_vec(),
        variance: B::values(&forward.variance).to_vec(),
    };
    let backward = BatchNormBackward {
        input: B::values(&forward.input),
        relu_output: forward.relu_output.as_ref().map(|output| B::values(output)),
        grad_output: B::values(&upstream),
        gamma: B::values(&forward.scale),
        statistics: &statistics,
        epsilon: forward.epsilon,
    };
    let mut parameters = None;
    let mut residual = None;
    let input = B::written(&shape, |input| {
        if residual_wanted {
            residual = Some(B::written(&shape, |residual| {
                parameters = Some(backward.run(input, Some(residual)));
            }));
        } else {
            parameters = Some(backward.run(input, None));
        }
    });
    let BatchNormGradients { gamma, beta } = parameters.expect("`written` writes");
    NormalizedGradients { input, scale: copied::<B>(&gamma), shift: copied::<B>(&beta), residual }
}

pub(crate) fn scale_and_shift<B: HostTensors>(
    input: &FloatTensor<B>,
    scale: &FloatTensor<B>,
    shift: &FloatTensor<B>,
    following: Epilogue<'_, B>,
) -> FloatTensor<B> {
    B::written(&shape_of::<B>(input), |output| {
        let (scale, shift) = (B::values(scale), B::values(shift));
        batch_norm::apply(B::values(input), scale, shift, epilogue(&following), output);
    })
}

pub(crate) fn scale_and_shift_backward<B: HostTensors>(
    forward: &ScaledState<B>,
    upstream: FloatTensor<B>,
    residual_wanted: bool,
) -> NormalizedGradients<B> {
    let shape = shape_of::<B>(&forward.input);
    let upstream = B::row_major(upstream);
    let (scale, channels) = (B::values(&forward.scale), B::values(&forward.scale).len());
    // A normalization by mean 0 and deviation 1 has these sums. Its gradient of the input is another, and
    // is written over.
    let statistics = BatchStatistics { mean: vec![0.0; channels], variance: vec![1.0; channels] };
    let backward = BatchNormBackward {
        input: B::values(&forward.input),
        relu_output: forward.relu_output.as_ref().map(|output| B::values(output)),
        grad_output: B::values(&upstream),
        gamma: scale,
        statistics: &statistics,
        epsilon: 0.0,
    };
    let mut parameters = None;
    let mut residual = None;
    let input = B::written(&shape, |input| {
        let behind_relu = B::written(&shape, |behind_relu| {
            parameters = Some(backward.run(input, Some(behind_relu)));
        });
        let (zeros, following) = (vec![0.0; channels], batch_norm::Epilogue::default());
        batch_norm::apply(B::values(&behind_relu), scale, &zeros, following, input);
        residual = residual_wanted.then_some(behind_relu);
    });
    let BatchNormGradients { gamma, beta } = parameters.expect("`written` writes");
    NormalizedGradients { input, scale: copied::<B>(&gamma), shift: copied::<B>(&beta), residual }
}
