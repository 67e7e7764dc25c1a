//! What every screen looks like, in every state and size.

#![allow(clippy::unwrap_used)]

mod fixture;

use bitsweep_tui::{Appearance, ColourDepth, Effect, Event, LeaveQuestion, Model, draw};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};

fn render_as(model: &Model, width: u16, height: u16, appearance: &Appearance) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame.buffer_mut(), model, appearance)).unwrap();
    terminal.backend().buffer().clone()
}

fn render(model: &Model, width: u16, height: u16) -> Buffer {
    render_as(model, width, height, &Appearance::full())
}

fn lines(buffer: &Buffer) -> Vec<String> {
    let row = |y| (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..buffer.area.height).map(|y| row(y).trim_end().to_owned()).collect()
}

fn text(buffer: &Buffer) -> String {
    lines(buffer).join("\n")
}

fn press(model: &mut Model, keys: &str) {
    for c in keys.chars() {
        let code = if c == '\n' { KeyCode::Enter } else { KeyCode::Char(c) };
        let key = KeyEvent::new(code, KeyModifiers::NONE);
        for effect in model.update(Event::Key(key), fixture::NOW_MS) {
            answer(model, effect);
        }
    }
}

/// Plays the coordinator.
fn answer(model: &mut Model, effect: Effect) {
    match effect {
        Effect::FetchSeries { trial_id } => {
            let series = Ok(fixture::losses(196));
            model.update(Event::Series { trial_id, series }, fixture::NOW_MS);
        }
        Effect::FetchLayers { trial_id } => {
            let (bits, collapsed) =
                (if trial_id.contains("-2-") { 2 } else { 4 }, trial_id.contains("resnet18-2-"));
            let layers = Ok(fixture::more::layers(bits, 3, collapsed));
            for effect in model.update(Event::Layers { trial_id, layers }, fixture::NOW_MS) {
                answer(model, effect);
            }
        }
        _ => {}
    }
}

const SIZES: [(u16, u16); 5] = [(20, 5), (60, 16), (80, 24), (120, 40), (200, 50)];

fn snapshot_all(name: &str, model: &Model) {
    for (width, height) in SIZES {
        let buffer = render(model, width, height);
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), text(&buffer));
        // Without colours the same is said.
        let plain = Appearance { depth: ColourDepth::None, ..Appearance::full() };
        let poor = render_as(model, width, height, &plain);
        assert_eq!(text(&buffer), text(&poor));
        assert!(poor.content.iter().all(|c| (c.fg, c.bg) == (Color::Reset, Color::Reset)));
    }
}

#[test]
fn sweep_in_every_state() {
    snapshot_all("sweep_empty", &fixture::model(fixture::empty()));
    snapshot_all("sweep_running", &fixture::model(fixture::running()));
    snapshot_all("sweep_failed", &fixture::model(fixture::failed()));
    snapshot_all("sweep_failed_for_good", &fixture::model(fixture::failed_for_good()));
    snapshot_all("sweep_finished", &fixture::model(fixture::finished()));
    snapshot_all("sweep_silent", &fixture::model(fixture::silent()));
    snapshot_all("sweep_stale", &fixture::stale());
}

#[test]
fn before_the_first_snapshot() {
    let mut model = Model::new(LeaveQuestion::Plain, fixture::NOW_MS);
    insta::assert_snapshot!("connecting_80x24", text(&render(&model, 80, 24)));
    model.update(Event::Link(bitsweep_tui::Link::NoSweep), fixture::NOW_MS);
    insta::assert_snapshot!("no_sweep_80x24", text(&render(&model, 80, 24)));
}

#[test]
fn trial_screen() {
    let mut running = fixture::model(fixture::running());
    press(&mut running, "3");
    snapshot_all("trial_running", &running);
    let mut failed = fixture::model(fixture::failed());
    press(&mut failed, "hjk3");
    for _ in 0..3 {
        press(&mut failed, "k");
    }
    press(&mut failed, "jl");
    insta::assert_snapshot!("trial_failed_80x24", text(&render(&failed, 80, 24)));
}

#[test]
fn workers_screen() {
    let mut running = fixture::model(fixture::running());
    press(&mut running, "5");
    snapshot_all("workers_running", &running);
    let mut silent = fixture::model(fixture::silent());
    press(&mut silent, "5");
    insta::assert_snapshot!("workers_silent_80x24", text(&render(&silent, 80, 24)));
    let mut none = fixture::model(fixture::empty());
    press(&mut none, "5");
    insta::assert_snapshot!("workers_none_80x24", text(&render(&none, 80, 24)));
}

#[test]
fn log_screen() {
    let mut model = fixture::model(fixture::running());
    press(&mut model, "6");
    snapshot_all("log", &model);
    press(&mut model, "/resnet34");
    insta::assert_snapshot!("log_searching_80x24", text(&render(&model, 80, 24)));
    press(&mut model, "\nl");
    insta::assert_snapshot!("log_warnings_with_search_80x24", text(&render(&model, 80, 24)));
}

#[test]
fn help_and_questions() {
    for (key, name) in [
        ("?", "help_sweep"),
        ("3?", "help_trial"),
        ("6?", "help_log"),
        ("2?", "help_compare"),
        ("4?", "help_layers"),
        ("x", "ask_cancel"),
    ] {
        let mut model = fixture::model(fixture::running());
        press(&mut model, key);
        insta::assert_snapshot!(format!("{name}_80x24"), text(&render(&model, 80, 24)));
    }
    let mut model = fixture::model_with(fixture::running(), LeaveQuestion::AskStop);
    press(&mut model, "q");
    snapshot_all("ask_leave", &model);
}

#[test]
fn several_seeds_scroll_with_the_head_in_place() {
    let mut snapshot = fixture::finished();
    snapshot.trials = (0..3)
        .flat_map(|network| (0..6).map(move |seed| (network, seed)))
        .flat_map(|(n, seed)| {
            (0..4).map(move |w| fixture::trial(n, w).seed(seed).finished("gpu02"))
        })
        .collect();
    let mut model = fixture::model(snapshot);
    press(&mut model, "jjjjjjjjjjjjjjjj");
    insta::assert_snapshot!("sweep_seeds_80x24", text(&render(&model, 80, 24)));
}

#[test]
fn colours_of_the_sweep() {
    let buffer = render(&fixture::model(fixture::running()), 80, 24);
    insta::assert_snapshot!("sweep_running_colours_80x24", colours(&buffer));
}

/// Every run of characters that is not plain, with its style.
fn colours(buffer: &Buffer) -> String {
    let style = |x, y| {
        let cell = &buffer[(x, y)];
        (cell.fg, cell.modifier)
    };
    let mut said = String::new();
    for y in 0..buffer.area.height {
        let mut x = 0;
        while x < buffer.area.width {
            let first = style(x, y);
            let end = (x..buffer.area.width).find(|&e| style(e, y) != first);
            let end = end.unwrap_or(buffer.area.width);
            let run: String = (x..end).map(|e| buffer[(e, y)].symbol()).collect();
            if first != (Color::Reset, Modifier::empty()) && !run.trim().is_empty() {
                said += &format!("{y:2}:{x:<2} {:?} {:?} {}\n", first.0, first.1, run.trim());
            }
            x = end;
        }
    }
    said
}

#[test]
fn no_color_keeps_every_mark_and_no_colour() {
    let model = fixture::model(fixture::failed());
    let plain = Appearance { depth: ColourDepth::None, ..Appearance::full() };
    let buffer = render_as(&model, 80, 24, &plain);
    for cell in &buffer.content {
        assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
    }
    assert_eq!(text(&buffer), text(&render(&model, 80, 24)));
    insta::assert_snapshot!("sweep_failed_no_color_80x24", colours(&buffer));
}

#[test]
fn an_ascii_terminal_gets_ascii_on_every_screen() {
    let ascii = Appearance { unicode: false, ..Appearance::full() };
    for keys in ["", "v", "2", "3", "4", "4b", "5", "6", "?", ":", "x"] {
        let mut model = fixture::model(fixture::failed());
        press(&mut model, keys);
        let shown = text(&render_as(&model, 120, 40, &ascii));
        assert!(shown.is_ascii(), "{shown}");
    }
    let model = fixture::model(fixture::failed());
    insta::assert_snapshot!("sweep_failed_ascii_80x24", text(&render_as(&model, 80, 24, &ascii)));
}

#[test]
fn a_terminal_that_is_too_small_says_what_it_needs() {
    let model = fixture::model(fixture::running());
    for (width, height) in [(1, 1), (3, 1), (20, 5), (49, 24), (80, 9), (0, 0)] {
        let buffer = render(&model, width, height);
        assert!(!text(&buffer).contains("quickstart"), "{width}×{height}");
    }
    assert!(text(&render(&model, 49, 24)).contains("needs 60×16, have 49×24"));
    assert!(text(&render(&model, 50, 10)).contains("quickstart"));
}

#[test]
fn no_size_breaks_any_screen() {
    let states = [fixture::model(fixture::failed()), fixture::stale()];
    for keys in ["", "v", "2", "3", "4", "4b", "5", "6", "?", ":", "x"] {
        for state in &states {
            let mut model = state.clone();
            press(&mut model, keys);
            for width in (0..130).step_by(7) {
                for height in (0..45).step_by(4) {
                    render(&model, width, height);
                }
            }
        }
    }
}

/// Numbers in a line: digits with their sign and decimals.
fn numbers(line: &str) -> Vec<String> {
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, '.' | '−' | '+' | '±' | ':' | '%');
    let all = line.split(|c| !is_part(c)).filter(|t| t.contains(|c: char| c.is_ascii_digit()));
    all.map(str::to_owned).collect()
}

#[test]
fn no_number_of_the_matrix_is_cut_at_any_width() {
    let mut model = fixture::model(fixture::failed());
    let rows = |model: &Model, width| lines(&render(model, width, 24))[5..11].join("\n");
    let whole = numbers(&rows(&model, 240));
    for _ in 0..4 {
        press(&mut model, "h");
        for width in 50..200 {
            for number in numbers(&rows(&model, width)) {
                assert!(whole.contains(&number), "{number} at {width} columns");
            }
        }
    }
}

#[test]
fn a_digit_more_moves_nothing() {
    let columns = |snapshot| {
        let buffer = render(&fixture::model(snapshot), 80, 24);
        let row = lines(&buffer)[5].clone();
        row.chars().enumerate().filter(|(_, c)| *c == '.' || *c == '✔').map(|(at, _)| at).collect()
    };
    let usual: Vec<usize> = columns(fixture::finished());
    let mut poor = fixture::finished();
    for trial in &mut poor.trials[1..4] {
        trial.result.as_mut().unwrap().top1 = 9.87;
    }
    assert_eq!(usual, columns(poor));
}

#[test]
fn a_picture_has_the_text_and_the_colours_of_the_screen() {
    let model = fixture::model(fixture::running());
    let svg = bitsweep_tui::screenshot(&model, 110, 30, &Appearance::full());
    assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
    for part in ["quickstart", "88.40", "#56b4e9", "<circle", "−0.25"] {
        assert!(svg.contains(part), "{part}");
    }
}

/// In colour, and as a terminal without colours shows it: the same characters.
fn snapshot_with_colours(name: &str, model: &Model, (width, height): (u16, u16)) {
    let plain = Appearance { depth: ColourDepth::None, ..Appearance::full() };
    let (rich, poor) = (render(model, width, height), render_as(model, width, height, &plain));
    assert_eq!(text(&rich), text(&poor));
    assert!(poor.content.iter().all(|c| (c.fg, c.bg) == (Color::Reset, Color::Reset)));
    insta::assert_snapshot!(format!("{name}_colours_{width}x{height}"), colours(&rich));
    insta::assert_snapshot!(format!("{name}_no_color_{width}x{height}"), colours(&poor));
}

fn showing(snapshot: bitsweep_proto::v1::SweepSnapshot, keys: &str) -> Model {
    let mut model = fixture::model(snapshot);
    press(&mut model, keys);
    model
}

#[test]
fn compare_screen() {
    snapshot_all("compare_running", &showing(fixture::running(), "2"));
    snapshot_all("compare_empty", &showing(fixture::empty(), "2"));
    snapshot_all("compare_failed", &showing(fixture::failed(), "2"));
    let mut stale = fixture::stale();
    press(&mut stale, "2");
    insta::assert_snapshot!("compare_stale_80x24", text(&render(&stale, 80, 24)));
    let model = showing(fixture::more::paired(), "2");
    snapshot_all("compare_paired", &model);
    snapshot_with_colours("compare_paired", &model, (120, 40));
    snapshot_with_colours("compare_paired", &model, (80, 24));
}

#[test]
fn compare_screen_on_imagenet_shows_what_was_published() {
    let model = showing(fixture::more::imagenet(), "2");
    let shown = text(&render(&model, 120, 40));
    assert!(shown.contains("QIL: Jung et al. 2019, Table 1, arXiv:1808.05779 ✔ read"));
    assert!(!shown.contains("other data"));
    snapshot_all("compare_imagenet", &showing(fixture::more::imagenet(), "2p"));
    let other = text(&render(&showing(fixture::running(), "2"), 120, 40));
    assert!(other.contains("other data: gaps on ImageNet, from our own baseline"), "{other}");
}

#[test]
fn compare_screen_over_seeds_has_intervals() {
    let model = showing(fixture::more::seeds(5), "2");
    insta::assert_snapshot!("compare_seeds_120x40", text(&render(&model, 120, 40)));
    assert!(text(&render(&model, 120, 40)).contains("over 5 seeds: Δ "));
}

#[test]
fn compared_curves_are_read_at_one_place() {
    let mut model = showing(fixture::running(), "2vvvxshh++y");
    model.update(Event::Tick, fixture::NOW_MS);
    insta::assert_snapshot!("compare_steps_zoomed_120x40", text(&render(&model, 120, 40)));
    let shown = text(&render(&showing(fixture::running(), "2hh"), 120, 40));
    assert!(shown.contains("validation top-1 %, all curves at epoch 4"), "{shown}");
}

#[test]
fn layers_screen() {
    let model = showing(fixture::running(), "4");
    snapshot_all("layers_running", &model);
    snapshot_with_colours("layers_running", &model, (120, 40));
    snapshot_with_colours("layers_running", &model, (80, 24));
    insta::assert_snapshot!(
        "layers_collapsed_120x40",
        text(&render(&showing(fixture::running(), "4jjj"), 120, 40))
    );
    insta::assert_snapshot!(
        "layers_then_80x24",
        text(&render(&showing(fixture::running(), "4hh"), 80, 24))
    );
    insta::assert_snapshot!(
        "layers_beside_200x50",
        text(&render(&showing(fixture::running(), "4b"), 200, 50))
    );
    insta::assert_snapshot!(
        "layers_beside_80x24",
        text(&render(&showing(fixture::running(), "4b"), 80, 24))
    );
    insta::assert_snapshot!(
        "layers_of_a_baseline_80x24",
        text(&render(&showing(fixture::running(), "4[[["), 80, 24))
    );
}

#[test]
fn ten_thousand_trials() {
    let list = showing(fixture::more::large(10_000), "v");
    snapshot_all("large_list", &list);
    snapshot_all("large_matrix", &showing(fixture::more::large(10_000), ""));
    insta::assert_snapshot!(
        "large_compare_120x40",
        text(&render(&showing(fixture::more::large(10_000), "2"), 120, 40))
    );
}

#[test]
fn list_of_trials() {
    snapshot_all("list_failed", &showing(fixture::failed(), "v"));
    let filtered = showing(fixture::failed(), "/resnet34 fail");
    insta::assert_snapshot!("list_filtering_80x24", text(&render(&filtered, 80, 24)));
    let grouped = showing(fixture::failed(), "sggg");
    insta::assert_snapshot!("list_sorted_grouped_120x40", text(&render(&grouped, 120, 40)));
    let published = showing(fixture::more::imagenet(), "v");
    snapshot_with_colours("list_imagenet", &published, (120, 40));
    insta::assert_snapshot!("list_imagenet_200x50", text(&render(&published, 200, 50)));
}

#[test]
fn seeds_share_a_row_until_it_is_opened() {
    let model = showing(fixture::more::seeds(5), "");
    snapshot_all("sweep_over_seeds", &model);
    let opened = showing(fixture::more::seeds(5), "\n");
    insta::assert_snapshot!("sweep_seeds_opened_120x40", text(&render(&opened, 120, 40)));
}

#[test]
fn command_palette() {
    snapshot_all("palette", &showing(fixture::running(), ":"));
    insta::assert_snapshot!(
        "palette_theme_80x24",
        text(&render(&showing(fixture::running(), ":theme"), 80, 24))
    );
}

#[test]
fn marked_trials_and_collapsed_layers_show_on_the_sweep() {
    let mut model = showing(fixture::running(), "m");
    // The coordinator is asked for the layers of a few trials at a time.
    for _ in 0..4 {
        for effect in model.update(Event::Tick, fixture::NOW_MS) {
            answer(&mut model, effect);
        }
    }
    press(&mut model, "4");
    press(&mut model, "1");
    let shown = text(&render(&model, 120, 40));
    assert!(shown.contains("◆▸"), "{shown}");
    assert!(shown.contains("! 1 layer collapsed"), "{shown}");
    insta::assert_snapshot!("sweep_marked_collapsed_120x40", shown);
}

#[test]
fn every_theme_shows_the_same_text_in_other_colours() {
    let mut seen = Vec::new();
    for theme in 0..4 {
        let model = showing(fixture::running(), &"T".repeat(theme));
        let buffer = render(&model, 80, 24);
        let told = colours(&buffer);
        assert!(!seen.contains(&told));
        seen.push(told);
    }
    let light = showing(fixture::running(), "TT");
    insta::assert_snapshot!("sweep_light_colours_80x24", colours(&render(&light, 80, 24)));
}
