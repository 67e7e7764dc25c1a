//! One trial in one line: what it is, how good, how far.

use bitsweep_sweep::AttemptEnd;

use super::format::{duration, images_per_second, percent, points};
use super::gap;
use super::header::{Segment, Side};
use super::mark::{Mark, Verdict};
use super::published;
use super::text::{Piece, Tone, piece};
use crate::model::Model;
use crate::model::sweep::Sweep;
use crate::model::sweep::speeds::remaining;
use crate::model::trial::{Trial, TrialState};

/// The name of a trial for people: `resnet18 · 2 bits`.
pub(crate) fn title(sweep: &Sweep, trial: &Trial) -> String {
    let spec = &trial.spec;
    let seeds = sweep.trials.has_seeds();
    let seed = if seeds { format!(" · seed {}", spec.seed) } else { String::new() };
    format!("{} · {} bits{seed}", spec.model.network, spec.bits)
}

/// The style of a verdict.
pub(crate) fn verdict_tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Better => Tone::Good,
        Verdict::Within => Tone::Plain,
        Verdict::Worse => Tone::Attention,
        Verdict::Early => Tone::Dim,
    }
}

/// The style of a mark.
pub(crate) fn mark_tone(mark: Mark) -> Tone {
    match mark {
        Mark::Done => Tone::Good,
        Mark::Running => Tone::Strong,
        Mark::Waiting => Tone::Dim,
        Mark::Failed => Tone::Bad,
        Mark::Stopped | Mark::Stale => Tone::Attention,
    }
}

/// The mark of a trial with its style.
pub(crate) fn mark(model: &Model, sweep: &Sweep, trial: &Trial) -> Piece {
    let stale = model.is_stale() || sweep.is_silent(trial);
    let mark = Mark::of(trial, stale);
    piece(mark.symbol(model.now_ms), mark_tone(mark))
}

/// The line.
pub(crate) fn summary(model: &Model, sweep: &Sweep, trial: &Trial) -> Vec<Segment> {
    let left = |priority, pieces| Segment::new(priority, Side::Left, pieces);
    let right = |priority, text: String| {
        Segment::new(priority, Side::Right, vec![piece(text, Tone::Plain)])
    };
    let tone = Tone::Network(trial.spec.model.network, trial.spec.bits);
    let named =
        vec![mark(model, sweep, trial), piece(" ", Tone::Plain), piece(title(sweep, trial), tone)];
    let mut segments = vec![left(20, named)];
    if let Some(top1) = trial.top1() {
        let text = format!("{} %", percent(top1).trim_start());
        segments.push(left(19, vec![piece(text, Tone::Strong)]));
    }
    if let Some((value, verdict)) = gap::of(sweep, trial) {
        let text = format!("Δ {} {}", points(value).trim_start(), verdict.symbol());
        segments.push(left(18, vec![piece(text, verdict_tone(verdict))]));
    }
    if let Some((best, epoch)) = trial.best().filter(|(best, _)| Some(*best) > trial.top1()) {
        let text = format!("best {} at {epoch}", percent(best).trim_start());
        segments.push(left(13, vec![piece(text, Tone::Dim)]));
    }
    if let Some(figure) = published::of(trial) {
        segments.push(left(15, vec![piece(published::short(figure), Tone::Published)]));
    }
    if let Some(collapsed) = sweep.collapsed.get(trial.id.as_str()).filter(|c| !c.layers.is_empty())
    {
        let plural = if collapsed.layers.len() == 1 { "" } else { "s" };
        let text = format!("! {} layer{plural} collapsed", collapsed.layers.len());
        segments.push(left(17, vec![piece(text, Tone::Attention)]));
    }
    match trial.state {
        TrialState::Running => {
            let known = !model.is_stale() && !sweep.is_silent(trial);
            if let Some(progress) = trial.progress {
                let epoch = format!("epoch {} of {}", progress.epoch, progress.total_epochs);
                segments.push(right(12, epoch));
                if known {
                    segments.push(right(10, images_per_second(progress.images_per_second)));
                }
            }
            let seconds = remaining(&sweep.trials, trial).filter(|_| known);
            let time = seconds.map_or_else(|| "--".to_owned(), duration);
            segments.push(right(16, format!("{time} left")));
        }
        TrialState::Finished => {
            let seconds = trial.seconds(model.server_now_ms(sweep));
            segments.push(right(10, format!("took {}", duration(seconds))));
        }
        TrialState::Failed => {
            let reason = trial.failure().and_then(|a| a.end).map_or("failed", AttemptEnd::as_str);
            segments.push(left(17, vec![piece(reason, Tone::Bad)]));
        }
        state => segments.push(left(17, vec![piece(state.word(), Tone::Dim)])),
    }
    segments
}
