//! The list of trials: any number of them, filtered, sorted and grouped; only what is seen is built.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::draw::{draw_lower, draw_matrix};
use super::order::{Line, is_collapsed, worker};
use crate::appearance::Appearance;
use crate::model::Model;
use crate::model::sweep::Sweep;
use crate::model::sweep::speeds::remaining;
use crate::model::trial::{Trial, TrialState};
use crate::view::paint;
use crate::view::table::{draw_cells, draw_titles};
use crate::view_model::csv;
use crate::view_model::format::{
    PERCENT_WIDTH, POINTS_WIDTH, SHORT_DURATION_WIDTH, bytes, clip, percent, points,
    short_duration, thousands, width,
};
use crate::view_model::gap;
use crate::view_model::header::{Segment, Side};
use crate::view_model::published;
use crate::view_model::spark::spark;
use crate::view_model::summary::{mark, verdict_tone};
use crate::view_model::table::{Column, fitting};
use crate::view_model::text::{Piece, Tone, piece};

/// Lines that the list has before there is a chart under it, and those of the chart.
const LIST_LEAST: u16 = 8;
const LOWER: u16 = 14;
/// Lines of the screen from which the matrix stands over the list.
const MATRIX_FROM: u16 = 30;
const MATRIX_MOST: usize = 6;

/// Title, right-aligned, priority, width.
const COLUMNS: [(&str, bool, u8, usize); 13] = [
    ("", false, 20, 2),
    ("trial", false, 19, 22),
    ("top-1", true, 17, PERCENT_WIDTH),
    ("Δ", true, 18, POINTS_WIDTH + 2),
    ("state", false, 16, 11),
    ("done", true, 12, 4),
    ("left", true, 13, SHORT_DURATION_WIDTH),
    ("best", true, 10, PERCENT_WIDTH),
    ("by epoch", false, 9, 12),
    ("published", false, 15, 16),
    ("worker", false, 8, 14),
    ("img/s", true, 7, 7),
    ("size", true, 5, 8),
];
const PUBLISHED: usize = 9;

/// Draws the screen with the list.
pub(super) fn draw(
    buffer: &mut Buffer,
    area: Rect,
    model: &Model,
    sweep: &Sweep,
    appearance: &Appearance,
) {
    let rows = model.grid.rows.len();
    let mut rest = area;
    if area.height >= MATRIX_FROM && rows <= MATRIX_MOST {
        let height = rows as u16 * 2 + 3;
        draw_matrix(buffer, paint::rows(area, 0, height - 1), model, 2);
        paint::rule(buffer, paint::rows(area, height - 1, 1));
        rest = paint::rows(area, height, area.height);
    }
    let lower = if rest.height >= LIST_LEAST + LOWER + 4 { LOWER } else { 0 };
    draw_list(buffer, paint::inset(paint::rows(rest, 0, rest.height - lower), 1), model, sweep);
    if lower > 0 {
        let below = paint::rows(rest, rest.height - lower, lower);
        draw_lower(buffer, below, model, sweep, appearance);
    }
}

fn draw_list(buffer: &mut Buffer, area: Rect, model: &Model, sweep: &Sweep) {
    let screen = &model.sweep_screen;
    paint::segments(buffer, paint::rows(area, 0, 1), head(model, sweep));
    let comparable = sweep.trials.first().is_some_and(published::is_comparable);
    let columns: Vec<Column> = COLUMNS
        .iter()
        .enumerate()
        .map(|(at, &(title, right_aligned, priority, width))| {
            let width = if at == PUBLISHED && !comparable { 0 } else { width };
            Column { title, right_aligned, priority, width }
        })
        .collect();
    let shown = fitting(&columns, usize::from(area.width).saturating_sub(2));
    let beside = |line: Rect| paint::columns(line, 2, line.width);
    draw_titles(buffer, beside(paint::rows(area, 1, 1)), &columns, &shown);
    let body = paint::rows(area, 2, area.height);
    if screen.lines.is_empty() {
        let text = "No trial has these words in its name, state or worker; esc shows all.";
        paint::text(buffer, body, &clip(text, body.width.into()), Tone::Dim);
        return;
    }
    let chosen = model.selected().and_then(|t| sweep.trials.index(&t.spec.name));
    let at = chosen.and_then(|trial| screen.line_of(trial)).unwrap_or_default();
    let room = usize::from(body.height);
    let first = screen.first_line(at, room);
    for (line, content) in screen.lines.iter().skip(first).take(room).enumerate() {
        let Some(place) = paint::row(body, line as u16) else { break };
        match content {
            Line::Head(name, n) => {
                let plural = if *n == 1 { "" } else { "s" };
                let text = format!("{name} · {} trial{plural}", thousands(*n as u64));
                paint::text(buffer, place, &text, Tone::Strong);
            }
            Line::Trial(index) => {
                let Some(trial) = sweep.trials.get(*index) else { continue };
                let cells = shown.iter().map(|&c| (c, cell(model, sweep, trial, c)));
                draw_cells(buffer, beside(place), &columns, cells);
                if model.is_marked(trial) {
                    paint::text(buffer, paint::columns(place, 1, 1), "◆", Tone::Accent);
                }
                if Some(*index) == chosen {
                    paint::text(buffer, place, "▸", Tone::Accent);
                    paint::tint(buffer, place, Style::new().add_modifier(Modifier::BOLD));
                }
                if sweep.is_silent(trial) {
                    let numbers = beside(place);
                    paint::tint(buffer, numbers, Style::new().add_modifier(Modifier::DIM));
                }
            }
        }
    }
}

/// What is listed, and how.
fn head(model: &Model, sweep: &Sweep) -> Vec<Segment> {
    let screen = &model.sweep_screen;
    let left =
        |priority, text: String, tone| Segment::new(priority, Side::Left, vec![piece(text, tone)]);
    let listed = screen.lines.iter().filter(|l| matches!(l, Line::Trial(_))).count();
    let (some, all) = (thousands(listed as u64), thousands(sweep.trials.len() as u64));
    let mut head = vec![left(9, format!("{some} of {all} trials"), Tone::Plain)];
    if screen.typing || !screen.filter.is_empty() {
        let cursor = if screen.typing { "█" } else { "" };
        head.push(left(10, format!("/{}{cursor}", screen.filter), Tone::Strong));
    }
    let way = if screen.reversed { ", turned round" } else { "" };
    head.push(left(7, format!("by {}{way}", screen.sort.title()), Tone::Dim));
    if screen.group != super::order::Group::None {
        head.push(left(6, format!("grouped by {}", screen.group.title()), Tone::Dim));
    }
    head
}

fn cell(model: &Model, sweep: &Sweep, trial: &Trial, column: usize) -> Piece {
    let spec = &trial.spec;
    let own = || Tone::Network(spec.model.network, spec.bits);
    let none = || piece("", Tone::Plain);
    let running = trial.state == TrialState::Running;
    let known = !model.is_stale() && !sweep.is_silent(trial);
    let number = |value: Option<f64>, tone| value.map_or_else(none, |v| piece(percent(v), tone));
    match column {
        0 => {
            let (symbol, tone) = mark(model, sweep, trial);
            let flag = if is_collapsed(sweep, trial) { "!" } else { "" };
            piece(format!("{symbol}{flag}"), if flag.is_empty() { tone } else { Tone::Attention })
        }
        1 => piece(spec.name.as_str(), own()),
        2 => number(trial.top1(), if spec.reference.is_some() { own() } else { Tone::Baseline }),
        3 => gap::of(sweep, trial).map_or_else(none, |(gap, verdict)| {
            piece(format!("{} {}", points(gap), verdict.symbol()), verdict_tone(verdict))
        }),
        4 => state(trial),
        5 => {
            let fraction = trial.fraction().filter(|_| running);
            fraction
                .map_or_else(none, |f| piece(format!("{:.0}%", (100.0 * f).floor()), Tone::Plain))
        }
        6 if trial.state.is_final() => none(),
        6 => piece(short_duration(remaining(&sweep.trials, trial).filter(|_| known)), Tone::Plain),
        7 => number(trial.best().map(|(best, _)| best), Tone::Dim),
        8 => {
            let values: Vec<f64> = trial.epochs.iter().map(|e| e.top1).collect();
            piece(spark(&values, COLUMNS[8].3), own())
        }
        PUBLISHED => {
            published::of(trial).map_or_else(none, |f| piece(published::short(f), Tone::Published))
        }
        10 => piece(worker(trial).unwrap_or_default(), Tone::Dim),
        11 => match trial.progress.filter(|_| running && known) {
            Some(p) => piece(thousands(p.images_per_second.round() as u64), Tone::Plain),
            None => none(),
        },
        _ => trial.size.map_or_else(none, |s| piece(bytes(s.bytes), Tone::Dim)),
    }
}

/// The state in a word, or why it failed.
fn state(trial: &Trial) -> Piece {
    let tone = match trial.state {
        TrialState::Failed => Tone::Bad,
        TrialState::Blocked | TrialState::Cancelled => Tone::Attention,
        TrialState::Running => Tone::Plain,
        _ => Tone::Dim,
    };
    let reason = trial.failure().and_then(|a| a.end).filter(|_| trial.state == TrialState::Failed);
    let word = reason.map_or(trial.state.word(), |end| end.as_str());
    piece(if width(word) > 11 { trial.state.word() } else { word }, tone)
}

/// Every trial of the sweep, as the list orders them, as CSV.
pub(crate) fn export(model: &Model, sweep: &Sweep) -> String {
    let mut text = csv::line(&[
        "trial",
        "network",
        "weight_bits",
        "activation_bits",
        "seed",
        "role",
        "state",
        "top1",
        "gap",
        "reference",
        "best_top1",
        "epochs",
        "published_qil_top1",
        "model_bytes",
        "bit_operations",
        "worker",
    ]);
    let listed = model.sweep_screen.is_list();
    let all: Vec<usize> = if listed {
        let trial = |line: &Line| match line {
            Line::Trial(at) => Some(*at),
            Line::Head(..) => None,
        };
        model.sweep_screen.lines.iter().filter_map(trial).collect()
    } else {
        (0..sweep.trials.len()).collect()
    };
    for at in all {
        let Some(trial) = sweep.trials.get(at) else { continue };
        let spec = &trial.spec;
        let number = |value: Option<f64>| value.map_or_else(String::new, |v| v.to_string());
        let whole = |value: Option<u64>| value.map_or_else(String::new, |v| v.to_string());
        text += &csv::line(&[
            spec.name.as_str(),
            spec.model.network.as_str(),
            &spec.bits.weights.to_string(),
            &spec.bits.activations.to_string(),
            &spec.seed.to_string(),
            &format!("{:?}", spec.role).to_lowercase(),
            trial.state.word(),
            &number(trial.top1()),
            &number(sweep.gap_at(at).map(|(gap, _)| gap)),
            spec.reference.as_ref().map_or("", |name| name.as_str()),
            &number(trial.best().map(|(best, _)| best)),
            &trial.epochs.len().to_string(),
            &number(published::of(trial).map(|f| f.top1)),
            &whole(trial.size.map(|s| s.bytes)),
            &whole(trial.size.map(|s| s.bit_operations)),
            worker(trial).unwrap_or_default(),
        ]);
    }
    text
}
