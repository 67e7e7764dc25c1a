//! The loop around the model: events in, effects out, a frame when something changed.

use std::collections::VecDeque;
use std::time::Duration;

use crossterm::event::{Event as TerminalEvent, EventStream, KeyEventKind};
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::appearance::Appearance;
use crate::clock::now_ms;
use crate::error::TuiError;
use crate::files::write_new;
use crate::link::{Connection, Target};
use crate::memory;
use crate::model::{Effect, Event, Exit, Model};
use crate::options::DashboardOptions;
use crate::screenshot::screenshot;
use crate::terminal::Screen;
use crate::view_model::mark::SPINNER_MS;

/// At most thirty frames a second.
const FRAME: Duration = Duration::from_millis(33);
/// Updates that wait for the model; a slow terminal holds the stream back rather than memory.
const EVENTS: usize = 1024;

/// Shows the dashboard until the user leaves it. A sweep that ends stays on screen.
///
/// # Errors
/// When nobody answers at first, the coordinator refuses, or the terminal cannot be used.
pub async fn dashboard(mut options: DashboardOptions) -> Result<Exit, TuiError> {
    let (sender, mut updates) = mpsc::channel(EVENTS);
    let target = Target { address: options.address, sweep: options.sweep };
    let connection = Connection::open(target, sender).await?;
    let (themes, wrong) = memory::themes();
    options.appearance.themes.extend(themes);
    let mut screen = Screen::open().map_err(TuiError::Terminal)?;
    let mut model = Model::new(options.leave, now_ms());
    let mut remembered = memory::recall();
    let names = options.appearance.themes.iter().map(|t| t.name().to_owned()).collect();
    model.prefer(&remembered, names);
    for error in wrong {
        model.update(Event::CommandDone(Err(error.to_string())), now_ms());
    }
    let mut keys = EventStream::new();
    let mut ticks = interval(Duration::from_millis(SPINNER_MS.unsigned_abs()));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut next_frame = Instant::now();
    let mut dirty = true;
    loop {
        let event = tokio::select! {
            biased;
            () = options.shutdown.cancelled() => return Ok(model.closed(Exit::StopRequested)),
            key = keys.next() => match key {
                Some(Ok(event)) => terminal_event(event),
                Some(Err(error)) => return Err(TuiError::Terminal(error)),
                // The terminal is gone.
                None => return Ok(model.closed(Exit::KeepRunning)),
            },
            () = sleep_until(next_frame), if dirty => {
                screen.draw(&model, &options.appearance).map_err(TuiError::Terminal)?;
                dirty = false;
                next_frame = Instant::now() + FRAME;
                None
            }
            Some(update) = updates.recv() => Some(update),
            _ = ticks.tick() => Some(Event::Tick),
        };
        let Some(event) = event else { continue };
        let pressed = matches!(event, Event::Key(_));
        let mut effects: VecDeque<Effect> = model.update(event, now_ms()).into();
        while let Some(effect) = effects.pop_front() {
            let answer = match effect {
                Effect::FetchSeries { trial_id } => {
                    connection.fetch_series(trial_id);
                    continue;
                }
                Effect::FetchLayers { trial_id } => {
                    connection.fetch_layers(trial_id);
                    continue;
                }
                Effect::Send { command, sweep } => {
                    connection.send(command, sweep);
                    continue;
                }
                Effect::Exit(exit) => {
                    memory::remember(&model.preferences());
                    return Ok(exit);
                }
                effect => local(effect, &mut screen, &model, &options.appearance),
            };
            let Some(answer) = answer else { continue };
            effects.extend(model.update(Event::CommandDone(answer), now_ms()));
        }
        if pressed && model.preferences() != remembered {
            remembered = model.preferences();
            memory::remember(&remembered);
        }
        dirty |= model.take_changed();
    }
}

/// Does what needs no coordinator; `None`: it does.
pub(crate) fn local(
    effect: Effect,
    screen: &mut Screen,
    model: &Model,
    appearance: &Appearance,
) -> Option<Result<String, String>> {
    match effect {
        Effect::Copy { text } => Some(screen.copy(&text)),
        Effect::Write { name, content } => Some(written(&name, content.as_bytes())),
        Effect::Picture { name } => {
            let (width, height) = screen.size();
            Some(written(&name, screenshot(model, width, height, appearance).as_bytes()))
        }
        Effect::FetchSeries { .. }
        | Effect::FetchLayers { .. }
        | Effect::Send { .. }
        | Effect::Exit(_) => None,
    }
}

/// Writes a file into the working folder and says so.
fn written(name: &str, content: &[u8]) -> Result<String, String> {
    let folder = std::env::current_dir().map_err(|e| format!("no working folder: {e}"))?;
    write_new(&folder, name, content).map(|path| format!("wrote {}", path.display()))
}

pub(crate) fn terminal_event(event: TerminalEvent) -> Option<Event> {
    match event {
        TerminalEvent::Key(key) if key.kind != KeyEventKind::Release => Some(Event::Key(key)),
        TerminalEvent::Resize(..) => Some(Event::Resize),
        _ => None,
    }
}
