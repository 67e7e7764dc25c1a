//! The charts of one trial.

use bitsweep_sweep::Metric;

use super::chart::{Axis, Chart, Curve, CurveStyle, Rule, Unit, range};
use super::format::percent;
use super::text::Tone;
use crate::model::sweep::Sweep;
use crate::model::trial::Trial;

/// Standard deviation of the smoothing window, as a fraction of all points.
const SMOOTHING: f64 = 0.02;

/// Columns that a series is averaged to before it is smoothed.
const BUCKETS: usize = 240;

/// Validation top-1 by epoch, with the reference as a rule.
pub(crate) fn top1(sweep: &Sweep, trial: &Trial) -> Chart {
    let tone = Tone::Network(trial.spec.model.network, trial.spec.bits);
    let points: Vec<(f64, f64)> =
        trial.epochs.iter().map(|e| (f64::from(e.epoch), e.top1)).collect();
    let rule = sweep.reference(trial).and_then(|r| Some((r, r.top1()?)));
    let values = points.iter().map(|p| p.1).chain(rule.map(|(_, v)| v));
    let (low, high) = range(values, 4.0).unwrap_or((0.0, 100.0));
    let label = |(reference, y): (&Trial, f64)| Rule {
        y,
        label: format!("{} bits {}", reference.spec.bits, percent(y).trim_start()),
        tone: Tone::Baseline,
        left: false,
    };
    let first = points.first().map_or(0.0, |p| p.0).min(1.0);
    let last = f64::from(trial.spec.train.epochs).max(first + 1.0);
    Chart {
        x: Axis::new((first, last), "epoch", Unit::Whole),
        y: Axis::new((low.max(0.0), high.min(100.0)), "", Unit::Number),
        rules: rule.map(label).into_iter().collect(),
        curves: vec![Curve { points, tone, style: CurveStyle::Marked("•") }],
        empty: "no evaluation yet: the first point comes at the end of an epoch".to_owned(),
        ..Chart::default()
    }
}

/// Training loss by step as measured, finite values only.
pub(crate) fn step_loss(sweep: &Sweep, trial: &Trial) -> Vec<(f64, f64)> {
    let series = sweep.series.get(trial.id.as_str()).and_then(|s| s.metrics.get(&Metric::StepLoss));
    let points = series.into_iter().flat_map(|s| s.steps.iter().zip(&s.values));
    points.map(|(&x, &y)| (x as f64, y)).filter(|p| p.1.is_finite()).collect()
}

/// Training loss by step: as measured, and smoothed on top.
pub(crate) fn loss(sweep: &Sweep, trial: &Trial) -> Chart {
    let tone = Tone::Network(trial.spec.model.network, trial.spec.bits);
    let raw = step_loss(sweep, trial);
    let shown = averaged(&raw);
    let (low, high) = range(shown.iter().map(|p| p.1), 0.02).unwrap_or((0.0, 1.0));
    let newest = raw.last().map_or(1.0, |p| p.0);
    let total = trial.progress.map_or(newest, |p| p.total_steps as f64);
    Chart {
        x: Axis::new((0.0, total.max(newest).max(1.0)), "step", Unit::Whole),
        y: Axis::new((low.max(0.0), high), "", Unit::Number),
        curves: vec![
            Curve { points: shown.clone(), tone: Tone::Dim, style: CurveStyle::Scattered },
            Curve { points: smoothed(&shown, SMOOTHING), tone, style: CurveStyle::Line },
        ],
        empty: "no step yet".to_owned(),
        ..Chart::default()
    }
}

/// Means of at most [`BUCKETS`] runs of points.
pub(crate) fn averaged(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let run = points.len().div_ceil(BUCKETS).max(1);
    let mean = |run: &[(f64, f64)]| {
        let n = run.len() as f64;
        (run.iter().map(|p| p.0).sum::<f64>() / n, run.iter().map(|p| p.1).sum::<f64>() / n)
    };
    points.chunks(run).map(mean).collect()
}

/// Means under a Gaussian window around each point, whose standard deviation is `width` of all
/// points: no lag, unlike a moving average.
pub(crate) fn smoothed(points: &[(f64, f64)], width: f64) -> Vec<(f64, f64)> {
    let deviation = (points.len() as f64 * width).max(1.0);
    let reach = (3.0 * deviation).ceil() as usize;
    let around = |at: usize| {
        let near = at.saturating_sub(reach)..(at + reach + 1).min(points.len());
        let (sum, weight) = near.fold((0.0, 0.0), |(sum, weight), i| {
            let w = (-0.5 * ((i as f64 - at as f64) / deviation).powi(2)).exp();
            (sum + w * points[i].1, weight + w)
        });
        (points[at].0, sum / weight)
    };
    (0..points.len()).map(around).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_keeps_a_constant_and_calms_a_spike() {
        let constant: Vec<(f64, f64)> = (0..50).map(|i| (f64::from(i), 2.0)).collect();
        assert!(smoothed(&constant, SMOOTHING).iter().all(|p| (p.1 - 2.0).abs() < 1e-12));
        let mut spike = constant.clone();
        spike[25].1 = 12.0;
        let smooth = smoothed(&spike, SMOOTHING);
        assert!(smooth[25].1 > 2.5 && smooth[25].1 < 8.0);
        let highest = smooth.iter().max_by(|a, b| a.1.total_cmp(&b.1)).expect("points");
        assert_eq!(highest.0, 25.0);
    }

    #[test]
    fn a_long_series_is_averaged_to_what_a_terminal_can_show() {
        let points: Vec<(f64, f64)> = (0..10_000).map(|i| (f64::from(i), 1.0)).collect();
        let shown = averaged(&points);
        assert!(shown.len() <= BUCKETS && shown.len() > BUCKETS / 2);
    }
}
