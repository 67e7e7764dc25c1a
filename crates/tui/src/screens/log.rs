//! The log: follows the newest line, filtered by level and by text.

mod draw;
pub(crate) mod lines;

pub(crate) use draw::draw;

use bitsweep_sweep::Level;

use crate::model::action::{Action, Direction};
use crate::model::sweep::Sweep;

/// Lines a page key moves.
const PAGE: usize = 10;

/// State of the screen.
#[derive(Clone, Debug)]
pub(crate) struct LogScreen {
    /// Lines of this weight and above.
    pub(crate) level: Level,
    /// Lines with this text in them, whatever the case; empty: all.
    pub(crate) search: String,
    /// Whether the search is being typed.
    pub(crate) typing: bool,
    /// Number of matching lines up to the last one shown; `None` follows the newest.
    pub(crate) until: Option<usize>,
}

impl Default for LogScreen {
    fn default() -> Self {
        Self { level: Level::Info, search: String::new(), typing: false, until: None }
    }
}

impl LogScreen {
    /// Lines that pass the filter.
    pub(crate) fn matching(&self, sweep: Option<&Sweep>) -> usize {
        sweep.map_or(0, |s| s.log.lines.iter().filter(|l| lines::passes(self, l)).count())
    }

    /// Moves among `lines` matching lines.
    pub(crate) fn scroll(&mut self, action: Action, lines: usize) {
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

    /// Changes what passes.
    pub(crate) fn filter(&mut self, action: Action) {
        match action {
            Action::NextLevel => {
                self.level = match self.level {
                    Level::Info => Level::Warn,
                    Level::Warn => Level::Error,
                    Level::Error => Level::Debug,
                    Level::Debug => Level::Info,
                };
            }
            Action::Search => self.typing = true,
            Action::TypeText(c) => self.search.push(c),
            Action::EraseText => {
                self.search.pop();
            }
            Action::ClearText => self.search.clear(),
            Action::AcceptText => self.typing = false,
            Action::DropText => {
                self.typing = false;
                self.search.clear();
            }
            _ => return,
        }
        self.until = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scrolling_up_stops_following_and_the_end_follows_again() {
        let mut screen = LogScreen::default();
        screen.scroll(Action::Move(Direction::Up), 20);
        assert_eq!(screen.until, Some(19));
        screen.scroll(Action::PageUp, 20);
        assert_eq!(screen.until, Some(9));
        screen.scroll(Action::Top, 20);
        assert_eq!(screen.until, Some(1));
        screen.scroll(Action::Move(Direction::Up), 20);
        assert_eq!(screen.until, Some(1));
        screen.scroll(Action::Bottom, 20);
        assert_eq!(screen.until, None);
        screen.scroll(Action::Move(Direction::Down), 20);
        assert_eq!(screen.until, None);
    }
}
