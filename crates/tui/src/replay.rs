//! Shows a recording: the dashboard without a coordinator.

use std::time::Duration;

use crossterm::event::EventStream;
use futures_util::StreamExt;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::appearance::Appearance;
use crate::clock::now_ms;
use crate::dashboard::{local, terminal_event};
use crate::error::TuiError;
use crate::memory;
use crate::model::{Effect, Event, Model};
use crate::recording::Recording;
use crate::terminal::Screen;

/// Time between two frames while it plays: smooth enough for a slider.
const FRAME: Duration = Duration::from_millis(100);

/// Plays `recording` until the user leaves or `shutdown` is cancelled.
///
/// # Errors
/// When the terminal cannot be used.
pub async fn replay(
    recording: Recording,
    mut appearance: Appearance,
    shutdown: CancellationToken,
) -> Result<(), TuiError> {
    let (themes, _) = memory::themes();
    appearance.themes.extend(themes);
    let mut screen = Screen::open().map_err(TuiError::Terminal)?;
    let mut model = Model::replaying(recording, now_ms());
    let names = appearance.themes.iter().map(|t| t.name().to_owned()).collect();
    model.prefer(&memory::recall(), names);
    let mut keys = EventStream::new();
    let mut ticks = interval(FRAME);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        if model.take_changed() {
            screen.draw(&model, &appearance).map_err(TuiError::Terminal)?;
        }
        let event = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            key = keys.next() => match key {
                Some(Ok(event)) => terminal_event(event),
                Some(Err(error)) => return Err(TuiError::Terminal(error)),
                None => return Ok(()),
            },
            _ = ticks.tick() => Some(Event::Tick),
        };
        let Some(event) = event else { continue };
        let mut effects = model.update(event, now_ms());
        while let Some(effect) = effects.pop() {
            if let Effect::Exit(_) = effect {
                memory::remember(&model.preferences());
                return Ok(());
            }
            if let Some(answer) = local(effect, &mut screen, &model, &appearance) {
                effects.extend(model.update(Event::CommandDone(answer), now_ms()));
            }
        }
    }
}
