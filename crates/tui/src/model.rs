//! What the dashboard knows, and how it changes: a pure fold over updates, keys and ticks.
//!
//! The model knows nothing of gRPC's transport or of the terminal: the same fold shows a live
//! coordinator and a recording.

pub(crate) mod action;
mod event;
pub(crate) mod log;
mod perform;
pub(crate) mod series;
pub(crate) mod sweep;
pub(crate) mod trial;
pub(crate) mod worker;

use bitsweep_sweep::TrialName;

pub use event::{Command, Effect, Event, Exit, LeaveQuestion, Link};

use crate::keys;
use crate::screens::log::LogScreen;
use crate::screens::sweep::selection;
use crate::screens::workers::WorkersScreen;
use series::{Fetch, TrialSeries};
use sweep::{Sweep, SweepState};
use trial::Trial;

/// Trials whose points are kept; the longest unseen goes when another is opened.
const SERIES_KEPT: usize = 8;

/// How long the answer to a command is shown.
const NOTICE_MS: i64 = 6000;

/// A screen. They are numbered in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Screen {
    Sweep,
    Trial,
    Workers,
    Log,
}

impl Screen {
    pub(crate) const ALL: [Self; 4] = [Self::Sweep, Self::Trial, Self::Workers, Self::Log];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Sweep => "Sweep",
            Self::Trial => "Trial",
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
    pub(crate) workers_screen: WorkersScreen,
    pub(crate) log_screen: LogScreen,
    pub(crate) notice: Option<Notice>,
    pub(crate) leave: LeaveQuestion,
    /// The last series shown, the newest last.
    seen: Vec<String>,
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
            workers_screen: WorkersScreen::default(),
            log_screen: LogScreen::default(),
            notice: None,
            leave,
            seen: Vec::new(),
            changed: true,
        }
    }

    /// Takes an event in at the time `now_ms` and says what is to be done.
    pub fn update(&mut self, event: Event, now_ms: i64) -> Vec<Effect> {
        let before_ms = std::mem::replace(&mut self.now_ms, now_ms);
        let mut effects = Vec::new();
        match event {
            Event::Tick => self.tick(before_ms),
            Event::Resize => self.changed = true,
            Event::Update(update) => {
                if let Some(update) = update.update {
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
            Event::CommandDone(answer) => self.note(answer),
            Event::Key(key) => {
                let scopes = keys::scopes(self.screen, self.overlay, self.log_screen.typing);
                if let Some(action) = keys::resolve(&scopes, &key) {
                    self.changed = true;
                    effects.extend(self.perform(action));
                }
            }
        }
        effects.extend(self.want_series());
        effects
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

    fn take_series(
        &mut self,
        trial_id: &str,
        answer: Result<Vec<bitsweep_proto::v1::PointBatch>, String>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(sweep) = self.sweep.as_mut() else { return };
        let Some(series) = sweep.series.get_mut(trial_id) else { return };
        self.changed = true;
        match answer {
            Ok(batches) => {
                if !series.answer(batches) {
                    effects.push(Effect::FetchSeries { trial_id: trial_id.to_owned() });
                }
            }
            Err(error) => {
                series.fetch = Fetch::Idle;
                self.note(Err(error));
            }
        }
    }

    /// Asks for the points of the trial on screen when they are not here.
    fn want_series(&mut self) -> Option<Effect> {
        if self.screen != Screen::Trial || self.is_stale() {
            return None;
        }
        let trial_id = self.selected()?.id.as_str().to_owned();
        self.seen.retain(|id| *id != trial_id);
        self.seen.push(trial_id.clone());
        let forgotten = (self.seen.len() > SERIES_KEPT).then(|| self.seen.remove(0));
        let sweep = self.sweep.as_mut()?;
        if let Some(id) = forgotten {
            sweep.series.remove(&id);
        }
        if sweep.series.contains_key(&trial_id) {
            return None;
        }
        sweep.series.insert(trial_id.clone(), TrialSeries::pending());
        Some(Effect::FetchSeries { trial_id })
    }
}
