//! Every rule in a few lines.
#![allow(clippy::unwrap_used)]

mod links;
mod random;
mod restart;
mod scene;
mod world;

use bitsweep_sweep::{AttemptEnd, SweepId};

use super::{Command, SweepState, TrialState};
use scene::{Scene, attempt, id, plan};

const CHAIN: &[scene::Row<'_>] = &[("a", "", 1.0), ("b", "a", 1.0), ("c", "b", 1.0)];
const SINGLE: &[scene::Row<'_>] = &[("a", "", 1.0)];

#[test]
fn a_child_waits_for_the_end_and_the_final_checkpoint_of_its_parent() {
    let mut scene = Scene::new(CHAIN, 1);
    scene.worker("w", 2);
    assert_eq!(scene.assigned(), ["a#1@w"]);
    scene.checkpoint(&attempt("a", 1), 9, true);
    assert_eq!(scene.state("b"), TrialState::Waiting);
    scene.end(&attempt("a", 1), AttemptEnd::Finished);
    assert_eq!(scene.assigned(), ["b#1@w"]);
    assert!(scene.has(
        |c| matches!(c, Command::Assign { parent: Some(p), resume: None, .. } if p.step == 9)
    ));
}

#[test]
fn an_end_without_the_final_checkpoint_that_children_need_is_a_crash() {
    let mut scene = Scene::new(CHAIN, 2);
    scene.worker("w", 1);
    scene.end(&attempt("a", 1), AttemptEnd::Finished);
    assert!(scene.has(|c| matches!(c, Command::AttemptEnded { end: AttemptEnd::Crashed, .. })));
    assert_eq!((scene.state("a"), scene.state("b")), (TrialState::Ready, TrialState::Waiting));
    let mut scene = Scene::new(SINGLE, 2);
    scene.worker("w", 1);
    scene.end(&attempt("a", 1), AttemptEnd::Finished);
    assert_eq!(scene.state("a"), TrialState::Finished, "nothing starts from it");
}

#[test]
fn the_longest_remaining_path_goes_first_and_ties_go_in_plan_order() {
    let rows = [("x", "", 5.0), ("y", "", 5.0), ("a", "", 3.0), ("b", "a", 3.0)];
    let mut scene = Scene::new(&rows, 1);
    scene.worker("w", 3);
    assert_eq!(scene.assigned(), ["a#1@w", "x#1@w", "y#1@w"]);
    scene.worker("v", 1);
    assert!(scene.assigned().is_empty(), "its parent has not finished");
}

#[test]
fn a_child_goes_to_the_worker_of_its_parent_if_a_slot_is_free_there() {
    let mut scene = Scene::new(CHAIN, 1);
    scene.worker("w", 1);
    scene.worker("bigger", 8);
    scene.finish(&attempt("a", 1));
    assert_eq!(scene.assigned(), ["b#1@w"]);
    scene.drain("w");
    scene.finish(&attempt("b", 1));
    assert_eq!(scene.assigned(), ["c#1@bigger"]);
}

#[test]
fn every_slot_takes_one_attempt() {
    let mut scene = Scene::new(&[("a", "", 1.0), ("b", "", 1.0), ("c", "", 1.0)], 1);
    scene.worker("w", 2);
    assert_eq!(scene.assigned(), ["a#1@w", "b#1@w"]);
    scene.finish(&attempt("b", 1));
    assert_eq!(scene.assigned(), ["c#1@w"]);
}

#[test]
fn a_crash_is_tried_again_after_a_wait_that_doubles_and_ends_at_ten_minutes() {
    let mut scene = Scene::new(SINGLE, 20);
    scene.worker("w", 1);
    for number in 1..=9 {
        scene.end(&attempt("a", number), AttemptEnd::Crashed);
        let wait = (10_000 << (number - 1)).min(600_000);
        assert_eq!(scene.scheduler.next_deadline(), Some(scene.now + wait));
        scene.now += wait - 1;
        scene.heartbeat("w", &[]);
        assert!(scene.assigned().is_empty());
        scene.wait(1);
        assert_eq!(scene.assigned(), [format!("a#{}@w", number + 1)]);
    }
}

#[test]
fn a_trial_that_failed_on_one_worker_is_tried_on_another() {
    let mut scene = Scene::new(SINGLE, 3);
    scene.worker("w", 8);
    scene.worker("v", 1);
    scene.end(&attempt("a", 1), AttemptEnd::OutOfMemory);
    scene.wait(10_000);
    assert_eq!(scene.assigned(), ["a#2@v"]);
}

#[test]
fn used_up_attempts_fail_the_trial_and_block_its_descendants() {
    let mut scene = Scene::new(CHAIN, 2);
    scene.worker("w", 1);
    scene.end(&attempt("a", 1), AttemptEnd::Crashed);
    scene.wait(10_000);
    scene.end(&attempt("a", 2), AttemptEnd::OutOfMemory);
    let states = ["a", "b", "c"].map(|trial| scene.state(trial));
    assert_eq!(states, [TrialState::Failed, TrialState::Blocked, TrialState::Blocked]);
    assert!(scene.sweep_ended());
    let counts = scene.scheduler.sweep_counts(&SweepId::new("s")).unwrap();
    assert_eq!((counts.state(), counts.of(TrialState::Blocked)), (SweepState::Failed, 2));
}

#[test]
fn divergence_and_bad_input_fail_at_once() {
    for end in [AttemptEnd::Diverged, AttemptEnd::BadInput] {
        let mut scene = Scene::new(SINGLE, 5);
        scene.worker("w", 1);
        scene.end(&attempt("a", 1), end);
        assert_eq!(scene.state("a"), TrialState::Failed);
    }
}

#[test]
fn preempted_and_drained_attempts_go_on_at_once_and_cost_nothing() {
    for end in [AttemptEnd::Preempted, AttemptEnd::Drained] {
        let mut scene = Scene::new(SINGLE, 1);
        scene.worker("w", 1);
        scene.checkpoint(&attempt("a", 1), 312, false);
        scene.worker("v", 1);
        scene.drain("w");
        scene.end(&attempt("a", 1), end);
        assert_eq!(scene.assigned(), ["a#2@v"]);
        assert!(
            scene.has(|c| matches!(c, Command::Assign { from_step: 312, resume: Some(_), .. }))
        );
        assert_eq!(scene.scheduler.trial(&id("a")).unwrap().attempts_used, 0);
    }
}

#[test]
fn a_worker_that_gives_a_lease_back_is_not_given_it_again() {
    let mut scene = Scene::new(SINGLE, 1);
    scene.worker("w", 1);
    scene.end(&attempt("a", 1), AttemptEnd::Drained);
    assert!(scene.assigned().is_empty());
    assert_eq!(scene.state("a"), TrialState::Ready);
}

#[test]
fn cancelling_stops_what_runs_at_once_and_what_waits() {
    let mut scene = Scene::new(CHAIN, 1);
    scene.worker("w", 1);
    scene.cancel();
    assert!(
        scene.has(
            |c| matches!(c, Command::CancelAttempt { attempt: a, .. } if *a == attempt("a", 1))
        )
    );
    assert!(["a", "b", "c"].iter().all(|t| scene.state(t) == TrialState::Cancelled));
    assert!(scene.sweep_ended());
    scene.end(&attempt("a", 1), AttemptEnd::Finished);
    assert_eq!(scene.state("a"), TrialState::Cancelled);
    scene.cancel();
    assert!(scene.commands.is_empty(), "cancelling again changes nothing");
}

#[test]
fn the_slot_of_a_cancelled_attempt_is_free_when_its_process_is_gone() {
    let mut scene = Scene::new(SINGLE, 1);
    scene.worker("w", 1);
    scene.cancel();
    scene.resume();
    assert!(scene.assigned().is_empty(), "the old process still has the slot");
    scene.heartbeat("w", &[attempt("a", 1)]);
    assert!(scene.has(|c| matches!(c, Command::CancelAttempt { .. })), "it is told again");
    scene.heartbeat("w", &[]);
    assert_eq!(scene.assigned(), ["a#2@w"]);
    scene.cancel();
    scene.resume();
    scene.end(&attempt("a", 2), AttemptEnd::Cancelled);
    assert_eq!(scene.assigned(), ["a#3@w"]);
}

#[test]
fn resuming_gives_fresh_attempts_under_growing_numbers_and_unblocks() {
    let mut scene = Scene::new(CHAIN, 1);
    scene.worker("w", 1);
    scene.checkpoint(&attempt("a", 1), 7, false);
    scene.end(&attempt("a", 1), AttemptEnd::Crashed);
    assert_eq!(scene.state("c"), TrialState::Blocked);
    scene.resume();
    assert_eq!(scene.assigned(), ["a#2@w"]);
    assert!(scene.has(|c| matches!(c, Command::Assign { from_step: 7, .. })));
    assert_eq!(scene.state("c"), TrialState::Waiting);
    assert_eq!(scene.scheduler.trial(&id("a")).unwrap().attempts_used, 0);
}

#[test]
fn a_finished_trial_stays_finished() {
    let mut scene = Scene::new(SINGLE, 3);
    scene.worker("w", 1);
    scene.finish(&attempt("a", 1));
    assert!(scene.sweep_ended());
    assert!(!scene.scheduler.accepts(&attempt("a", 1)));
    scene.end(&attempt("a", 1), AttemptEnd::Crashed);
    scene.cancel();
    scene.resume();
    assert_eq!(scene.state("a"), TrialState::Finished);
    assert!(scene.commands.is_empty());
}

#[test]
fn submitting_again_changes_nothing() {
    let mut scene = Scene::new(SINGLE, 3);
    scene.worker("w", 1);
    let commands = scene.scheduler.submit(&SweepId::new("s"), &plan(SINGLE, 3), scene.now);
    assert!(commands.is_empty());
}

#[test]
fn only_trials_of_the_chosen_sweep_are_handed_out() {
    let mut scene = Scene::new(SINGLE, 1);
    let (s, other) = (SweepId::new("s"), SweepId::new("other"));
    scene.scheduler.only(Some(other.clone()), 0);
    scene.worker("w", 2);
    assert!(scene.assigned().is_empty());
    scene.commands = scene.scheduler.submit(&other, &plan(SINGLE, 1), 0);
    assert_eq!(scene.assigned(), ["a#1@w"]);
    assert_eq!(scene.state("a"), TrialState::Ready);
    scene.commands = scene.scheduler.only(Some(s), 0);
    assert_eq!(scene.state("a"), TrialState::Running);
}
