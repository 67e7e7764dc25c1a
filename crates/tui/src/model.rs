//! What the dashboard knows, and how it changes: a pure fold over updates, keys and ticks.
//!
//! The model knows nothing of gRPC's transport or of the terminal: the same fold shows a live
//! coordinator and a recording.

pub(crate) mod action;
mod event;
mod export;
mod fetch;
pub(crate) mod layers;
pub(crate) mod log;
mod marks;
pub(crate) mod palette;
mod perform;
mod preferences;
mod replay;
pub(crate) mod series;
pub(crate) mod sweep;
pub(crate) mod trial;
pub(crate) mod worker;

use std::collections::{BTreeSet, HashSet};

use bitsweep_proto::v1::watch_update::Update;
use bitsweep_sweep::TrialName;

pub use event::{Command, Effect, Event, Exit, LeaveQuestion, Link};
pub use preferences::Preferences;

use crate::keys;
use crate::screens::compare::CompareScreen;
use crate::screens::layers::LayersScreen;
use crate::screens::log::LogScreen;
use crate::screens::sweep::grid::Grid;
use crate::screens::sweep::{SweepScreen, selection};
use crate::screens::workers::WorkersScreen;
use crate::theme::Theme;
use crate::view_model::eta;
use palette::Palette;
use replay::Replay;
use sweep::{Sweep, SweepState};
use trial::Trial;

/// How long the answer to a command is shown.
const NOTICE_MS: i64 = 6000;

/// How long a reckoned end of the sweep holds.
const RECKON_MS: i64 = 1000;

/// A screen. They are numbered in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Screen {
    Sweep,
    Compare,
    Trial,
    Layers,
    Workers,
    Log,
}

impl Screen {
    pub(crate) const ALL: [Self; 6] =
        [Self::Sweep, Self::Compare, Self::Trial, Self::Layers, Self::Workers, Self::Log];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Sweep => "Sweep",
            Self::Compare => "Compare",
            Self::Trial => "Trial",
            Self::Layers => "Layers",
            Self::Workers => "Workers",
            Self::Log => "Log",
        }
    }
}

/// What is in front of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overlay {
    None,
    Help,
    Palette,
    ConfirmCancel,
    Leaving,
}

/// The answer to a command, shown for a while.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    pub(crate) text: String,
    pub(crate) failed: bool,
    until_ms: i64,
}

/// Everything that is on screen, and what is behind it.
#[derive(Clone, Debug)]
pub struct Model {
    /// `None` before the first snapshot.
    pub(crate) sweep: Option<Sweep>,
    pub(crate) link: Link,
    /// When the last update came, by our clock.
    pub(crate) updated_ms: i64,
    pub(crate) now_ms: i64,
    pub(crate) screen: Screen,
    pub(crate) overlay: Overlay,
    /// `None`: whatever runs now is chosen.
    pub(crate) chosen: Option<TrialName>,
    /// Trials to compare, in the order they were marked.
    pub(crate) marked: Vec<TrialName>,
    /// Where trials stand in the matrix.
    pub(crate) grid: Grid,
    pub(crate) sweep_screen: SweepScreen,
    pub(crate) compare_screen: CompareScreen,
    pub(crate) layers_screen: LayersScreen,
    pub(crate) workers_screen: WorkersScreen,
    pub(crate) log_screen: LogScreen,
    pub(crate) palette: Palette,
    /// `None`: a live coordinator.
    pub(crate) replay: Option<Replay>,
    pub(crate) notice: Option<Notice>,
    pub(crate) leave: LeaveQuestion,
    /// Names of the themes there are, and which is worn.
    pub(crate) themes: Vec<String>,
    pub(crate) theme: usize,
    /// Seconds until the sweep ends, as reckoned lately; `None` while unknown.
    pub(crate) seconds_left: Option<f64>,
    /// Whether `seconds_left` may have changed, and when it was reckoned.
    reckoned: Option<i64>,
    /// The trials whose points or layers were shown, the newest last.
    seen: Vec<String>,
    /// Trials whose layers are being looked through for collapsed ones.
    checking: BTreeSet<String>,
    /// Trials and epochs that were looked through, whatever the answer.
    checked: HashSet<(String, u32)>,
    changed: bool,
}

impl Model {
    /// An empty model at the time `now_ms` (Unix milliseconds).
    pub fn new(leave: LeaveQuestion, now_ms: i64) -> Self {
        Self {
            sweep: None,
            link: Link::Connecting,
            updated_ms: now_ms,
            now_ms,
            screen: Screen::Sweep,
            overlay: Overlay::None,
            chosen: None,
            marked: Vec::new(),
            grid: Grid::default(),
            sweep_screen: SweepScreen::default(),
            compare_screen: CompareScreen::default(),
            layers_screen: LayersScreen::default(),
            workers_screen: WorkersScreen::default(),
            log_screen: LogScreen::default(),
            palette: Palette::default(),
            replay: None,
            notice: None,
            leave,
            themes: Theme::builtin().iter().map(|t| t.name().to_owned()).collect(),
            theme: 0,
            seconds_left: None,
            reckoned: None,
            seen: Vec::new(),
            checking: BTreeSet::new(),
            checked: HashSet::new(),
            changed: true,
        }
    }

    /// Takes an event in at the time `now_ms` and says what is to be done.
    pub fn update(&mut self, event: Event, now_ms: i64) -> Vec<Effect> {
        let before_ms = std::mem::replace(&mut self.now_ms, now_ms);
        let mut effects = Vec::new();
        match event {
            Event::Tick => {
                self.play(now_ms - before_ms);
                self.tick(before_ms);
            }
            Event::Resize => self.changed = true,
            Event::Update(update) => {
                if let Some(update) = update.update {
                    if matches!(update, Update::Snapshot(_) | Update::Worker(_)) {
                        self.reckoned = None;
                    }
                    Sweep::fold(&mut self.sweep, update, now_ms);
                }
                self.updated_ms = now_ms;
                self.link = Link::Connected;
                self.changed = true;
            }
            Event::Link(link) => {
                self.changed |= self.link != link;
                self.link = link;
            }
            Event::Series { trial_id, series } => self.take_series(&trial_id, series, &mut effects),
            Event::Layers { trial_id, layers } => self.take_layers(&trial_id, layers),
            Event::CommandDone(answer) => self.note(answer),
            Event::Key(key) => {
                let scopes = keys::scopes(
                    self.screen,
                    self.overlay,
                    self.is_typing(),
                    self.replay.is_some(),
                );
                if let Some(action) = keys::resolve(&scopes, &key) {
                    self.changed = true;
                    effects.extend(self.perform(action));
                }
            }
        }
        self.reckon();
        self.follow_data();
        effects.extend(self.wanted());
        self.answer_from_recording(effects)
    }

    /// Whether letters are text.
    pub(crate) fn is_typing(&self) -> bool {
        match self.screen {
            Screen::Sweep => self.sweep_screen.typing,
            Screen::Log => self.log_screen.typing,
            _ => false,
        }
    }

    /// Reckons the end of the sweep at most once a second: it is the only thing on screen whose cost
    /// grows with the number of trials.
    fn reckon(&mut self) {
        let Some(sweep) = &self.sweep else { return };
        let due = self.reckoned.is_none_or(|at| (self.now_ms - at).abs() >= RECKON_MS);
        if due && !self.is_stale() {
            self.seconds_left = eta::sweep_seconds(sweep);
            self.reckoned = Some(self.now_ms);
        }
    }

    /// Brings what screens keep of the data up to date.
    fn follow_data(&mut self) {
        let Some(sweep) = &self.sweep else { return };
        self.grid.follow(sweep, &self.sweep_screen.expanded);
        match self.screen {
            // The two costliest things of a second never fall into one frame.
            Screen::Sweep => {
                let reckoned = self.reckoned == Some(self.now_ms);
                self.sweep_screen.follow(sweep, self.now_ms, reckoned);
            }
            Screen::Log => self.log_screen.follow(&sweep.log),
            _ => {}
        }
    }

    /// Whether the screen may look different since this was last asked.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// The coordinator's clock now.
    pub(crate) fn server_now_ms(&self, sweep: &Sweep) -> i64 {
        // Without a link time stands still: nothing is known after the last update.
        let now_ms = if self.is_stale() { self.updated_ms } else { self.now_ms };
        now_ms + sweep.clock_ahead_ms
    }

    /// Whether what is shown may be out of date.
    pub(crate) fn is_stale(&self) -> bool {
        matches!(self.link, Link::Down { .. } | Link::NoSweep)
    }

    /// The trial that is chosen, by the user or because it runs.
    pub(crate) fn selected(&self) -> Option<&Trial> {
        let sweep = self.sweep.as_ref()?;
        let chosen = self.chosen.as_ref().and_then(|name| sweep.trial(name));
        chosen.or_else(|| selection::automatic(sweep))
    }

    /// Time passed: spinners and clocks move, notices go.
    fn tick(&mut self, before_ms: i64) {
        let expired = self.notice.as_ref().is_some_and(|n| n.until_ms <= self.now_ms);
        if expired {
            self.notice = None;
        }
        let active = self.sweep.as_ref().is_some_and(|s| s.state == SweepState::Active);
        let second = before_ms / 1000 != self.now_ms / 1000;
        self.changed |= expired || (active && !self.is_stale()) || (second && self.sweep.is_some());
    }

    fn note(&mut self, answer: Result<String, String>) {
        let failed = answer.is_err();
        let text = answer.unwrap_or_else(|error| error);
        self.notice = Some(Notice { text, failed, until_ms: self.now_ms + NOTICE_MS });
        self.changed = true;
    }
}
