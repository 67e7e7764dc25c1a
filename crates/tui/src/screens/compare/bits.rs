//! Accuracy against bit-width: what the program is for.

use std::collections::BTreeMap;

use bitsweep_sweep::{Bits, Network, PublishedFigure, Role, SeedMean, published};

use super::Others;
use crate::model::Model;
use crate::model::sweep::Sweep;
use crate::model::trial::Trial;
use crate::view_model::chart::{Axis, Bar, Chart, Curve, CurveStyle, Rule, Unit, range};
use crate::view_model::format::percent;
use crate::view_model::published::{METHOD, is_comparable};
use crate::view_model::text::{Piece, Tone, piece};

/// Marks of methods beside our own, so that colour is not needed.
const OTHER_MARKS: [&str; 6] = ["△", "□", "▽", "+", "×", "○"];

/// Mean top-1 of a network by width.
pub(super) type Means = BTreeMap<(Network, Bits), SeedMean>;

/// Top-1 over seeds; final accuracies where there are some, otherwise the newest ones.
pub(super) fn means(sweep: &Sweep) -> Means {
    let mut all: BTreeMap<(Network, Bits), (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    for trial in sweep.trials.iter().filter(|t| t.spec.role != Role::Control) {
        let Some(top1) = trial.top1() else { continue };
        let (last, newest) = all.entry((trial.spec.model.network, trial.spec.bits)).or_default();
        if trial.result.is_some() { last.push(top1) } else { newest.push(top1) }
    }
    let mean = |(key, (last, newest)): (_, (Vec<f64>, Vec<f64>))| {
        Some((key, SeedMean::new(if last.is_empty() { newest } else { last })?))
    };
    all.into_iter().filter_map(mean).collect()
}

/// The chart.
pub(super) fn chart(model: &Model, sweep: &Sweep, means: &Means) -> Chart {
    let chosen = model.selected();
    let network = chosen.map(|t| t.spec.model.network);
    let others = chosen.map_or_else(Vec::new, |t| overlays(model, means, t));
    let mut widths: Vec<Bits> = sweep.trials.iter().map(|t| t.spec.bits).collect();
    widths.extend(others.iter().flat_map(|o| o.figures.iter().map(|(bits, _)| *bits)));
    widths.sort_unstable();
    widths.dedup();
    let place = |bits: Bits| widths.iter().position(|w| *w == bits).map(|at| at as f64);
    let mut chart = Chart {
        empty: "no accuracy yet: the first comes at the end of an epoch".to_owned(),
        ..Chart::default()
    };
    let mut values = Vec::new();
    for overlay in &others {
        let points: Vec<(f64, f64)> =
            overlay.figures.iter().filter_map(|(bits, y)| Some((place(*bits)?, *y))).collect();
        values.extend(points.iter().map(|p| p.1));
        let (tone, style) = (Tone::Published, CurveStyle::Dotted(overlay.mark));
        chart.curves.push(Curve { points, tone, style });
    }
    let mut networks: Vec<Network> = means.keys().map(|(n, _)| *n).collect();
    networks.dedup();
    // The chosen network is drawn last, on top.
    networks.sort_by_key(|n| Some(*n) == network);
    for &network in &networks {
        let tone = Tone::Network(network, Bits::both(2));
        let own = means.iter().filter(|((n, _), _)| *n == network);
        let points: Vec<(f64, f64)> =
            own.clone().filter_map(|((_, bits), m)| Some((place(*bits)?, m.mean))).collect();
        values.extend(points.iter().map(|p| p.1));
        for ((_, bits), mean) in own {
            let Some((x, half)) = place(*bits).zip(mean.half_width) else { continue };
            chart.bars.push(Bar { x, low: mean.mean - half, high: mean.mean + half, tone });
        }
        if let Some(baseline) = means.get(&(network, Bits::FULL)) {
            let label = format!("{network} {}", percent(baseline.mean).trim_start());
            chart.rules.push(Rule { y: baseline.mean, label, tone: Tone::Baseline, left: true });
        }
        chart.curves.push(Curve { points, tone, style: CurveStyle::Marked(mark(network)) });
    }
    let (low, high) = range(values.into_iter(), 2.0).unwrap_or((0.0, 100.0));
    chart.y = Axis::new((low.max(0.0), high.min(100.5)), "", Unit::Number);
    let last = (widths.len().max(2) - 1) as f64;
    chart.x = Axis::new((-0.25, last + 0.25), "bits", Unit::Number);
    chart.x.places =
        widths.iter().enumerate().map(|(at, bits)| (at as f64, bits.to_string())).collect();
    chart
}

/// The mark of a network.
pub(super) fn mark(network: Network) -> &'static str {
    match network {
        Network::ResNet18 => "●",
        Network::ResNet34 => "■",
        Network::AlexNet => "▲",
    }
}

/// The figures of one method, in the numbers of the chart.
struct Overlay {
    first: &'static PublishedFigure,
    mark: &'static str,
    figures: Vec<(Bits, f64)>,
}

/// Published figures of the chosen trial's network: accuracies where they are of the same data set,
/// otherwise their gaps from our own baseline.
fn overlays(model: &Model, means: &Means, chosen: &Trial) -> Vec<Overlay> {
    let wanted = model.compare_screen.others;
    if wanted == Others::None {
        return Vec::new();
    }
    let network = chosen.spec.model.network;
    let baseline = means.get(&(network, Bits::FULL)).map(|m| m.mean);
    let value = |figure: &PublishedFigure| {
        if is_comparable(chosen) { Some(figure.top1) } else { Some(baseline? + figure.gap()?) }
    };
    let mut all: Vec<Overlay> = Vec::new();
    let mut marks = OTHER_MARKS.iter().cycle();
    for figure in published() {
        let shown = figure.network == network
            && figure.variant.is_none()
            && figure.bits.weights == figure.bits.activations
            && (wanted == Others::Every || figure.method == METHOD);
        let Some(y) = value(figure).filter(|_| shown) else { continue };
        match all.iter_mut().find(|o| o.first.method == figure.method) {
            Some(known) => known.figures.push((figure.bits, y)),
            None => {
                let own = figure.method == METHOD;
                let mark = if own { "◇" } else { marks.next().copied().unwrap_or("○") };
                all.push(Overlay { first: figure, mark, figures: vec![(figure.bits, y)] });
            }
        }
    }
    all.iter_mut().for_each(|o| o.figures.sort_unstable_by_key(|(bits, _)| *bits));
    all
}

/// What the marks mean: ours, then the published ones with their source.
pub(super) fn legend(model: &Model, means: &Means) -> Vec<Vec<Piece>> {
    let mut networks: Vec<Network> = means.keys().map(|(n, _)| *n).collect();
    networks.dedup();
    let own = networks.into_iter().flat_map(|n| {
        let tone = Tone::Network(n, Bits::both(2));
        [piece(format!("{} {n}", mark(n)), tone), piece("  ", Tone::Plain)]
    });
    let mut lines = vec![own.collect::<Vec<Piece>>()];
    let Some(chosen) = model.selected() else { return lines };
    let all = overlays(model, means, chosen);
    if all.is_empty() {
        return lines;
    }
    if !is_comparable(chosen) {
        let text = "other data: gaps on ImageNet, from our own baseline";
        lines.push(vec![piece(text, Tone::Published)]);
    }
    for overlay in &all {
        let figure = overlay.first;
        let read = match (&figure.citation.read_in, figure.verified) {
            (Some(_), true) => "✔ read",
            _ => "? not checked",
        };
        let text = format!("{} {}: {} ", overlay.mark, figure.method, figure.citation);
        lines.push(vec![piece(text, Tone::Published), piece(read, Tone::Dim)]);
    }
    lines
}
