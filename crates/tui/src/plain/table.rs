//! The comparison at the end, as lines of text.

use bitsweep_sweep::AttemptEnd;

use crate::model::sweep::Sweep;
use crate::model::trial::{Attempt, Trial, TrialState};
use crate::view_model::format::{delta, percent, thousands, width};
use crate::view_model::gap;
use crate::view_model::summary::title;

/// Columns between columns of the table.
const GAP: usize = 3;

/// Network × bits: top-1 in percent and the gap in points.
pub(super) fn comparison(sweep: &Sweep) -> Vec<String> {
    let comparison = sweep.comparison();
    let seeds = comparison.rows.iter().any(|r| r.seed != comparison.rows[0].seed);
    let mut head = vec![String::new()];
    head.extend(comparison.columns.iter().map(|bits| {
        if bits.weights == bits.activations { format!("{bits} bits") } else { bits.to_string() }
    }));
    let mut rows = vec![head];
    for row in &comparison.rows {
        let seed = if seeds { format!(" s{}", row.seed) } else { String::new() };
        let mut cells = vec![format!("{}{seed}", row.network)];
        cells.extend(row.cells.iter().map(|cell| {
            let trial = cell.as_ref().and_then(|c| sweep.trial(&c.trial));
            trial.map_or_else(String::new, |t| cell_text(sweep, t))
        }));
        rows.push(cells);
    }
    let columns = rows[0].len();
    let widest = |c: usize| rows.iter().map(|r| width(&r[c])).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(widest).collect();
    let line = |row: &Vec<String>| {
        let padded = row.iter().zip(&widths).map(|(text, w)| {
            let pad = " ".repeat(w - width(text) + GAP);
            format!("{text}{pad}")
        });
        padded.collect::<String>().trim_end().to_owned()
    };
    let rule = "─".repeat(widths.iter().sum::<usize>() + GAP * (columns - 1));
    let mut lines = caption(sweep);
    lines.extend([String::new(), line(&rows[0]), rule]);
    lines.extend(rows[1..].iter().map(line));
    lines
}

fn caption(sweep: &Sweep) -> Vec<String> {
    let images = sweep.trials.first().and_then(|t| sweep.validation_images(t));
    let on = images.map_or_else(String::new, |n| format!(" on {} validation images", thousands(n)));
    vec![
        format!("top-1 %{on} · Δ in points against 32 bits, same seed"),
        "≈ no difference shown (within 1.96 standard errors)   ▲ better   ▼ worse".to_owned(),
    ]
}

fn cell_text(sweep: &Sweep, trial: &Trial) -> String {
    let Some(top1) = trial.top1().filter(|_| trial.state == TrialState::Finished) else {
        return trial.state.word().to_owned();
    };
    let gap = gap::of(sweep, trial);
    let gap = gap.map(|(value, verdict)| format!("  {} {}", delta(value), verdict.symbol()));
    format!("{}{}", percent(top1), gap.unwrap_or_default())
}

/// A line for every trial with an attempt that did not finish.
pub(super) fn failures(sweep: &Sweep) -> Vec<String> {
    let troubled = sweep.trials.iter().filter(|t| t.failure().is_some());
    troubled.map(|trial| failure(sweep, trial)).collect()
}

fn failure(sweep: &Sweep, trial: &Trial) -> String {
    let end = |attempt: &Attempt| {
        let end = attempt.end.map(AttemptEnd::as_str)?;
        let message = match attempt.message.as_str() {
            "" => String::new(),
            text => format!(" ({text})"),
        };
        Some(format!("attempt {} {end}{message}", attempt.number))
    };
    let ends: Vec<String> = trial.attempts.iter().filter_map(end).collect();
    format!("{} {}: {}", title(sweep, trial), trial.state.word(), ends.join(", "))
}
