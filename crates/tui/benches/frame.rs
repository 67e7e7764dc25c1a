//! What a frame of a large sweep costs: `cargo bench -p bitsweep-tui --bench frame [-- TRIALS]`.
//!
//! Every frame takes in the updates of a thirtieth of a second (progress of running trials, a trial
//! that ends, points and a log line, now and then a key) and draws 200 × 50 characters, with the
//! comparison to the frame before. Prints JSON, in milliseconds of processor time, so that other
//! programs on the machine do not count; `wall` is what the clock says.

use std::error::Error;
use std::io::{Write, stdout};
use std::time::{Duration, Instant};

use bitsweep_proto::v1;
use bitsweep_tui::{Appearance, Event, draw};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use rustix::time::{ClockId, clock_gettime};
use v1::watch_update::Update;

#[path = "../tests/fixture/mod.rs"]
mod fixture;

const FRAMES: usize = 600;
const FRAME_MS: i64 = 33;
/// Updates a frame: a thousand running trials that report every two seconds.
const PROGRESS_A_FRAME: usize = 16;

/// Screens by the keys that lead to them, and the keys that are pressed there.
const SCREENS: [(&str, &str, &str); 6] = [
    ("matrix", "1", "jl"),
    ("list", "1v", "jjjjk"),
    ("list_sorted", "1s", "j"),
    ("compare", "2", "hj"),
    ("workers", "5", "j"),
    ("log", "6", "k"),
];

fn main() -> Result<(), Box<dyn Error>> {
    let trials = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(10_000);
    let snapshot = fixture::more::large(trials);
    let started = Instant::now();
    let mut first = fixture::model(snapshot.clone());
    first.update(Event::Tick, fixture::NOW_MS);
    let mut terminal = Terminal::new(TestBackend::new(200, 50))?;
    let appearance = Appearance::full();
    terminal.draw(|frame| draw(frame.buffer_mut(), &first, &appearance))?;
    let first_frame = started.elapsed();
    writeln!(
        stdout(),
        "{{\"trials\": {trials}, \"first_frame_ms\": {:.2},",
        first_frame.as_secs_f64() * 1e3
    )?;
    let (mut busy, mut wall) = (Vec::new(), Vec::new());
    for (name, keys, pressed) in SCREENS {
        let (mut spent, clock) = screen(&snapshot, keys, pressed)?;
        busy.extend_from_slice(&spent);
        wall.extend(clock);
        let (p50, p99) = percentiles(&mut spent);
        writeln!(stdout(), " \"{name}\": {{\"p50_ms\": {p50:.3}, \"p99_ms\": {p99:.3}}},")?;
    }
    let (p50, p99) = percentiles(&mut wall);
    writeln!(stdout(), " \"wall\": {{\"p50_ms\": {p50:.3}, \"p99_ms\": {p99:.3}}},")?;
    let (p50, p99) = percentiles(&mut busy);
    let memory = memory_mb().map_or_else(|| "null".to_owned(), |mb| format!("{mb:.0}"));
    writeln!(
        stdout(),
        " \"memory_mb\": {memory}, \"frame_p50_ms\": {p50:.3}, \"frame_p99_ms\": {p99:.3}}}"
    )?;
    Ok(())
}

/// Most memory that was in use at once, the canned sweep and its copies included; on Linux.
fn memory_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes / 1000.0)
}

fn percentiles(spent: &mut [f64]) -> (f64, f64) {
    spent.sort_by(f64::total_cmp);
    let at = |share: f64| spent[((spent.len() - 1) as f64 * share).round() as usize];
    (at(0.50), at(0.99))
}

/// Processor time of this thread.
fn busy() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// Milliseconds of each frame: of the processor, and by the clock.
fn screen(
    snapshot: &v1::SweepSnapshot,
    keys: &str,
    pressed: &str,
) -> Result<(Vec<f64>, Vec<f64>), Box<dyn Error>> {
    let mut model = fixture::model(snapshot.clone());
    let mut terminal = Terminal::new(TestBackend::new(200, 50))?;
    let appearance = Appearance::full();
    let mut now_ms = fixture::NOW_MS;
    let press = |c: char| Event::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
    keys.chars().for_each(|c| drop(model.update(press(c), now_ms)));
    let running: Vec<&v1::TrialStatus> =
        snapshot.trials.iter().filter(|t| t.state() == v1::TrialState::Running).collect();
    let (mut spent, mut wall) = (Vec::with_capacity(FRAMES), Vec::with_capacity(FRAMES));
    for frame in 0..FRAMES {
        now_ms += FRAME_MS;
        let events = updates(&running, frame, now_ms, press(cycle(pressed, frame)));
        let (started, before) = (Instant::now(), busy());
        for event in events {
            model.update(event, now_ms);
        }
        terminal.draw(|frame| draw(frame.buffer_mut(), &model, &appearance))?;
        spent.push((busy() - before).as_secs_f64() * 1e3);
        wall.push(started.elapsed().as_secs_f64() * 1e3);
    }
    Ok((spent, wall))
}

fn cycle(keys: &str, at: usize) -> char {
    keys.chars().nth(at % keys.len()).unwrap_or('j')
}

fn updates(running: &[&v1::TrialStatus], frame: usize, now_ms: i64, key: Event) -> Vec<Event> {
    let update = |update| Event::Update(Box::new(fixture::update(update)));
    let mut events = Vec::new();
    for n in 0..PROGRESS_A_FRAME {
        let Some(trial) = running.get((frame * PROGRESS_A_FRAME + n) % running.len().max(1)) else {
            continue;
        };
        let progress = trial.progress.map(|mut p| {
            p.step += frame as u64 % 20;
            p.images_per_second += (frame % 7) as f64;
            p
        });
        let trial_id = trial.trial_id.clone();
        let changed = v1::ProgressUpdate { trial_id, progress, time_ms: now_ms };
        events.push(update(Update::Progress(changed)));
    }
    if let Some(trial) = running.get(frame % running.len().max(1)) {
        events.push(update(Update::Trial((*trial).clone())));
    }
    let line = fixture::log(0, v1::Level::Info, "gpu0001", "", "epoch 1 of 4, top-1 84.12 %");
    events.push(update(Update::Log(line)));
    if frame.is_multiple_of(3) {
        events.push(key);
    }
    if frame.is_multiple_of(8) {
        events.push(Event::Tick);
    }
    events
}
