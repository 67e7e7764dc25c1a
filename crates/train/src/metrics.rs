//! Loss and accuracy from logits.

/// Sums over evaluated images; averages are taken at the end, in f64.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    images: u64,
    loss: f64,
    top1: u64,
    top5: u64,
    correct: Vec<u8>,
}

impl Metrics {
    /// Adds one batch: `logits` is row-major `[labels.len(), classes]`.
    ///
    /// An image's rank is the number of classes that score higher than its label, equal scores
    /// counting in favour of the lower index. A row that holds a NaN is wrong and its loss NaN.
    pub fn add(&mut self, logits: &[f32], classes: usize, labels: &[u32]) {
        debug_assert_eq!(logits.len(), classes * labels.len());
        for (row, &label) in logits.chunks_exact(classes).zip(labels) {
            let rank = rank(row, label as usize);
            let right = rank == Some(0);
            self.top1 += u64::from(right);
            self.top5 += u64::from(rank.is_some_and(|rank| rank < 5));
            self.loss += cross_entropy(row, label as usize);
            let bit = (self.images % 8) as u32;
            if bit == 0 {
                self.correct.push(0);
            }
            if let Some(last) = self.correct.last_mut() {
                *last |= u8::from(right) << bit;
            }
            self.images += 1;
        }
    }

    /// Images added.
    pub fn images(&self) -> u64 {
        self.images
    }

    /// Mean cross-entropy in nats.
    pub fn loss(&self) -> f64 {
        self.loss / self.images as f64
    }

    /// Percent of images whose label scores highest.
    pub fn top1(&self) -> f64 {
        100.0 * self.top1 as f64 / self.images as f64
    }

    /// Percent of images whose label is among the five highest scores.
    pub fn top5(&self) -> f64 {
        100.0 * self.top5 as f64 / self.images as f64
    }

    /// One bit an image in the order added, least significant bit first: 1 where top-1 was right.
    pub fn correct(&self) -> &[u8] {
        &self.correct
    }
}

/// How many classes come before `label`; `None` when a score is NaN or there is no such class.
fn rank(row: &[f32], label: usize) -> Option<usize> {
    let score = *row.get(label)?;
    if row.iter().any(|value| value.is_nan()) {
        return None;
    }
    let before =
        |(class, &value): (usize, &f32)| value > score || (value == score && class < label);
    Some(row.iter().enumerate().filter(|&entry| before(entry)).count())
}

/// −log softmax(row)[label], shifted by the largest score so that it cannot overflow.
fn cross_entropy(row: &[f32], label: usize) -> f64 {
    let Some(&score) = row.get(label) else { return f64::NAN };
    if row.iter().any(|value| value.is_nan()) {
        return f64::NAN;
    }
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = row.iter().map(|&value| (f64::from(value) - f64::from(max)).exp()).sum();
    sum.ln() + f64::from(max) - f64::from(score)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: &[&[f32]], labels: &[u32]) -> Metrics {
        let mut metrics = Metrics::default();
        metrics.add(&rows.concat(), rows[0].len(), labels);
        metrics
    }

    #[test]
    fn loss_is_the_closed_form() {
        let metrics = of(&[&[0.0, 0.0, 0.0, 0.0], &[1.0, 2.0, 3.0, 4.0]], &[2, 0]);
        let second = (1f64.exp() + 2f64.exp() + 3f64.exp() + 4f64.exp()).ln() - 1.0;
        assert!((metrics.loss() - (4f64.ln() + second) / 2.0).abs() < 1e-12);
        assert!(of(&[&[1000.0, -1000.0]], &[1]).loss() == 2000.0);
    }

    #[test]
    fn equal_scores_go_to_the_lower_index() {
        assert_eq!(of(&[&[1.0, 1.0]], &[0]).top1(), 100.0);
        assert_eq!(of(&[&[1.0, 1.0]], &[1]).top1(), 0.0);
        let constant = [0.5; 8];
        assert_eq!(of(&[&constant], &[4]).top5(), 100.0);
        assert_eq!(of(&[&constant], &[5]).top5(), 0.0);
    }

    #[test]
    fn nan_scores_are_wrong_even_where_the_label_has_a_number() {
        let metrics = of(&[&[9.0, f32::NAN], &[f32::NAN, 1.0]], &[0, 0]);
        assert_eq!(metrics.top1(), 0.0);
        assert_eq!(metrics.top5(), 0.0);
        assert!(metrics.loss().is_nan());
    }

    #[test]
    fn correctness_bits_start_at_the_least_significant_across_batches() {
        let (right, wrong) = ([1.0, 0.0], [0.0, 1.0]);
        let mut metrics = Metrics::default();
        for row in [right, wrong, right, wrong, wrong, wrong, wrong, right, right] {
            metrics.add(&row, 2, &[0]);
        }
        assert_eq!(metrics.correct(), [0b1000_0101, 0b1]);
        assert_eq!(metrics.images(), 9);
    }
}
