//! Tensors without elements: an empty batch has no values, and gradients of zero.

use bitsweep_qil::{
    ConvolutionSettings, batch_norm, conv2d, quantize_activations, quantize_weights,
    scale_and_shift,
};

use crate::tensors::{gradient, gradients, leaf, noise, values};

every_path!(no_values_are_quantized_to_none);
fn no_values_are_quantized_to_none() {
    let parameters = [0.5, 0.4, 1.5].map(|value| leaf(&[value], [1]));
    let [center, half_width, gamma] = parameters.clone();
    let x = leaf(&[], [0, 4, 4, 3]);
    let quantized = quantize_activations(x.clone(), center.clone(), half_width.clone(), 7);
    let output = quantize_weights(quantized, center, half_width, gamma, 3);
    assert_eq!(output.dims(), [0, 4, 4, 3]);
    let found = gradients(&output, &[]);
    assert_eq!(gradient(&x, &found), [0.0; 0]);
    for parameter in parameters {
        assert_eq!(gradient(&parameter, &found), [0.0]);
    }
}

every_path!(no_images_have_no_convolution_and_move_no_weight);
fn no_images_have_no_convolution_and_move_no_weight() {
    let w = leaf(&noise(1, 9 * 3 * 4), [3, 3, 3, 4]);
    let x = leaf(&[], [0, 8, 8, 3]);
    let output = conv2d(x.clone(), w.clone(), 2, 1, ConvolutionSettings::default());
    assert_eq!(output.dims(), [0, 4, 4, 4]);
    let found = gradients(&output, &[]);
    assert_eq!(gradient(&x, &found), [0.0; 0]);
    assert_eq!(gradient(&w, &found), [0.0; 9 * 3 * 4]);
}

every_path!(no_rows_are_normalized_to_none);
fn no_rows_are_normalized_to_none() {
    let (scale, shift) = (leaf(&[1.0, 2.0], [2]), leaf(&[0.5, 0.0], [2]));
    let x = leaf(&[], [0, 3, 3, 2]);
    let (output, batch) =
        batch_norm(x.clone(), scale.clone(), shift.clone(), Some(x.clone()), true, 1e-5);
    assert_eq!(output.dims(), [0, 3, 3, 2]);
    assert_eq!(values(&batch.mean), [0.0; 2]);
    assert_eq!(values(&batch.variance), [0.0; 2]);
    let found = gradients(&output, &[]);
    assert_eq!(gradient(&scale, &found), [0.0; 2]);
    assert_eq!(gradient(&shift, &found), [0.0; 2]);
    let output = scale_and_shift(x.inner(), scale.inner(), shift.inner(), None, true);
    assert_eq!(output.dims(), [0, 3, 3, 2]);
}
