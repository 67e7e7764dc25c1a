//! Draws the Sweep screen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::cell::Cell;
use super::columns::{Columns, Density, GUTTER, MARK_WIDTH, columns};
use super::list;
use super::matrix::{Row, matrix};
use crate::appearance::Appearance;
use crate::model::Model;
use crate::model::sweep::Sweep;
use crate::screens::log::lines;
use crate::view::{chart, paint};
use crate::view_model::curve;
use crate::view_model::format::{PERCENT_WIDTH, SHORT_DURATION_WIDTH, clip, shorten, width};
use crate::view_model::mark::Mark;
use crate::view_model::spark::spark;
use crate::view_model::summary::{mark_tone, summary, verdict_tone};
use crate::view_model::text::{Tone, piece};

/// Caption and titles of the columns.
const MATRIX_HEAD: u16 = 2;
/// Rule and summary of the chosen trial, and the fewest lines of a chart worth drawing.
const LOWER_HEAD: u16 = 2;
const CHART_LEAST: u16 = 5;
/// Columns from which events stand beside the chart.
const BESIDE: u16 = 110;
/// Events under the chart where they do not stand beside it.
const EVENTS_BELOW: u16 = 3;
/// Columns of a percentage and a time beside a cell's first line.
const SECOND_LEAST: u16 = 12;
/// Columns of a spark worth drawing.
const SPARK_LEAST: usize = 4;

/// Draws the screen.
pub(crate) fn draw(
    buffer: &mut Buffer,
    area: Rect,
    model: &Model,
    sweep: &Sweep,
    appearance: &Appearance,
) {
    if model.grid.rows.is_empty() {
        let text = "This sweep has no trials that can be shown.";
        paint::text(buffer, paint::inset(area, 2), text, Tone::Dim);
        return;
    }
    if model.sweep_screen.is_list() {
        list::draw(buffer, area, model, sweep, appearance);
        return;
    }
    let rows = u16::try_from(model.grid.rows.len()).unwrap_or(u16::MAX);
    let room = area.height.saturating_sub(MATRIX_HEAD);
    let lower = LOWER_HEAD + CHART_LEAST;
    let pitch = match () {
        () if rows.saturating_mul(3).saturating_add(lower + CHART_LEAST) <= room => 3,
        () if rows.saturating_mul(2).saturating_add(lower) <= room => 2,
        () => 1,
    };
    // The chosen trial keeps its line whatever happens: a narrow matrix shows gaps alone.
    let height = rows.saturating_mul(pitch).min(room.saturating_sub(LOWER_HEAD)).max(1);
    draw_matrix(buffer, paint::rows(area, 0, MATRIX_HEAD + height), model, pitch);
    let below = paint::rows(area, MATRIX_HEAD + height, area.height);
    if below.height >= LOWER_HEAD {
        draw_lower(buffer, below, model, sweep, appearance);
    }
}

/// Draws the matrix, `pitch` lines a row.
pub(super) fn draw_matrix(buffer: &mut Buffer, area: Rect, model: &Model, pitch: u16) {
    // Whole rows only; the chosen one is among them.
    let body = area.height.saturating_sub(MATRIX_HEAD);
    let lines = pitch.min(2);
    let fit = usize::from((body + pitch - lines) / pitch).max(1);
    let chosen = model.selected().zip(model.sweep.as_ref());
    let chosen = chosen.and_then(|(t, sweep)| sweep.trials.index(&t.spec.name));
    let (row, _) = chosen.and_then(|at| model.grid.place(at)).unwrap_or_default();
    let (first, all) = ((row + 1).saturating_sub(fit), model.grid.rows.len());
    let Some(matrix) = matrix(model, first..first + fit) else { return };
    let matrix = &matrix;
    let inside = paint::inset(area, 1);
    let caption = clip(&matrix.caption, inside.width.into());
    paint::text(buffer, inside, &caption, Tone::Dim);
    let names = matrix.rows.iter().map(|r| width(&r.title)).max().unwrap_or(0).min(16) as u16;
    let (_, column) = matrix.selected.unwrap_or_default();
    let room = inside.width.saturating_sub(names).into();
    let laid = columns(&matrix.compared, column, room, pitch > 1);
    let titles = paint::rows(inside, 1, 1);
    let mut at = names;
    for (column, w) in &laid.shown {
        let left = at + (GUTTER + MARK_WIDTH) as u16;
        let place = paint::columns(titles, left, (*w - MARK_WIDTH) as u16);
        let title = &matrix.columns[*column];
        // Where the unit does not fit, the number alone.
        let number = title.trim_end_matches(" bits");
        let title = if width(title) <= place.width.into() { title } else { number };
        paint::text(buffer, place, &clip(title, place.width.into()), Tone::Dim);
        at += (*w + GUTTER) as u16;
    }
    let hidden = matrix.columns.len() - laid.shown.len();
    if hidden > 0 {
        let note = format!("+{hidden}");
        let place = paint::columns(titles, 0, names);
        paint::text(buffer, place, &note, Tone::Attention);
    }
    let body = paint::rows(inside, MATRIX_HEAD, area.height);
    for (at, row) in matrix.rows.iter().enumerate() {
        let place = paint::rows(body, at as u16 * pitch, lines);
        draw_row(buffer, place, row, names, &laid, model);
    }
    if all > fit {
        let text = format!("rows {}–{} of {all}", first + 1, (first + fit).min(all));
        let left = inside.width.saturating_sub(width(&text) as u16);
        if usize::from(left) > width(&caption) {
            paint::text(buffer, paint::columns(inside, left, inside.width), &text, Tone::Dim);
        }
    }
}

fn draw_row(buffer: &mut Buffer, area: Rect, row: &Row, names: u16, laid: &Columns, model: &Model) {
    let name = paint::columns(area, 0, names);
    let tone = Tone::Network(row.network, bitsweep_sweep::Bits::both(2));
    paint::text(buffer, name, &shorten(&row.title, names.into()), tone);
    if let Some(second) = paint::row(name, 1) {
        paint::text(buffer, second, &clip(&row.detail, names.into()), Tone::Dim);
    }
    let mut at = names;
    for (column, w) in &laid.shown {
        let place = paint::columns(area, at, (*w + GUTTER) as u16);
        if let Some(cell) = row.cells.get(*column).and_then(Option::as_ref) {
            draw_cell(buffer, place, cell, laid.density, model);
        }
        at += (*w + GUTTER) as u16;
    }
}

fn draw_cell(buffer: &mut Buffer, area: Rect, cell: &Cell, density: Density, model: &Model) {
    if cell.selected {
        paint::text(buffer, paint::columns(area, GUTTER as u16 - 1, 1), "▸", Tone::Accent);
    }
    if cell.marked {
        paint::text(buffer, paint::columns(area, 0, 1), "◆", Tone::Accent);
    }
    let inside = paint::columns(area, GUTTER as u16, area.width);
    let flag = if cell.collapsed { piece("!", Tone::Attention) } else { piece(" ", Tone::Plain) };
    let mut first = vec![piece(cell.mark.symbol(model.now_ms), mark_tone(cell.mark)), flag];
    let room = usize::from(inside.width).saturating_sub(MARK_WIDTH);
    let words = cell.words.iter().find(|w| width(w) <= room).or(cell.words.last());
    if let Some(words) = words {
        let tone = if cell.mark == Mark::Failed { Tone::Bad } else { Tone::Dim };
        first.push(piece(clip(words, room), tone));
    }
    if let Some(top1) = cell.top1.as_ref().filter(|_| density != Density::Gap || cell.gap.is_none())
    {
        first.push(piece(top1.as_str(), cell.tone));
    }
    if let Some((gap, verdict)) = &cell.gap {
        let before = match density {
            Density::Full => "  Δ ",
            Density::Normal => " ",
            Density::Gap => "",
        };
        first.push(piece(before, Tone::Dim));
        let tone = verdict_tone(*verdict);
        first.push(piece(gap.as_str(), tone));
        first.push(piece(format!(" {}", verdict.symbol()), tone));
    }
    paint::pieces(buffer, inside, &first);
    if let Some(second) = paint::row(inside, 1) {
        draw_second(buffer, paint::columns(second, MARK_WIDTH as u16, second.width), cell);
    } else {
        // Without a second line, at the right of the first one.
        let used = density.cell(cell.gap.is_some(), false) as u16;
        let rest = paint::columns(inside, used, inside.width);
        if rest.width >= SECOND_LEAST && cell.words.is_empty() && cell.detail.is_none() {
            draw_second(buffer, rest, cell);
        }
    }
    if cell.selected {
        paint::tint(buffer, paint::rows(inside, 0, 1), Style::new().add_modifier(Modifier::BOLD));
    }
    if cell.stale {
        paint::tint(buffer, inside, Style::new().add_modifier(Modifier::DIM));
    }
}

/// Progress, the way of top-1 so far, and the time left, as far as they fit.
fn draw_second(buffer: &mut Buffer, area: Rect, cell: &Cell) {
    if let Some(detail) = &cell.detail {
        paint::text(buffer, area, &clip(detail, area.width.into()), Tone::Dim);
        return;
    }
    let room = usize::from(area.width);
    if let Some((forms, tone)) = cell.beside.as_ref().filter(|_| cell.percent.is_none()) {
        let Some(text) = forms.iter().find(|text| width(text.trim_end()) <= room) else { return };
        paint::text(buffer, area, text, *tone);
        let left = width(text) + 1;
        if room >= left + SPARK_LEAST {
            let place = paint::columns(area, left as u16, area.width);
            paint::text(buffer, place, &spark(&cell.top1_by_epoch, room - left), cell.tone);
        }
        return;
    }
    let percent = PERCENT_WIDTH;
    if let Some(text) = cell.percent.as_ref().filter(|_| room >= percent) {
        paint::text(buffer, area, &format!("{text:>percent$}"), Tone::Plain);
    }
    let time = SHORT_DURATION_WIDTH;
    let timed = cell.left.is_some() && room > percent + time;
    if let Some(text) = cell.left.as_ref().filter(|_| timed) {
        paint::text(
            buffer,
            paint::columns(area, (room - time) as u16, area.width),
            text,
            Tone::Plain,
        );
    }
    let between = room.saturating_sub(percent + 1 + if timed { time + 1 } else { 0 });
    if between >= SPARK_LEAST && cell.words.is_empty() {
        let place = paint::columns(area, percent as u16 + 1, between as u16);
        paint::text(buffer, place, &spark(&cell.top1_by_epoch, between), cell.tone);
    }
}

/// Draws the chosen trial's curve and the newest events.
pub(super) fn draw_lower(
    buffer: &mut Buffer,
    area: Rect,
    model: &Model,
    sweep: &Sweep,
    appearance: &Appearance,
) {
    paint::rule(buffer, area);
    let Some(trial) = model.selected() else { return };
    let head = paint::inset(paint::rows(area, 1, 1), 1);
    let rest = paint::rows(area, LOWER_HEAD, area.height);
    if area.width >= BESIDE {
        let left = area.width * 3 / 5;
        paint::segments(buffer, paint::columns(head, 0, left - 3), summary(model, sweep, trial));
        chart::draw(buffer, paint::columns(rest, 1, left - 3), &curve::top1(sweep, trial));
        paint::divider(buffer, paint::columns(paint::rows(area, 1, area.height), left, 1));
        let events = paint::columns(paint::rows(area, 1, area.height), left + 2, area.width);
        events_pane(
            buffer,
            paint::columns(events, 0, events.width.saturating_sub(1)),
            sweep,
            appearance,
        );
        return;
    }
    paint::segments(buffer, head, summary(model, sweep, trial));
    let below = EVENTS_BELOW + 1;
    let below = if rest.height >= CHART_LEAST + below { below } else { 0 };
    let plot = paint::inset(paint::rows(rest, 0, rest.height - below), 1);
    chart::draw(buffer, plot, &curve::top1(sweep, trial));
    if below > 0 {
        let events = paint::rows(rest, rest.height - below, below);
        paint::rule(buffer, events);
        events_pane(buffer, paint::inset(paint::rows(events, 1, below), 1), sweep, appearance);
    }
}

/// The newest lines of the log, the newest at the bottom.
fn events_pane(buffer: &mut Buffer, area: Rect, sweep: &Sweep, appearance: &Appearance) {
    let newest = lines::newest(sweep, area.height.into());
    for (at, entry) in newest.iter().enumerate() {
        if let Some(row) = paint::row(area, at as u16) {
            paint::pieces(buffer, row, &lines::short(entry, &appearance.zone, row.width.into()));
        }
    }
}
