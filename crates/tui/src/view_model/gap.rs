//! Whether a gap shows a difference.

use super::mark::Verdict;
use crate::model::sweep::Sweep;
use crate::model::trial::Trial;

/// Two-sided 5 % quantile of the normal distribution.
const Z_95: f64 = 1.96;

/// Standard error, in points, of the difference of two top-1 percentages, each measured on `images`
/// images, as if they were independent binomials.
///
/// Both trials see the same images, so the true error is smaller and `≈` is said too often rather
/// than too seldom.
pub(crate) fn standard_error(top1: f64, reference: f64, images: u64) -> f64 {
    let variance = |percent: f64| {
        let p = (percent / 100.0).clamp(0.0, 1.0);
        p * (1.0 - p) / images.max(1) as f64
    };
    100.0 * (variance(top1) + variance(reference)).sqrt()
}

/// What a gap says. `images` is the number of validation images, `None` while unknown;
/// `is_final` whether both numbers are final.
pub(crate) fn verdict(top1: f64, gap: f64, images: Option<u64>, is_final: bool) -> Verdict {
    let Some(images) = images.filter(|_| is_final) else { return Verdict::Early };
    let noise = Z_95 * standard_error(top1, top1 - gap, images);
    sign(gap, gap.abs() >= noise && gap != 0.0)
}

/// The gap of a trial and what it says; `None` while there is none. Where both trials finished on the
/// same images, McNemar's test says it, otherwise the two accuracies alone.
pub(crate) fn of(sweep: &Sweep, trial: &Trial) -> Option<(f64, Verdict)> {
    let at = sweep.trials.index(&trial.spec.name)?;
    let ((gap, is_final), top1) = (sweep.gap_at(at)?, trial.top1()?);
    let said = match sweep.paired_test(trial).filter(|_| is_final) {
        Some(test) => sign(gap, test.differs()),
        None => verdict(top1, gap, sweep.validation_images(trial), is_final),
    };
    Some((gap, said))
}

/// What a gap says once it is known whether it is a difference.
pub(crate) fn sign(gap: f64, differs: bool) -> Verdict {
    match gap {
        _ if !differs => Verdict::Within,
        g if g > 0.0 => Verdict::Better,
        _ => Verdict::Worse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_error_is_that_of_two_binomials() {
        // p = 0.9 and 0.8 on 1,000 images: sqrt(0.09/1000 + 0.16/1000) = 1.5811 points.
        assert!((standard_error(90.0, 80.0, 1000) - 1.581_138_8).abs() < 1e-6);
    }

    #[test]
    fn a_gap_within_noise_is_no_difference_and_more_images_tell_more() {
        assert_eq!(verdict(87.2, -1.2, Some(2000), true), Verdict::Within);
        assert_eq!(verdict(87.2, -1.2, Some(50_000), true), Verdict::Worse);
        assert_eq!(verdict(89.6, 1.2, Some(50_000), true), Verdict::Better);
        assert_eq!(verdict(100.0, 0.0, Some(2000), true), Verdict::Within);
    }

    #[test]
    fn a_running_trial_or_an_unknown_image_count_is_too_early_to_say() {
        assert_eq!(verdict(81.05, -7.35, Some(2000), false), Verdict::Early);
        assert_eq!(verdict(81.05, -7.35, None, true), Verdict::Early);
    }
}
