//! Draws the Compare screen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Pane, bits, curves, size, verdict};
use crate::model::Model;
use crate::model::sweep::Sweep;
use crate::view::{chart, paint};
use crate::view_model::chart::Chart;
use crate::view_model::format::width;
use crate::view_model::text::{Piece, Tone, piece};

/// Columns and lines from which all charts are seen at once.
const ALL: (u16, u16) = (100, 28);
/// Columns from which a legend stands beside its chart, and its own.
const BESIDE: u16 = 100;
const LEGEND: u16 = 60;

/// Draws the screen.
pub(crate) fn draw(buffer: &mut Buffer, area: Rect, model: &Model, sweep: &Sweep) {
    if sweep.trials.is_empty() {
        let text = "This sweep has no trials that can be shown.";
        paint::text(buffer, paint::inset(area, 2), text, Tone::Dim);
        return;
    }
    let means = bits::means(sweep);
    let bits_chart = || bits::chart(model, sweep, &means);
    let size_chart = || size::chart(model, sweep, &means);
    let told = bits::legend(model, &means);
    if area.width >= ALL.0 && area.height >= ALL.1 {
        let above = area.height * 11 / 20;
        let half = area.width / 2;
        let (top, foot) = (paint::rows(area, 0, above), paint::rows(area, above, area.height));
        let left = paint::columns(top, 0, half);
        pane(buffer, left, model, Pane::Bits, &bits_chart(), &told);
        let right = paint::columns(top, half, top.width);
        pane(buffer, right, model, Pane::Size, &size_chart(), &[]);
        draw_curves(buffer, foot, model, sweep);
        return;
    }
    match model.compare_screen.pane {
        Pane::Bits => pane(buffer, area, model, Pane::Bits, &bits_chart(), &told),
        Pane::Size => pane(buffer, area, model, Pane::Size, &size_chart(), &told[..1]),
        Pane::Curves => draw_curves(buffer, area, model, sweep),
    }
}

/// A rule with a title, and what else can be seen.
fn title(buffer: &mut Buffer, area: Rect, model: &Model, of: Pane) {
    let screen = &model.compare_screen;
    let name = match of {
        Pane::Bits => "top-1 % against bits".to_owned(),
        Pane::Size => "top-1 % against model size".to_owned(),
        Pane::Curves => screen.quantity.title().to_owned(),
    };
    let focused = screen.pane == of;
    let line = paint::rows(area, 0, 1);
    paint::rule(buffer, line);
    let (marker, tone) = if focused { ("▸ ", Tone::Strong) } else { ("", Tone::Plain) };
    paint::text(buffer, paint::columns(line, 2, line.width), &format!(" {marker}{name} "), tone);
}

/// A chart with its title and its legend under it.
fn pane(
    buffer: &mut Buffer,
    area: Rect,
    model: &Model,
    of: Pane,
    content: &Chart,
    legend: &[Vec<Piece>],
) {
    title(buffer, area, model, of);
    let inside = paint::inset(paint::rows(area, 1, area.height), 1);
    // The chart keeps most of the room.
    let told = (legend.len() as u16).min(inside.height / 3);
    chart::draw(buffer, paint::rows(inside, 0, inside.height - told), content);
    for (at, line) in legend.iter().take(told.into()).enumerate() {
        let place = paint::rows(inside, inside.height - told + at as u16, 1);
        paint::pieces(buffer, place, &fit(line, place.width.into()));
    }
}

/// Leaves pieces out from the end until the line fits.
fn fit(line: &[Piece], columns: usize) -> Vec<Piece> {
    let mut left = columns;
    let fits = |piece: &&Piece| {
        let need = width(&piece.0);
        let fits = need <= left;
        left = left.saturating_sub(need);
        fits
    };
    line.iter().take_while(fits).cloned().collect()
}

fn draw_curves(buffer: &mut Buffer, area: Rect, model: &Model, sweep: &Sweep) {
    title(buffer, area, model, Pane::Curves);
    let curves = curves::curves(model, sweep);
    let mut told = curves::legend(model, sweep, &curves);
    if let Some(reading) = curves::reading(model, &curves) {
        let text = format!("{}, all curves {reading}", model.compare_screen.quantity.title());
        told.insert(0, vec![piece(text, Tone::Dim)]);
    }
    if let Some(trial) = model.selected() {
        told.push(Vec::new());
        told.extend(verdict::lines(sweep, trial));
    }
    if model.marked.is_empty() {
        told.push(vec![piece("m marks trials to compare here, at most eight", Tone::Dim)]);
    }
    let inside = paint::inset(paint::rows(area, 1, area.height), 1);
    let content = curves::chart(model, &curves);
    let (plot, beside) = if area.width >= BESIDE {
        let left = inside.width - LEGEND;
        (paint::columns(inside, 0, left - 2), paint::columns(inside, left, LEGEND))
    } else {
        let told = (told.len() as u16).min(inside.height / 2);
        (
            paint::rows(inside, 0, inside.height - told),
            paint::rows(inside, inside.height - told, told),
        )
    };
    chart::draw(buffer, plot, &content);
    for (at, line) in told.iter().enumerate() {
        if let Some(row) = paint::row(beside, at as u16) {
            paint::pieces(buffer, row, &fit(line, row.width.into()));
        }
    }
}
