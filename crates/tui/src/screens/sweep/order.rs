//! Which trials the list shows, and in which order.

use crate::model::sweep::Sweep;
use crate::model::sweep::speeds::remaining;
use crate::model::trial::{Trial, TrialState};

/// What the list is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sort {
    /// The order of the sweep file.
    #[default]
    Plan,
    /// The worst first.
    Gap,
    /// The best first.
    Top1,
    /// The shortest first.
    Left,
    /// What runs, then what failed.
    State,
    /// The smallest first.
    Size,
}

impl Sort {
    pub(crate) const ALL: [Self; 6] =
        [Self::Plan, Self::Gap, Self::Top1, Self::Left, Self::State, Self::Size];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Gap => "gap",
            Self::Top1 => "top-1",
            Self::Left => "left",
            Self::State => "state",
            Self::Size => "size",
        }
    }
}

/// What the list is grouped by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Group {
    #[default]
    None,
    Network,
    Bits,
    State,
    Worker,
}

impl Group {
    pub(crate) const ALL: [Self; 5] =
        [Self::None, Self::Network, Self::Bits, Self::State, Self::Worker];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Network => "network",
            Self::Bits => "bits",
            Self::State => "state",
            Self::Worker => "worker",
        }
    }

    /// The group of a trial, in words.
    fn of(self, trial: &Trial) -> String {
        match self {
            Self::None => String::new(),
            Self::Network => trial.spec.model.network.to_string(),
            Self::Bits => format!("{} bits", trial.spec.bits),
            Self::State => trial.state.word().to_owned(),
            Self::Worker => worker(trial).unwrap_or("no worker").to_owned(),
        }
    }
}

/// A line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A group and how many trials of it are shown.
    Head(String, usize),
    /// The index of a trial.
    Trial(usize),
}

/// The worker that a trial runs on, or ran on last.
pub(crate) fn worker(trial: &Trial) -> Option<&str> {
    trial.newest_attempt().map(|a| a.worker_name.as_str())
}

/// Whether every word of `filter` (in lower case) is in the trial's name, network, width, state or
/// worker, or names its collapsed layers.
pub(crate) fn passes(sweep: &Sweep, trial: &Trial, filter: &[String]) -> bool {
    filter.iter().all(|word| {
        contains(trial.spec.name.as_str(), word)
            || contains(trial.state.word(), word)
            || worker(trial).is_some_and(|w| contains(w, word))
            || trial.failure().and_then(|a| a.end).is_some_and(|e| contains(e.as_str(), word))
            || (contains("collapsed", word) && is_collapsed(sweep, trial))
    })
}

/// Whether layers of the trial do not compute any more.
pub(crate) fn is_collapsed(sweep: &Sweep, trial: &Trial) -> bool {
    sweep.collapsed.get(trial.id.as_str()).is_some_and(|c| !c.layers.is_empty())
}

/// Whether `text` has `word`, which is in lower case, whatever the case; no allocation.
pub(crate) fn contains(text: &str, word: &str) -> bool {
    let (text, word) = (text.as_bytes(), word.as_bytes());
    word.is_empty() || text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
}

/// The lines of the list.
pub(crate) fn lines(
    sweep: &Sweep,
    filter: &str,
    sort: Sort,
    reversed: bool,
    group: Group,
) -> Vec<Line> {
    let words: Vec<String> = filter.to_lowercase().split_whitespace().map(str::to_owned).collect();
    let mut shown: Vec<(f64, usize)> = sweep
        .trials
        .iter()
        .enumerate()
        .filter(|(_, t)| words.is_empty() || passes(sweep, t, &words))
        .map(|(at, t)| (key(sweep, at, t, sort), at))
        .collect();
    // What has no value comes last, whichever way round.
    let direction = |key: f64| if reversed { -key } else { key };
    if sort != Sort::Plan || reversed {
        shown.sort_unstable_by(|a, b| {
            a.0.is_nan()
                .cmp(&b.0.is_nan())
                .then(direction(a.0).total_cmp(&direction(b.0)))
                .then(a.1.cmp(&b.1))
        });
    }
    if group == Group::None {
        return shown.into_iter().map(|(_, at)| Line::Trial(at)).collect();
    }
    let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
    let mut place = std::collections::HashMap::new();
    for (_, at) in shown {
        let name = group.of(&sweep.trials[at]);
        let to = *place.entry(name.clone()).or_insert_with(|| {
            groups.push((name, Vec::new()));
            groups.len() - 1
        });
        groups[to].1.push(at);
    }
    let listed = groups.into_iter().flat_map(|(name, trials)| {
        let head = Line::Head(name, trials.len());
        std::iter::once(head).chain(trials.into_iter().map(Line::Trial))
    });
    listed.collect()
}

fn key(sweep: &Sweep, at: usize, trial: &Trial, sort: Sort) -> f64 {
    let known = |value: Option<f64>| value.unwrap_or(f64::NAN);
    match sort {
        Sort::Plan => at as f64,
        Sort::Gap => known(sweep.gap_at(at).map(|(gap, _)| gap)),
        Sort::Top1 => known(trial.top1().map(|top1| -top1)),
        Sort::Left => known(remaining(&sweep.trials, trial).filter(|_| !trial.state.is_final())),
        Sort::State => match trial.state {
            TrialState::Running => 0.0,
            TrialState::Failed => 1.0,
            TrialState::Blocked => 2.0,
            TrialState::Ready => 3.0,
            TrialState::Waiting => 4.0,
            TrialState::Cancelled => 5.0,
            TrialState::Finished => 6.0,
        },
        Sort::Size => known(trial.size.map(|s| s.bytes as f64)),
    }
}
