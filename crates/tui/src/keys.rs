//! The one table of keys. Footer, help and the command palette are collected from it.

mod table;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::model::action::{Action, TextAction};
use crate::model::{Overlay, Screen};

pub(crate) use table::BINDINGS;

/// Where a binding holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// On every screen.
    Everywhere,
    On(Screen),
    /// On every screen of a recording.
    Replay,
    /// While the keys are listed.
    Help,
    /// While a command is chosen.
    Palette,
    /// While asking whether to cancel the sweep.
    ConfirmCancel,
    /// While asking what becomes of the sweep.
    Leaving,
    /// While a search or a filter is typed.
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
    /// How the keys are written; empty: only a command.
    pub(crate) shown: &'static str,
    /// Two words for the footer; empty: only in the help.
    pub(crate) footer: &'static str,
    /// What goes first when the footer is full: the lowest.
    pub(crate) priority: u8,
    /// A sentence for the help and the palette.
    pub(crate) help: &'static str,
    pub(crate) keys: &'static [(Key, Action)],
    /// Names in the palette.
    pub(crate) commands: &'static [(&'static str, Action)],
}

/// The scopes that hold now, the narrowest first.
pub(crate) fn scopes(screen: Screen, overlay: Overlay, typing: bool, replay: bool) -> Vec<Scope> {
    match overlay {
        Overlay::Help => vec![Scope::Help],
        Overlay::Palette => vec![Scope::Palette],
        Overlay::ConfirmCancel => vec![Scope::ConfirmCancel],
        Overlay::Leaving => vec![Scope::Leaving],
        Overlay::None if typing => vec![Scope::Typing],
        Overlay::None if replay => vec![Scope::On(screen), Scope::Replay, Scope::Everywhere],
        Overlay::None => vec![Scope::On(screen), Scope::Everywhere],
    }
}

/// The bindings of `scopes`, in the order of the table, but for those whose keys all mean something
/// else in a narrower scope.
pub(crate) fn bindings(scopes: &[Scope]) -> impl Iterator<Item = &'static Binding> {
    let shadowed = |binding: &Binding, key: &Key| {
        let narrower = scopes.iter().take_while(|s| **s != binding.scope);
        narrower.flat_map(|s| of(*s)).any(|b| b.keys.iter().any(|(k, _)| k == key))
    };
    let holds = move |b: &&Binding| {
        scopes.contains(&b.scope)
            && !b.keys.is_empty()
            && !b.keys.iter().all(|(k, _)| shadowed(b, k))
    };
    BINDINGS.iter().filter(holds)
}

/// The bindings of one scope.
fn of(scope: Scope) -> impl Iterator<Item = &'static Binding> {
    BINDINGS.iter().filter(move |b| b.scope == scope)
}

/// What a key press means now.
pub(crate) fn resolve(scopes: &[Scope], event: &KeyEvent) -> Option<Action> {
    let bound = |scope: &Scope| {
        of(*scope).flat_map(|b| b.keys).find(|(key, _)| key.matches(event)).map(|(_, a)| *a)
    };
    if let Some(action) = scopes.iter().find_map(bound) {
        return Some(action);
    }
    let typed = scopes.iter().any(|s| matches!(s, Scope::Typing | Scope::Palette));
    match event.code {
        KeyCode::Char(c)
            if typed && !event.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) =>
        {
            Some(Action::Text(TextAction::Type(c)))
        }
        _ => None,
    }
}

/// A command as the palette lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) name: String,
    pub(crate) help: String,
    /// How its key is written; empty: none.
    pub(crate) shown: &'static str,
    pub(crate) action: Action,
}

/// Every command that holds on `screen`, its own first.
pub(crate) fn commands(screen: Screen, replay: bool, themes: &[String]) -> Vec<Command> {
    let scopes = scopes(screen, Overlay::None, false, replay);
    let own = scopes.into_iter().flat_map(of);
    let named = own.flat_map(|binding| {
        binding.commands.iter().map(|(name, action)| Command {
            name: (*name).to_owned(),
            help: binding.help.to_owned(),
            shown: if binding.keys.len() == 1 || binding.commands.len() == 1 {
                binding.shown
            } else {
                ""
            },
            action: *action,
        })
    });
    let themes = themes.iter().enumerate().map(|(at, name)| Command {
        name: format!("theme {name}"),
        help: "use these colours".to_owned(),
        shown: "",
        action: Action::Theme(at),
    });
    named.chain(themes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(scopes: &[Scope], c: char) -> Option<Action> {
        resolve(scopes, &KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE))
    }

    #[test]
    fn no_scope_binds_a_key_twice() {
        for binding in BINDINGS {
            let mut seen = Vec::new();
            for (key, _) in of(binding.scope).flat_map(|b| b.keys) {
                assert!(!seen.contains(key), "{key:?} in {:?}", binding.scope);
                seen.push(*key);
            }
        }
    }

    #[test]
    fn every_screen_can_be_left_and_asked_for_its_keys_and_commands() {
        for screen in Screen::ALL {
            let scopes = scopes(screen, Overlay::None, false, true);
            assert_eq!(press(&scopes, 'q'), Some(Action::Leave));
            assert_eq!(press(&scopes, '?'), Some(Action::Help));
            assert_eq!(press(&scopes, ':'), Some(Action::Palette));
            assert_eq!(press(&scopes, 'Z'), None);
        }
    }

    #[test]
    fn a_command_does_what_a_key_beside_it_does() {
        for binding in BINDINGS.iter().filter(|b| !b.keys.is_empty()) {
            for (name, action) in binding.commands {
                let bound = binding.keys.iter().any(|(_, a)| a == action);
                assert!(bound, "the command {name} has no key in its own row");
            }
        }
    }

    #[test]
    fn commands_have_different_names() {
        for screen in Screen::ALL {
            let mut names: Vec<String> =
                commands(screen, true, &["dark".to_owned()]).into_iter().map(|c| c.name).collect();
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all, "{names:?}");
        }
    }

    #[test]
    fn typed_letters_are_text_and_not_commands() {
        for scopes in [
            scopes(Screen::Log, Overlay::None, true, false),
            scopes(Screen::Log, Overlay::Palette, false, false),
        ] {
            assert_eq!(press(&scopes, 'q'), Some(Action::Text(TextAction::Type('q'))));
        }
    }

    #[test]
    fn a_screen_may_use_a_key_for_itself_and_the_footer_says_so() {
        let scopes = scopes(Screen::Compare, Overlay::None, false, false);
        assert_ne!(press(&scopes, 'x'), Some(Action::AskCancel));
        let shown: Vec<&str> =
            bindings(&scopes).filter(|b| b.shown == "x").map(|b| b.footer).collect();
        assert_eq!(shown, ["x axis"]);
    }
}
