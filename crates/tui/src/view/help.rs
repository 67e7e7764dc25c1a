//! The keys of the screen, and what its marks mean.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::question::panel;
use crate::keys::{bindings, scopes};
use crate::model::{Model, Overlay, Screen};
use crate::view_model::format::{thousands, width};
use crate::view_model::text::{Piece, Tone, piece};

pub(super) fn draw(buffer: &mut Buffer, area: Rect, model: &Model) {
    let shown: Vec<_> = bindings(&scopes(model.screen, Overlay::None, false)).collect();
    let keys = shown.iter().map(|b| width(b.shown)).max().unwrap_or(0);
    let mut lines: Vec<Vec<Piece>> = Vec::new();
    for binding in shown {
        let pad = " ".repeat(keys - width(binding.shown) + 2);
        lines.push(vec![
            piece(binding.shown, Tone::Accent),
            piece(pad, Tone::Plain),
            piece(binding.help, Tone::Plain),
        ]);
    }
    if matches!(model.screen, Screen::Sweep | Screen::Trial) {
        lines.push(Vec::new());
        lines.extend(marks(model));
    }
    panel(buffer, area, &format!("{} · keys", model.screen.title()), &lines);
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
