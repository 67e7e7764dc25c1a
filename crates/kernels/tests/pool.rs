//! Pooling against direct definitions.
#![allow(missing_docs)]

use bitsweep_kernels::pool::{
    MaxPoolShape, average_pool, average_pool_backward, max_pool, max_pool_backward,
};
use proptest::prelude::*;

fn check_max(shape: MaxPoolShape) {
    let input: Vec<f32> =
        (0..shape.input_length()).map(|i| ((i * 7919) % 101) as f32 - 50.0).collect();
    let n = shape.output_length();
    let (mut output, mut indices) = (vec![f32::NAN; n], vec![u32::MAX; n]);
    max_pool(&shape, &input, &mut output, &mut indices);
    let grad: Vec<f32> = (0..n).map(|i| (i % 13) as f32 + 1.0).collect();
    let mut dx = vec![f32::NAN; input.len()];
    max_pool_backward(&shape, &grad, &indices, &mut dx);
    let [oh, ow] = shape.output_size();
    let mut want = vec![0.0; input.len()];
    for at in 0..n {
        let (c, pixel) = (at % shape.channels, at / shape.channels);
        let (image, y, x) = (pixel / ow / oh, pixel / ow % oh, pixel % ow);
        let mut best: Option<usize> = None;
        for dy in 0..shape.window {
            for dx in 0..shape.window {
                let iy = (y * shape.stride + dy).wrapping_sub(shape.padding);
                let ix = (x * shape.stride + dx).wrapping_sub(shape.padding);
                if iy < shape.height && ix < shape.width {
                    let i = ((image * shape.height + iy) * shape.width + ix) * shape.channels + c;
                    if best.is_none_or(|best| input[i] > input[best]) {
                        best = Some(i);
                    }
                }
            }
        }
        let best = best.expect("every window covers a pixel");
        assert_eq!(output[at], input[best], "{shape:?}");
        want[best] += grad[at];
    }
    assert_eq!(dx, want, "{shape:?}");
}

#[test]
fn nan_wins_its_window() {
    let shape = MaxPoolShape {
        batch: 1,
        height: 2,
        width: 2,
        channels: 1,
        window: 2,
        stride: 2,
        padding: 0,
    };
    let (mut output, mut indices) = ([0.0], [9]);
    max_pool(&shape, &[5.0, f32::NAN, 7.0, f32::NAN], &mut output, &mut indices);
    assert!(output[0].is_nan());
    assert_eq!(indices, [1]);
}

#[test]
fn windows_of_minus_infinity_have_an_index_inside() {
    let shape = MaxPoolShape {
        batch: 1,
        height: 2,
        width: 2,
        channels: 1,
        window: 3,
        stride: 2,
        padding: 1,
    };
    let (mut output, mut indices) = ([0.0], [9]);
    max_pool(&shape, &[f32::NEG_INFINITY; 4], &mut output, &mut indices);
    assert_eq!((output, indices), ([f32::NEG_INFINITY], [0]));
}

#[test]
fn means_and_their_gradients() {
    let input = [1.0, 10.0, 3.0, 20.0, 5.0, 0.0, 7.0, 2.0];
    let mut output = [f32::NAN; 4];
    average_pool(&input, 2, &mut output);
    assert_eq!(output, [2.0, 15.0, 6.0, 1.0]);
    let mut dx = [f32::NAN; 8];
    average_pool_backward(&[2.0, 4.0, 6.0, 8.0], 2, &mut dx);
    assert_eq!(dx, [1.0, 2.0, 1.0, 2.0, 3.0, 4.0, 3.0, 4.0]);
    average_pool(&[], 2, &mut []);
}

#[test]
#[should_panic(expected = "the images' side has 7 elements, but whole images asks for 4")]
fn a_broken_image_panics() {
    average_pool(&[0.0; 7], 2, &mut [0.0; 4]);
}

proptest! {
    #[test]
    fn max_pooling_agrees_with_its_definition(
        batch in 0usize..4,
        height in 1usize..9,
        width in 1usize..9,
        channels in 1usize..20,
        window in 1usize..4,
        stride in 1usize..4,
        padding in 0usize..3,
    ) {
        prop_assume!(padding < window);
        prop_assume!(window <= height + 2 * padding && window <= width + 2 * padding);
        check_max(MaxPoolShape { batch, height, width, channels, window, stride, padding });
    }
}
