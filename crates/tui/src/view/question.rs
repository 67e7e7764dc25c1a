//! A question in front of the screen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Block, BorderType, Clear, Widget};

use super::paint;
use crate::keys::{Scope, bindings};
use crate::theme;
use crate::view_model::format::width;
use crate::view_model::text::{Piece, Tone, piece};

/// Draws a box with a title and lines in the middle of `area`; what does not fit is left out.
pub(super) fn panel(buffer: &mut Buffer, area: Rect, title: &str, lines: &[Vec<Piece>]) {
    let longest = |pieces: &Vec<Piece>| pieces.iter().map(|(text, _)| width(text)).sum::<usize>();
    let widest = lines.iter().map(longest).max().unwrap_or(0).max(width(title) + 2);
    let w = (widest + 4).min(area.width.into()) as u16;
    let h = (lines.len() + 2).min(area.height.into()) as u16;
    let place = Rect {
        x: area.x + (area.width - w) / 2,
        y: area.y + (area.height - h) / 2,
        width: w,
        height: h,
    };
    Clear.render(place, buffer);
    let block = Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(theme::style(Tone::Dim))
        .title(format!(" {title} "))
        .title_style(theme::style(Tone::Strong));
    let inside = block.inner(place);
    block.render(place, buffer);
    let inside = paint::inset(inside, 1);
    for (at, pieces) in lines.iter().enumerate() {
        if let Some(line) = paint::row(inside, at as u16) {
            paint::pieces(buffer, line, pieces);
        }
    }
}

/// Draws a question and the keys that answer it.
pub(super) fn question(buffer: &mut Buffer, area: Rect, title: &str, text: &[&str], scope: Scope) {
    let mut lines: Vec<Vec<Piece>> =
        text.iter().map(|line| vec![piece(*line, Tone::Plain)]).collect();
    lines.push(Vec::new());
    for binding in bindings(&[scope]) {
        let key = piece(format!("{:>5}  ", binding.shown), Tone::Accent);
        lines.push(vec![key, piece(binding.footer, Tone::Plain)]);
    }
    panel(buffer, area, title, &lines);
}
