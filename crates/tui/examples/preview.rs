//! Shows the dashboard over a canned sweep, without a coordinator:
//! `cargo run -p bitsweep-tui --example preview [empty|running|failed|finished|silent|stale]`.
//! With `svg WIDTH HEIGHT [screen]` it prints a picture instead.

use std::error::Error;
use std::io::{Write, stdout};
use std::time::Duration;

use bitsweep_tui::{Appearance, Effect, Event, Exit, LeaveQuestion, Model, draw, screenshot};
use crossterm::event::{Event as TerminalEvent, KeyCode, KeyEvent, KeyModifiers, poll, read};
use jiff::tz::TimeZone;

#[path = "../tests/fixture/mod.rs"]
mod fixture;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let first = arguments.first().map_or("running", String::as_str);
    if first == "svg" {
        return picture(&arguments[1..]);
    }
    let model = match first {
        "empty" => fixture::model(fixture::empty()),
        "failed" => fixture::model(fixture::failed()),
        "finished" => fixture::model(fixture::finished()),
        "silent" => fixture::model(fixture::silent()),
        "stale" => fixture::stale(),
        _ => fixture::model_with(fixture::running(), LeaveQuestion::AskStop),
    };
    let mut terminal = ratatui::init();
    let left = show(&mut terminal, model);
    ratatui::restore();
    writeln!(stdout(), "{:?}", left?)?;
    Ok(())
}

fn show(terminal: &mut ratatui::DefaultTerminal, mut model: Model) -> std::io::Result<Exit> {
    let appearance = Appearance::from_environment(|name| std::env::var(name).ok(), TimeZone::UTC);
    let mut now_ms = fixture::NOW_MS;
    loop {
        if model.take_changed() {
            terminal.draw(|frame| draw(frame.buffer_mut(), &model, &appearance))?;
        }
        let event = if poll(Duration::from_millis(250))? {
            match read()? {
                TerminalEvent::Key(key) => Event::Key(key),
                _ => Event::Resize,
            }
        } else {
            Event::Tick
        };
        now_ms += 250;
        if let Some(exit) = feed(&mut model, event, now_ms) {
            return Ok(exit);
        }
    }
}

/// Plays the coordinator.
fn feed(model: &mut Model, event: Event, now_ms: i64) -> Option<Exit> {
    for effect in model.update(event, now_ms) {
        match effect {
            Effect::FetchSeries { trial_id } => {
                let series = Ok(fixture::losses(196));
                model.update(Event::Series { trial_id, series }, now_ms);
            }
            Effect::Send { command, .. } => {
                let answer = Event::CommandDone(Ok(format!("{command:?} (preview)")));
                model.update(answer, now_ms);
            }
            Effect::Exit(exit) => return Some(exit),
        }
    }
    None
}

fn picture(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse().ok());
    let (width, height) = (number(0).unwrap_or(120), number(1).unwrap_or(32));
    let mut model = fixture::model(fixture::running());
    if let Some(screen) = arguments.get(2).and_then(|text| text.chars().next()) {
        let key = KeyEvent::new(KeyCode::Char(screen), KeyModifiers::NONE);
        feed(&mut model, Event::Key(key), fixture::NOW_MS);
    }
    stdout().write_all(screenshot(&model, width, height, &Appearance::full()).as_bytes())?;
    Ok(())
}
