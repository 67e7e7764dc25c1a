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

fn say(model: &mut Model, text: &str) -> Vec<Effect> {
    text.chars().flat_map(|c| press(model, c)).collect()
}

#[test]
fn a_command_is_chosen_by_its_letters_and_done() {
    let mut model = fixture::model(fixture::running());
    say(&mut model, ":lay");
    assert!(screen(&model).contains("▸ layers"));
    key(&mut model, KeyCode::Enter);
    assert!(screen(&model).contains("resnet18 · 2 bits") && !screen(&model).contains(":lay"));
    say(&mut model, ":canc");
    assert_eq!(key(&mut model, KeyCode::Enter), []);
    assert!(screen(&model).contains("Cancel the sweep?"));
    key(&mut model, KeyCode::Esc);
    say(&mut model, ":nonsense");
    assert_eq!(key(&mut model, KeyCode::Enter), []);
    assert!(screen(&model).contains("no command \"nonsense\""));
}

#[test]
fn deleting_nothing_closes_the_palette() {
    let mut model = fixture::model(fixture::running());
    press(&mut model, ':');
    press(&mut model, 'a');
    key(&mut model, KeyCode::Backspace);
    assert!(screen(&model).contains(":█"));
    key(&mut model, KeyCode::Backspace);
    assert!(!screen(&model).contains(":█"));
}

#[test]
fn the_id_of_the_chosen_trial_is_copied_and_the_result_said() {
    let mut model = fixture::model(fixture::running());
    let text = format!("{}/resnet18-2-s0", fixture::SWEEP);
    assert_eq!(press(&mut model, 'i'), [Effect::Copy { text: text.clone() }]);
    model.update(Event::CommandDone(Ok(format!("copied {text}"))), NOW_MS);
    assert!(screen(&model).contains(&format!("copied {text}")));
    let mut none = Model::new(LeaveQuestion::Plain, NOW_MS);
    assert_eq!(press(&mut none, 'i'), []);
    assert!(screen(&none).contains("nothing to copy"));
}

/// The CSV that `e` writes on the screen that `keys` lead to.
fn written(keys: &str) -> (String, String) {
    let mut model = fixture::model(fixture::more::paired());
    for c in keys.chars() {
        for effect in press(&mut model, c) {
            if let Effect::FetchLayers { trial_id } = effect {
                let layers = Ok(fixture::more::layers(2, 1, true));
                model.update(Event::Layers { trial_id, layers }, NOW_MS);
            }
        }
    }
    match press(&mut model, 'e').as_slice() {
        [Effect::Write { name, content }] => (name.clone(), content.clone()),
        other => panic!("{keys}: {other:?}"),
    }
}

#[test]
fn what_is_on_screen_is_written_as_csv() {
    let (name, sweep) = written("1");
    assert_eq!(name, "quickstart-sweep.csv");
    assert!(
        sweep.lines().count() == 13 && sweep.contains("resnet18-4-s0,resnet18,4,4,0,quantized")
    );
    let (name, sizes) = written("2");
    assert_eq!(name, "quickstart-compare.csv");
    assert!(sizes.lines().count() == 13 && sizes.contains("bit_operations"));
    let layers = written("4").1;
    assert_eq!(layers.lines().count(), 1 + 2 * 8);
    assert!(layers.contains("everything pruned"));
    for keys in ["3", "5", "6"] {
        assert!(written(keys).1.lines().count() > 1, "{keys}");
    }
}

#[test]
fn a_picture_of_the_screen_is_asked_for_by_name() {
    let mut model = fixture::model(fixture::running());
    press(&mut model, '2');
    let name = "quickstart-compare.svg".to_owned();
    assert_eq!(press(&mut model, 'E'), [Effect::Picture { name }]);
}

#[test]
fn eight_trials_are_marked_at_most() {
    let mut model = fixture::model(fixture::finished());
    say(&mut model, "v");
    key(&mut model, KeyCode::Home);
    for _ in 0..8 {
        say(&mut model, "mj");
    }
    say(&mut model, "m");
    assert!(screen(&model).contains("8 trials are marked already"));
    let compared = |model: &mut Model| {
        press(model, '2');
        let count = screen(model).matches("━━ ").count();
        press(model, '1');
        count
    };
    assert_eq!(compared(&mut model), 8);
    say(&mut model, "km");
    assert_eq!(compared(&mut model), 7);
}

#[test]
fn a_marked_trial_brings_the_one_its_gap_refers_to() {
    let mut model = fixture::model(fixture::running());
    say(&mut model, "m2");
    let shown = screen(&model);
    assert!(shown.contains("━━ resnet18-2-s0") && shown.contains("━━ resnet18-32-s0"), "{shown}");
    assert!(!shown.contains("━━ resnet18-4-s0"));
}

#[test]
fn how_it_was_looked_at_is_taken_up_again() {
    let text = "screen = \"sweep\"\ntheme = \"light\"\nsort = \"gap\"\nlist = true\nlater = 1\n";
    let preferences: bitsweep_tui::Preferences = toml::from_str(text).unwrap();
    let mut model = fixture::model(fixture::running());
    let themes = ["okabe-ito", "light"].map(str::to_owned).to_vec();
    model.prefer(&preferences, themes.clone());
    model.update(Event::Tick, NOW_MS);
    assert!(screen(&model).contains("12 of 12 trials  by gap"));
    let unknown = bitsweep_tui::Preferences {
        screen: Some("gone".to_owned()),
        theme: Some("gone".to_owned()),
        ..Default::default()
    };
    model.prefer(&unknown, themes);
    assert!(screen(&model).contains("top-1 % on"));
}

#[test]
fn the_list_is_filtered_as_it_is_typed() {
    let mut model = fixture::model(fixture::failed());
    say(&mut model, "/resnet34");
    assert!(screen(&model).contains("4 of 12 trials  /resnet34█"));
    say(&mut model, " diver");
    assert!(screen(&model).contains("1 of 12 trials"));
    key(&mut model, KeyCode::Enter);
    assert_eq!(key(&mut model, KeyCode::Down), []);
    assert!(screen(&model).contains("✖ resnet34 · 3 bits"));
    key(&mut model, KeyCode::Esc);
    key(&mut model, KeyCode::Esc);
    assert!(screen(&model).contains("top-1 % on"));
}

#[test]
fn an_epoch_more_brings_its_layers_and_a_late_answer_is_said() {
    let mut model = fixture::model(fixture::running());
    let trial_id = fixture::more::id(0, 2);
    let fetch = Effect::FetchLayers { trial_id: trial_id.clone() };
    assert!(press(&mut model, '4').contains(&fetch));
    let layers = Ok(fixture::more::layers(2, 2, false));
    model.update(Event::Layers { trial_id: trial_id.clone(), layers }, NOW_MS);
    assert!(screen(&model).contains("epoch 2 of 2"));
    let later = Update::Trial(fixture::trial(0, 3).running("gpu02", 240, 640.0));
    assert!(send(&mut model, later).contains(&fetch));
    let layers = Err("the coordinator does not answer".to_owned());
    model.update(Event::Layers { trial_id, layers }, NOW_MS);
    let shown = screen(&model);
    assert!(shown.contains("the coordinator does not answer") && shown.contains("epoch 2 of 2"));
}

#[test]
fn lines_of_one_trial_alone_are_shown_on_request() {
    let mut model = fixture::model(fixture::running());
    say(&mut model, "6t");
    let shown = screen(&model);
    assert!(shown.contains("only trial resnet18-2-s0") && shown.contains("1 line, following"));
    key(&mut model, KeyCode::Esc);
    say(&mut model, "w");
    assert!(screen(&model).contains("only worker gpu02"));
    key(&mut model, KeyCode::Esc);
    assert!(screen(&model).contains("12 lines, following"));
}

#[test]
fn settings_of_a_trial_that_others_do_not_have_are_named() {
    let mut snapshot = fixture::running();
    let spec = snapshot.trials[3].spec.as_mut().unwrap();
    spec.train.as_mut().unwrap().learning_rate = 0.01;
    let mut model = fixture::model(snapshot);
    press(&mut model, '3');
    assert!(screen(&model).contains("own    learning-rate 0.01 (0.1)"), "{}", screen(&model));
    let mut usual = fixture::model(fixture::running());
    press(&mut usual, '3');
    assert!(!screen(&usual).contains("own    "));
}

fn recording() -> bitsweep_tui::Recording {
    let id = fixture::more::id(0, 2);
    let series = std::collections::HashMap::from([(id.clone(), fixture::losses(316))]);
    let layers = std::collections::HashMap::from([(id, fixture::more::layers(2, 4, true))]);
    bitsweep_tui::Recording::of_sweep(fixture::finished(), series, layers)
}

#[test]
fn a_recording_plays_from_its_start_to_its_end_under_the_same_fold() {
    let mut model = Model::replaying(recording(), NOW_MS);
    assert!(screen(&model).contains("0 of 12 done"), "{}", screen(&model));
    assert!(screen(&model).contains("▸ replay  12:04:31"));
    let mut now_ms = NOW_MS;
    for _ in 0..700 {
        now_ms += 100;
        assert_eq!(model.update(Event::Tick, now_ms), []);
    }
    let shown = screen(&model);
    assert!(shown.contains("12 of 12 done") && shown.contains("⏸ replay"), "{shown}");
}

#[test]
fn time_in_a_recording_goes_both_ways() {
    let mut model = Model::replaying(recording(), NOW_MS);
    let control = |c| Event::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL));
    press(&mut model, ' ');
    model.update(control('e'), NOW_MS);
    assert!(screen(&model).contains("12 of 12 done"));
    let last = screen(&model);
    for _ in 0..60 {
        press(&mut model, ',');
    }
    assert!(screen(&model).contains("0 of 12 done"), "{}", screen(&model));
    for _ in 0..60 {
        press(&mut model, '.');
    }
    assert_eq!(screen(&model), last);
}

#[test]
fn a_recording_has_its_points_and_layers_and_takes_no_orders() {
    let mut model = Model::replaying(recording(), NOW_MS);
    model.update(Event::Key(KeyEvent::new(KeyCode::Char('e'), KeyModifiers::CONTROL)), NOW_MS);
    say(&mut model, "/resnet18-2");
    key(&mut model, KeyCode::Enter);
    key(&mut model, KeyCode::Down);
    assert_eq!(press(&mut model, '4'), []);
    assert!(screen(&model).contains("epoch 4 of 4"), "{}", screen(&model));
    assert_eq!(press(&mut model, '3'), []);
    assert!(!screen(&model).contains("no step yet"));
    assert_eq!(press(&mut model, 'x'), []);
    assert!(screen(&model).contains("this is a recording"));
}
