//! What one cell of the matrix says.

use bitsweep_sweep::{AttemptEnd, SeedMean};

use super::order::is_collapsed;
use crate::model::Model;
use crate::model::sweep::Sweep;
use crate::model::sweep::speeds::remaining;
use crate::model::trial::{Trial, TrialState};
use crate::view_model::format::{duration, percent, points, short_duration};
use crate::view_model::gap;
use crate::view_model::mark::{Mark, Verdict};
use crate::view_model::published;
use crate::view_model::text::Tone;

/// One cell, as text.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) tone: Tone,
    pub(crate) mark: Mark,
    pub(crate) selected: bool,
    /// Whether the numbers may be out of date.
    pub(crate) stale: bool,
    pub(crate) top1: Option<String>,
    pub(crate) gap: Option<(String, Verdict)>,
    /// In place of numbers, from the longest form to the shortest; empty: numbers.
    pub(crate) words: Vec<String>,
    /// Under the words.
    pub(crate) detail: Option<String>,
    /// Of the steps, while it runs.
    pub(crate) percent: Option<String>,
    /// Time left, while it runs.
    pub(crate) left: Option<String>,
    /// Top-1 by epoch.
    pub(crate) top1_by_epoch: Vec<f64>,
    /// Under the numbers of a finished trial: what was published of it, or the spread over seeds.
    /// From the longest form to the shortest.
    pub(crate) beside: Option<(Vec<String>, Tone)>,
    /// Whether layers do not compute any more.
    pub(crate) collapsed: bool,
    pub(crate) marked: bool,
}

/// Context of a cell.
pub(crate) struct Context<'a> {
    pub(crate) model: &'a Model,
    pub(crate) sweep: &'a Sweep,
    /// Whether the link is down.
    pub(crate) stale: bool,
    pub(crate) server_now_ms: i64,
}

impl Context<'_> {
    pub(crate) fn cell(&self, trial: &Trial, selected: bool) -> Cell {
        let running = trial.state == TrialState::Running;
        let stale = self.sweep.is_silent(trial) || (running && self.stale);
        let (words, detail) = self.words(trial);
        let numbers = words.is_empty();
        let left = || short_duration(remaining(&self.sweep.trials, trial).filter(|_| !stale));
        Cell {
            tone: tone(trial),
            mark: Mark::of(trial, stale),
            selected,
            stale,
            top1: trial.top1().filter(|_| numbers).map(percent),
            gap: gap::of(self.sweep, trial)
                .filter(|_| numbers)
                .map(|(gap, verdict)| (points(gap), verdict)),
            words,
            detail,
            percent: trial.fraction().filter(|_| running).map(whole_percent),
            left: running.then(left),
            top1_by_epoch: trial.epochs.iter().map(|e| e.top1).collect(),
            beside: published::of(trial).map(|f| (published::forms(f), Tone::Published)),
            collapsed: is_collapsed(self.sweep, trial),
            marked: self.model.is_marked(trial),
        }
    }

    /// The cell of several seeds together: means, and how far they spread.
    pub(crate) fn together(&self, trials: &[usize], selected: bool) -> Cell {
        let all = || trials.iter().map(|&at| &self.sweep.trials[at]);
        let finished = || trials.iter().filter(|&&at| self.sweep.trials[at].result.is_some());
        let top1 = SeedMean::new(finished().filter_map(|&at| self.sweep.trials[at].top1()));
        let gap = SeedMean::new(finished().filter_map(|&at| Some(self.sweep.gap_at(at)?.0)));
        let in_state = |state: TrialState| all().filter(|t| t.state == state).count();
        let (done, failed) = (in_state(TrialState::Finished), in_state(TrialState::Failed));
        let running = in_state(TrialState::Running);
        let verdict = |g: SeedMean| match g.half_width {
            Some(half) => gap::sign(g.mean, g.mean.abs() > half),
            None => Verdict::Early,
        };
        let spread = top1.and_then(|m| m.half_width).map(|half| format!("±{half:.2} "));
        let counts = format!("{done} of {}", trials.len());
        let counts = match spread {
            Some(spread) => vec![format!("{spread}{counts}"), counts, spread],
            None => vec![counts],
        };
        let first = all().next().map_or(Tone::Plain, tone);
        let words = match (top1, running) {
            (Some(_), _) => Vec::new(),
            (None, 0) if failed > 0 => vec!["failed".to_owned()],
            (None, 0) => vec!["waiting".to_owned()],
            (None, n) => vec![format!("{n} running"), "running".to_owned()],
        };
        Cell {
            tone: first,
            mark: match () {
                () if failed > 0 => Mark::Failed,
                () if done == trials.len() => Mark::Done,
                () if running > 0 && self.stale => Mark::Stale,
                () if running > 0 => Mark::Running,
                () => Mark::Waiting,
            },
            selected,
            stale: running > 0 && self.stale,
            top1: top1.map(|m| percent(m.mean)),
            gap: gap.map(|g| (points(g.mean), verdict(g))),
            words,
            detail: None,
            percent: None,
            left: None,
            top1_by_epoch: Vec::new(),
            beside: Some((counts, Tone::Dim)),
            collapsed: !self.sweep.collapsed.is_empty()
                && all().any(|t| is_collapsed(self.sweep, t)),
            marked: !self.model.marked.is_empty() && all().any(|t| self.model.is_marked(t)),
        }
    }

    /// What stands where there are no numbers, and what stands under it.
    fn words(&self, trial: &Trial) -> (Vec<String>, Option<String>) {
        let parent = trial.spec.parent.as_ref().and_then(|name| self.sweep.trial(name));
        let reason = || trial.failure().and_then(|a| a.end).map(AttemptEnd::as_str);
        let one = |word: &str| vec![word.to_owned()];
        match trial.state {
            TrialState::Finished => (Vec::new(), None),
            TrialState::Running if trial.top1().is_some() => (Vec::new(), None),
            TrialState::Running => (one(starting(trial)), None),
            TrialState::Ready => match trial.retry_at_ms {
                Some(at) => {
                    let wait = duration((at - self.server_now_ms).max(0) as f64 / 1000.0);
                    let again = format!("again in {wait}");
                    if trial.top1().is_some() {
                        return (Vec::new(), Some(again));
                    }
                    (vec![again, format!("in {wait}"), "retry".into()], reason().map(str::to_owned))
                }
                None => (one("next"), None),
            },
            TrialState::Waiting => match parent {
                Some(parent) => {
                    let bits = parent.spec.bits;
                    (vec![format!("after {bits} bits"), format!("after {bits}")], None)
                }
                None => (one("waiting"), None),
            },
            TrialState::Failed => {
                let attempts = trial.attempts.len();
                let plural = if attempts == 1 { "" } else { "s" };
                let words = vec![reason().unwrap_or("failed").to_owned(), "failed".to_owned()];
                (words, Some(format!("{attempts} attempt{plural}")))
            }
            TrialState::Blocked => {
                let culprit = std::iter::successors(parent, |t| {
                    t.spec.parent.as_ref().and_then(|name| self.sweep.trial(name))
                })
                .find(|t| matches!(t.state, TrialState::Failed | TrialState::Cancelled));
                (one("blocked"), culprit.map(|t| format!("by {} bits", t.spec.bits)))
            }
            TrialState::Cancelled => (one("cancelled"), None),
        }
    }
}

/// The colour of a trial's number.
fn tone(trial: &Trial) -> Tone {
    match trial.spec.reference {
        None => Tone::Baseline,
        Some(_) => Tone::Network(trial.spec.model.network, trial.spec.bits),
    }
}

/// What a trial without a number is doing.
fn starting(trial: &Trial) -> &'static str {
    use bitsweep_sweep::Phase;
    match trial.progress.map(|p| p.phase) {
        None => "starting",
        Some(Phase::LoadingData) => "loading",
        Some(Phase::Calibrating) => "calibrating",
        Some(Phase::Training) => "training",
        Some(Phase::Evaluating) => "evaluating",
        Some(Phase::Saving) => "saving",
    }
}

/// A fraction as ` 62%`; it reaches 100 only at the end.
fn whole_percent(fraction: f64) -> String {
    let percent = (fraction * 100.0).floor();
    format!("{percent:3.0}%")
}
