//! What happens exactly on the ends of an interval, for exponents other than 1 too.

use bitsweep_qil::{quantize_activations, quantize_weights};

use crate::tensors::{assert_close, gradient, gradients, leaf, values};

every_path!(zeros_behind_relu_change_no_gradient);
fn zeros_behind_relu_change_no_gradient() {
    // 1000 zeros and 1000 live values with c = d = 0.5: t = x, so that each live value adds -1 to dL/dc
    // and 1 - 2x to dL/dd. With the closed interval the zeros would add -1000 and 1000.
    let live: Vec<f32> = (0..1000).map(|i| (i as f32 + 0.75) / 1000.0).collect();
    let x: Vec<f32> = std::iter::repeat_n(0.0, 1000).chain(live.iter().copied()).collect();
    let (x, center, half_width) = (leaf(&x, [2000]), leaf(&[0.5], [1]), leaf(&[0.5], [1]));
    let output = quantize_activations(x.clone(), center.clone(), half_width.clone(), 15);
    let found = gradients(&output, &[1.0; 2000]);
    let dx = gradient(&x, &found);
    assert!(dx[..1000].iter().all(|&g| g == 0.0) && dx[1000..].iter().all(|&g| g == 1.0));
    assert_close("dc", &gradient(&center, &found), &[-1000.0], 1e-6);
    let expected: f64 = live.iter().map(|&x| 1.0 - 2.0 * f64::from(x)).sum();
    // 1e-4 of a sum whose terms' magnitudes add up to 500.
    assert_close("dd", &gradient(&half_width, &found), &[expected], 1e-4);
}

every_path!(weights_on_either_end_have_its_value_and_no_gradient);
fn weights_on_either_end_have_its_value_and_no_gradient() {
    // Ends that floating point meets exactly: 0.25 and 0.75.
    let w = [0.25, -0.25, 0.75, -0.75, 0.0, -0.0];
    for gamma in [0.25, 0.5, 1.0, 2.0, 4.0] {
        let weights = leaf(&w, [6]);
        let parameters = [0.5, 0.25, gamma].map(|value| leaf(&[value], [1]));
        let [center, half_width, exponent] = parameters.clone();
        let output = quantize_weights(weights.clone(), center, half_width, exponent, 7);
        assert_eq!(values(&output), [0.0, 0.0, 1.0, -1.0, 0.0, 0.0], "gamma {gamma}");
        let found = gradients(&output, &[1.0; 6]);
        assert_eq!(gradient(&weights, &found), [0.0; 6], "gamma {gamma}");
        for parameter in parameters {
            assert_eq!(gradient(&parameter, &found), [0.0], "gamma {gamma}");
        }
    }
}

every_path!(a_zero_weight_moves_no_parameter_even_inside_the_interval);
fn a_zero_weight_moves_no_parameter_even_inside_the_interval() {
    // d > c: zero lies inside, where its sign, and with it every gradient, is 0.
    let parameters = [0.2, 0.4, 1.5].map(|value| leaf(&[value], [1]));
    let [center, half_width, exponent] = parameters.clone();
    let output = quantize_weights(leaf(&[0.0], [1]), center, half_width, exponent, 7);
    assert_eq!(values(&output), [0.0]);
    let found = gradients(&output, &[1.0]);
    for parameter in parameters {
        assert_eq!(gradient(&parameter, &found), [0.0]);
    }
}
