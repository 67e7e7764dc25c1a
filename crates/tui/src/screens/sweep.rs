//! The matrix network × bits or the list of trials, the chosen trial's curve and the newest events.

mod cell;
mod columns;
mod draw;
pub(crate) mod grid;
mod list;
mod matrix;
pub(crate) mod order;
pub(crate) mod selection;

use std::collections::BTreeSet;

use bitsweep_sweep::Network;

pub(crate) use draw::draw;
pub(crate) use list::export;

use crate::model::action::{Direction, SweepAction, TextAction};
use crate::model::sweep::Sweep;
use order::{Group, Line, Sort, lines};

/// How long an order of the list holds: rows do not jump about while they are read.
const ORDER_MS: i64 = 1000;

/// State of the screen.
#[derive(Clone, Debug, Default)]
pub(crate) struct SweepScreen {
    /// Whether trials are listed rather than laid out in the matrix.
    pub(crate) list: bool,
    pub(crate) sort: Sort,
    pub(crate) reversed: bool,
    pub(crate) group: Group,
    pub(crate) filter: String,
    /// Whether the filter is being typed.
    pub(crate) typing: bool,
    /// Networks whose seeds have rows of their own.
    pub(crate) expanded: BTreeSet<Network>,
    /// Lines of the list.
    pub(crate) lines: Vec<Line>,
    /// The lines that stand for trials, by trial.
    places: Vec<Option<usize>>,
    /// When and of what the lines were made.
    made: Option<(i64, u64)>,
}

impl SweepScreen {
    /// Whether the list is shown.
    pub(crate) fn is_list(&self) -> bool {
        self.list || self.typing || !self.filter.is_empty()
    }

    pub(crate) fn change(&mut self, action: SweepAction) {
        let next = |at: Option<usize>, n: usize| (at.unwrap_or_default() + 1) % n;
        match action {
            SweepAction::NextView => {
                self.list = !self.is_list();
                self.filter.clear();
            }
            SweepAction::Filter => self.typing = true,
            SweepAction::NextSort => {
                let at = Sort::ALL.iter().position(|s| *s == self.sort);
                (self.sort, self.list) = (Sort::ALL[next(at, Sort::ALL.len())], true);
            }
            SweepAction::Sort(sort) => (self.sort, self.list) = (sort, true),
            SweepAction::Reverse => (self.reversed, self.list) = (!self.reversed, true),
            SweepAction::NextGroup => {
                let at = Group::ALL.iter().position(|g| *g == self.group);
                (self.group, self.list) = (Group::ALL[next(at, Group::ALL.len())], true);
            }
            SweepAction::Group(group) => (self.group, self.list) = (group, true),
        }
        self.made = None;
    }

    pub(crate) fn type_filter(&mut self, action: TextAction) {
        match action {
            TextAction::Type(c) => self.filter.push(c),
            TextAction::Erase => {
                self.filter.pop();
            }
            TextAction::Clear => self.filter.clear(),
            TextAction::Accept => self.typing = false,
            TextAction::Drop => {
                self.typing = false;
                self.filter.clear();
            }
            TextAction::Previous | TextAction::Next => return,
        }
        self.made = None;
    }

    pub(crate) fn back(&mut self) {
        if self.filter.is_empty() {
            self.list = false;
            self.expanded.clear();
        }
        self.filter.clear();
        self.made = None;
    }

    /// Brings the list up to date, at most once a second unless it was changed by the user; `later`
    /// when it can wait for the next frame.
    pub(crate) fn follow(&mut self, sweep: &Sweep, now_ms: i64, later: bool) {
        let shape = sweep.trials.shape();
        let holds = |(at, of): (i64, u64)| of == shape && (later || (now_ms - at).abs() < ORDER_MS);
        if !self.is_list() || self.made.is_some_and(holds) {
            return;
        }
        self.lines = lines(sweep, &self.filter, self.sort, self.reversed, self.group);
        self.places = vec![None; sweep.trials.len()];
        for (at, line) in self.lines.iter().enumerate() {
            if let Line::Trial(trial) = line {
                self.places[*trial] = Some(at);
            }
        }
        self.made = Some((now_ms, shape));
    }

    /// The first of `room` lines, so that the line `at` is among them.
    pub(crate) fn first_line(&self, at: usize, room: usize) -> usize {
        let last = self.lines.len().saturating_sub(room);
        at.saturating_sub(room / 2).min(last)
    }

    /// The line of a trial.
    pub(crate) fn line_of(&self, trial: usize) -> Option<usize> {
        self.places.get(trial).copied().flatten()
    }

    /// The trial `by` trials away from `from` in the list; at the ends, the last one.
    pub(crate) fn next(
        &self,
        from: Option<usize>,
        direction: Direction,
        by: usize,
    ) -> Option<usize> {
        let trial = |line: &Line| match line {
            Line::Trial(at) => Some(*at),
            Line::Head(..) => None,
        };
        let Some(at) = from.and_then(|t| self.line_of(t)) else {
            return self.lines.iter().find_map(trial);
        };
        match direction {
            Direction::Up => {
                self.lines[..=at].iter().rev().filter_map(trial).take(by.saturating_add(1)).last()
            }
            Direction::Down => {
                self.lines[at..].iter().filter_map(trial).take(by.saturating_add(1)).last()
            }
            Direction::Left | Direction::Right => from,
        }
    }
}
