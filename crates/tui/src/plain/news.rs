//! What is new of a trial since it was last printed.

use bitsweep_sweep::{AttemptEnd, EpochSummary};

use crate::model::sweep::Sweep;
use crate::model::trial::{Attempt, Trial, TrialState};
use crate::view_model::format::{delta, images_per_second, percent};
use crate::view_model::gap;

/// What was printed of a trial.
#[derive(Clone, Debug, Default)]
pub(super) struct Printed {
    /// `None`: it was not looked at yet.
    state: Option<TrialState>,
    attempts_started: usize,
    attempts_ended: usize,
    /// Newest epoch's step, so that an epoch repeated by a later attempt is printed once.
    step: Option<u64>,
}

/// Lines for what is new. What happened before the first look is left to the table at the end.
pub(super) fn news(sweep: &Sweep, trial: &Trial, printed: &mut Printed) -> Vec<String> {
    let first_look = printed.state.is_none();
    let mut lines = Vec::new();
    let attempts = &trial.attempts[printed.attempts_started.min(trial.attempts.len())..];
    for attempt in attempts {
        if !first_look {
            lines.push(started(attempt));
        } else if attempt.end.is_none() {
            lines.push(format!("running on {}", attempt.worker_name));
        }
    }
    for epoch in &trial.epochs {
        if printed.step.is_none_or(|step| epoch.step > step) {
            printed.step = Some(epoch.step);
            if !first_look {
                lines.push(measured(sweep, trial, epoch));
            }
        }
    }
    let ended: Vec<&Attempt> = trial.attempts.iter().filter(|a| a.end.is_some()).collect();
    for attempt in &ended[printed.attempts_ended.min(ended.len())..] {
        if !first_look && attempt.end != Some(AttemptEnd::Finished) {
            lines.push(ending(attempt));
        }
    }
    if !first_look && printed.state != Some(trial.state) {
        match trial.state {
            TrialState::Finished => lines.push(finished(sweep, trial)),
            TrialState::Failed => lines.push("failed".to_owned()),
            TrialState::Blocked => lines.push("blocked: its parent did not finish".to_owned()),
            TrialState::Cancelled => lines.push("cancelled".to_owned()),
            TrialState::Waiting | TrialState::Ready | TrialState::Running => {}
        }
    }
    printed.attempts_started = trial.attempts.len();
    printed.attempts_ended = ended.len();
    printed.state = Some(trial.state);
    lines
}

fn started(attempt: &Attempt) -> String {
    let mut text = format!("started on {}", attempt.worker_name);
    if attempt.from_step > 0 {
        text += &format!(" from step {}", attempt.from_step);
    }
    if attempt.number > 1 {
        text += &format!(" (attempt {})", attempt.number);
    }
    text
}

fn ending(attempt: &Attempt) -> String {
    let reason = attempt.end.map_or("ended", AttemptEnd::as_str);
    let mut text = format!("attempt {} {reason}", attempt.number);
    if !attempt.message.is_empty() {
        text += &format!(": {}", attempt.message);
    }
    text
}

fn measured(sweep: &Sweep, trial: &Trial, epoch: &EpochSummary) -> String {
    let mut parts = vec![
        format!("epoch {}/{}", epoch.epoch, trial.spec.train.epochs),
        format!("top-1 {} %", percent(epoch.top1)),
    ];
    let reference = trial.spec.reference.as_ref().and_then(|name| sweep.trial(name));
    if let Some(reference) = reference.and_then(Trial::top1) {
        parts.push(delta(bitsweep_sweep::gap(epoch.top1, reference)));
    }
    if let Some(loss) = epoch.train_loss {
        parts.push(format!("loss {loss:.2}"));
    }
    if let Some(rate) = epoch.images_per_second {
        parts.push(images_per_second(rate));
    }
    parts.join("  ")
}

fn finished(sweep: &Sweep, trial: &Trial) -> String {
    let mut text = "finished ".to_owned();
    if let Some(top1) = trial.top1() {
        text += &format!("  top-1 {} %", percent(top1));
    }
    if let Some((value, verdict)) = gap::of(sweep, trial) {
        text += &format!("  {} {}", delta(value), verdict.symbol());
    }
    text
}
