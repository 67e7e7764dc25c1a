//! Accuracy against what a model costs: bytes, or bit operations of an image.

use bitsweep_sweep::{Bits, Network};

use super::SizeAxis;
use super::bits::{Means, mark, means};
use crate::model::Model;
use crate::model::sweep::Sweep;
use crate::model::trial::Size;
use crate::view_model::chart::{Axis, Chart, Curve, CurveStyle, Unit, range};
use crate::view_model::csv;
use crate::view_model::text::Tone;

/// A network at a width.
struct Point {
    network: Network,
    bits: Bits,
    size: Size,
    top1: f64,
}

fn points(sweep: &Sweep, means: &Means) -> Vec<Point> {
    let of = |(&(network, bits), mean): (&(Network, Bits), &bitsweep_sweep::SeedMean)| {
        let same = |t: &&crate::model::trial::Trial| {
            t.spec.model.network == network && t.spec.bits == bits && t.size.is_some()
        };
        let size = sweep.trials.iter().find(same)?.size?;
        Some(Point { network, bits, size, top1: mean.mean })
    };
    means.iter().filter_map(of).collect()
}

fn cost(size: Size, axis: SizeAxis) -> f64 {
    match axis {
        SizeAxis::Bytes => size.bytes as f64,
        SizeAxis::BitOperations => size.bit_operations as f64,
    }
}

/// Indices of the points that no other point beats in both, from the cheapest.
fn front(points: &[(f64, f64)]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|&a, &b| {
        let (a, b) = (points[a], points[b]);
        a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1))
    });
    let mut best = f64::NEG_INFINITY;
    order.retain(|&at| {
        let better = points[at].1 > best;
        best = best.max(points[at].1);
        better
    });
    order
}

/// The chart, with the Pareto front drawn through.
pub(super) fn chart(model: &Model, sweep: &Sweep, means: &Means) -> Chart {
    let axis = model.compare_screen.size;
    let all = points(sweep, means);
    let places: Vec<(f64, f64)> = all.iter().map(|p| (cost(p.size, axis), p.top1)).collect();
    let mut chart = Chart {
        empty: "no accuracy yet: the first comes at the end of an epoch".to_owned(),
        ..Chart::default()
    };
    let best = front(&places);
    chart.curves.push(Curve {
        points: best.iter().map(|&at| places[at]).collect(),
        tone: Tone::Dim,
        style: CurveStyle::Line,
    });
    for (at, point) in all.iter().enumerate() {
        let tone = Tone::Network(point.network, Bits::both(2));
        let style = CurveStyle::Marks(mark(point.network));
        chart.curves.push(Curve { points: vec![places[at]], tone, style });
        let told = if best.contains(&at) { tone } else { Tone::Dim };
        chart.words.push((places[at].0, places[at].1, point.bits.to_string(), told));
    }
    let (low, high) = range(places.iter().map(|p| p.1), 2.0).unwrap_or((0.0, 100.0));
    chart.y = Axis::new((low.max(0.0), high.min(100.5)), "", Unit::Number);
    let (unit, name) = match axis {
        SizeAxis::Bytes => (Unit::Bytes, "size"),
        SizeAxis::BitOperations => (Unit::Count, "bitops"),
    };
    let costs = || places.iter().map(|p| p.0).filter(|c| *c > 0.0);
    let (least, most) = (costs().fold(f64::MAX, f64::min), costs().fold(1.0, f64::max));
    chart.x = Axis::new((least.min(most) / 1.3, most * 1.3), name, unit);
    chart.x.logarithmic = true;
    chart
}

/// Accuracy, size and bit operations of every network at every width, as CSV.
pub(crate) fn export(sweep: &Sweep) -> String {
    let means = means(sweep);
    let mut text = csv::line(&[
        "network",
        "weight_bits",
        "activation_bits",
        "seeds",
        "mean_top1",
        "half_width_95",
        "model_bytes",
        "bit_operations",
        "on_front",
    ]);
    let all = points(sweep, &means);
    let places: Vec<(f64, f64)> = all.iter().map(|p| (p.size.bytes as f64, p.top1)).collect();
    let best = front(&places);
    for (at, point) in all.iter().enumerate() {
        let Some(mean) = means.get(&(point.network, point.bits)) else { continue };
        text += &csv::line(&[
            point.network.as_str(),
            &point.bits.weights.to_string(),
            &point.bits.activations.to_string(),
            &mean.n.to_string(),
            &mean.mean.to_string(),
            &mean.half_width.map_or_else(String::new, |h| h.to_string()),
            &point.size.bytes.to_string(),
            &point.size.bit_operations.to_string(),
            if best.contains(&at) { "yes" } else { "no" },
        ]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_has_what_nothing_beats_in_both() {
        let points = [(4.0, 88.0), (2.0, 80.0), (3.0, 79.0), (8.0, 87.0), (2.0, 70.0), (9.0, 89.0)];
        assert_eq!(front(&points), [1, 0, 5]);
        assert_eq!(front(&[]), Vec::<usize>::new());
    }
}
