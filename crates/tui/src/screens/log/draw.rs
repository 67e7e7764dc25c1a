//! Draws the Log screen.

use bitsweep_sweep::Level;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::lines;
use crate::appearance::Appearance;
use crate::model::Model;
use crate::model::sweep::Sweep;
use crate::view::paint;
use crate::view_model::format::thousands;
use crate::view_model::header::{Segment, Side};
use crate::view_model::text::{Tone, piece};

/// Draws the screen.
pub(crate) fn draw(
    buffer: &mut Buffer,
    area: Rect,
    model: &Model,
    sweep: &Sweep,
    appearance: &Appearance,
) {
    let screen = &model.log_screen;
    let inside = paint::inset(area, 1);
    let matching = &screen.matching;
    let until = screen.until.unwrap_or(matching.len()).min(matching.len());
    let left =
        |priority, text: String, tone| Segment::new(priority, Side::Left, vec![piece(text, tone)]);
    let right =
        |priority, text: String| Segment::new(priority, Side::Right, vec![piece(text, Tone::Dim)]);
    let level = match screen.level {
        Level::Debug => "everything",
        Level::Info => "info and above",
        Level::Warn => "warnings and errors",
        Level::Error => "errors",
    };
    let mut head = vec![left(8, level.to_owned(), Tone::Plain)];
    if screen.typing {
        head.push(left(9, format!("/{}█", screen.search), Tone::Strong));
    } else if !screen.search.is_empty() {
        head.push(left(9, format!("/{}", screen.search), Tone::Strong));
    }
    let only = |what: &str, name: &Option<String>| {
        name.as_ref().map(|name| left(8, format!("{what} {name}"), Tone::Strong))
    };
    head.extend(only("only trial", &screen.trial));
    head.extend(only("only worker", &screen.worker));
    if sweep.log.dropped > 0 {
        let text = format!("{} older lines dropped", thousands(sweep.log.dropped));
        head.push(right(3, text));
    }
    let (shown, all) = (thousands(until as u64), thousands(matching.len() as u64));
    head.push(match screen.until {
        None if matching.len() == 1 => right(7, "1 line, following".to_owned()),
        None => right(7, format!("{all} lines, following")),
        Some(_) => right(7, format!("line {shown} of {all}, f follows")),
    });
    paint::segments(buffer, paint::rows(inside, 0, 1), head);
    let body = paint::rows(inside, 1, inside.height);
    if matching.is_empty() {
        let text = match (screen.search.is_empty(), screen.is_filtered()) {
            (false, _) => "No line has this text; esc ends the search.",
            (true, true) => "No line of that trial or worker yet; esc shows all.",
            (true, false) => "Nothing at this level yet; l shows others.",
        };
        paint::text(buffer, paint::rows(body, 1, 1), text, Tone::Dim);
        return;
    }
    let room = usize::from(body.height);
    // The first page is whole even when its last line is not the chosen one.
    let until = until.max(room.min(matching.len()));
    let shown = matching.range(until.saturating_sub(room)..until);
    for (at, entry) in shown.filter_map(|n| sweep.log.line(*n)).enumerate() {
        if let Some(row) = paint::row(body, at as u16) {
            paint::pieces(buffer, row, &lines::long(entry, &appearance.zone, row.width.into()));
        }
    }
}
