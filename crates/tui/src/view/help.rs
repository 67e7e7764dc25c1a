//! The keys of the screen, and what its marks mean.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::question::panel;
use crate::keys::{Binding, Scope, bindings, scopes};
use crate::model::{Model, Overlay, Screen};
use crate::view_model::format::{clip, thousands, width};
use crate::view_model::text::{Piece, Tone, piece};

/// Columns of the whole, its frame included.
const WIDTH: usize = 84;

pub(super) fn draw(buffer: &mut Buffer, area: Rect, model: &Model) {
    let columns = WIDTH.min(area.width.into()).saturating_sub(4);
    let all = scopes(model.screen, Overlay::None, false, model.replay.is_some());
    let (own, general): (Vec<_>, Vec<_>) =
        bindings(&all).partition(|b| b.scope != Scope::Everywhere);
    let keys = own.iter().map(|b| width(b.shown)).max().unwrap_or(0);
    let mut lines: Vec<Vec<Piece>> = Vec::new();
    for binding in own {
        let pad = " ".repeat(keys - width(binding.shown) + 2);
        lines.push(vec![
            piece(binding.shown, Tone::Accent),
            piece(pad, Tone::Plain),
            piece(clip(binding.help, columns.saturating_sub(keys + 2)), Tone::Plain),
        ]);
    }
    lines.push(Vec::new());
    lines.extend(flowing(&general, columns));
    let shown = usize::from(area.height).saturating_sub(2);
    if matches!(model.screen, Screen::Sweep | Screen::Trial) {
        let marks = marks(model);
        // The keys matter more than what everybody knows after a day.
        if lines.len() + 1 + marks.len() <= shown {
            lines.push(Vec::new());
            lines.extend(marks);
        }
    }
    panel(buffer, area, &format!("{} · keys", model.screen.title()), &lines);
}

/// Keys that hold everywhere, each with its command's name, as many a line as fit.
fn flowing(bindings: &[&Binding], columns: usize) -> Vec<Vec<Piece>> {
    let mut lines: Vec<Vec<Piece>> = vec![Vec::new()];
    let mut used = 0;
    for binding in bindings {
        let name = match binding.commands {
            [(name, _)] => name,
            _ => binding.footer,
        };
        let w = width(binding.shown) + 1 + width(name) + 3;
        if used + w > columns + 3 {
            lines.push(Vec::new());
            used = 0;
        }
        used += w;
        if let Some(line) = lines.last_mut() {
            line.push(piece(binding.shown, Tone::Accent));
            line.push(piece(format!(" {name}   "), Tone::Plain));
        }
    }
    lines
}

fn marks(model: &Model) -> Vec<Vec<Piece>> {
    let images = model.sweep.as_ref().and_then(|s| s.validation_images(s.trials.first()?));
    let images = images.map_or_else(String::new, |n| format!(" on {} images", thousands(n)));
    let noise = format!("no difference shown: |Δ| < 1.96 standard errors{images}");
    let entry = |mark: &str, tone, text: &str| {
        vec![piece(mark, tone), piece(" ", Tone::Plain), piece(text.to_owned(), Tone::Plain)]
    };
    let side_by_side = |all: &[(&str, Tone, &str)]| -> Vec<Piece> {
        all.iter().flat_map(|(m, tone, text)| entry(m, *tone, &format!("{text:<12}"))).collect()
    };
    vec![
        side_by_side(&[
            ("✔", Tone::Good, "finished"),
            ("⠋", Tone::Plain, "running"),
            ("·", Tone::Dim, "waiting"),
            ("?", Tone::Attention, "not heard from"),
        ]),
        side_by_side(&[("✖", Tone::Bad, "failed"), ("⊘", Tone::Attention, "blocked or cancelled")]),
        entry("Δ", Tone::Plain, "top-1 minus that of the 32-bit trial it refers to, in points"),
        entry("≈", Tone::Plain, &noise),
        side_by_side(&[
            ("▲", Tone::Good, "better"),
            ("▼", Tone::Attention, "worse"),
            ("~", Tone::Dim, "too early to say"),
        ]),
    ]
}
