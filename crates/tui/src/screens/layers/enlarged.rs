//! Draws the chosen layer large: its weights over their interval, its activations, and how the
//! interval moved.

use bitsweep_sweep::{LayerReport, LayerState};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::draw::draw_histogram;
use super::histogram::{Histogram, Region, histogram, interval};
use super::rows::{activations, history, share, short, trouble};
use crate::model::layers::LayerHistory;
use crate::view::{chart, paint};
use crate::view_model::chart::{Axis, Chart, Curve, CurveStyle, Unit, range};
use crate::view_model::format::width;
use crate::view_model::header::{Segment, Side};
use crate::view_model::text::{Tone, piece};

/// Columns from which the way of the interval stands beside the layer.
const TRACE_FROM: u16 = 110;

/// One layer large: weights over their interval, and how the interval moved.
pub(super) fn enlarge(
    buffer: &mut Buffer,
    area: Rect,
    history_of: &LayerHistory,
    report: &LayerReport,
    at: usize,
    high: f64,
) {
    let layer = &report.layers[at];
    paint::rule(buffer, paint::rows(area, 0, 1));
    let name = format!(" {} ", layer.name);
    paint::text(
        buffer,
        paint::columns(paint::rows(area, 0, 1), 2, area.width),
        &name,
        Tone::Strong,
    );
    if let Some(trouble) = trouble(layer) {
        let left = 3 + width(&name) as u16;
        let line = paint::columns(paint::rows(area, 0, 1), left, area.width);
        paint::text(buffer, line, &format!("{trouble} "), Tone::Attention);
    }
    let (left, trace) = if area.width >= TRACE_FROM {
        let left = area.width * 3 / 5;
        (left - 2, Some(paint::columns(paint::rows(area, 1, area.height), left, area.width)))
    } else {
        (area.width, None)
    };
    let inside = paint::columns(paint::rows(area, 1, area.height), 0, left);
    // Names of the regions, bars, axis, and three lines about the activations.
    let bars = inside.height.saturating_sub(2 + 3);
    let plot = paint::rows(inside, 1, bars);
    let shown = histogram(layer, high, plot.width.into());
    regions(buffer, paint::rows(inside, 0, 1), layer, &shown);
    draw_histogram(buffer, plot, &shown);
    axis(buffer, paint::rows(inside, 1 + bars, 1), layer, &shown);
    activation_lines(buffer, paint::rows(inside, 2 + bars, 3), layer);
    if let Some(trace) = trace {
        draw_trace(buffer, trace, history_of, report, layer);
    }
}

/// The share of weights in each region, over it.
fn regions(buffer: &mut Buffer, area: Rect, layer: &LayerState, shown: &Histogram) {
    let inside = (1.0 - layer.below_interval - layer.clipped).max(0.0);
    let texts = [
        (0, format!("below {}", share(layer.below_interval).trim_start()), Region::Pruned),
        (shown.bounds.0, format!("in the interval {}", share(inside).trim_start()), Region::Inside),
        (shown.bounds.1, format!("clipped {}", share(layer.clipped).trim_start()), Region::Clipped),
    ];
    let mut used = 0;
    for (start, text, region) in texts {
        let left = (start + 1).max(used).min(usize::from(area.width).saturating_sub(width(&text)));
        if left < used {
            continue;
        }
        let place = paint::columns(area, left as u16, width(&text) as u16);
        paint::text(buffer, place, &text, region.tone());
        used = left + width(&text) + 2;
    }
}

fn axis(buffer: &mut Buffer, area: Rect, layer: &LayerState, shown: &Histogram) {
    let (low, high) = interval(layer);
    let end = format!("{} |w|", short(shown.high));
    let texts = [
        (0, "0".to_owned()),
        (shown.bounds.0, format!("{} = c−d", short(low))),
        (shown.bounds.1, format!("{} = c+d", short(high))),
        (usize::from(area.width), end),
    ];
    let mut used = 0;
    for (place, text) in texts {
        let most = usize::from(area.width).saturating_sub(width(&text));
        let left = place.saturating_sub(width(&text) / 2).min(most).max(used);
        if left > most {
            continue;
        }
        paint::text(
            buffer,
            paint::columns(area, left as u16, width(&text) as u16),
            &text,
            Tone::Dim,
        );
        used = left + width(&text) + 1;
    }
}

/// The interval of the activations on an axis of its own, and what it does to them.
fn activation_lines(buffer: &mut Buffer, area: Rect, layer: &LayerState) {
    let (c, d) = (layer.activation_center, layer.activation_half_width);
    let (low, high) = ((c - d).max(0.0), c + d);
    let known = |name: &str, share: Option<f64>| {
        share.map_or_else(|| format!("{name} --"), |s| format!("{name} {:.1}%", 100.0 * s))
    };
    let said =
        |priority, text: String| Segment::new(priority, Side::Left, vec![piece(text, Tone::Plain)]);
    let told = vec![
        said(9, format!("activations {}", activations(layer))),
        said(7, known("zero", layer.activation_zero)),
        said(8, known("clipped", layer.activation_clipped)),
        said(5, format!("γ {:.2}", layer.gamma)),
        said(4, format!("quantized to zero {}", share(layer.zero).trim_start())),
    ];
    paint::segments(buffer, paint::rows(area, 1, 1), told);
    let line = paint::rows(area, 2, 1);
    let columns = usize::from(line.width);
    // A quarter more than the interval, so that its end shows.
    let place =
        |value: f64| ((value / (high * 1.25).max(f64::MIN_POSITIVE)) * columns as f64) as usize;
    let (from, to) = (place(low).min(columns), place(high).min(columns));
    paint::text(buffer, line, &"─".repeat(columns), Tone::Dim);
    let inside = paint::columns(line, from as u16, (to - from).max(1) as u16);
    paint::text(buffer, inside, &"━".repeat(inside.width.into()), Tone::Inside);
    paint::text(buffer, paint::columns(line, from as u16, 1), "│", Tone::Strong);
    paint::text(buffer, paint::columns(line, to as u16, 1), "│", Tone::Strong);
}

/// How the ends of the interval moved.
fn draw_trace(
    buffer: &mut Buffer,
    area: Rect,
    history_of: &LayerHistory,
    report: &LayerReport,
    layer: &LayerState,
) {
    let points = history(history_of, &layer.name);
    let text = "c−d and c+d by epoch";
    paint::text(buffer, paint::rows(area, 0, 1), text, Tone::Dim);
    let curve = |pick: fn(&(f64, f64, f64, f64)) -> f64, tone| Curve {
        points: points.iter().map(|p| (p.0, pick(p))).collect(),
        tone,
        style: if points.len() <= 30 { CurveStyle::Marked("•") } else { CurveStyle::Line },
    };
    let ends = points.iter().flat_map(|p| [p.1, p.2]);
    let (low, high) = range(ends, 1e-3).unwrap_or((0.0, 1.0));
    let last = points.last().map_or(1.0, |p| p.0);
    let first = points.first().map_or(0.0, |p| p.0);
    let content = Chart {
        curves: vec![curve(|p| p.1, Tone::Pruned), curve(|p| p.2, Tone::Clipped)],
        x: Axis::new((first, last.max(first + 1.0)), "epoch", Unit::Whole),
        y: Axis::new((low.max(0.0), high), "", Unit::Number),
        crosshair: Some(f64::from(report.epoch)),
        ..Chart::default()
    };
    chart::draw(buffer, paint::rows(area, 1, area.height), &content);
}
