//! A chart before it is drawn: curves, a rule, and axes with round numbers.

use super::text::Tone;

/// One line of a chart.
#[derive(Clone, Debug)]
pub(crate) struct Curve {
    pub(crate) points: Vec<(f64, f64)>,
    pub(crate) tone: Tone,
    pub(crate) style: CurveStyle,
}

/// How the points of a curve are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CurveStyle {
    /// Dots, unconnected.
    Scattered,
    /// A line.
    Line,
    /// A line and a mark at each point: for few points, where the line between them is a guess.
    Marked,
}

/// A chart.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    /// Drawn in this order: the last one is on top.
    pub(crate) curves: Vec<Curve>,
    /// A horizontal rule and its label.
    pub(crate) rule: Option<(f64, String)>,
    pub(crate) x: (f64, f64),
    pub(crate) y: (f64, f64),
    /// Name of the x axis.
    pub(crate) x_name: &'static str,
    /// Whether x counts whole things.
    pub(crate) x_whole: bool,
    /// Said when there is nothing to draw.
    pub(crate) empty: String,
}

/// Round numbers from `low` to `high`, at most `most` of them, and their decimals.
pub(crate) fn ticks(low: f64, high: f64, most: usize, whole: bool) -> (Vec<f64>, usize) {
    let span = high - low;
    if most == 0 || !span.is_finite() || span <= 0.0 {
        return (Vec::new(), 0);
    }
    let mut step = 10f64.powf((span / most as f64).log10().floor());
    if whole {
        step = step.max(1.0);
    }
    let count = |step: f64| (high / step + 1e-9).floor() - (low / step - 1e-9).ceil() + 1.0;
    let multiples = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0];
    let fit = multiples.into_iter().map(|m| m * step).find(|s| count(*s) <= most as f64);
    let step = fit.unwrap_or(step * 100.0);
    let first = (low / step - 1e-9).ceil();
    let values = (0..count(step).max(0.0) as usize).map(|i| (first + i as f64) * step).collect();
    (values, (-step.log10().floor()).clamp(0.0, 6.0) as usize)
}

/// A range that holds all `values` with a margin of a twentieth; `None` without values.
pub(crate) fn range(values: impl Iterator<Item = f64>, smallest: f64) -> Option<(f64, f64)> {
    let finite = values.filter(|v| v.is_finite());
    let (low, high) = finite.fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
    if low > high {
        return None;
    }
    let missing = (smallest - (high - low)).max(0.0) / 2.0;
    let (low, high) = (low - missing, high + missing);
    let margin = (high - low) / 20.0;
    Some((low - margin, high + margin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(ticks(0.0, 4.0, 5, true), (vec![0.0, 1.0, 2.0, 3.0, 4.0], 0));
        assert_eq!(ticks(0.0, 4.0, 9, true).0, vec![0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(ticks(8.0, 92.0, 4, false), (vec![20.0, 40.0, 60.0, 80.0], 0));
        assert_eq!(ticks(0.31, 0.52, 3, false), (vec![0.4, 0.5], 1));
        assert_eq!(ticks(1.0, 1.0, 3, false).0, Vec::<f64>::new());
        for most in 1..12 {
            for high in [0.03, 0.7, 9.0, 88.0, 1234.0] {
                assert!(ticks(0.0, high, most, false).0.len() <= most, "{most} {high}");
            }
        }
    }

    #[test]
    fn a_range_has_room_even_around_one_value() {
        assert_eq!(range([88.0].into_iter(), 2.0), Some((86.9, 89.1)));
        assert_eq!(range([f64::NAN].into_iter(), 2.0), None);
        assert_eq!(range(std::iter::empty(), 2.0), None);
    }
}
