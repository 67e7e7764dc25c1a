//! Draws the Layers screen.

use bitsweep_sweep::{LayerReport, LayerState};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::histogram::{Histogram, Region, histogram, interval, reach};
use super::rows::{activations, history, known_share, share, short, trouble};
use crate::model::Model;
use crate::model::layers::LayerHistory;
use crate::model::sweep::Sweep;
use crate::model::trial::Trial;
use crate::view::{chart, paint};
use crate::view_model::chart::{Axis, Chart, Curve, CurveStyle, Unit, range};
use crate::view_model::format::{shorten, width};
use crate::view_model::header::{Segment, Side};
use crate::view_model::spark::bar;
use crate::view_model::summary::{mark, title};
use crate::view_model::text::{Tone, piece};

/// Rising blocks, from nothing.
const BLOCKS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
/// Columns from which the way of the interval stands beside the enlarged layer.
const TRACE_FROM: u16 = 110;
/// Lines of the enlarged layer with its rule, axis and activations, and the fewest lines of the list.
const ENLARGED: u16 = 12;
const LIST_LEAST: u16 = 5;
/// Columns of a layer's name.
const NAME: u16 = 22;

/// Draws the screen.
pub(crate) fn draw(buffer: &mut Buffer, area: Rect, model: &Model, sweep: &Sweep) {
    let Some(trial) = model.selected() else {
        let text = "No trial yet; choose one on the Sweep screen.";
        paint::text(buffer, paint::inset(area, 2), text, Tone::Dim);
        return;
    };
    match model.beside() {
        Some(other) if area.width >= 100 => {
            let half = area.width / 2;
            draw_trial(buffer, paint::columns(area, 0, half), model, sweep, other, trial);
            paint::divider(buffer, paint::columns(area, half, 1));
            let right = paint::columns(area, half + 1, area.width);
            draw_trial(buffer, right, model, sweep, trial, other);
        }
        Some(other) => {
            let half = area.height / 2;
            draw_trial(buffer, paint::rows(area, 0, half), model, sweep, other, trial);
            let foot = paint::rows(area, half, area.height);
            draw_trial(buffer, foot, model, sweep, trial, other);
        }
        None => draw_trial(buffer, area, model, sweep, trial, trial),
    }
}

/// One trial; `other` is the one beside it, whose weights share the axis.
fn draw_trial(
    buffer: &mut Buffer,
    area: Rect,
    model: &Model,
    sweep: &Sweep,
    trial: &Trial,
    other: &Trial,
) {
    let inside = paint::inset(area, 1);
    let known = sweep.layers.get(trial.id.as_str());
    let report = known.and_then(|h| model.layers_screen.report(h));
    paint::segments(buffer, paint::rows(inside, 0, 1), head(model, sweep, trial, known, report));
    let body = paint::rows(inside, 1, inside.height);
    let (Some(history), Some(report)) = (known, report) else {
        empty(buffer, paint::rows(body, 1, 1), trial, known);
        return;
    };
    if report.layers.is_empty() {
        empty(buffer, paint::rows(body, 1, 1), trial, known);
        return;
    }
    // The list takes what it needs, up to half; the enlarged layer the rest.
    let listed =
        (report.layers.len() as u16 + 2).clamp(LIST_LEAST, (body.height / 2).max(LIST_LEAST));
    let enlarged = if body.height >= ENLARGED + listed { body.height - listed } else { 0 };
    let at = model.layers_screen.layer.min(report.layers.len() - 1);
    list(buffer, paint::rows(body, 0, body.height - enlarged), report, at);
    if enlarged > 0 {
        let below = paint::rows(body, body.height - enlarged, enlarged);
        let same = sweep.layers.get(other.id.as_str());
        let same = same.and_then(|h| model.layers_screen.report(h));
        let same = same.and_then(|r| r.layers.iter().find(|l| l.name == report.layers[at].name));
        let high = reach(std::iter::once(&report.layers[at]).chain(same));
        enlarge(buffer, below, history, report, at, high);
    }
}

fn head(
    model: &Model,
    sweep: &Sweep,
    trial: &Trial,
    known: Option<&LayerHistory>,
    report: Option<&LayerReport>,
) -> Vec<Segment> {
    let tone = Tone::Network(trial.spec.model.network, trial.spec.bits);
    let named =
        vec![mark(model, sweep, trial), piece(" ", Tone::Plain), piece(title(sweep, trial), tone)];
    let mut head = vec![Segment::new(20, Side::Left, named)];
    let Some((history, report)) = known.zip(report) else { return head };
    let newest = history.reports.last().map_or(0, |r| r.epoch);
    let (first, all) = (history.reports.first().map_or(0, |r| r.epoch), newest.max(1));
    let collapsed = report.layers.iter().filter(|l| l.collapse.is_some()).count();
    if collapsed > 0 {
        let plural = if collapsed == 1 { "" } else { "s" };
        let text = format!("! {collapsed} layer{plural} collapsed");
        head.push(Segment::new(19, Side::Left, vec![piece(text, Tone::Attention)]));
    }
    let span = f64::from(newest.saturating_sub(first)).max(1.0);
    let (done, rest) = bar(f64::from(report.epoch.saturating_sub(first)) / span, 16);
    let slider = vec![
        piece("◂ ", Tone::Dim),
        piece(done, tone),
        piece(rest, Tone::Dim),
        piece(" ▸", Tone::Dim),
    ];
    head.push(Segment::new(10, Side::Right, slider));
    let text = format!("epoch {:>w$} of {newest}", report.epoch, w = all.to_string().len());
    head.push(Segment::new(18, Side::Right, vec![piece(text, Tone::Plain)]));
    let live = model.layers_screen.epoch.is_none();
    let (text, tone) = if live { ("● live", Tone::Good) } else { ("○ then", Tone::Attention) };
    head.push(Segment::new(12, Side::Right, vec![piece(text, tone)]));
    head
}

fn empty(buffer: &mut Buffer, area: Rect, trial: &Trial, known: Option<&LayerHistory>) {
    let text = match known {
        _ if trial.spec.bits.is_full() => {
            "A 32-bit trial has no quantized layers; choose one of fewer bits with ]."
        }
        Some(history) if history.pending => "The layers are on their way.",
        _ => "No layers yet: they come with the first epoch.",
    };
    paint::text(buffer, area, text, Tone::Dim);
}

/// Columns of the numbers at the right of a row, by what is shown there.
struct Layout {
    name: u16,
    histogram: u16,
    /// Whether the activations' interval and their zero and clipped shares have columns.
    interval: bool,
    shares: bool,
}

fn layout(columns: u16) -> Layout {
    // Pruned, clipped and γ with their gaps.
    let numbers = 6 + 2 + 6 + 2 + 6 + 2;
    let name = if columns >= 60 { NAME } else { 14 };
    let rest = columns.saturating_sub(name + 2 + numbers);
    let (interval, shares) = (rest >= 20 + 18, rest >= 20 + 18 + 14);
    let used = if interval { 18 } else { 0 } + if shares { 14 } else { 0 };
    Layout { name, histogram: (rest - used.min(rest)).min(64), interval, shares }
}

fn list(buffer: &mut Buffer, area: Rect, report: &LayerReport, chosen: usize) {
    let laid = layout(area.width.saturating_sub(2));
    let beside = |line: Rect| paint::columns(line, 2, line.width);
    let titles = beside(paint::rows(area, 0, 1));
    let mut put = |at: u16, text: &str| {
        paint::text(buffer, paint::columns(titles, at, titles.width), text, Tone::Dim)
    };
    put(0, "layer");
    put(
        laid.name + 1,
        if laid.histogram > 20 { "|weights| and their interval" } else { "|weights|" },
    );
    let numbers = laid.name + 1 + laid.histogram + 1;
    put(numbers, "pruned  clipped      γ");
    if laid.interval {
        put(numbers + 24, "activations");
    }
    if laid.shares {
        put(numbers + 24 + 18, "zero  clipped");
    }
    let body = paint::rows(area, 1, area.height);
    let room = usize::from(body.height).max(1);
    let first = chosen.saturating_sub(room / 2).min(report.layers.len().saturating_sub(room));
    for (line, (at, layer)) in report.layers.iter().enumerate().skip(first).take(room).enumerate() {
        let Some(place) = paint::row(body, line as u16) else { break };
        let row = beside(place);
        let name = shorten(&layer.name, laid.name.into());
        let tone = if layer.collapse.is_some() { Tone::Attention } else { Tone::Plain };
        paint::text(buffer, paint::columns(row, 0, laid.name), &name, tone);
        let strip = paint::columns(row, laid.name + 1, laid.histogram);
        draw_histogram(
            buffer,
            strip,
            &histogram(layer, reach([layer].into_iter()), strip.width.into()),
        );
        numbers_of(buffer, paint::columns(row, numbers, row.width), layer, &laid);
        if layer.collapse.is_some() {
            paint::text(buffer, paint::columns(place, 1, 1), "!", Tone::Attention);
        }
        if at == chosen {
            paint::text(buffer, place, "▸", Tone::Accent);
            paint::tint(buffer, place, Style::new().add_modifier(Modifier::BOLD));
        }
    }
}

fn numbers_of(buffer: &mut Buffer, area: Rect, layer: &LayerState, laid: &Layout) {
    let at = |left: u16, w: u16| paint::columns(area, left, w);
    paint::text(buffer, at(0, 6), &share(layer.zero), Tone::Plain);
    paint::text(buffer, at(9, 6), &share(layer.clipped), Tone::Plain);
    paint::text(buffer, at(17, 5), &format!("{:5.2}", layer.gamma), Tone::Plain);
    if let Some(trouble) = trouble(layer) {
        let room = if laid.interval { 16 + if laid.shares { 14 } else { 0 } } else { 0 };
        if width(&trouble) <= room {
            paint::text(buffer, at(24, room as u16), &trouble, Tone::Attention);
        } else if room > 12 {
            let trouble = trouble.trim_start_matches("! collapsed: ");
            paint::text(buffer, at(24, room as u16), &shorten(trouble, room), Tone::Attention);
        }
        return;
    }
    if laid.interval {
        paint::text(buffer, at(24, 17), &activations(layer), Tone::Plain);
    }
    if laid.shares {
        let text = format!(
            "{} {}",
            known_share(layer.activation_zero),
            known_share(layer.activation_clipped)
        );
        paint::text(buffer, at(24 + 16, 14), &text, Tone::Plain);
    }
}

/// Bars as high as `area`, cut by the interval.
fn draw_histogram(buffer: &mut Buffer, area: Rect, shown: &Histogram) {
    let levels = usize::from(area.height) * 8;
    for (at, (height, region)) in shown.columns.iter().enumerate() {
        let filled = (height * levels as f64).ceil() as usize;
        for row in 0..area.height {
            let below = usize::from(area.height - 1 - row) * 8;
            let block = BLOCKS[filled.saturating_sub(below).min(8)];
            let place = Rect { x: area.x + at as u16, y: area.y + row, width: 1, height: 1 };
            let is_bound = (at == shown.bounds.0 && shown.bounds.0 > 0) || at == shown.bounds.1;
            if is_bound {
                paint::text(buffer, place, "│", Tone::Strong);
            } else if block != " " {
                paint::text(buffer, place, block, region.tone());
            }
        }
    }
}

/// One layer large: weights over their interval, and how the interval moved.
fn enlarge(
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
