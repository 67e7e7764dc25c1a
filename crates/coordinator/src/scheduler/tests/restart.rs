//! What a restarted coordinator makes of stored rows.

use bitsweep_sweep::{AttemptEnd, SweepId};

use super::CHAIN;
use super::scene::{Scene, TIMING, attempt, id, plan};
use crate::scheduler::{
    Checkpoint, RestoredLease, RestoredSweep, RestoredTrial, Scheduler, TrialState, WorkerId,
};

fn row(name: &str, state: TrialState, last_attempt: u32) -> RestoredTrial {
    RestoredTrial {
        trial: id(name),
        state,
        attempts_used: 0,
        last_attempt,
        last_end: None,
        last_worker: Some(WorkerId::new("w")),
        retry_at: None,
        newest: None,
        final_checkpoint: None,
    }
}

fn restored(trials: Vec<RestoredTrial>, leased: &[(&str, u32)]) -> Scene {
    let sweep = RestoredSweep { id: SweepId::new("s"), plan: plan(CHAIN, 2), trials };
    let lease = |(name, number): &(&str, u32)| RestoredLease {
        attempt: attempt(name, *number),
        worker: WorkerId::new("w"),
        worker_name: "w".to_owned(),
    };
    let leases = leased.iter().map(lease).collect();
    let (scheduler, commands) = Scheduler::restore(TIMING, vec![sweep], leases, 0);
    Scene { scheduler, now: 0, commands }
}

fn finished(name: &str) -> RestoredTrial {
    let last = Checkpoint { hash: "h".to_owned(), bytes: 1, step: 9 };
    let end = Some(AttemptEnd::Finished);
    RestoredTrial {
        final_checkpoint: Some(last),
        last_end: end,
        ..row(name, TrialState::Finished, 1)
    }
}

#[test]
fn a_running_attempt_is_kept_by_the_worker_that_comes_back_with_it() {
    let rows =
        vec![finished("a"), row("b", TrialState::Running, 3), row("c", TrialState::Waiting, 0)];
    let mut scene = restored(rows, &[("b", 3)]);
    assert!(scene.commands.is_empty(), "{:?}", scene.commands);
    assert_eq!(scene.hello("w", 1, &[attempt("b", 3)]).1, [true]);
    scene.finish(&attempt("b", 3));
    assert_eq!(scene.assigned(), ["c#1@w"]);
}

#[test]
fn a_restored_lease_has_a_fresh_period_and_then_runs_out() {
    let rows = vec![row("a", TrialState::Running, 1)];
    let mut scene = restored(rows, &[("a", 1)]);
    scene.wait(29_999);
    assert_eq!(scene.state("a"), TrialState::Running);
    scene.worker("v", 1);
    scene.wait(1);
    assert_eq!(scene.assigned(), ["a#2@v"]);
}

#[test]
fn states_that_the_rows_had_not_caught_up_with_are_put_right() {
    let rows = vec![finished("a"), row("b", TrialState::Waiting, 0)];
    let scene = restored(rows, &[]);
    assert_eq!([scene.state("b"), scene.state("c")], [TrialState::Ready, TrialState::Waiting]);
    let rows = vec![row("a", TrialState::Failed, 2), row("b", TrialState::Waiting, 0)];
    let scene = restored(rows, &[]);
    assert_eq!([scene.state("b"), scene.state("c")], [TrialState::Blocked, TrialState::Blocked]);
    assert!(!scene.sweep_ended(), "its end is told by its state");
}

#[test]
fn a_wait_goes_on_after_the_restart() {
    let waiting = RestoredTrial { retry_at: Some(500), ..row("a", TrialState::Ready, 1) };
    let mut scene = restored(vec![waiting], &[]);
    scene.worker("w", 1);
    assert!(scene.assigned().is_empty());
    scene.wait(500);
    assert_eq!(scene.assigned(), ["a#2@w"]);
}

#[test]
fn an_attempt_lost_before_the_restart_is_still_its_workers_until_it_is_given_away() {
    let lost = RestoredTrial {
        attempts_used: 1,
        last_end: Some(AttemptEnd::Lost),
        ..row("a", TrialState::Ready, 1)
    };
    let mut scene = restored(vec![lost], &[]);
    assert_eq!(scene.hello("w", 1, &[attempt("a", 1)]).1, [true]);
    assert_eq!(scene.state("a"), TrialState::Running);
}
