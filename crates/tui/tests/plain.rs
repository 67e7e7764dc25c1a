//! What a sweep looks like as lines of text.

#![allow(clippy::unwrap_used)]

mod fixture;

use bitsweep_proto::v1;
use bitsweep_tui::{Event, Link, PlainPrinter};
use fixture::NOW_MS;
use jiff::tz::TimeZone;
use v1::watch_update::Update;

/// Feeds updates, a second apart, and gives what was printed.
fn printed(unicode: bool, updates: Vec<Event>) -> (String, bitsweep_tui::Summary) {
    let mut model = bitsweep_tui::Model::new(bitsweep_tui::LeaveQuestion::Plain, NOW_MS);
    let mut printer = PlainPrinter::new(unicode, TimeZone::UTC);
    let mut out = Vec::new();
    for (second, event) in updates.into_iter().enumerate() {
        model.update(event, NOW_MS + 1000 * second as i64);
        printer.print(&model, &mut out).unwrap();
    }
    let summary = printer.finish(&model, &mut out).unwrap();
    (String::from_utf8(out).unwrap(), summary)
}

fn event(update: Update) -> Event {
    Event::Update(Box::new(fixture::update(update)))
}

fn story(end: v1::SweepSnapshot) -> Vec<Event> {
    let down = Link::Down { reason: "connection refused".to_owned() };
    vec![
        event(Update::Snapshot(fixture::running())),
        event(Update::Trial(fixture::trial(0, 3).running("gpu02", 240, 650.0))),
        event(Update::Trial(fixture::trial(2, 2).running("gpu03", 0, 0.0))),
        event(Update::Trial(
            fixture::trial(0, 3).backing_off("gpu02", "the process died by signal 9"),
        )),
        Event::Link(down),
        event(Update::Snapshot(fixture::running())),
        event(Update::Trial(fixture::trial(0, 3).finished("gpu02"))),
        event(Update::Snapshot(end)),
    ]
}

#[test]
fn a_sweep_that_finishes() {
    let (text, summary) = printed(true, story(fixture::finished()));
    insta::assert_snapshot!("plain_finished", text);
    assert!(summary.all_finished && summary.failed.is_empty() && summary.unfinished.is_empty());
}

#[test]
fn a_sweep_that_fails_names_what_failed_and_why() {
    let (text, summary) = printed(true, story(fixture::failed_for_good()));
    insta::assert_snapshot!("plain_failed", text);
    assert!(!summary.all_finished);
    assert_eq!(summary.failed, ["resnet34-3-s0", "resnet34-2-s0"]);
}

#[test]
fn a_sweep_that_is_left_early_is_not_finished() {
    let (text, summary) = printed(true, vec![event(Update::Snapshot(fixture::running()))]);
    assert!(text.contains("not finished yet: 7 of 12 trials"));
    assert!(!summary.all_finished);
    assert_eq!(summary.unfinished.len(), 5);
}

#[test]
fn without_unicode_every_line_is_ascii() {
    let (text, _) = printed(false, story(fixture::failed_for_good()));
    assert!(text.is_ascii(), "{text}");
}

#[test]
fn an_unchanged_model_prints_nothing() {
    let model = fixture::model(fixture::running());
    let mut printer = PlainPrinter::new(true, TimeZone::UTC);
    let mut out = Vec::new();
    printer.print(&model, &mut out).unwrap();
    let length = out.len();
    printer.print(&model, &mut out).unwrap();
    assert_eq!(out.len(), length);
}
