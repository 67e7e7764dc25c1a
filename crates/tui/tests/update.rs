//! How the model answers keys, updates and the passing of time.

#![allow(clippy::unwrap_used)]

mod fixture;

use bitsweep_proto::v1;
use bitsweep_tui::{Appearance, Command, Effect, Event, Exit, LeaveQuestion, Link, Model, draw};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use fixture::NOW_MS;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use v1::watch_update::Update;

fn screen(model: &Model) -> String {
    let mut buffer = Buffer::empty(Rect::new(0, 0, 120, 40));
    draw(&mut buffer, model, &Appearance::full());
    let row = |y| (0..120).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..40).map(row).collect::<Vec<_>>().join("\n")
}

fn key(model: &mut Model, code: KeyCode) -> Vec<Effect> {
    model.update(Event::Key(KeyEvent::new(code, KeyModifiers::NONE)), NOW_MS)
}

fn press(model: &mut Model, c: char) -> Vec<Effect> {
    key(model, KeyCode::Char(c))
}

fn interrupt(model: &mut Model) -> Vec<Effect> {
    model.update(Event::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)), NOW_MS)
}

fn send(model: &mut Model, update: Update) -> Vec<Effect> {
    model.update(Event::Update(Box::new(fixture::update(update))), NOW_MS)
}

#[test]
fn updates_replace_what_they_name() {
    let mut model = fixture::model(fixture::running());
    send(&mut model, Update::Trial(fixture::trial(1, 2).finished("gpu03")));
    assert!(screen(&model).contains("8 of 12 done"));
    let progress = v1::Progress {
        phase: v1::Phase::Training.into(),
        step: 300,
        total_steps: 316,
        epoch: 4,
        total_epochs: 4,
        images_per_second: 700.0,
        loss: None,
    };
    let trial_id = format!("{}/resnet18-2-s0", fixture::SWEEP);
    let time_ms = NOW_MS;
    send(
        &mut model,
        Update::Progress(v1::ProgressUpdate { trial_id, progress: Some(progress), time_ms }),
    );
    assert!(screen(&model).contains("94%") && screen(&model).contains("epoch 4 of 4"));
    let line = fixture::log(0, v1::Level::Warn, "gpu02", "", "disk is nearly full");
    send(&mut model, Update::Log(line));
    assert!(screen(&model).contains("gpu02 disk is nearly full"));
    send(&mut model, Update::Worker(fixture::worker("gpu04", &[])));
    assert!(screen(&model).contains("3 workers"));
    let mut summary = fixture::finished().summary.unwrap();
    summary.name = "renamed".to_owned();
    send(&mut model, Update::Summary(summary));
    assert!(screen(&model).contains("renamed") && screen(&model).contains("✔ finished"));
}

#[test]
fn an_update_before_the_first_snapshot_is_nothing() {
    let mut model = Model::new(LeaveQuestion::Plain, NOW_MS);
    send(&mut model, Update::Trial(fixture::trial(0, 0).ready()));
    assert!(screen(&model).contains("Waiting for the first data"));
}

#[test]
fn a_trial_that_cannot_be_read_is_said_and_the_rest_is_shown() {
    let mut snapshot = fixture::running();
    snapshot.trials[11].spec.as_mut().unwrap().model.as_mut().unwrap().network = 99;
    let shown = screen(&fixture::model(snapshot));
    assert!(shown.contains("1 not readable") && shown.contains("7 of 11 done"));
}

#[test]
fn what_runs_is_chosen_until_the_user_chooses() {
    let mut model = fixture::model(fixture::running());
    assert!(screen(&model).contains("resnet18 · 2 bits"));
    send(&mut model, Update::Trial(fixture::trial(0, 3).finished("gpu02")));
    assert!(screen(&model).contains("resnet34 · 3 bits"));
    press(&mut model, 'k');
    press(&mut model, 'h');
    assert!(screen(&model).contains("resnet18 · 4 bits"));
    send(&mut model, Update::Trial(fixture::trial(1, 3).running("gpu02", 10, 300.0)));
    assert!(screen(&model).contains("resnet18 · 4 bits"));
}

#[test]
fn opening_a_trial_fetches_its_points_once() {
    let mut model = fixture::model(fixture::running());
    let trial_id = format!("{}/resnet18-2-s0", fixture::SWEEP);
    let fetch = vec![Effect::FetchSeries { trial_id: trial_id.clone() }];
    assert_eq!(key(&mut model, KeyCode::Enter), fetch);
    assert_eq!(press(&mut model, '1'), []);
    assert_eq!(press(&mut model, '3'), []);
    model.update(Event::Series { trial_id, series: Ok(fixture::losses(100)) }, NOW_MS);
    assert!(!screen(&model).contains("no step yet"));
    // A new snapshot means that points may have been missed.
    assert_eq!(send(&mut model, Update::Snapshot(fixture::running())), fetch);
}

#[test]
fn a_failed_fetch_is_said_and_not_repeated_at_once() {
    let mut model = fixture::model(fixture::running());
    press(&mut model, '3');
    let trial_id = format!("{}/resnet18-2-s0", fixture::SWEEP);
    let series = Err("no points: disk error".to_owned());
    assert_eq!(model.update(Event::Series { trial_id, series }, NOW_MS), []);
    assert!(screen(&model).contains("no points: disk error"));
}

#[test]
fn leaving_asks_only_where_the_sweep_would_end_with_it() {
    let mut plain = fixture::model(fixture::running());
    assert_eq!(press(&mut plain, 'q'), [Effect::Exit(Exit::Left)]);

    let ask = || fixture::model_with(fixture::running(), LeaveQuestion::AskStop);
    let mut model = ask();
    assert_eq!(press(&mut model, 'q'), []);
    assert_eq!(press(&mut model, 's'), [Effect::Exit(Exit::StopRequested)]);
    let mut model = ask();
    press(&mut model, 'q');
    assert_eq!(press(&mut model, 'k'), [Effect::Exit(Exit::KeepRunning)]);
    let mut model = ask();
    press(&mut model, 'q');
    assert_eq!(key(&mut model, KeyCode::Esc), []);
    assert!(!screen(&model).contains("Leave?"));

    let mut over = fixture::model_with(fixture::finished(), LeaveQuestion::AskStop);
    assert_eq!(press(&mut over, 'q'), [Effect::Exit(Exit::Left)]);
}

#[test]
fn a_second_ctrl_c_stops_the_sweep() {
    let mut model = fixture::model_with(fixture::running(), LeaveQuestion::AskStop);
    assert_eq!(interrupt(&mut model), []);
    assert_eq!(interrupt(&mut model), [Effect::Exit(Exit::StopRequested)]);
}

#[test]
fn cancelling_asks_first() {
    let cancel = Effect::Send { command: Command::Cancel, sweep: fixture::SWEEP.to_owned() };
    let mut model = fixture::model(fixture::running());
    assert_eq!(press(&mut model, 'x'), []);
    assert_eq!(press(&mut model, 'n'), []);
    assert_eq!(press(&mut model, 'y'), []);
    press(&mut model, 'x');
    assert_eq!(press(&mut model, 'y'), [cancel]);
    let mut over = fixture::model(fixture::finished());
    assert_eq!(press(&mut over, 'x'), []);
    assert!(screen(&over).contains("nothing to cancel"));
}

#[test]
fn resuming_needs_something_to_resume() {
    let mut model = fixture::model(fixture::running());
    assert_eq!(press(&mut model, 'R'), []);
    assert!(screen(&model).contains("nothing to resume"));
    let resume = Effect::Send { command: Command::Resume, sweep: fixture::SWEEP.to_owned() };
    let mut failed = fixture::model(fixture::failed_for_good());
    assert_eq!(press(&mut failed, 'R'), [resume]);
    failed.update(Event::CommandDone(Ok("resumed 2 trials".to_owned())), NOW_MS);
    assert!(screen(&failed).contains("resumed 2 trials"));
    failed.update(Event::Tick, NOW_MS + 7_000);
    assert!(!screen(&failed).contains("resumed 2 trials"));
}

#[test]
fn nothing_is_redrawn_while_nothing_changes() {
    let mut model = fixture::model(fixture::finished());
    assert!(model.take_changed());
    model.update(Event::Tick, NOW_MS + 250);
    model.update(Event::Tick, NOW_MS + 500);
    press(&mut model, 'Z');
    assert!(!model.take_changed());
    let mut running = fixture::model(fixture::running());
    running.take_changed();
    running.update(Event::Tick, NOW_MS + 250);
    assert!(running.take_changed());
}

#[test]
fn time_stands_still_while_the_link_is_down_and_goes_on_after() {
    let mut model = fixture::stale();
    let shown = screen(&model);
    assert!(shown.contains("reconnecting… data from 12:08:43") && shown.contains("4:12 elapsed"));
    model.update(Event::Tick, NOW_MS + 60_000);
    assert!(screen(&model).contains("4:12 elapsed"));
    model.update(Event::Link(Link::Connected), NOW_MS + 60_000);
    assert!(screen(&model).contains("5:12 elapsed"));
}

#[test]
fn a_clock_that_is_wrong_here_does_not_change_what_is_shown() {
    let mut model = Model::new(LeaveQuestion::Plain, 0);
    let update = fixture::update(Update::Snapshot(fixture::running()));
    model.update(Event::Update(Box::new(update)), 0);
    assert!(screen(&model).contains("4:12 elapsed"));
}

#[test]
fn a_search_takes_letters_that_are_commands_elsewhere() {
    let mut model = fixture::model(fixture::running());
    press(&mut model, '6');
    press(&mut model, '/');
    for c in "queue".chars() {
        assert_eq!(press(&mut model, c), []);
    }
    assert!(screen(&model).contains("/queue") && screen(&model).contains("No line has this text"));
    key(&mut model, KeyCode::Esc);
    assert!(screen(&model).contains("sweep quickstart submitted"));
}

#[test]
fn a_worker_leads_to_its_trial() {
    let mut model = fixture::model(fixture::running());
    press(&mut model, '5');
    press(&mut model, 'j');
    key(&mut model, KeyCode::Enter);
    assert!(
        screen(&model).contains("resnet34 · 3 bits") && screen(&model).contains("training loss")
    );
}
