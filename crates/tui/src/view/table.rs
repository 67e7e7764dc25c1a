//! Draws tables.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::paint;
use crate::view_model::format::{shorten, width};
use crate::view_model::table::{Column, GAP};
use crate::view_model::text::{Piece, Tone};

/// Draws the titles of the columns `shown`.
pub(crate) fn draw_titles(buffer: &mut Buffer, area: Rect, columns: &[Column], shown: &[usize]) {
    let titles = shown.iter().map(|&c| (c, (columns[c].title.to_owned(), Tone::Dim)));
    draw_cells(buffer, area, columns, titles);
}

/// Draws cells, each with the index of its column.
pub(crate) fn draw_cells(
    buffer: &mut Buffer,
    area: Rect,
    columns: &[Column],
    cells: impl Iterator<Item = (usize, Piece)>,
) {
    let mut at = 0;
    for (index, (text, tone)) in cells {
        let column = columns[index];
        let text = shorten(&text, column.width);
        let pad = if column.right_aligned { column.width - width(&text) } else { 0 };
        paint::text(
            buffer,
            paint::columns(area, (at + pad) as u16, column.width as u16),
            &text,
            tone,
        );
        at += column.width + GAP;
    }
}
