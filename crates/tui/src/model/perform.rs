//! What each action does.

use super::action::{Action, Direction};
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
            Action::Help => self.overlay = Overlay::Help,
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
            Action::PageUp | Action::PageDown | Action::Top | Action::Bottom => {
                let lines = self.log_screen.matching(self.sweep.as_ref());
                self.log_screen.scroll(action, lines);
            }
            Action::NextLevel
            | Action::Search
            | Action::TypeText(_)
            | Action::EraseText
            | Action::ClearText
            | Action::AcceptText
            | Action::DropText => self.log_screen.filter(action),
        }
        Vec::new()
    }

    fn screen_at(&self, offset: usize) -> Screen {
        let at = Screen::ALL.iter().position(|s| *s == self.screen).unwrap_or_default();
        Screen::ALL[(at + offset) % Screen::ALL.len()]
    }

    fn back(&mut self) {
        if self.screen == Screen::Log && !self.log_screen.search.is_empty() {
            self.log_screen.filter(Action::DropText);
        } else {
            self.screen = Screen::Sweep;
        }
    }

    fn open(&mut self) {
        if self.screen == Screen::Workers {
            let Some(trial) = self.workers_screen.trial(self.sweep.as_ref()) else { return };
            self.chosen = Some(trial);
        } else {
            // What runs changes; what was opened stays.
            self.chosen = self.selected().map(|t| t.spec.name.clone());
        }
        self.screen = Screen::Trial;
    }

    fn go(&mut self, direction: Direction) {
        match self.screen {
            Screen::Sweep | Screen::Trial => {
                let next = self.sweep.as_ref().zip(self.selected()).and_then(|(sweep, from)| {
                    selection::neighbour(sweep, &from.spec.name, direction)
                });
                self.chosen = next.or_else(|| self.selected().map(|t| t.spec.name.clone()));
            }
            Screen::Workers => {
                let workers = self.sweep.as_ref().map_or(0, |s| s.workers.len());
                self.workers_screen.go(direction, workers);
            }
            Screen::Log => {
                let lines = self.log_screen.matching(self.sweep.as_ref());
                self.log_screen.scroll(Action::Move(direction), lines);
            }
        }
    }

    fn ask_cancel(&mut self) {
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
