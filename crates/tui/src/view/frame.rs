//! The whole screen: header, tabs, body, footer, and what is in front of them.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{ascii, depth, help, paint, palette, question};
use crate::appearance::Appearance;
use crate::keys::{self, Scope};
use crate::model::{Link, Model, Overlay, Screen};
use crate::screens;
use crate::view_model::format::{clip, width};
use crate::view_model::header::{Segment, Side, header};
use crate::view_model::text::{Tone, piece};

/// Below this nothing useful can be shown.
const SMALLEST: (u16, u16) = (50, 10);
/// What is asked for then.
const NEEDED: (u16, u16) = (60, 16);
/// Lines above and below the body.
const ABOVE: u16 = 3;
const BELOW: u16 = 1;

/// Draws `model` over the whole of `buffer`.
pub fn draw(buffer: &mut Buffer, model: &Model, appearance: &Appearance) {
    let area = buffer.area;
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        too_small(buffer, area);
    } else {
        screen(buffer, area, model, appearance);
    }
    let worn = appearance.themes.get(model.theme).or(appearance.themes.first());
    worn.cloned().unwrap_or_default().dress(buffer);
    if !appearance.unicode {
        ascii::reduce(buffer);
    }
    depth::reduce(buffer, appearance.depth);
}

fn too_small(buffer: &mut Buffer, area: Rect) {
    let lines = [
        format!("needs {}×{}", NEEDED.0, NEEDED.1),
        format!("have {}×{}", area.width, area.height),
    ];
    let one = lines.join(", ");
    if width(&one) <= area.width.into() {
        paint::text(buffer, area, &one, Tone::Plain);
        return;
    }
    for (at, line) in lines.iter().enumerate() {
        if let Some(row) = paint::row(area, at as u16) {
            paint::text(buffer, row, &clip(line, area.width.into()), Tone::Plain);
        }
    }
}

fn screen(buffer: &mut Buffer, area: Rect, model: &Model, appearance: &Appearance) {
    let inside = paint::inset(area, 1);
    paint::segments(buffer, paint::rows(inside, 0, 1), header(model, &appearance.zone));
    tabs(buffer, paint::rows(inside, 1, 1), model.screen);
    paint::rule(buffer, paint::rows(area, 2, 1));
    let body = paint::rows(area, ABOVE, area.height - ABOVE - BELOW);
    match (&model.sweep, model.screen) {
        (None, _) => empty(buffer, body, model),
        (Some(sweep), Screen::Sweep) => {
            screens::sweep::draw(buffer, body, model, sweep, appearance)
        }
        (Some(sweep), Screen::Compare) => screens::compare::draw(buffer, body, model, sweep),
        (Some(sweep), Screen::Layers) => screens::layers::draw(buffer, body, model, sweep),
        (Some(sweep), Screen::Trial) => {
            screens::trial::draw(buffer, body, model, sweep, appearance)
        }
        (Some(sweep), Screen::Workers) => screens::workers::draw(buffer, body, model, sweep),
        (Some(sweep), Screen::Log) => screens::log::draw(buffer, body, model, sweep, appearance),
    }
    footer(buffer, paint::inset(paint::rows(area, area.height - BELOW, 1), 1), model);
    front(buffer, paint::rows(area, 1, area.height - 1 - BELOW), model);
}

fn tabs(buffer: &mut Buffer, area: Rect, current: Screen) {
    let named = |screen: Screen, short: bool| {
        let at = Screen::ALL.iter().position(|s| *s == screen).unwrap_or_default() + 1;
        if short { format!(" {at} ") } else { format!(" {at} {} ", screen.title()) }
    };
    let total: usize = Screen::ALL.iter().map(|s| width(&named(*s, false)) + 1).sum();
    // Where not all names fit, only that of the screen.
    let short = total > usize::from(area.width);
    let mut at = 0;
    for screen in Screen::ALL {
        let title = named(screen, short && screen != current);
        let place = paint::columns(area, at, width(&title) as u16);
        let tone = if screen == current { Tone::Strong } else { Tone::Dim };
        paint::text(buffer, place, &title, tone);
        if screen == current {
            paint::tint(buffer, place, Style::new().reversed());
        }
        at += width(&title) as u16 + 1;
    }
}

fn empty(buffer: &mut Buffer, body: Rect, model: &Model) {
    let lines = match &model.link {
        Link::Connecting => vec![("Connecting to the coordinator…".to_owned(), Tone::Plain)],
        Link::Connected => vec![("Waiting for the first data…".to_owned(), Tone::Plain)],
        Link::NoSweep => vec![
            ("The coordinator has no sweep yet.".to_owned(), Tone::Plain),
            (String::new(), Tone::Plain),
            ("bitsweep submit FILE".to_owned(), Tone::Accent),
            ("starts one from a sweep file; it appears here by itself.".to_owned(), Tone::Dim),
        ],
        Link::Down { reason } => vec![
            ("The coordinator cannot be reached; trying again.".to_owned(), Tone::Attention),
            (reason.clone(), Tone::Dim),
        ],
    };
    for (at, (text, tone)) in lines.iter().enumerate() {
        if let Some(row) = paint::row(paint::inset(body, 2), at as u16 + 1) {
            paint::text(buffer, row, &clip(text, row.width.into()), *tone);
        }
    }
}

fn footer(buffer: &mut Buffer, area: Rect, model: &Model) {
    if let Some(notice) = &model.notice {
        let tone = if notice.failed { Tone::Attention } else { Tone::Good };
        paint::text(buffer, area, &clip(&notice.text, area.width.into()), tone);
        return;
    }
    if matches!(model.overlay, Overlay::ConfirmCancel | Overlay::Leaving) {
        // The question lists its own keys.
        return;
    }
    let scopes =
        keys::scopes(model.screen, model.overlay, model.is_typing(), model.replay.is_some());
    let named = keys::bindings(&scopes).filter(|b| !b.footer.is_empty());
    let segments = named.map(|binding| {
        let pieces = vec![
            piece(binding.shown, Tone::Accent),
            piece(format!(" {}", binding.footer), Tone::Dim),
        ];
        Segment::new(binding.priority, Side::Left, pieces)
    });
    paint::segments(buffer, area, segments.collect());
}

fn front(buffer: &mut Buffer, area: Rect, model: &Model) {
    match model.overlay {
        Overlay::None => {}
        Overlay::Help => help::draw(buffer, area, model),
        Overlay::Palette => palette::draw(buffer, area, model),
        Overlay::ConfirmCancel => {
            let running = "What runs stops at its last checkpoint; R resumes it later.";
            question::question(buffer, area, "Cancel the sweep?", &[running], Scope::ConfirmCancel);
        }
        Overlay::Leaving => {
            let text = "The sweep runs in this process.";
            question::question(buffer, area, "Leave?", &[text], Scope::Leaving);
        }
    }
}
