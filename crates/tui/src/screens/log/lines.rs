//! Lines of the log as text.

use bitsweep_sweep::Level;
use jiff::tz::TimeZone;

use super::LogScreen;
use crate::model::Model;
use crate::model::log::LogEntry;
use crate::model::sweep::Sweep;
use crate::screens::sweep::order::contains;
use crate::view_model::csv;
use crate::view_model::format::{clip, clock, shorten, width};
use crate::view_model::text::{Piece, Tone, piece};

/// Columns for names of workers and trials.
const WORKER_WIDTH: usize = 12;
const TRIAL_WIDTH: usize = 14;
/// Columns from which both are shown.
const BOTH_FROM: usize = 100;

/// Whether a line passes the screen's filter; `needle` is its search in lower case.
pub(crate) fn passes(screen: &LogScreen, needle: &str, entry: &LogEntry) -> bool {
    let has = |text: &str| contains(text, needle);
    entry.level >= screen.level
        && screen.trial.as_ref().is_none_or(|t| *t == entry.trial)
        && screen.worker.as_ref().is_none_or(|w| *w == entry.worker)
        && (has(&entry.message) || has(&entry.trial) || has(&entry.worker))
}

/// The newest `count` lines that are more than noise, oldest first.
pub(crate) fn newest(sweep: &Sweep, count: usize) -> Vec<&LogEntry> {
    let mut newest: Vec<&LogEntry> =
        sweep.log.lines.iter().rev().filter(|l| l.level >= Level::Info).take(count).collect();
    newest.reverse();
    newest
}

fn tone(level: Level) -> Tone {
    match level {
        Level::Debug => Tone::Dim,
        Level::Info => Tone::Plain,
        Level::Warn => Tone::Attention,
        Level::Error => Tone::Bad,
    }
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Info => "info ",
        Level::Warn => "warn ",
        Level::Error => "error",
    }
}

/// A line for a narrow pane: time, trial, message.
pub(crate) fn short(entry: &LogEntry, zone: &TimeZone, columns: usize) -> Vec<Piece> {
    let time = format!("{}  ", clock(entry.time_ms, zone));
    let mut message = entry.message.clone();
    let subject = if entry.trial.is_empty() { &entry.worker } else { &entry.trial };
    if !subject.is_empty() && !message.contains(subject.as_str()) {
        message = format!("{subject} {message}");
    }
    let room = columns.saturating_sub(width(&time));
    vec![piece(time, Tone::Dim), piece(clip(&message, room), tone(entry.level))]
}

/// A line for the whole screen: time, level, worker, trial, message.
pub(crate) fn long(entry: &LogEntry, zone: &TimeZone, columns: usize) -> Vec<Piece> {
    let column = |text: &str, w: usize| {
        let text = shorten(text, w);
        format!("{text}{}  ", " ".repeat(w - width(&text)))
    };
    let mut pieces = vec![
        piece(format!("{}  ", clock(entry.time_ms, zone)), Tone::Dim),
        piece(format!("{}  ", word(entry.level)), tone(entry.level)),
    ];
    let worker = if entry.worker.is_empty() { "coordinator" } else { &entry.worker };
    if columns >= BOTH_FROM {
        pieces.push(piece(column(worker, WORKER_WIDTH), Tone::Dim));
        pieces.push(piece(column(&entry.trial, TRIAL_WIDTH), Tone::Dim));
    } else {
        let subject = if entry.trial.is_empty() { worker } else { &entry.trial };
        pieces.push(piece(column(subject, TRIAL_WIDTH), Tone::Dim));
    }
    let used: usize = pieces.iter().map(|(text, _)| width(text)).sum();
    pieces.push(piece(clip(&entry.message, columns.saturating_sub(used)), tone(entry.level)));
    pieces
}

/// The lines that pass the filter, as CSV.
pub(crate) fn export(model: &Model, sweep: &Sweep) -> String {
    let head = csv::line(&["unix_ms", "level", "worker", "trial", "message"]);
    let matching = model.log_screen.matching.iter().filter_map(|n| sweep.log.line(*n));
    let rows = matching.map(|entry| {
        let (time, level) = (entry.time_ms.to_string(), word(entry.level).trim_end());
        csv::line(&[&time, level, &entry.worker, &entry.trial, &entry.message])
    });
    std::iter::once(head).chain(rows).collect()
}
