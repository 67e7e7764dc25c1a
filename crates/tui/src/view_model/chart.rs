//! A chart before it is drawn: curves, rules, intervals, and axes with round numbers.

use super::format::{bytes, count, short_duration};
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
    Marked(&'static str),
    /// A dotted line and a mark at each point: what others measured.
    Dotted(&'static str),
    /// Marks alone.
    Marks(&'static str),
}

/// A horizontal rule and its label.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) y: f64,
    pub(crate) label: String,
    pub(crate) tone: Tone,
    /// Whether the label stands at the left, where curves that rise leave room.
    pub(crate) left: bool,
}

/// A vertical interval.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    pub(crate) x: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) tone: Tone,
}

/// What the numbers of an axis are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Unit {
    #[default]
    Number,
    /// Counted: no fractions between them.
    Whole,
    Bytes,
    /// Large counts.
    Count,
    Seconds,
}

/// An axis.
#[derive(Clone, Debug, Default)]
pub(crate) struct Axis {
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) name: String,
    pub(crate) unit: Unit,
    pub(crate) logarithmic: bool,
    /// Places with names of their own; empty: round numbers.
    pub(crate) places: Vec<(f64, String)>,
}

impl Axis {
    pub(crate) fn new((low, high): (f64, f64), name: impl Into<String>, unit: Unit) -> Self {
        Self { low, high, name: name.into(), unit, ..Self::default() }
    }

    /// Where a value lies: 0 at the low end, 1 at the high one.
    pub(crate) fn fraction(&self, value: f64) -> f64 {
        if self.logarithmic {
            let log = |v: f64| v.max(f64::MIN_POSITIVE).ln();
            (log(value) - log(self.low)) / (log(self.high) - log(self.low))
        } else {
            (value - self.low) / (self.high - self.low)
        }
    }

    /// At most `most` labelled values.
    pub(crate) fn labels(&self, most: usize) -> Vec<(f64, String)> {
        if !self.places.is_empty() {
            let every = self.places.len().div_ceil(most.max(1)).max(1);
            return self.places.iter().step_by(every).cloned().collect();
        }
        let (values, decimals) = if self.logarithmic {
            (decades(self.low, self.high, most), None)
        } else {
            let (values, decimals) =
                ticks(self.low, self.high, most, matches!(self.unit, Unit::Whole));
            (values, Some(decimals))
        };
        values.into_iter().map(|v| (v, self.label(v, decimals))).collect()
    }

    fn label(&self, value: f64, decimals: Option<usize>) -> String {
        match (self.unit, decimals) {
            (Unit::Bytes, _) => bytes(value.max(0.0) as u64),
            (Unit::Count, _) => count(value.max(0.0) as u64),
            (Unit::Seconds, _) => short_duration(Some(value)).trim_start().to_owned(),
            (_, Some(decimals)) => format!("{value:.decimals$}"),
            (_, None) => format!("{value}"),
        }
    }
}

/// A chart.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chart {
    /// Drawn in this order: the last one is on top.
    pub(crate) curves: Vec<Curve>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) bars: Vec<Bar>,
    /// Words beside points.
    pub(crate) words: Vec<(f64, f64, String, Tone)>,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    /// A vertical rule at this x.
    pub(crate) crosshair: Option<f64>,
    /// Said when there is nothing to draw.
    pub(crate) empty: String,
}

/// The part of a curve between two x, with the points where it enters and leaves.
pub(crate) fn clipped(points: &[(f64, f64)], low: f64, high: f64) -> Vec<(f64, f64)> {
    let between =
        |a: (f64, f64), b: (f64, f64), x: f64| (x, a.1 + (b.1 - a.1) * (x - a.0) / (b.0 - a.0));
    let mut kept = Vec::new();
    for (at, point) in points.iter().enumerate() {
        let before = at.checked_sub(1).map(|b| points[b]);
        for edge in [low, high] {
            if let Some(before) = before.filter(|b| b.0 < edge && point.0 > edge) {
                kept.push(between(before, *point, edge));
            }
        }
        if (low..=high).contains(&point.0) {
            kept.push(*point);
        }
    }
    kept
}

/// The y of a curve at an x between its ends.
pub(crate) fn read(points: &[(f64, f64)], x: f64) -> Option<f64> {
    let after = points.partition_point(|p| p.0 < x);
    let right = points.get(after)?;
    if right.0 <= x {
        return Some(right.1);
    }
    let left = points.get(after.checked_sub(1)?)?;
    Some(left.1 + (right.1 - left.1) * (x - left.0) / (right.0 - left.0))
}

/// 1, 2 and 5 times powers of ten, or the powers alone, at most `most` of them.
fn decades(low: f64, high: f64, most: usize) -> Vec<f64> {
    if !(low > 0.0 && high > low) {
        return Vec::new();
    }
    let powers = low.log10().floor() as i32..=high.log10().ceil() as i32;
    let of = |factors: &[f64]| -> Vec<f64> {
        let all = powers.clone().flat_map(|p| factors.iter().map(move |f| f * 10f64.powi(p)));
        all.filter(|v| (low..=high).contains(v)).collect()
    };
    for factors in [&[1.0, 2.0, 5.0][..], &[1.0, 3.0], &[1.0]] {
        let values = of(factors);
        if values.len() <= most && !values.is_empty() {
            return values;
        }
    }
    let powers = of(&[1.0]);
    let every = powers.len().div_ceil(most.max(1)).max(1);
    powers.into_iter().step_by(every).collect()
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
    fn a_logarithmic_axis_has_decades_and_keeps_ratios() {
        let axis = Axis { logarithmic: true, ..Axis::new((1.0, 100.0), "", Unit::Number) };
        assert!((axis.fraction(10.0) - 0.5).abs() < 1e-12);
        let labels: Vec<String> = axis.labels(3).into_iter().map(|(_, l)| l).collect();
        assert_eq!(labels, ["1", "10", "100"]);
        assert_eq!(axis.labels(9).len(), 7);
    }

    #[test]
    fn a_curve_is_read_between_its_points_and_cut_where_it_leaves() {
        let curve = [(0.0, 0.0), (1.0, 10.0), (3.0, 30.0)];
        assert_eq!(read(&curve, 2.0), Some(20.0));
        assert_eq!(read(&curve, 1.0), Some(10.0));
        assert_eq!(read(&curve, 3.5), None);
        assert_eq!(read(&curve, -0.5), None);
        assert_eq!(clipped(&curve, 0.5, 2.0), [(0.5, 5.0), (1.0, 10.0), (2.0, 20.0)]);
        assert_eq!(clipped(&curve, 1.2, 1.4), [(1.2, 12.0), (1.4, 14.0)]);
    }

    #[test]
    fn a_range_has_room_even_around_one_value() {
        assert_eq!(range([88.0].into_iter(), 2.0), Some((86.9, 89.1)));
        assert_eq!(range([f64::NAN].into_iter(), 2.0), None);
        assert_eq!(range(std::iter::empty(), 2.0), None);
    }
}
