//! The one table of keys. Footer and help are collected from it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::model::action::{Action, Direction};
use crate::model::{Overlay, Screen};

/// Where a binding holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// On every screen.
    Everywhere,
    On(Screen),
    /// While the keys are listed.
    Help,
    /// While asking whether to cancel the sweep.
    ConfirmCancel,
    /// While asking what becomes of the sweep.
    Leaving,
    /// While a search is typed.
    Typing,
}

/// A key press.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Char(char),
    Control(char),
    Code(KeyCode),
}

impl Key {
    fn matches(self, event: &KeyEvent) -> bool {
        let control = event.modifiers.contains(KeyModifiers::CONTROL);
        let alt = event.modifiers.contains(KeyModifiers::ALT);
        match self {
            Self::Char(c) => event.code == KeyCode::Char(c) && !control && !alt,
            Self::Control(c) => event.code == KeyCode::Char(c) && control && !alt,
            Self::Code(code) => event.code == code && !control && !alt,
        }
    }
}

/// Keys that belong together.
pub(crate) struct Binding {
    pub(crate) scope: Scope,
    /// How the keys are written.
    pub(crate) shown: &'static str,
    /// Two words for the footer; empty: only in the help.
    pub(crate) footer: &'static str,
    /// What goes first when the footer is full: the lowest.
    pub(crate) priority: u8,
    /// A sentence for the help.
    pub(crate) help: &'static str,
    pub(crate) keys: &'static [(Key, Action)],
}

const MOVE: &[(Key, Action)] = &[
    (Key::Code(KeyCode::Up), Action::Move(Direction::Up)),
    (Key::Code(KeyCode::Down), Action::Move(Direction::Down)),
    (Key::Code(KeyCode::Left), Action::Move(Direction::Left)),
    (Key::Code(KeyCode::Right), Action::Move(Direction::Right)),
    (Key::Char('k'), Action::Move(Direction::Up)),
    (Key::Char('j'), Action::Move(Direction::Down)),
    (Key::Char('h'), Action::Move(Direction::Left)),
    (Key::Char('l'), Action::Move(Direction::Right)),
];

const SCROLL: &[(Key, Action)] = &[
    (Key::Code(KeyCode::Up), Action::Move(Direction::Up)),
    (Key::Code(KeyCode::Down), Action::Move(Direction::Down)),
    (Key::Char('k'), Action::Move(Direction::Up)),
    (Key::Char('j'), Action::Move(Direction::Down)),
    (Key::Code(KeyCode::PageUp), Action::PageUp),
    (Key::Code(KeyCode::PageDown), Action::PageDown),
    (Key::Control('u'), Action::PageUp),
    (Key::Control('d'), Action::PageDown),
];

macro_rules! bindings {
    ($($scope:expr, $shown:literal, $footer:literal, $priority:literal, $help:literal, $keys:expr;)+) => {
        &[$(Binding {
            scope: $scope, shown: $shown, footer: $footer, priority: $priority, help: $help, keys: $keys,
        }),+]
    };
}

/// Every binding. Where two match, the narrower scope comes first.
pub(crate) const BINDINGS: &[Binding] = bindings! {
    Scope::On(Screen::Sweep), "↑↓←→", "move", 8, "choose a trial (also h j k l)", MOVE;
    Scope::On(Screen::Sweep), "enter", "open", 7, "open the chosen trial", &[(Key::Code(KeyCode::Enter), Action::Open)];
    Scope::On(Screen::Trial), "↑↓←→", "other trial", 8, "go to another network or width (also h j k l)", MOVE;
    Scope::On(Screen::Trial), "esc", "back", 7, "back to the sweep", &[(Key::Code(KeyCode::Esc), Action::Back), (Key::Code(KeyCode::Backspace), Action::Back)];
    Scope::On(Screen::Workers), "↑↓", "choose", 8, "choose a worker (also j k)", SCROLL;
    Scope::On(Screen::Workers), "enter", "its trial", 7, "open the trial that the chosen worker runs", &[(Key::Code(KeyCode::Enter), Action::Open)];
    Scope::On(Screen::Workers), "esc", "", 0, "back to the sweep", &[(Key::Code(KeyCode::Esc), Action::Back)];
    Scope::On(Screen::Log), "↑↓", "scroll", 8, "scroll (also j k, page keys, ctrl-u ctrl-d)", SCROLL;
    Scope::On(Screen::Log), "f", "follow", 7, "follow the newest line (also G, end)", &[(Key::Char('f'), Action::Bottom), (Key::Char('G'), Action::Bottom), (Key::Code(KeyCode::End), Action::Bottom)];
    Scope::On(Screen::Log), "g", "", 0, "go to the oldest line (also home)", &[(Key::Char('g'), Action::Top), (Key::Code(KeyCode::Home), Action::Top)];
    Scope::On(Screen::Log), "l", "level", 6, "show info, warnings, errors, or everything", &[(Key::Char('l'), Action::NextLevel)];
    Scope::On(Screen::Log), "/", "search", 6, "show only lines with a text in them", &[(Key::Char('/'), Action::Search)];
    Scope::On(Screen::Log), "esc", "", 0, "end the search; without one, back to the sweep", &[(Key::Code(KeyCode::Esc), Action::Back)];

    Scope::Everywhere, "1-4", "screens", 4, "go to a screen (also tab, shift-tab)", &[
        (Key::Char('1'), Action::Show(Screen::Sweep)),
        (Key::Char('2'), Action::Show(Screen::Trial)),
        (Key::Char('3'), Action::Show(Screen::Workers)),
        (Key::Char('4'), Action::Show(Screen::Log)),
        (Key::Code(KeyCode::Tab), Action::NextScreen),
        (Key::Code(KeyCode::BackTab), Action::PreviousScreen),
    ];
    Scope::Everywhere, "x", "cancel", 3, "cancel the sweep: what runs stops at its last checkpoint (asks first)", &[(Key::Char('x'), Action::AskCancel)];
    Scope::Everywhere, "R", "resume", 2, "resume what was cancelled and retry what failed", &[(Key::Char('R'), Action::Resume)];
    Scope::Everywhere, "?", "keys", 9, "list the keys of this screen", &[(Key::Char('?'), Action::Help)];
    Scope::Everywhere, "q", "leave", 10, "leave (also ctrl-c); the sweep goes on unless you stop it", &[(Key::Char('q'), Action::Leave), (Key::Control('c'), Action::Leave)];

    Scope::Help, "esc", "close", 10, "close the list", &[
        (Key::Code(KeyCode::Esc), Action::Close), (Key::Char('?'), Action::Close),
        (Key::Char('q'), Action::Close), (Key::Code(KeyCode::Enter), Action::Close),
        (Key::Control('c'), Action::Leave),
    ];
    Scope::ConfirmCancel, "y", "cancel the sweep", 9, "cancel the sweep", &[(Key::Char('y'), Action::Cancel)];
    Scope::ConfirmCancel, "esc", "leave it running", 10, "leave it running", &[
        (Key::Code(KeyCode::Esc), Action::Close), (Key::Char('n'), Action::Close),
        (Key::Char('q'), Action::Close), (Key::Control('c'), Action::Close),
    ];
    Scope::Leaving, "s", "stop the sweep (run again resumes)", 9, "stop the sweep; running it again resumes where it was", &[
        (Key::Char('s'), Action::StopSweep), (Key::Control('c'), Action::StopSweep),
    ];
    Scope::Leaving, "k", "keep it going without the dashboard", 8, "leave the dashboard; the sweep goes on", &[(Key::Char('k'), Action::KeepRunning)];
    Scope::Leaving, "esc", "stay", 10, "stay", &[(Key::Code(KeyCode::Esc), Action::Close), (Key::Char('n'), Action::Close)];
    Scope::Typing, "enter", "keep", 9, "keep the search", &[(Key::Code(KeyCode::Enter), Action::AcceptText)];
    Scope::Typing, "esc", "drop", 10, "drop the search", &[(Key::Code(KeyCode::Esc), Action::DropText), (Key::Control('c'), Action::DropText)];
    Scope::Typing, "backspace", "", 0, "delete a character; ctrl-u deletes all", &[(Key::Code(KeyCode::Backspace), Action::EraseText), (Key::Control('u'), Action::ClearText)];
};

/// The scopes that hold now, the narrowest first.
pub(crate) fn scopes(screen: Screen, overlay: Overlay, typing: bool) -> Vec<Scope> {
    match overlay {
        Overlay::Help => vec![Scope::Help],
        Overlay::ConfirmCancel => vec![Scope::ConfirmCancel],
        Overlay::Leaving => vec![Scope::Leaving],
        Overlay::None if typing => vec![Scope::Typing],
        Overlay::None => vec![Scope::On(screen), Scope::Everywhere],
    }
}

/// The bindings of `scopes`, in the order of the table.
pub(crate) fn bindings(scopes: &[Scope]) -> impl Iterator<Item = &'static Binding> {
    BINDINGS.iter().filter(|b| scopes.contains(&b.scope))
}

/// What a key press means now.
pub(crate) fn resolve(scopes: &[Scope], event: &KeyEvent) -> Option<Action> {
    if let Some(action) = bindings(scopes)
        .flat_map(|b| b.keys)
        .find(|(key, _)| key.matches(event))
        .map(|(_, action)| *action)
    {
        return Some(action);
    }
    match event.code {
        KeyCode::Char(c)
            if scopes.contains(&Scope::Typing)
                && !event.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) =>
        {
            Some(Action::TypeText(c))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_scope_binds_a_key_twice() {
        for screen in Screen::ALL {
            let scopes = scopes(screen, Overlay::None, false);
            let mut seen = Vec::new();
            for (key, _) in bindings(&scopes).flat_map(|b| b.keys) {
                assert!(!seen.contains(key), "{key:?} on {screen:?}");
                seen.push(*key);
            }
        }
    }

    #[test]
    fn every_screen_can_be_left_and_asked_for_its_keys() {
        for screen in Screen::ALL {
            let scopes = scopes(screen, Overlay::None, false);
            let press = |c| resolve(&scopes, &KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
            assert_eq!(press('q'), Some(Action::Leave));
            assert_eq!(press('?'), Some(Action::Help));
            assert_eq!(press('Z'), None);
        }
    }

    #[test]
    fn typed_letters_are_text_and_not_commands() {
        let scopes = scopes(Screen::Log, Overlay::None, true);
        let q = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE);
        assert_eq!(resolve(&scopes, &q), Some(Action::TypeText('q')));
    }
}
