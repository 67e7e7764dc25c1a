//! Draws the Workers screen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::table::{fitting, table, warnings};
use crate::model::Model;
use crate::model::sweep::Sweep;
use crate::view::paint;
use crate::view_model::format::{clip, shorten, width};
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
    let table = table(model, sweep);
    let columns = fitting(&table, usize::from(inside.width).saturating_sub(2));
    let mut at = 2;
    for (column, w) in &columns {
        let column = &table.columns[*column];
        let title = if column.right_aligned {
            format!("{:>w$}", column.title)
        } else {
            column.title.to_owned()
        };
        paint::text(
            buffer,
            paint::columns(paint::rows(inside, 0, 1), at, *w as u16),
            &title,
            Tone::Dim,
        );
        at += (*w + 2) as u16;
    }
    let warnings = warnings(model, sweep);
    let reserved = if warnings.is_empty() { 0 } else { warnings.len().min(3) as u16 + 1 };
    let body = paint::rows(inside, 1, inside.height.saturating_sub(1 + reserved));
    let fit = usize::from(body.height).max(1);
    let chosen = model.workers_screen.chosen.min(table.rows.len() - 1);
    let first = (chosen + 1).saturating_sub(fit);
    for (line, (index, row)) in table.rows.iter().enumerate().skip(first).take(fit).enumerate() {
        let Some(place) = paint::row(body, line as u16) else { break };
        if index == chosen {
            paint::text(buffer, place, "▸", Tone::Accent);
        }
        let mut at = 2;
        for (column, w) in &columns {
            let spot = paint::columns(place, at, *w as u16);
            let cell = shorten(&row.cells[*column], *w);
            let pad = if table.columns[*column].right_aligned { w - width(&cell) } else { 0 };
            let tone = if *column <= 1 { row.tone } else { Tone::Plain };
            paint::text(buffer, paint::columns(spot, pad as u16, *w as u16), &cell, tone);
            at += (*w + 2) as u16;
        }
        if row.stale {
            let numbers = paint::columns(place, 2, place.width);
            paint::tint(buffer, numbers, Style::new().add_modifier(Modifier::DIM));
        }
    }
    let used = (table.rows.len() - first).min(fit) as u16;
    for (line, text) in warnings.iter().take(3).enumerate() {
        if let Some(row) = paint::row(inside, 2 + used + line as u16) {
            paint::text(buffer, row, &clip(text, row.width.into()), Tone::Attention);
        }
    }
}
