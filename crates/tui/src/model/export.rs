//! What is on screen, as a file.

use super::event::Effect;
use super::{Model, Screen};
use crate::screens::compare::{self, Pane};
use crate::screens::{layers, log, sweep, trial, workers};

impl Model {
    /// Writes the numbers on screen.
    pub(super) fn export_csv(&mut self) -> Vec<Effect> {
        let Some(data) = &self.sweep else {
            self.note(Err("nothing to write: there is no sweep".to_owned()));
            return Vec::new();
        };
        let content = match self.screen {
            Screen::Sweep => Some(sweep::export(self, data)),
            Screen::Compare if self.compare_screen.pane == Pane::Curves => {
                Some(compare::export_curves(self, data))
            }
            Screen::Compare => Some(compare::export_sizes(data)),
            Screen::Trial => self.selected().map(trial::export),
            Screen::Layers => layers::export(self, data),
            Screen::Workers => Some(workers::export(self, data)),
            Screen::Log => Some(log::export(self, data)),
        };
        let Some(content) = content else {
            self.note(Err("nothing to write yet on this screen".to_owned()));
            return Vec::new();
        };
        vec![Effect::Write { name: self.file_name("csv"), content }]
    }

    /// Writes a picture of the screen.
    pub(super) fn export_svg(&self) -> Vec<Effect> {
        vec![Effect::Picture { name: self.file_name("svg") }]
    }

    /// For example `quickstart-compare.csv`.
    fn file_name(&self, extension: &str) -> String {
        let sweep = self.sweep.as_ref().map_or("bitsweep", |s| s.name.as_str());
        let safe = |c: char| if c.is_alphanumeric() || c == '-' || c == '_' { c } else { '-' };
        let name: String = sweep.chars().map(safe).collect();
        format!("{name}-{}.{extension}", self.screen.title().to_lowercase())
    }
}
