//! Draws the Layers screen.

use bitsweep_sweep::{LayerReport, LayerState};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::enlarged::enlarge;
use super::histogram::{Histogram, histogram, reach};
use super::rows::{activations, known_share, share, trouble};
use crate::model::Model;
use crate::model::layers::LayerHistory;
use crate::model::sweep::Sweep;
use crate::model::trial::Trial;
use crate::view::paint;
use crate::view_model::format::{shorten, width};
use crate::view_model::header::{Segment, Side};
use crate::view_model::spark::bar;
use crate::view_model::summary::{mark, title};
use crate::view_model::text::{Tone, piece};

/// Rising blocks, from nothing.
const BLOCKS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
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
pub(super) fn draw_histogram(buffer: &mut Buffer, area: Rect, shown: &Histogram) {
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
