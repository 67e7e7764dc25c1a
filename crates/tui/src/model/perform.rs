//! What each action does.

use super::action::{Action, Direction, LayersAction, LogAction, SweepAction, TextAction};
use super::event::{Command, Effect, Exit, LeaveQuestion};
use super::sweep::SweepState;
use super::trial::TrialState;
use super::{Model, Overlay, Screen};
use crate::screens::sweep::selection;

impl Model {
    pub(super) fn perform(&mut self, action: Action) -> Vec<Effect> {
        match action {
            Action::Show(screen) => self.screen = screen,
            Action::NextScreen => self.screen = self.screen_at(1),
            Action::PreviousScreen => self.screen = self.screen_at(Screen::ALL.len() - 1),
            Action::Back => self.back(),
            Action::Open => self.open(),
            Action::Move(direction) => self.go(direction),
            Action::PageUp | Action::PageDown | Action::Top | Action::Bottom => self.page(action),
            Action::Help => self.overlay = Overlay::Help,
            Action::Palette => {
                self.palette = super::palette::Palette::default();
                self.overlay = Overlay::Palette;
            }
            Action::Close => self.overlay = Overlay::None,
            Action::AskCancel => self.ask_cancel(),
            Action::Cancel => {
                self.overlay = Overlay::None;
                return self.send(Command::Cancel);
            }
            Action::Resume => return self.resume(),
            Action::Leave => return self.leave(),
            Action::StopSweep => return vec![Effect::Exit(Exit::StopRequested)],
            Action::KeepRunning => return vec![Effect::Exit(Exit::KeepRunning)],
            Action::Mark => self.mark(),
            Action::Unmark => {
                self.marked.clear();
                self.note(Ok("no trial is marked any more".to_owned()));
            }
            Action::CopyId => return self.copy_id(),
            Action::ExportCsv => return self.export_csv(),
            Action::ExportSvg => return self.export_svg(),
            Action::NextTheme => self.wear((self.theme + 1) % self.themes.len().max(1)),
            Action::Theme(at) => self.wear(at),
            Action::Sweep(action) => self.change_list(action),
            Action::Compare(action) => self.compare_screen.change(action),
            Action::Layers(action) => self.change_layers(action),
            Action::Log(action) => self.change_log(action),
            Action::Replay(action) => self.change_replay(action),
            Action::Text(action) => return self.type_text(action),
        }
        Vec::new()
    }

    fn type_text(&mut self, action: TextAction) -> Vec<Effect> {
        if self.overlay == Overlay::Palette {
            return match self.type_command(action) {
                Some(command) => self.perform(command.action),
                None => Vec::new(),
            };
        }
        match self.screen {
            Screen::Sweep => self.sweep_screen.type_filter(action),
            _ => self.log_screen.type_search(action),
        }
        Vec::new()
    }

    fn screen_at(&self, offset: usize) -> Screen {
        let at = Screen::ALL.iter().position(|s| *s == self.screen).unwrap_or_default();
        Screen::ALL[(at + offset) % Screen::ALL.len()]
    }

    fn back(&mut self) {
        match self.screen {
            Screen::Log if self.log_screen.is_filtered() => self.log_screen.clear(),
            Screen::Sweep => self.sweep_screen.back(),
            _ => self.screen = Screen::Sweep,
        }
    }

    fn open(&mut self) {
        if self.screen == Screen::Sweep && !self.sweep_screen.is_list() && self.expand() {
            return;
        }
        if self.screen == Screen::Workers {
            let Some(trial) = self.workers_screen.trial(self.sweep.as_ref()) else { return };
            self.chosen = Some(trial);
        } else {
            // What runs changes; what was opened stays.
            self.chosen = self.selected().map(|t| t.spec.name.clone());
        }
        self.screen = Screen::Trial;
    }

    /// Gives the seeds of the chosen network rows of their own, where they stand in one; `false`: they
    /// have them already.
    fn expand(&mut self) -> bool {
        let Some((sweep, chosen)) = self.sweep.as_ref().zip(self.selected()) else { return false };
        let place = sweep.trials.index(&chosen.spec.name).and_then(|at| self.grid.place(at));
        let several = place.is_some_and(|(row, column)| self.grid.at(row, column).len() > 1);
        let network = chosen.spec.model.network;
        let name = chosen.spec.name.clone();
        if several {
            self.chosen = Some(name);
            self.sweep_screen.expanded.insert(network);
        }
        several
    }

    fn go(&mut self, direction: Direction) {
        match self.screen {
            Screen::Sweep if self.sweep_screen.is_list() => self.go_in_list(direction, 1),
            Screen::Sweep | Screen::Trial => {
                let next = self.neighbour(direction);
                self.chosen = next.or_else(|| self.selected().map(|t| t.spec.name.clone()));
            }
            Screen::Compare => match direction {
                Direction::Left | Direction::Right => self.compare_screen.read(direction),
                Direction::Up | Direction::Down => self.next_compared(direction),
            },
            Screen::Layers => self.go_in_layers(direction, 1),
            Screen::Workers => {
                let workers = self.sweep.as_ref().map_or(0, |s| s.workers.len());
                self.workers_screen.go(direction, 1, workers);
            }
            Screen::Log => self.log_screen.scroll(Action::Move(direction)),
        }
    }

    fn page(&mut self, action: Action) {
        const PAGE: usize = 10;
        let (direction, by) = match action {
            Action::PageUp => (Direction::Up, PAGE),
            Action::PageDown => (Direction::Down, PAGE),
            Action::Top => (Direction::Up, usize::MAX / 2),
            _ => (Direction::Down, usize::MAX / 2),
        };
        match self.screen {
            Screen::Log => self.log_screen.scroll(action),
            Screen::Workers => {
                let workers = self.sweep.as_ref().map_or(0, |s| s.workers.len());
                self.workers_screen.go(direction, by, workers);
            }
            Screen::Layers => self.go_in_layers(direction, by),
            Screen::Sweep if self.sweep_screen.is_list() => self.go_in_list(direction, by),
            Screen::Sweep => (0..by.min(PAGE)).for_each(|_| self.go(direction)),
            Screen::Trial | Screen::Compare => {}
        }
    }

    /// The trial next to the chosen one in the matrix.
    fn neighbour(&self, direction: Direction) -> Option<bitsweep_sweep::TrialName> {
        let (sweep, from) = (self.sweep.as_ref()?, self.selected()?);
        selection::neighbour(sweep, &self.grid, &from.spec.name, direction)
    }

    fn go_in_list(&mut self, direction: Direction, by: usize) {
        let Some(sweep) = &self.sweep else { return };
        let at = self.selected().and_then(|t| sweep.trials.index(&t.spec.name));
        let next = self.sweep_screen.next(at, direction, by);
        let next = next.and_then(|at| sweep.trials.get(at)).map(|t| t.spec.name.clone());
        self.chosen = next.or_else(|| self.selected().map(|t| t.spec.name.clone()));
    }

    /// The next of the compared trials becomes the chosen one.
    fn next_compared(&mut self, direction: Direction) {
        let compared = self.compared();
        let chosen = self.selected().map(|t| &t.spec.name);
        let at = compared.iter().position(|t| Some(&t.spec.name) == chosen);
        let next = match (at, direction) {
            (Some(at), Direction::Up) if at > 0 => compared.get(at - 1),
            (Some(at), Direction::Down) => compared.get(at + 1),
            (None, _) => compared.first(),
            _ => None,
        };
        if let Some(name) = next.map(|t| t.spec.name.clone()) {
            self.chosen = Some(name);
            return;
        }
        // Past the end of unmarked kin lies the next network.
        if self.marked.is_empty() {
            let next = self.neighbour(direction);
            self.chosen = next.or_else(|| self.selected().map(|t| t.spec.name.clone()));
        }
    }

    fn change_list(&mut self, action: SweepAction) {
        self.sweep_screen.change(action);
    }

    fn change_layers(&mut self, action: LayersAction) {
        match action {
            LayersAction::Live => self.layers_screen.epoch = None,
            LayersAction::Beside => self.layers_screen.beside ^= true,
            LayersAction::WiderTrial | LayersAction::NarrowerTrial => {
                let direction = match action {
                    LayersAction::WiderTrial => Direction::Left,
                    _ => Direction::Right,
                };
                let next = self.neighbour(direction);
                if next.is_some() {
                    self.chosen = next;
                    self.layers_screen.epoch = None;
                }
            }
        }
    }

    fn go_in_layers(&mut self, direction: Direction, by: usize) {
        let history = self.selected().and_then(|t| self.sweep.as_ref()?.layers.get(t.id.as_str()));
        let Some(history) = history else { return };
        let layers = history.reports.last().map_or(0, |r| r.layers.len());
        let epochs: Vec<u32> = history.reports.iter().map(|r| r.epoch).collect();
        self.layers_screen.go(direction, by, layers, &epochs);
    }

    fn change_log(&mut self, action: LogAction) {
        match action {
            LogAction::NextLevel => self.log_screen.next_level(),
            LogAction::Search => self.log_screen.typing = true,
            LogAction::OneTrial => {
                let name = self.selected().map(|t| t.spec.name.to_string());
                self.log_screen.only_trial(name);
            }
            LogAction::OneWorker => {
                let workers = self.sweep.as_ref().map(|s| &s.workers);
                let worker = workers.and_then(|w| w.get(self.workers_screen.chosen));
                self.log_screen.only_worker(worker.map(|w| w.name.clone()));
            }
        }
    }

    fn wear(&mut self, theme: usize) {
        self.theme = theme.min(self.themes.len().saturating_sub(1));
        if let Some(name) = self.themes.get(self.theme) {
            let said = format!("theme {name}");
            self.note(Ok(said));
        }
    }

    fn ask_cancel(&mut self) {
        if self.replay.is_some() {
            self.note(Err("this is a recording: nothing of it can be changed".to_owned()));
            return;
        }
        match self.sweep.as_ref().map(|s| s.state) {
            Some(SweepState::Active) => self.overlay = Overlay::ConfirmCancel,
            Some(_) => self.note(Err("nothing to cancel: the sweep is not running".to_owned())),
            None => self.note(Err("nothing to cancel: there is no sweep".to_owned())),
        }
    }

    fn resume(&mut self) -> Vec<Effect> {
        let resumable = [TrialState::Failed, TrialState::Blocked, TrialState::Cancelled];
        if self.sweep.as_ref().is_some_and(|s| s.count(&resumable) > 0) {
            return self.send(Command::Resume);
        }
        self.note(Err("nothing to resume: no trial failed or was cancelled".to_owned()));
        Vec::new()
    }

    fn send(&mut self, command: Command) -> Vec<Effect> {
        let Some(sweep) = &self.sweep else { return Vec::new() };
        vec![Effect::Send { command, sweep: sweep.id.clone() }]
    }

    fn copy_id(&mut self) -> Vec<Effect> {
        let Some(id) = self.selected().map(|t| t.id.as_str().to_owned()) else {
            self.note(Err("nothing to copy: no trial is chosen".to_owned()));
            return Vec::new();
        };
        vec![Effect::Copy { text: id }]
    }

    fn leave(&mut self) -> Vec<Effect> {
        if self.holds_sweep() {
            self.overlay = Overlay::Leaving;
            return Vec::new();
        }
        vec![Effect::Exit(Exit::Left)]
    }

    /// Whether a sweep that is not over lives with the dashboard.
    fn holds_sweep(&self) -> bool {
        let over = self.sweep.as_ref().is_some_and(|s| s.state != SweepState::Active);
        self.leave == LeaveQuestion::AskStop && !over
    }

    /// How the dashboard was left when nobody could be asked: `otherwise` where it holds a sweep.
    pub(crate) fn closed(&self, otherwise: Exit) -> Exit {
        if self.holds_sweep() { otherwise } else { Exit::Left }
    }
}
