//! The command palette: a text, the commands it stands for, and which is chosen.

use super::action::TextAction;
use super::{Model, Overlay};
use crate::keys::{Command, commands};

/// State of the palette.
#[derive(Clone, Debug, Default)]
pub(crate) struct Palette {
    pub(crate) text: String,
    /// Place among the commands that match.
    pub(crate) chosen: usize,
}

impl Model {
    /// The commands that the text stands for, the closest first.
    pub(crate) fn matching_commands(&self) -> Vec<Command> {
        let mut scored: Vec<(usize, Command)> =
            commands(self.screen, self.replay.is_some(), &self.themes)
                .into_iter()
                .filter_map(|c| Some((distance(&self.palette.text, &c.name)?, c)))
                .collect();
        // Stable: commands of the screen come first among equals.
        scored.sort_by_key(|(distance, _)| *distance);
        scored.into_iter().map(|(_, command)| command).collect()
    }

    /// Types into the palette; gives the command that was chosen.
    pub(super) fn type_command(&mut self, action: TextAction) -> Option<Command> {
        let text = &mut self.palette.text;
        match action {
            TextAction::Type(c) => text.push(c),
            TextAction::Erase => {
                // Deleting nothing leaves, as in every editor with such a line.
                if text.pop().is_none() {
                    self.overlay = Overlay::None;
                }
            }
            TextAction::Clear => text.clear(),
            TextAction::Previous => {
                self.palette.chosen = self.palette.chosen.saturating_sub(1);
                return None;
            }
            TextAction::Next => {
                let last = self.matching_commands().len().saturating_sub(1);
                self.palette.chosen = (self.palette.chosen + 1).min(last);
                return None;
            }
            TextAction::Drop => self.overlay = Overlay::None,
            TextAction::Accept => {
                let chosen = self.matching_commands().into_iter().nth(self.palette.chosen);
                if chosen.is_none() {
                    let text = format!("no command \"{}\"", self.palette.text);
                    self.note(Err(text));
                }
                self.overlay = Overlay::None;
                return chosen;
            }
        }
        self.palette.chosen = 0;
        None
    }
}

/// How far a name is from what was typed: its letters must come in order; a match at the start of a
/// word is nearest. `None`: no match.
fn distance(typed: &str, name: &str) -> Option<usize> {
    let (typed, name) = (typed.trim().to_lowercase(), name.to_lowercase());
    if let Some(at) = name.find(&typed) {
        let starts_word = at == 0 || name[..at].ends_with([' ', '-']);
        return Some(if starts_word { at } else { 20 + at });
    }
    let mut rest = name.chars();
    let mut skipped = 0;
    for wanted in typed.chars().filter(|c| *c != ' ') {
        skipped += rest.by_ref().take_while(|c| *c != wanted).count();
        // Asking an exhausted name for one more letter finds none.
        if skipped >= name.chars().count() {
            return None;
        }
    }
    let in_order = is_subsequence(&typed, &name);
    in_order.then_some(100 + skipped)
}

fn is_subsequence(typed: &str, name: &str) -> bool {
    let mut rest = name.chars();
    typed.chars().filter(|c| *c != ' ').all(|wanted| rest.any(|c| c == wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_found_by_its_start_its_words_and_its_letters() {
        assert_eq!(distance("", "theme dark"), Some(0));
        assert_eq!(distance("the", "theme dark"), Some(0));
        assert!(distance("dark", "theme dark") < distance("ark", "theme dark"));
        assert!(distance("thd", "theme dark").is_some());
        assert_eq!(distance("drak", "theme dark"), None);
        assert_eq!(distance("xyz", "theme dark"), None);
    }
}
