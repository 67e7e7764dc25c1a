//! Convolution against sums in `f64`.

use bitsweep_qil::{ConvolutionAlgorithm, ConvolutionSettings, Precision, conv2d};
use burn::tensor::Tensor;

use crate::paths::{Path, device};
use crate::tensors::{assert_close, constant, gradient, gradients, leaf, noise, values, wide};

#[derive(Clone, Copy)]
struct Case {
    batch: usize,
    size: [usize; 2],
    channels: [usize; 2],
    kernel: usize,
    stride: usize,
    padding: usize,
}

impl Case {
    fn input(self) -> [usize; 4] {
        [self.batch, self.size[0], self.size[1], self.channels[0]]
    }

    fn weights(self) -> [usize; 4] {
        [self.kernel, self.kernel, self.channels[0], self.channels[1]]
    }

    fn output(self) -> [usize; 4] {
        let [height, width] =
            self.size.map(|size| (size + 2 * self.padding - self.kernel) / self.stride + 1);
        [self.batch, height, width, self.channels[1]]
    }

    /// Calls `body` with the indices of every product's input, weight and output.
    fn products(self, mut body: impl FnMut(usize, usize, usize)) {
        let [batch, height, width, outputs] = self.output();
        let ([rows, columns], inputs) = (self.size, self.channels[0]);
        for image in 0..batch {
            for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                for tap in 0..self.kernel * self.kernel {
                    let row = (y * self.stride + tap / self.kernel).wrapping_sub(self.padding);
                    let column = (x * self.stride + tap % self.kernel).wrapping_sub(self.padding);
                    if row >= rows || column >= columns {
                        continue;
                    }
                    for (i, o) in (0..inputs).flat_map(|i| (0..outputs).map(move |o| (i, o))) {
                        let from = ((image * rows + row) * columns + column) * inputs + i;
                        let weight = (tap * inputs + i) * outputs + o;
                        body(from, weight, ((image * height + y) * width + x) * outputs + o);
                    }
                }
            }
        }
    }

    fn forward(self, input: &[f64], weights: &[f64]) -> Vec<f64> {
        let mut output = vec![0.0; self.output().iter().product()];
        self.products(|from, weight, to| output[to] += input[from] * weights[weight]);
        output
    }

    fn backward(self, input: &[f64], weights: &[f64], g: &[f64]) -> [Vec<f64>; 2] {
        let (mut dx, mut dw) = (vec![0.0; input.len()], vec![0.0; weights.len()]);
        self.products(|from, weight, to| {
            dx[from] += g[to] * weights[weight];
            dw[weight] += g[to] * input[from];
        });
        [dx, dw]
    }

    fn leaves(self, seed: u64) -> (Tensor<4>, Tensor<4>) {
        let x = noise(seed, self.input().iter().product());
        let w = noise(50 + seed, self.weights().iter().product());
        (leaf(&x, self.input()), leaf(&w, self.weights()))
    }

    fn convolve(self, x: &Tensor<4>, w: &Tensor<4>, settings: ConvolutionSettings) -> Tensor<4> {
        conv2d(x.clone(), w.clone(), self.stride, self.padding, settings)
    }

    /// Compares output and both gradients with the sums.
    fn check(self, seed: u64, settings: ConvolutionSettings, tolerance: f64) {
        let (x, w) = self.leaves(seed);
        let output = self.convolve(&x, &w, settings);
        assert_eq!(output.dims(), self.output());
        let (x64, w64) = (wide(&values(&x)), wide(&values(&w)));
        assert_close("output", &values(&output), &self.forward(&x64, &w64), tolerance);
        let g = noise(90 + seed, output.shape().num_elements());
        let found = gradients(&output, &g);
        let [dx, dw] = self.backward(&x64, &w64, &wide(&g));
        assert_close("dx", &gradient(&x, &found), &dx, tolerance);
        assert_close("dw", &gradient(&w, &found), &dw, tolerance);
    }
}

const SINGLE: ConvolutionSettings =
    ConvolutionSettings { algorithm: ConvolutionAlgorithm::Direct, precision: Precision::Single };

const CASES: [Case; 7] = [
    Case { batch: 2, size: [7, 9], channels: [3, 5], kernel: 3, stride: 1, padding: 1 },
    Case { batch: 3, size: [8, 8], channels: [16, 32], kernel: 3, stride: 2, padding: 1 },
    Case { batch: 2, size: [9, 7], channels: [16, 24], kernel: 1, stride: 2, padding: 0 },
    Case { batch: 1, size: [23, 20], channels: [3, 8], kernel: 7, stride: 2, padding: 3 },
    Case { batch: 1, size: [31, 35], channels: [1, 4], kernel: 11, stride: 4, padding: 2 },
    Case { batch: 2, size: [6, 6], channels: [4, 3], kernel: 5, stride: 1, padding: 2 },
    Case { batch: 2, size: [1, 1], channels: [6, 5], kernel: 1, stride: 1, padding: 0 },
];

every_path!(values_and_gradients_are_the_sums);
fn values_and_gradients_are_the_sums() {
    for (seed, case) in CASES.into_iter().enumerate() {
        case.check(seed as u64, SINGLE, 1e-5);
    }
}

every_path!(the_automatic_algorithm_is_within_its_error);
fn the_automatic_algorithm_is_within_its_error() {
    // Large enough for Winograd to pay, so that it runs.
    let case =
        Case { batch: 2, size: [17, 16], channels: [32, 32], kernel: 3, stride: 1, padding: 1 };
    let settings = ConvolutionSettings { algorithm: ConvolutionAlgorithm::Automatic, ..SINGLE };
    case.check(7, settings, 1e-4);
}

every_path!(mixed_precision_rounds_factors_on_operators_alone);
fn mixed_precision_rounds_factors_on_operators_alone() {
    let settings = ConvolutionSettings { precision: Precision::Mixed, ..SINGLE };
    for (seed, case) in CASES.into_iter().enumerate() {
        let (x, w) = case.leaves(seed as u64);
        let single = case.convolve(&x, &w, SINGLE);
        let mixed = case.convolve(&x, &w, settings);
        let operators = match Path::current() {
            Path::Flex(_) => false,
            #[cfg(feature = "tch")]
            Path::LibTorch(implementation) => {
                implementation == bitsweep_qil::Implementation::Operators
            }
        };
        assert_eq!(values(&mixed) != values(&single), operators);
        // bfloat16 has eight bits: each product and the result are off by a few parts in 256.
        case.check(seed as u64, settings, if operators { 3e-2 } else { 1e-5 });
    }
}

every_path!(an_image_without_gradient_leaves_the_weights_theirs);
fn an_image_without_gradient_leaves_the_weights_theirs() {
    let case = CASES[0];
    let (x, w) = case.leaves(1);
    let x = constant(&values(&x), case.input(), &device().autodiff());
    let output = case.convolve(&x, &w, SINGLE);
    let g = noise(3, output.shape().num_elements());
    let found = gradients(&output, &g);
    assert!(x.grad(&found).is_none());
    let [_, dw] = case.backward(&wide(&values(&x)), &wide(&values(&w)), &wide(&g));
    assert_close("dw", &gradient(&w, &found), &dw, 1e-5);
}

every_path!(gradients_of_two_uses_add_up);
fn gradients_of_two_uses_add_up() {
    let case = Case { batch: 2, size: [5, 5], channels: [3, 3], kernel: 3, stride: 1, padding: 1 };
    let (x, w) = case.leaves(1);
    let between = case.convolve(&x, &w, SINGLE);
    let output = case.convolve(&between, &w, SINGLE);
    let g = noise(3, output.shape().num_elements());
    let found = gradients(&output, &g);
    let (x64, w64) = (wide(&values(&x)), wide(&values(&w)));
    let between = case.forward(&x64, &w64);
    let [by_between, second] = case.backward(&between, &w64, &wide(&g));
    let [dx, first] = case.backward(&x64, &w64, &by_between);
    let dw: Vec<f64> = first.iter().zip(&second).map(|(first, second)| first + second).collect();
    assert_close("dw", &gradient(&w, &found), &dw, 1e-5);
    assert_close("dx", &gradient(&x, &found), &dx, 1e-5);
}

every_path!(without_gradients_the_values_are_the_same);
fn without_gradients_the_values_are_the_same() {
    let case = CASES[1];
    let (x, w) = case.leaves(1);
    let plain = case.convolve(&x.clone().inner(), &w.clone().inner(), SINGLE);
    assert_eq!(values(&plain), values(&case.convolve(&x, &w, SINGLE)));
    assert!(!plain.is_autodiff());
}

every_path!(nan_reaches_what_it_touches);
fn nan_reaches_what_it_touches() {
    let case = CASES[0];
    let (x, w) = case.leaves(1);
    let mut broken = values(&x);
    broken[0] = f32::NAN;
    let output = values(&case.convolve(&leaf(&broken, case.input()), &w, SINGLE));
    let healthy = case.forward(&wide(&broken), &wide(&values(&w)));
    for (found, expected) in output.iter().zip(&healthy) {
        assert_eq!(found.is_nan(), expected.is_nan());
    }
}
