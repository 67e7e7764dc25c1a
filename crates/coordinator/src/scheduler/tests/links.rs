//! Leases, silence, and workers that come back.

use bitsweep_sweep::{AttemptEnd, SweepId};

use super::scene::{Scene, TIMING, attempt, id, plan};
use super::{CHAIN, SINGLE};
use crate::scheduler::{Command, Liveness, TrialState};

#[test]
fn a_heartbeat_renews_only_the_leases_that_it_names() {
    let mut scene = Scene::new(&[("a", "", 2.0), ("b", "", 1.0)], 3);
    scene.worker("w", 2);
    for _ in 0..6 {
        scene.now += 5_000;
        scene.heartbeat("w", &[attempt("a", 1)]);
    }
    let lost = |c: &Command| matches!(c, Command::AttemptEnded { attempt: x, end: AttemptEnd::Lost, .. } if *x == attempt("b", 1));
    assert!(scene.has(lost));
    assert_eq!(scene.assigned(), ["b#2@w"]);
    assert!(scene.scheduler.accepts(&attempt("a", 1)));
    assert!(!scene.scheduler.accepts(&attempt("b", 1)));
}

#[test]
fn time_in_which_the_coordinator_heard_nobody_counts_against_no_lease() {
    let mut scene = Scene::new(&[("a", "", 1.0), ("b", "", 1.0)], 3);
    scene.worker("v", 1);
    scene.worker("w", 1);
    scene.hello("v", 2, &[attempt("a", 1)]);
    scene.now += 10 * TIMING.lease_ms;
    scene.scheduler.stood_still(10 * TIMING.lease_ms);
    scene.heartbeat("v", &[attempt("a", 1)]);
    assert!(scene.assigned().is_empty(), "the other worker's trial is not taken over");
    assert_eq!((scene.state("a"), scene.state("b")), (TrialState::Running, TrialState::Running));
    scene.wait(TIMING.lease_ms);
    assert_eq!(scene.state("b"), TrialState::Ready, "silence still ends it");
}

#[test]
fn a_lost_link_ends_nothing_and_silence_does() {
    let mut scene = Scene::new(SINGLE, 3);
    let link = scene.worker("w", 1);
    scene.checkpoint(&attempt("a", 1), 312, false);
    scene.disconnect("w", link);
    assert_eq!(scene.state("a"), TrialState::Running);
    assert_eq!(scene.scheduler.next_deadline(), Some(30_000));
    scene.now = 29_999;
    scene.worker("v", 1);
    assert!(scene.assigned().is_empty());
    scene.wait(1);
    assert_eq!(scene.assigned(), ["a#2@v"]);
    let lines = scene.lines();
    let line = "w has not been heard from for 30 s; a continues elsewhere from step 312";
    assert!(lines.iter().any(|l| l == line), "{lines:?}");
}

#[test]
fn a_worker_that_is_back_in_time_keeps_its_attempt() {
    let mut scene = Scene::new(SINGLE, 3);
    let link = scene.worker("w", 1);
    scene.disconnect("w", link);
    scene.wait(29_000);
    assert_eq!(scene.hello("w", 1, &[attempt("a", 1)]).1, [true]);
    scene.wait(29_000);
    assert_eq!(scene.state("a"), TrialState::Running);
}

#[test]
fn an_attempt_that_nobody_else_was_given_is_revived() {
    let mut scene = Scene::new(SINGLE, 3);
    let link = scene.worker("w", 1);
    scene.disconnect("w", link);
    scene.wait(3_600_000);
    assert_eq!(scene.state("a"), TrialState::Ready);
    assert!(scene.scheduler.accepts(&attempt("a", 1)));
    assert_eq!(scene.hello("w", 1, &[attempt("a", 1)]).1, [true]);
    assert!(scene.has(|c| matches!(c, Command::AttemptRevived { .. })));
    assert!(scene.assigned().is_empty());
    assert_eq!(scene.scheduler.trial(&id("a")).unwrap().attempts_used, 0);
    scene.finish(&attempt("a", 1));
    assert_eq!(scene.state("a"), TrialState::Finished);
}

#[test]
fn a_heartbeat_after_a_long_silence_revives_too() {
    let mut scene = Scene::new(SINGLE, 3);
    scene.worker("w", 1);
    scene.wait(40_000);
    assert_eq!(scene.state("a"), TrialState::Ready);
    assert!(scene.assigned().is_empty(), "silent workers are given nothing");
    scene.heartbeat("w", &[attempt("a", 1)]);
    assert_eq!(scene.state("a"), TrialState::Running);
}

#[test]
fn an_attempt_that_was_given_to_another_is_abandoned() {
    let mut scene = Scene::new(SINGLE, 3);
    let link = scene.worker("w", 1);
    scene.disconnect("w", link);
    scene.now = 30_000;
    scene.worker("v", 1);
    assert_eq!(scene.assigned(), ["a#2@v"]);
    assert_eq!(scene.hello("w", 1, &[attempt("a", 1)]).1, [false]);
    scene.end(&attempt("a", 1), AttemptEnd::Finished);
    assert_eq!(scene.state("a"), TrialState::Running);
    assert!(!scene.scheduler.accepts(&attempt("a", 1)));
    assert!(scene.scheduler.accepts(&attempt("a", 2)));
}

#[test]
fn an_expiry_that_uses_up_the_attempts_is_final() {
    let mut scene = Scene::new(CHAIN, 1);
    scene.worker("w", 1);
    scene.wait(30_000);
    assert_eq!(scene.state("a"), TrialState::Failed);
    assert_eq!(scene.hello("w", 1, &[attempt("a", 1)]).1, [false]);
    assert_eq!(scene.state("b"), TrialState::Blocked);
}

#[test]
fn a_restarted_worker_process_inherits_nothing() {
    let mut scene = Scene::new(SINGLE, 3);
    let link = scene.worker("w", 1);
    scene.disconnect("w", link);
    assert_eq!(scene.hello("w-again", 1, &[attempt("a", 1)]).1, [false]);
    assert!(scene.assigned().is_empty());
    scene.now = 30_000;
    scene.heartbeat("w-again", &[]);
    assert_eq!(scene.assigned(), ["a#2@w-again"]);
}

#[test]
fn an_assignment_that_got_lost_with_the_link_is_made_again_at_no_cost() {
    let mut scene = Scene::new(SINGLE, 1);
    let link = scene.worker("w", 1);
    scene.disconnect("w", link);
    scene.worker("w", 1);
    assert_eq!(scene.assigned(), ["a#2@w"]);
}

#[test]
fn the_late_end_of_a_replaced_link_changes_nothing() {
    let mut scene = Scene::new(SINGLE, 1);
    let first = scene.worker("w", 1);
    scene.hello("w", 1, &[attempt("a", 1)]);
    scene.disconnect("w", first);
    assert_eq!(scene.liveness("w"), Liveness::Connected);
}

#[test]
fn a_stranger_heartbeat_is_told_to_stop() {
    let mut scene = Scene::new(SINGLE, 1);
    scene.worker("w", 1);
    scene.worker("v", 1);
    scene.heartbeat("v", &[attempt("a", 1)]);
    assert!(
        scene.has(|c| matches!(c, Command::CancelAttempt { worker, .. } if worker.as_str() == "v"))
    );
    assert_eq!(scene.state("a"), TrialState::Running);
}

#[test]
fn a_worker_that_waits_for_its_last_report_to_be_stored_is_not_told_to_stop() {
    let mut scene = Scene::new(CHAIN, 1);
    scene.worker("w", 1);
    scene.finish(&attempt("a", 1));
    scene.heartbeat("w", &[attempt("a", 1), attempt("b", 1)]);
    assert!(scene.commands.is_empty());
}

#[test]
fn draining_workers_get_nothing_and_have_left_when_they_go() {
    let mut scene = Scene::new(CHAIN, 1);
    let link = scene.worker("w", 1);
    scene.drain("w");
    scene.finish(&attempt("a", 1));
    assert!(scene.assigned().is_empty());
    scene.disconnect("w", link);
    assert_eq!(scene.liveness("w"), Liveness::Left);
}

#[test]
fn liveness_follows_silence() {
    let mut scene = Scene::new(SINGLE, 1);
    let link = scene.worker("w", 1);
    assert_eq!(scene.liveness("w"), Liveness::Connected);
    scene.wait(15_001);
    assert_eq!(scene.liveness("w"), Liveness::Silent);
    scene.heartbeat("w", &[]);
    assert_eq!(scene.liveness("w"), Liveness::Connected);
    scene.disconnect("w", link);
    assert_eq!(scene.liveness("w"), Liveness::Silent);
    scene.wait(30_001);
    assert_eq!(scene.liveness("w"), Liveness::Lost);
}

#[test]
fn an_attempt_whose_slot_was_given_away_is_not_revived() {
    let mut scene = Scene::new(SINGLE, 3);
    scene.worker("w", 1);
    let other = SweepId::new("other");
    scene.scheduler.submit(&other, &plan(SINGLE, 1), 0);
    scene.scheduler.only(Some(other), 0);
    scene.now = 30_000;
    scene.heartbeat("w", &[]);
    assert_eq!(scene.assigned(), ["a#1@w"]);
    scene.heartbeat("w", &[attempt("a", 1)]);
    assert!(scene.has(|c| matches!(c, Command::CancelAttempt { .. })));
    assert_eq!(scene.state("a"), TrialState::Ready);
    assert!(!scene.scheduler.accepts(&attempt("a", 1)), "it was told to stop");
}
