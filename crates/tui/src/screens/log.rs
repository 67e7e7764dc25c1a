//! The log: follows the newest line, filtered by level and by text.

mod draw;
pub(crate) mod lines;

pub(crate) use draw::draw;
pub(crate) use lines::export;

use std::collections::VecDeque;

use bitsweep_sweep::Level;

use crate::model::action::{Action, Direction, TextAction};
use crate::model::log::Log;

/// Lines a page key moves.
const PAGE: usize = 10;

/// State of the screen.
#[derive(Clone, Debug)]
pub(crate) struct LogScreen {
    /// Lines of this weight and above.
    pub(crate) level: Level,
    /// Lines with this text in them, whatever the case; empty: all.
    pub(crate) search: String,
    /// Lines of this trial only.
    pub(crate) trial: Option<String>,
    /// Lines of this worker only.
    pub(crate) worker: Option<String>,
    /// Whether the search is being typed.
    pub(crate) typing: bool,
    /// Number of matching lines up to the last one shown; `None` follows the newest.
    pub(crate) until: Option<usize>,
    /// Numbers of the lines that pass, and of the first that was not looked at.
    pub(crate) matching: VecDeque<u64>,
    looked: u64,
}

impl Default for LogScreen {
    fn default() -> Self {
        Self {
            level: Level::Info,
            search: String::new(),
            trial: None,
            worker: None,
            typing: false,
            until: None,
            matching: VecDeque::new(),
            looked: 0,
        }
    }
}

impl LogScreen {
    /// Looks at the lines that came since the last time.
    pub(crate) fn follow(&mut self, log: &Log) {
        let first = log.first();
        if self.looked < first || self.looked > log.end() {
            self.matching.clear();
            self.looked = first;
        }
        while self.matching.front().is_some_and(|n| *n < first) {
            self.matching.pop_front();
            self.until = self.until.map(|until| until.saturating_sub(1).max(1));
        }
        let needle = self.search.to_lowercase();
        for number in self.looked..log.end() {
            if log.line(number).is_some_and(|line| lines::passes(self, &needle, line)) {
                self.matching.push_back(number);
            }
        }
        self.looked = log.end();
    }

    /// Moves among the matching lines.
    pub(crate) fn scroll(&mut self, action: Action) {
        let lines = self.matching.len();
        let at = self.until.unwrap_or(lines).min(lines);
        let to = match action {
            Action::Move(Direction::Up) => at.saturating_sub(1),
            Action::Move(Direction::Down) => at + 1,
            Action::PageUp => at.saturating_sub(PAGE),
            Action::PageDown => at + PAGE,
            Action::Top => 1,
            _ => lines,
        };
        self.until = (to < lines).then_some(to.max(1));
    }

    pub(crate) fn next_level(&mut self) {
        self.level = match self.level {
            Level::Info => Level::Warn,
            Level::Warn => Level::Error,
            Level::Error => Level::Debug,
            Level::Debug => Level::Info,
        };
        self.start_over();
    }

    /// Shows only lines of this trial, or of all when it was that one already.
    pub(crate) fn only_trial(&mut self, trial: Option<String>) {
        self.trial = trial.filter(|_| self.trial.is_none());
        self.start_over();
    }

    /// Shows only lines of this worker, or of all when it was that one already.
    pub(crate) fn only_worker(&mut self, worker: Option<String>) {
        self.worker = worker.filter(|_| self.worker.is_none());
        self.start_over();
    }

    pub(crate) fn type_search(&mut self, action: TextAction) {
        match action {
            TextAction::Type(c) => self.search.push(c),
            TextAction::Erase => {
                self.search.pop();
            }
            TextAction::Clear => self.search.clear(),
            TextAction::Accept => self.typing = false,
            TextAction::Drop => {
                self.typing = false;
                self.search.clear();
            }
            TextAction::Previous | TextAction::Next => return,
        }
        self.start_over();
    }

    /// Whether lines are left out other than by their level.
    pub(crate) fn is_filtered(&self) -> bool {
        !self.search.is_empty() || self.trial.is_some() || self.worker.is_some()
    }

    /// Drops the search and the filters.
    pub(crate) fn clear(&mut self) {
        self.search.clear();
        (self.trial, self.worker) = (None, None);
        self.start_over();
    }

    fn start_over(&mut self) {
        self.until = None;
        self.matching.clear();
        // Beyond every log: everything is looked at again.
        self.looked = u64::MAX;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scrolling_up_stops_following_and_the_end_follows_again() {
        let mut screen = LogScreen { matching: (0..20).collect(), ..LogScreen::default() };
        screen.scroll(Action::Move(Direction::Up));
        assert_eq!(screen.until, Some(19));
        screen.scroll(Action::PageUp);
        assert_eq!(screen.until, Some(9));
        screen.scroll(Action::Top);
        assert_eq!(screen.until, Some(1));
        screen.scroll(Action::Move(Direction::Up));
        assert_eq!(screen.until, Some(1));
        screen.scroll(Action::Bottom);
        assert_eq!(screen.until, None);
        screen.scroll(Action::Move(Direction::Down));
        assert_eq!(screen.until, None);
    }
}
