//! Draws the Trial screen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::facts;
use crate::appearance::Appearance;
use crate::model::Model;
use crate::model::log::LogEntry;
use crate::model::sweep::Sweep;
use crate::model::trial::Trial;
use crate::screens::log::lines;
use crate::view::{chart, paint};
use crate::view_model::curve;
use crate::view_model::format::clip;
use crate::view_model::spark::bar;
use crate::view_model::summary::summary;
use crate::view_model::text::{Tone, piece};

/// Summary, chain, spec, provenance, progress or what went wrong.
const HEAD: u16 = 5;
/// Columns from which the charts stand side by side.
const BESIDE: u16 = 76;
/// Attempts shown at most; the newest.
const ATTEMPTS: u16 = 5;
/// Lines of the log with their rule, and lines of the screen from which they are shown.
const LOG: u16 = 5;
const LOG_FROM: u16 = 30;

/// Draws the screen.
pub(crate) fn draw(
    buffer: &mut Buffer,
    area: Rect,
    model: &Model,
    sweep: &Sweep,
    appearance: &Appearance,
) {
    let Some(trial) = model.selected() else {
        let text = "No trial yet; choose one on the Sweep screen.";
        paint::text(buffer, paint::inset(area, 2), text, Tone::Dim);
        return;
    };
    let inside = paint::inset(area, 1);
    let line = |at| paint::rows(inside, at, 1);
    paint::segments(buffer, line(0), summary(model, sweep, trial));
    paint::pieces(buffer, line(1), &facts::chain(model, sweep, trial));
    paint::segments(buffer, line(2), facts::spec(trial));
    paint::segments(buffer, line(3), facts::provenance(trial));
    let own = facts::differences(sweep, trial);
    let head = if own.is_empty() { HEAD } else { HEAD + 1 };
    paint::segments(buffer, line(4), own);
    progress(buffer, line(head - 1), trial);
    let listed = (trial.attempts.len() as u16).clamp(1, ATTEMPTS);
    let spare = area.height.saturating_sub(head + 8);
    let listed = listed.min(spare.max(1));
    let said = if area.height >= LOG_FROM { LOG } else { 0 };
    let below = listed + 1 + said;
    let charts = paint::rows(area, head, area.height.saturating_sub(head + below));
    draw_charts(buffer, charts, sweep, trial);
    let attempts = paint::rows(area, area.height.saturating_sub(below), below - said);
    draw_attempts(buffer, attempts, model, sweep, trial, appearance);
    if said > 0 {
        draw_log(buffer, paint::rows(area, area.height - said, said), sweep, trial, appearance);
    }
}

/// The newest lines of the log about the trial.
fn draw_log(
    buffer: &mut Buffer,
    area: Rect,
    sweep: &Sweep,
    trial: &Trial,
    appearance: &Appearance,
) {
    let title = paint::rows(area, 0, 1);
    paint::rule(buffer, title);
    paint::text(buffer, paint::columns(title, 2, title.width), " log ", Tone::Strong);
    let body = paint::inset(paint::rows(area, 1, area.height), 1);
    let about = |line: &&LogEntry| line.trial == trial.spec.name.as_str();
    let newest = sweep.log.lines.iter().rev().filter(about).take(body.height.into());
    let mut newest: Vec<&LogEntry> = newest.collect();
    newest.reverse();
    if newest.is_empty() {
        paint::text(buffer, body, "nothing yet", Tone::Dim);
    }
    for (at, entry) in newest.into_iter().enumerate() {
        if let Some(row) = paint::row(body, at as u16) {
            paint::pieces(buffer, row, &lines::long(entry, &appearance.zone, row.width.into()));
        }
    }
}

fn progress(buffer: &mut Buffer, area: Rect, trial: &Trial) {
    let Some((fraction, text)) = facts::progress(trial) else {
        if let Some(trouble) = facts::trouble(trial) {
            paint::text(buffer, area, &clip(trouble, area.width.into()), Tone::Bad);
        }
        return;
    };
    let columns = usize::from(area.width / 3).min(48);
    let (done, rest) = bar(fraction, columns);
    let tone = Tone::Network(trial.spec.model.network, trial.spec.bits);
    let pieces =
        [piece(done, tone), piece(rest, Tone::Dim), piece(format!("  {text}"), Tone::Plain)];
    paint::pieces(buffer, area, &pieces);
}

fn draw_charts(buffer: &mut Buffer, area: Rect, sweep: &Sweep, trial: &Trial) {
    let titled = |buffer: &mut Buffer, place: Rect, title: &str, of: &_| {
        paint::rule(buffer, paint::rows(place, 0, 1));
        let title = format!(" {title} ");
        paint::text(
            buffer,
            paint::columns(paint::rows(place, 0, 1), 2, place.width),
            &title,
            Tone::Strong,
        );
        chart::draw(buffer, paint::inset(paint::rows(place, 1, place.height), 1), of);
    };
    let (loss, top1) = (curve::loss(sweep, trial), curve::top1(sweep, trial));
    if area.width >= BESIDE {
        let half = area.width / 2;
        titled(buffer, paint::columns(area, 0, half), "training loss", &loss);
        titled(buffer, paint::columns(area, half, area.width), "validation top-1 %", &top1);
    } else if area.height >= 12 {
        let half = area.height / 2;
        titled(buffer, paint::rows(area, 0, half), "training loss", &loss);
        titled(buffer, paint::rows(area, half, area.height), "validation top-1 %", &top1);
    } else {
        titled(buffer, area, "validation top-1 %", &top1);
    }
}

fn draw_attempts(
    buffer: &mut Buffer,
    area: Rect,
    model: &Model,
    sweep: &Sweep,
    trial: &Trial,
    appearance: &Appearance,
) {
    paint::rule(buffer, paint::rows(area, 0, 1));
    let shown = usize::from(area.height.saturating_sub(1)).min(trial.attempts.len());
    let hidden = trial.attempts.len() - shown;
    let title = match hidden {
        0 => " attempts ".to_owned(),
        n => format!(" attempts, {n} earlier "),
    };
    paint::text(
        buffer,
        paint::columns(paint::rows(area, 0, 1), 2, area.width),
        &title,
        Tone::Strong,
    );
    let body = paint::inset(paint::rows(area, 1, area.height), 1);
    if trial.attempts.is_empty() {
        paint::text(buffer, body, "none yet", Tone::Dim);
    }
    let now_ms = model.server_now_ms(sweep);
    for (at, attempt) in trial.attempts.iter().skip(hidden).enumerate() {
        let newest = hidden + at + 1 == trial.attempts.len();
        let retry = trial.retry_at_ms.filter(|_| newest);
        if let Some(row) = paint::row(body, at as u16) {
            let columns = row.width.into();
            let line = facts::attempt(attempt, now_ms, retry, &appearance.zone, columns);
            paint::pieces(buffer, row, &line);
        }
    }
}
