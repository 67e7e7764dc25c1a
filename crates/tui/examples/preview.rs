//! Shows the dashboard over a canned sweep, without a coordinator:
//! `cargo run -p bitsweep-tui --example preview [empty|running|failed|finished|silent|stale|paired|seeds|imagenet|large|replay]`.
//! With `svg|text WIDTH HEIGHT [STATE [KEYS]]` it prints what KEYS bring up instead.

use std::error::Error;
use std::io::{Write, stdout};
use std::time::Duration;

use bitsweep_tui::{
    Appearance, Effect, Event, Exit, LeaveQuestion, Model, Recording, draw, screenshot,
};
use crossterm::event::{Event as TerminalEvent, KeyCode, KeyEvent, KeyModifiers, poll, read};
use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

#[path = "../tests/fixture/mod.rs"]
mod fixture;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let first = arguments.first().map_or("running", String::as_str);
    if matches!(first, "svg" | "text") {
        return picture(first == "svg", &arguments[1..]);
    }
    let model = state(first);
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
    let mut effects = model.update(event, now_ms);
    while let Some(effect) = effects.pop() {
        let answer = match effect {
            Effect::FetchSeries { trial_id } => {
                Event::Series { trial_id, series: Ok(fixture::losses(196)) }
            }
            Effect::FetchLayers { trial_id } => {
                let bits = if trial_id.contains("-2-") { 2 } else { 4 };
                let collapsed = trial_id.contains("resnet18-2-");
                let layers = Ok(fixture::more::layers(bits, 3, collapsed));
                Event::Layers { trial_id, layers }
            }
            Effect::Copy { .. } | Effect::Write { .. } | Effect::Picture { .. } => {
                Event::CommandDone(Ok("done (preview)".to_owned()))
            }
            Effect::Send { command, .. } => {
                Event::CommandDone(Ok(format!("{command:?} (preview)")))
            }
            Effect::Exit(exit) => return Some(exit),
        };
        effects.extend(model.update(answer, now_ms));
    }
    None
}

fn state(name: &str) -> Model {
    match name {
        "empty" => fixture::model(fixture::empty()),
        "failed" => fixture::model(fixture::failed()),
        "finished" => fixture::model(fixture::finished()),
        "silent" => fixture::model(fixture::silent()),
        "stale" => fixture::stale(),
        "paired" => fixture::model(fixture::more::paired()),
        "seeds" => fixture::model(fixture::more::seeds(5)),
        "imagenet" => fixture::model(fixture::more::imagenet()),
        "large" => fixture::model(fixture::more::large(10_000)),
        "replay" => {
            let all = fixture::more::paired();
            let quantized = (0..3).flat_map(|n| [4, 3, 2].map(|bits| (n, bits)));
            let layers = quantized
                .map(|(n, b)| (fixture::more::id(n, b), fixture::more::layers(b, 4, b == 2)));
            let recording = Recording::of_sweep(all, Default::default(), layers.collect());
            Model::replaying(recording, fixture::NOW_MS)
        }
        _ => fixture::model_with(fixture::running(), LeaveQuestion::AskStop),
    }
}

fn picture(svg: bool, arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse().ok());
    let (width, height) = (number(0).unwrap_or(120), number(1).unwrap_or(32));
    let mut model = state(arguments.get(2).map_or("running", String::as_str));
    feed(&mut model, Event::Tick, fixture::NOW_MS);
    for c in arguments.get(3).map_or("", String::as_str).chars() {
        let code = if c == '\n' { KeyCode::Enter } else { KeyCode::Char(c) };
        feed(&mut model, Event::Key(KeyEvent::new(code, KeyModifiers::NONE)), fixture::NOW_MS);
    }
    if svg {
        let picture = screenshot(&model, width, height, &Appearance::full());
        stdout().write_all(picture.as_bytes())?;
        return Ok(());
    }
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    draw(&mut buffer, &model, &Appearance::full());
    for y in 0..height {
        let line: String = (0..width).map(|x| buffer[(x, y)].symbol()).collect();
        writeln!(stdout(), "{}", line.trim_end())?;
    }
    Ok(())
}
