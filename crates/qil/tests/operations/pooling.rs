//! Pooling against its definition.

use bitsweep_qil::{global_average_pool, max_pool2d};

use crate::tensors::{assert_close, gradient, gradients, leaf, noise, values, wide};

/// Maxima of `[n, h, w, c]`, and the index of the first element that has each.
fn reference(
    input: &[f32],
    [batch, height, width, channels]: [usize; 4],
    window: usize,
    stride: usize,
    padding: usize,
) -> Vec<(f32, usize)> {
    let sizes = [height, width].map(|size| (size + 2 * padding - window) / stride + 1);
    let mut maxima = Vec::new();
    for image in 0..batch {
        for (y, x) in (0..sizes[0]).flat_map(|y| (0..sizes[1]).map(move |x| (y, x))) {
            for channel in 0..channels {
                let mut best = (f32::NEG_INFINITY, usize::MAX);
                for tap in 0..window * window {
                    let row = (y * stride + tap / window).wrapping_sub(padding);
                    let column = (x * stride + tap % window).wrapping_sub(padding);
                    if row < height && column < width {
                        let from = ((image * height + row) * width + column) * channels + channel;
                        if input[from] > best.0 {
                            best = (input[from], from);
                        }
                    }
                }
                maxima.push(best);
            }
        }
    }
    maxima
}

every_path!(maxima_and_gradients_follow_the_definition);
fn maxima_and_gradients_follow_the_definition() {
    for (seed, (size, window, stride, padding)) in
        [([8, 8], 3, 2, 1), ([7, 9], 2, 2, 0), ([13, 13], 3, 2, 0), ([1, 1], 3, 2, 1)]
            .into_iter()
            .enumerate()
    {
        let shape = [2, size[0], size[1], 5];
        // Negative values too: padding must never win.
        let x: Vec<f32> =
            noise(seed as u64, shape.iter().product()).iter().map(|v| v - 0.5).collect();
        let maxima = reference(&x, shape, window, stride, padding);
        let x = leaf(&x, shape);
        let output = max_pool2d(x.clone(), window, stride, padding);
        let expected: Vec<f32> = maxima.iter().map(|(value, _)| *value).collect();
        assert_eq!(values(&output), expected);
        let g = noise(20 + seed as u64, output.shape().num_elements());
        let mut dx = vec![0.0; shape.iter().product()];
        for (g, (_, from)) in g.iter().zip(&maxima) {
            dx[*from] += f64::from(*g);
        }
        assert_close("dx", &gradient(&x, &gradients(&output, &g)), &dx, 1e-6);
    }
}

every_path!(the_mean_of_an_image_shares_its_gradient);
fn the_mean_of_an_image_shares_its_gradient() {
    let x = leaf(&noise(1, 2 * 3 * 4 * 5), [2, 3, 4, 5]);
    let output = global_average_pool(x.clone());
    let x64 = wide(&values(&x));
    let pixels = |image: usize| (0..12).map(move |pixel| (image * 12 + pixel) * 5);
    let expected: Vec<f64> = (0..10)
        .map(|at| pixels(at / 5).map(|pixel| x64[pixel + at % 5]).sum::<f64>() / 12.0)
        .collect();
    assert_close("output", &values(&output), &expected, 1e-6);
    let g = noise(2, 10);
    let dx: Vec<f64> = (0..120).map(|at| f64::from(g[at / 60 * 5 + at % 5]) / 12.0).collect();
    assert_close("dx", &gradient(&x, &gradients(&output, &g)), &dx, 1e-6);
}
