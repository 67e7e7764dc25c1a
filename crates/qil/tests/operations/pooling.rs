//! Pooling against burn's own, NCHW, with burn's own gradients.

use bitsweep_qil::{global_average_pool, max_pool2d};
use burn::tensor::module::max_pool2d as reference_max_pool2d;
use burn::tensor::ops::MaxPoolOptions;

use crate::tensors::{assert_close, gradient, gradients, leaf, noise, values, wide};

#[test]
fn maxima_and_gradients_are_those_of_burns_pool() {
    for (seed, (size, window, stride, padding)) in
        [([8, 8], 3, 2, 1), ([7, 9], 2, 2, 0), ([13, 13], 3, 2, 0), ([1, 1], 3, 2, 1)]
            .into_iter()
            .enumerate()
    {
        let shape = [2, size[0], size[1], 5];
        // Negative values too: padding must never win.
        let x: Vec<f32> =
            noise(seed as u64, shape.iter().product()).iter().map(|v| v - 0.5).collect();
        let x = leaf(&x, shape);
        let output = max_pool2d(x.clone(), window, stride, padding);
        let expected = reference_max_pool2d(
            x.clone().permute([0, 3, 1, 2]),
            MaxPoolOptions::new([window; 2]).with_stride([stride; 2]).with_padding([padding; 2]),
        )
        .permute([0, 2, 3, 1]);
        assert_eq!(output.dims(), expected.dims());
        assert_eq!(values(&output), values(&expected));
        let g = noise(20 + seed as u64, output.shape().num_elements());
        let (found, expected) = (gradients(&output, &g), gradients(&expected, &g));
        assert_close("dx", &gradient(&x, &found), &wide(&gradient(&x, &expected)), 1e-6);
    }
}

#[test]
fn the_mean_of_an_image_shares_its_gradient() {
    let x = leaf(&noise(1, 2 * 3 * 4 * 5), [2, 3, 4, 5]);
    let output = global_average_pool(x.clone());
    let expected = x.clone().mean_dim(1).mean_dim(2).reshape([2, 5]);
    assert_close("output", &values(&output), &wide(&values(&expected)), 1e-6);
    let g = noise(2, 10);
    let (found, expected) = (gradients(&output, &g), gradients(&expected, &g));
    assert_close("dx", &gradient(&x, &found), &wide(&gradient(&x, &expected)), 1e-6);
}
