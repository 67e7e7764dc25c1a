//! New vectors hold what slices would have been given.
#![allow(missing_docs)]

use bitsweep_kernels::batch_norm::{self, BatchNormBackward, Epilogue};
use bitsweep_kernels::convolution::{self, Algorithm, ConvolutionShape};
use bitsweep_kernels::linear::{self, LinearShape};
use bitsweep_kernels::pool::{self, MaxPoolShape};
use bitsweep_kernels::quantizer::{self, ActivationInterval, WeightInterval};

fn numbers(length: usize) -> Vec<f32> {
    (0..length).map(|i| ((i * 7919) % 1009) as f32 / 504.5 - 1.0).collect()
}

#[test]
fn convolutions() {
    for (kernel, stride, in_channels) in [(3, 1, 20), (3, 2, 20), (1, 2, 20), (5, 1, 20), (7, 2, 3)]
    {
        let shape = ConvolutionShape {
            batch: 3,
            height: 9,
            width: 10,
            in_channels,
            out_channels: 21,
            kernel: [kernel; 2],
            stride,
            padding: kernel / 2,
        };
        let (x, w) = (numbers(shape.input_length()), numbers(shape.weight_length()));
        let g = numbers(shape.output_length());
        for algorithm in [Algorithm::Direct, Algorithm::Winograd, Algorithm::Fastest] {
            let (mut y, mut dx, mut dw) =
                (vec![f32::NAN; g.len()], vec![f32::NAN; x.len()], vec![f32::NAN; w.len()]);
            convolution::forward_with(algorithm, &shape, &x, &w, &mut y);
            convolution::backward_input_with(algorithm, &shape, &g, &w, &mut dx);
            convolution::backward_weight_with(algorithm, &shape, &x, &g, &mut dw);
            assert_eq!(convolution::forward_to_vec(algorithm, &shape, &x, &w), y);
            assert_eq!(convolution::backward_input_to_vec(algorithm, &shape, &g, &w), dx);
            assert_eq!(convolution::backward_weight_to_vec(algorithm, &shape, &x, &g), dw);
        }
    }
}

#[test]
fn fully_connected_layers() {
    let shape = LinearShape { batch: 3, inputs: 50, outputs: 70 };
    let (x, w, g) = (numbers(150), numbers(3500), numbers(210));
    let (mut y, mut dx, mut dw) = (g.clone(), x.clone(), w.clone());
    linear::forward(&shape, &x, &w, &mut y);
    linear::backward_input(&shape, &g, &w, &mut dx);
    linear::backward_weight(&shape, &x, &g, &mut dw);
    assert_eq!(linear::forward_to_vec(&shape, &x, &w), y);
    assert_eq!(linear::backward_input_to_vec(&shape, &g, &w), dx);
    assert_eq!(linear::backward_weight_to_vec(&shape, &x, &g), dw);
}

#[test]
fn batch_norm_with_and_without_residual() {
    let (x, r, g) = (numbers(210), numbers(210), numbers(210));
    let (gamma, beta) = (numbers(7), numbers(7));
    for residual in [None, Some(&r[..])] {
        let epilogue = Epilogue { residual, relu: true };
        let mut y = vec![f32::NAN; 210];
        let statistics = batch_norm::forward(&x, &gamma, &beta, 1e-5, epilogue, &mut y);
        let fresh = batch_norm::forward_to_vec(&x, &gamma, &beta, 1e-5, epilogue);
        assert_eq!(fresh, (y.clone(), statistics.clone()));
        let backward = BatchNormBackward {
            input: &x,
            relu_output: Some(&y),
            grad_output: &g,
            gamma: &gamma,
            statistics: &statistics,
            epsilon: 1e-5,
        };
        let (mut dx, mut dr) = (vec![f32::NAN; 210], vec![f32::NAN; 210]);
        let gradients = backward.run(&mut dx, residual.is_some().then_some(&mut dr[..]));
        let (fresh, residual_gradient, parameters) = backward.run_to_vec(residual.is_some());
        assert_eq!((fresh, parameters), (dx, gradients));
        assert_eq!(residual_gradient, residual.is_some().then_some(dr));
    }
}

#[test]
fn quantizers() {
    let (x, g) = (numbers(2000), numbers(2000));
    let mut y = vec![f32::NAN; 2000];
    let activation = ActivationInterval { center: 0.5, half_width: 0.4 };
    quantizer::quantize_activations(&x, activation, 15, &mut y);
    assert_eq!(quantizer::quantize_activations_to_vec(&x, activation, 15), y);
    let sums = quantizer::quantize_activations_backward(&x, &g, activation, &mut y);
    let fresh = quantizer::quantize_activations_backward_to_vec(&x, &g, activation);
    assert_eq!(fresh, (y.clone(), sums));
    for gamma in [1.0, 1.5] {
        let weight = WeightInterval { center: 0.5, half_width: 0.4, gamma };
        quantizer::quantize_weights(&x, weight, 7, &mut y);
        assert_eq!(quantizer::quantize_weights_to_vec(&x, weight, 7), y);
        let sums = quantizer::quantize_weights_backward(&x, &g, weight, &mut y);
        let fresh = quantizer::quantize_weights_backward_to_vec(&x, &g, weight, true);
        assert_eq!(fresh, (y.clone(), sums));
        let (fresh, fixed) = quantizer::quantize_weights_backward_to_vec(&x, &g, weight, false);
        assert_eq!((&fresh, fixed.center, fixed.half_width), (&y, sums.center, sums.half_width));
        assert_eq!(fixed.gamma, 0.0);
    }
}

#[test]
fn max_pooling() {
    let shape = MaxPoolShape {
        batch: 2,
        height: 7,
        width: 6,
        channels: 5,
        window: 3,
        stride: 2,
        padding: 1,
    };
    let (x, g) = (numbers(shape.input_length()), numbers(shape.output_length()));
    let (mut y, mut indices, mut dx) = (g.clone(), vec![9; g.len()], vec![f32::NAN; x.len()]);
    pool::max_pool(&shape, &x, &mut y, &mut indices);
    pool::max_pool_backward(&shape, &g, &indices, &mut dx);
    assert_eq!(pool::max_pool_to_vec(&shape, &x), (y, indices.clone()));
    assert_eq!(pool::max_pool_backward_to_vec(&shape, &g, &indices), dx);
}
