//! Values read and changed where they are.

use bitsweep_qil::{change_values, read_values};

use crate::paths::device;
use crate::tensors::{constant, gradient, gradients, leaf, noise, values};

every_path!(values_are_read_row_major);
fn values_are_read_row_major() {
    let x = leaf(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [2, 3]);
    assert_eq!(read_values(&x, <[f32]>::to_vec), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let across = x.clone().transpose();
    assert_eq!(read_values(&across, <[f32]>::to_vec), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    assert_eq!(read_values(&x.inner(), <[f32]>::len), 6);
}

every_path!(a_changed_tensor_is_a_leaf_of_the_next_step);
fn a_changed_tensor_is_a_leaf_of_the_next_step() {
    let x = leaf(&noise(1, 6), [2, 3]);
    let before = values(&x);
    let held = x.clone();
    let changed = change_values(x, |values| values.iter_mut().for_each(|value| *value *= 2.0));
    let twice: Vec<f32> = before.iter().map(|value| value * 2.0).collect();
    assert_eq!(values(&changed), twice);
    assert_eq!(values(&held), before, "who holds the old values keeps them");
    assert!(changed.is_require_grad());
    let found = gradients(&(changed.clone() * 3.0), &[1.0; 6]);
    assert_eq!(gradient(&changed, &found), [3.0; 6]);
}

every_path!(a_tensor_without_gradient_stays_one);
fn a_tensor_without_gradient_stays_one() {
    let plain = change_values(constant(&[1.0], [1], &device()), |values| values[0] = 4.0);
    assert!(!plain.is_autodiff());
    assert_eq!(values(&plain), [4.0]);
    let tracked = constant(&[1.0], [1], &device().autodiff());
    assert!(!change_values(tracked, |values| values[0] = 4.0).is_require_grad());
    assert_eq!(values(&change_values(constant(&[], [0], &device()), |_| ())), [0.0; 0]);
}
