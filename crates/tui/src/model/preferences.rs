//! How the dashboard is looked at, remembered from one time to the next.

use serde::{Deserialize, Serialize};

use super::{Model, Screen};
use crate::screens::sweep::order::{Group, Sort};

/// How the dashboard is looked at. What a newer or older program remembers otherwise is ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Preferences {
    /// Title of the screen.
    pub screen: Option<String>,
    /// Name of the theme.
    pub theme: Option<String>,
    /// Column that the list is sorted by.
    pub sort: Option<String>,
    /// Whether the order is turned round.
    pub reversed: bool,
    /// What the list is grouped by.
    pub group: Option<String>,
    /// Whether trials are listed rather than laid out in the matrix.
    pub list: bool,
}

impl Model {
    /// How the dashboard is looked at now.
    pub(crate) fn preferences(&self) -> Preferences {
        Preferences {
            screen: Some(self.screen.title().to_lowercase()),
            theme: self.themes.get(self.theme).cloned(),
            sort: Some(self.sweep_screen.sort.title().to_owned()),
            reversed: self.sweep_screen.reversed,
            group: Some(self.sweep_screen.group.title().to_owned()),
            list: self.sweep_screen.list,
        }
    }

    /// Looks at it as before; `themes` are the names of those there are.
    pub fn prefer(&mut self, preferences: &Preferences, themes: Vec<String>) {
        self.themes = themes;
        let named = |name: &Option<String>, title: &str| {
            name.as_deref().is_some_and(|n| n.eq_ignore_ascii_case(title))
        };
        if let Some(at) = self.themes.iter().position(|t| named(&preferences.theme, t)) {
            self.theme = at;
        }
        if let Some(screen) =
            Screen::ALL.into_iter().find(|s| named(&preferences.screen, s.title()))
        {
            self.screen = screen;
        }
        if let Some(sort) = Sort::ALL.into_iter().find(|s| named(&preferences.sort, s.title())) {
            self.sweep_screen.sort = sort;
        }
        if let Some(group) = Group::ALL.into_iter().find(|g| named(&preferences.group, g.title())) {
            self.sweep_screen.group = group;
        }
        self.sweep_screen.reversed = preferences.reversed;
        self.sweep_screen.list = preferences.list;
        self.changed = true;
    }
}
