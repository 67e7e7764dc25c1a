//! Convolution against burn's own, NCHW and OIHW, with burn's own gradients.

use bitsweep_qil::conv2d;
use burn::tensor::module::conv2d as reference_conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor};

use crate::tensors::{assert_close, constant, gradient, gradients, leaf, noise, values, wide};

struct Case {
    batch: usize,
    size: [usize; 2],
    channels: [usize; 2],
    kernel: usize,
    stride: usize,
    padding: usize,
}

fn reference(input: Tensor<4>, weights: Tensor<4>, stride: usize, padding: usize) -> Tensor<4> {
    let options = ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1);
    let input = input.permute([0, 3, 1, 2]);
    let weights = weights.permute([3, 2, 0, 1]);
    reference_conv2d(input, weights, None, options).permute([0, 2, 3, 1])
}

#[test]
fn values_and_gradients_are_those_of_burns_convolution() {
    let cases = [
        Case { batch: 2, size: [7, 9], channels: [3, 5], kernel: 3, stride: 1, padding: 1 },
        Case { batch: 3, size: [8, 8], channels: [16, 32], kernel: 3, stride: 2, padding: 1 },
        Case { batch: 2, size: [9, 7], channels: [16, 24], kernel: 1, stride: 2, padding: 0 },
        Case { batch: 1, size: [23, 20], channels: [3, 8], kernel: 7, stride: 2, padding: 3 },
        Case { batch: 1, size: [31, 35], channels: [1, 4], kernel: 11, stride: 4, padding: 2 },
        Case { batch: 2, size: [6, 6], channels: [4, 3], kernel: 5, stride: 1, padding: 2 },
    ];
    for (seed, case) in cases.into_iter().enumerate() {
        let Case { batch, size: [height, width], channels: [inputs, outputs], kernel, .. } = case;
        let input_shape = [batch, height, width, inputs];
        let weight_shape = [kernel, kernel, inputs, outputs];
        let x = leaf(&noise(seed as u64, input_shape.iter().product()), input_shape);
        let w = leaf(&noise(50 + seed as u64, weight_shape.iter().product()), weight_shape);
        let output = conv2d(x.clone(), w.clone(), case.stride, case.padding);
        let expected = reference(x.clone(), w.clone(), case.stride, case.padding);
        assert_eq!(output.dims(), expected.dims());
        assert_close("output", &values(&output), &wide(&values(&expected)), 1e-5);

        let g = noise(90 + seed as u64, output.shape().num_elements());
        let (found, expected) = (gradients(&output, &g), gradients(&expected, &g));
        assert_close("dx", &gradient(&x, &found), &wide(&gradient(&x, &expected)), 1e-5);
        assert_close("dw", &gradient(&w, &found), &wide(&gradient(&w, &expected)), 1e-5);
    }
}

#[test]
fn an_image_without_gradient_leaves_the_weights_theirs() {
    let device = Device::flex().autodiff();
    let x = constant(&noise(1, 2 * 5 * 5 * 3), [2, 5, 5, 3], &device);
    let w = leaf(&noise(2, 9 * 3 * 4), [3, 3, 3, 4]);
    let output = conv2d(x.clone(), w.clone(), 1, 1);
    let g = noise(3, output.shape().num_elements());
    let expected = gradient(&w, &gradients(&reference(x.clone(), w.clone(), 1, 1), &g));
    let found = gradients(&output, &g);
    assert!(x.grad(&found).is_none());
    assert_close("dw", &gradient(&w, &found), &wide(&expected), 1e-5);
}

#[test]
fn gradients_of_two_uses_add_up() {
    let x = leaf(&noise(1, 2 * 5 * 5 * 3), [2, 5, 5, 3]);
    let w = leaf(&noise(2, 9 * 3 * 3), [3, 3, 3, 3]);
    let twice = |conv: fn(Tensor<4>, Tensor<4>, usize, usize) -> Tensor<4>| {
        conv(conv(x.clone(), w.clone(), 1, 1), w.clone(), 1, 1)
    };
    let g = noise(3, 2 * 5 * 5 * 3);
    let (found, expected) = (gradients(&twice(conv2d), &g), gradients(&twice(reference), &g));
    assert_close("dw", &gradient(&w, &found), &wide(&gradient(&w, &expected)), 1e-5);
    assert_close("dx", &gradient(&x, &found), &wide(&gradient(&x, &expected)), 1e-5);
}

#[test]
fn without_gradients_the_values_are_the_same() {
    let (x, w) = (noise(1, 2 * 5 * 5 * 3), noise(2, 9 * 3 * 4));
    let device = Device::flex();
    let plain =
        conv2d(constant(&x, [2, 5, 5, 3], &device), constant(&w, [3, 3, 3, 4], &device), 2, 1);
    let tracked = conv2d(leaf(&x, [2, 5, 5, 3]), leaf(&w, [3, 3, 3, 4]), 2, 1);
    assert_eq!(values(&plain), values(&tracked));
    assert!(!plain.is_autodiff());
}
