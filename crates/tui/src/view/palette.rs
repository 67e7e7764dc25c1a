//! The command palette.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::question::panel;
use crate::model::Model;
use crate::view_model::format::{clip, width};
use crate::view_model::text::{Piece, Tone, piece};

/// Commands shown at most, and the columns of their names and keys.
const SHOWN: usize = 12;
const NAME: usize = 20;
const KEYS: usize = 6;
/// Columns of the whole.
const WIDTH: usize = 76;

pub(super) fn draw(buffer: &mut Buffer, area: Rect, model: &Model) {
    let all = model.matching_commands();
    let room = SHOWN.min(usize::from(area.height).saturating_sub(5)).max(1);
    let chosen = model.palette.chosen;
    let first = (chosen + 1).saturating_sub(room);
    let columns = WIDTH.min(usize::from(area.width).saturating_sub(4));
    let prompt = format!(":{}█", model.palette.text);
    let fill = " ".repeat(columns.saturating_sub(width(&prompt)));
    let mut lines: Vec<Vec<Piece>> =
        vec![vec![piece(prompt, Tone::Strong), piece(fill, Tone::Plain)], Vec::new()];
    for (at, command) in all.iter().enumerate().skip(first).take(room) {
        let here = at == chosen;
        let tone = if here { Tone::Strong } else { Tone::Plain };
        let keys = clip(command.shown, KEYS);
        let help = clip(&command.help, columns.saturating_sub(2 + NAME + 1 + KEYS + 1));
        lines.push(vec![
            piece(if here { "▸ " } else { "  " }, Tone::Accent),
            piece(format!("{:<NAME$} ", clip(&command.name, NAME)), tone),
            piece(format!("{keys}{} ", " ".repeat(KEYS - width(&keys))), Tone::Accent),
            piece(help, Tone::Dim),
        ]);
    }
    if all.is_empty() {
        lines.push(vec![piece("no command has these letters", Tone::Dim)]);
    }
    panel(buffer, area, "do", &lines);
}
