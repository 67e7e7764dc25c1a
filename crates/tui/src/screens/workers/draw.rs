//! Draws the Workers screen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::table::{table, warnings};
use crate::model::Model;
use crate::model::sweep::Sweep;
use crate::view::paint;
use crate::view::table::{draw_cells, draw_titles};
use crate::view_model::format::clip;
use crate::view_model::table::fitting;
use crate::view_model::text::Tone;

/// Draws the screen.
pub(crate) fn draw(buffer: &mut Buffer, area: Rect, model: &Model, sweep: &Sweep) {
    let inside = paint::inset(area, 1);
    if sweep.workers.is_empty() {
        let lines = [
            ("No worker is connected: nothing can run.", Tone::Plain),
            ("", Tone::Plain),
            ("bitsweep worker --coordinator HOST:PORT", Tone::Accent),
            ("starts one; it takes trials at once.", Tone::Dim),
        ];
        for (at, (text, tone)) in lines.into_iter().enumerate() {
            if let Some(row) = paint::row(paint::inset(inside, 1), at as u16 + 1) {
                paint::text(buffer, row, text, tone);
            }
        }
        return;
    }
    let warnings = warnings(model, sweep);
    let reserved = if warnings.is_empty() { 0 } else { warnings.len().min(3) as u16 + 1 };
    let body = paint::rows(inside, 1, inside.height.saturating_sub(1 + reserved));
    let fit = usize::from(body.height).max(1);
    let chosen = model.workers_screen.chosen.min(sweep.workers.len() - 1);
    let first = (chosen + 1).saturating_sub(fit);
    let table = table(model, sweep, first, fit);
    let shown = fitting(&table.columns, usize::from(inside.width).saturating_sub(2));
    let beside = |line: Rect| paint::columns(line, 2, line.width);
    draw_titles(buffer, beside(paint::rows(inside, 0, 1)), &table.columns, &shown);
    for (line, row) in table.rows.iter().enumerate() {
        let Some(place) = paint::row(body, line as u16) else { break };
        if first + line == chosen {
            paint::text(buffer, place, "▸", Tone::Accent);
        }
        let cells = shown.iter().map(|&c| {
            let tone = if c <= 1 { row.tone } else { Tone::Plain };
            (c, (row.cells[c].clone(), tone))
        });
        draw_cells(buffer, beside(place), &table.columns, cells);
        if row.stale {
            paint::tint(buffer, beside(place), Style::new().add_modifier(Modifier::DIM));
        }
    }
    let used = table.rows.len() as u16;
    for (line, text) in warnings.iter().take(3).enumerate() {
        if let Some(row) = paint::row(inside, 2 + used + line as u16) {
            paint::text(buffer, row, &clip(text, row.width.into()), Tone::Attention);
        }
    }
}
