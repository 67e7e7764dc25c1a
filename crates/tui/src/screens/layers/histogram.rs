//! A layer's weight histogram cut by its learned interval.

use bitsweep_sweep::LayerState;

use crate::view_model::text::Tone;

/// Where a weight lies (QIL, Jung et al. 2019, Eq. 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Region {
    /// |w| < c − d: quantizes to zero.
    Pruned,
    Inside,
    /// |w| > c + d: quantizes to the largest value.
    Clipped,
}

impl Region {
    pub(super) fn tone(self) -> Tone {
        match self {
            Self::Pruned => Tone::Pruned,
            Self::Inside => Tone::Inside,
            Self::Clipped => Tone::Clipped,
        }
    }
}

/// A histogram in so many columns.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Histogram {
    /// Height from 0 to 1, and where the column's middle lies.
    pub(super) columns: Vec<(f64, Region)>,
    /// The columns of c − d and c + d.
    pub(super) bounds: (usize, usize),
    /// Upper end of the last column.
    pub(super) high: f64,
}

/// The ends of the interval of the weights: c − d, not below zero, and c + d.
pub(super) fn interval(layer: &LayerState) -> (f64, f64) {
    let (c, d) = (layer.weight_center, layer.weight_half_width);
    ((c - d).max(0.0), c + d)
}

/// The histogram of a layer over `[0, high]` in `columns` columns. Heights are square roots of
/// counts, so that the tail shows beside the mass at zero.
pub(super) fn histogram(layer: &LayerState, high: f64, columns: usize) -> Histogram {
    let (low_end, high_end) = interval(layer);
    let width = high / columns.max(1) as f64;
    let bin = layer.histogram_max / layer.histogram.len().max(1) as f64;
    let mass = |from: f64, to: f64| -> f64 {
        if bin <= 0.0 {
            return 0.0;
        }
        // A bin counts by how much of it lies in the column.
        let first = (from / bin).floor().max(0.0) as usize;
        let bins = layer.histogram.iter().enumerate().skip(first);
        let near = bins.take_while(|(at, _)| *at as f64 * bin < to);
        near.map(|(at, count)| {
            let (start, end) = (at as f64 * bin, (at + 1) as f64 * bin);
            *count as f64 * (end.min(to) - start.max(from)).max(0.0) / bin
        })
        .sum()
    };
    let heights: Vec<f64> =
        (0..columns).map(|at| mass(at as f64 * width, (at + 1) as f64 * width).sqrt()).collect();
    let most = heights.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let region = |at: usize| match (at as f64 + 0.5) * width {
        middle if middle < low_end => Region::Pruned,
        middle if middle > high_end => Region::Clipped,
        _ => Region::Inside,
    };
    // A value on the edge of two columns is in the right one, whatever rounding says.
    let place = |value: f64| {
        ((value / width.max(f64::MIN_POSITIVE) + 1e-9) as usize).min(columns.saturating_sub(1))
    };
    Histogram {
        columns: heights.iter().enumerate().map(|(at, h)| (h / most, region(at))).collect(),
        bounds: (place(low_end), place(high_end)),
        high,
    }
}

/// The upper end of an axis that holds the histogram and the interval of every layer in `layers`.
pub(super) fn reach<'a>(layers: impl Iterator<Item = &'a LayerState>) -> f64 {
    layers.map(|l| l.histogram_max.max(interval(l).1)).fold(f64::MIN_POSITIVE, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(center: f64, half_width: f64) -> LayerState {
        LayerState {
            name: "layer1.0.conv1".to_owned(),
            weight_center: center,
            weight_half_width: half_width,
            gamma: 1.0,
            activation_center: 1.0,
            activation_half_width: 1.0,
            below_interval: 0.0,
            zero: 0.0,
            clipped: 0.0,
            histogram: vec![100, 64, 36, 16, 4, 1, 0, 0],
            histogram_max: 0.8,
            activation_zero: None,
            activation_clipped: None,
            collapse: None,
        }
    }

    #[test]
    fn columns_are_cut_where_the_interval_ends() {
        let shown = histogram(&layer(0.3, 0.1), 0.8, 8);
        use Region::{Clipped, Inside, Pruned};
        let regions: Vec<Region> = shown.columns.iter().map(|c| c.1).collect();
        assert_eq!(regions, [Pruned, Pruned, Inside, Inside, Clipped, Clipped, Clipped, Clipped]);
        assert_eq!(shown.bounds, (2, 4));
        assert!((shown.columns[0].0 - 1.0).abs() < 1e-12);
        assert!((shown.columns[3].0 - 0.4).abs() < 1e-12);
    }

    #[test]
    fn any_number_of_columns_keeps_the_whole_mass() {
        let of = |columns| -> f64 {
            let shown = histogram(&layer(0.3, 0.1), 0.8, columns);
            let squares: f64 = shown.columns.iter().map(|c| c.0 * c.0).sum();
            squares
        };
        // Heights are relative to the highest; with a column a bin that one holds 100 of 221.
        assert!((of(8) - 2.21).abs() < 1e-9);
        assert_eq!(histogram(&layer(0.3, 0.1), 0.8, 0).columns, []);
    }

    #[test]
    fn an_interval_beyond_the_weights_widens_the_axis() {
        assert!((reach([layer(0.9, 0.3)].iter()) - 1.2).abs() < 1e-12);
        assert!((reach([layer(0.3, 0.1)].iter()) - 0.8).abs() < 1e-12);
    }
}
