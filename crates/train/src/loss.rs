//! What is minimised.

use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Int, Tensor, TensorData};

/// Mean cross-entropy of `[n, classes]` logits with the labels, in nats; with a share `smoothing` of the
/// target spread evenly over all classes (Szegedy et al. 2016, section 7, as PyTorch defines it).
pub(crate) fn cross_entropy(logits: Tensor<2>, labels: Vec<i64>, smoothing: f64) -> Tensor<1> {
    let count = labels.len();
    let device = logits.device();
    let labels: Tensor<2, Int> = Tensor::from_data(TensorData::new(labels, [count, 1]), &device);
    let logarithms = log_softmax(logits, 1);
    if smoothing == 0.0 {
        return logarithms.gather(1, labels).mean().neg();
    }
    let of_labels = logarithms.clone().gather(1, labels).mean();
    (of_labels * (1.0 - smoothing) + logarithms.mean() * smoothing).neg()
}

/// Mean Kullback-Leibler divergence of the network's distribution from the teacher's, at temperature 1, in
/// nats. Zero where the logits agree; no gradient flows into the teacher's.
pub(crate) fn distillation(logits: Tensor<2>, teacher: Tensor<2>) -> Tensor<1> {
    let [count, _] = logits.dims();
    let wanted = softmax(teacher.clone(), 1);
    let difference = log_softmax(teacher, 1) - log_softmax(logits, 1);
    (wanted * difference).sum() / count as f64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::metrics::Metrics;
    use burn::tensor::Device;

    const ROWS: [f32; 6] = [0.5, -1.0, 2.0, 30.0, -30.0, 0.0];

    fn logits(rows: &[f32; 6]) -> Tensor<2> {
        let device = Device::flex().autodiff();
        Tensor::from_data(TensorData::new(rows.to_vec(), [2, 3]), &device)
    }

    fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
        let values = tensor.into_data().try_into_vec::<f32>().unwrap();
        values.into_iter().map(f64::from).collect()
    }

    fn probabilities(row: &[f32]) -> Vec<f64> {
        let sum: f64 = row.iter().map(|&v| f64::from(v).exp()).sum();
        row.iter().map(|&v| f64::from(v).exp() / sum).collect()
    }

    #[test]
    fn the_training_loss_is_the_evaluation_loss_and_its_gradient_is_softmax_minus_one_hot() {
        let logits = logits(&ROWS).require_grad();
        let loss = cross_entropy(logits.clone(), vec![2, 1], 0.0);
        let mut metrics = Metrics::default();
        metrics.add(&ROWS, 3, &[2, 1]);
        assert!((read(loss.clone())[0] - metrics.loss()).abs() < 1e-5);

        let gradient = read(logits.grad(&loss.backward()).unwrap());
        for (class, softmax) in probabilities(&ROWS[..3]).into_iter().enumerate() {
            let expected = (softmax - f64::from(u8::from(class == 2))) / 2.0;
            assert!((gradient[class] - expected).abs() < 1e-6, "{gradient:?} {expected}");
        }
    }

    #[test]
    fn smoothing_is_cross_entropy_with_a_softened_target() {
        let row = [0.5_f32, -1.0, 2.0, 0.1, 0.2, 0.3];
        let smoothing = 0.3;
        let logits = logits(&row).require_grad();
        let loss = cross_entropy(logits.clone(), vec![2, 0], smoothing);
        let target = |label: usize, class: usize| {
            (1.0 - smoothing) * f64::from(u8::from(label == class)) + smoothing / 3.0
        };
        let of = |row: &[f32], label: usize| -> f64 {
            let terms = probabilities(row).into_iter().enumerate();
            terms.map(|(class, p)| -target(label, class) * p.ln()).sum()
        };
        let expected = (of(&row[..3], 2) + of(&row[3..], 0)) / 2.0;
        assert!((read(loss.clone())[0] - expected).abs() < 1e-6);
        let gradient = read(logits.grad(&loss.backward()).unwrap());
        for (class, p) in probabilities(&row[..3]).into_iter().enumerate() {
            assert!((gradient[class] - (p - target(2, class)) / 2.0).abs() < 1e-6);
        }
    }

    #[test]
    fn distillation_is_the_divergence_and_pulls_towards_the_teacher() {
        let (own, teacher) =
            ([0.5_f32, -1.0, 2.0, 0.0, 0.0, 0.0], [1.0_f32, 0.0, 0.0, 3.0, 1.0, 0.5]);
        let student = logits(&own).require_grad();
        let loss = distillation(student.clone(), logits(&teacher));
        let divergence = |own: &[f32], teacher: &[f32]| -> f64 {
            let pairs = probabilities(teacher).into_iter().zip(probabilities(own));
            pairs.map(|(t, s)| t * (t / s).ln()).sum()
        };
        let expected =
            (divergence(&own[..3], &teacher[..3]) + divergence(&own[3..], &teacher[3..])) / 2.0;
        assert!((read(loss.clone())[0] - expected).abs() < 1e-6);
        let gradient = read(student.grad(&loss.backward()).unwrap());
        let wanted = [probabilities(&teacher[..3]), probabilities(&teacher[3..])].concat();
        let found = [probabilities(&own[..3]), probabilities(&own[3..])].concat();
        for ((gradient, wanted), found) in gradient.iter().zip(wanted).zip(found) {
            assert!((gradient - (found - wanted) / 2.0).abs() < 1e-6);
        }
        let none = distillation(logits(&ROWS), logits(&ROWS));
        assert!(read(none)[0].abs() < 1e-6, "a teacher that agrees has nothing to say");
    }
}
