//! Random histories: links break, processes die, people cancel, the coordinator restarts.

use bitsweep_sweep::AttemptEnd;
use proptest::prelude::*;

use super::world::World;

const ENDS: [AttemptEnd; 8] = [
    AttemptEnd::Finished,
    AttemptEnd::Crashed,
    AttemptEnd::OutOfMemory,
    AttemptEnd::Preempted,
    AttemptEnd::Diverged,
    AttemptEnd::Drained,
    AttemptEnd::BadInput,
    AttemptEnd::Cancelled,
];

#[derive(Clone, Debug)]
enum Event {
    Connect(usize),
    Cut(usize),
    NoticeCut(usize),
    Replace(usize),
    Heartbeat(usize),
    Drain(usize),
    Checkpoint(usize, usize, u64),
    End(usize, usize, AttemptEnd),
    StrayEnd(usize, u32, AttemptEnd),
    Wait(i64),
    Cancel,
    Resume,
    Restart,
}

fn event() -> impl Strategy<Value = Event> {
    let worker = 0..3_usize;
    // Mostly the end that lets the history go on.
    let end = prop_oneof![Just(AttemptEnd::Finished), prop::sample::select(ENDS.to_vec())];
    let stray = (0..6_usize, 0..4_u32, prop::sample::select(ENDS.to_vec()));
    prop_oneof![
        6 => worker.clone().prop_map(Event::Connect),
        2 => worker.clone().prop_map(Event::Cut),
        3 => worker.clone().prop_map(Event::NoticeCut),
        2 => worker.clone().prop_map(Event::Replace),
        10 => worker.clone().prop_map(Event::Heartbeat),
        1 => worker.clone().prop_map(Event::Drain),
        4 => (worker.clone(), 0..3_usize, 1..900_u64).prop_map(|(w, n, s)| Event::Checkpoint(w, n, s)),
        6 => (worker, 0..3_usize, end).prop_map(|(w, n, e)| Event::End(w, n, e)),
        2 => stray.prop_map(|(t, n, e)| Event::StrayEnd(t, n, e)),
        8 => (1..20_000_i64).prop_map(Event::Wait),
        1 => (30_000..700_000_i64).prop_map(Event::Wait),
        1 => Just(Event::Cancel),
        1 => Just(Event::Resume),
        1 => Just(Event::Restart),
    ]
}

fn happen(world: &mut World, event: Event) {
    match event {
        Event::Connect(worker) => world.connect(worker),
        Event::Cut(worker) => world.cut(worker),
        Event::NoticeCut(worker) => world.notice_cut(worker),
        Event::Replace(worker) => world.replace(worker),
        Event::Heartbeat(worker) => world.heartbeat(worker),
        Event::Drain(worker) => world.drain(worker),
        Event::Checkpoint(worker, nth, step) => world.checkpoint(worker, nth, step),
        Event::End(worker, nth, end) => world.end(worker, nth, end),
        Event::StrayEnd(trial, number, end) => world.stray_end(trial, number, end),
        Event::Wait(ms) => world.wait(ms),
        Event::Cancel => world.cancel(),
        Event::Resume => world.resume(),
        Event::Restart => world.restart(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    /// [`World`] checks after every event: one lease for a trial at most, growing attempt numbers,
    /// parents finished first, finished stays finished, slots and retries bounded.
    #[test]
    fn whatever_happens_nothing_runs_twice_and_in_the_end_everything_finished(
        events in prop::collection::vec(event(), 0..120)
    ) {
        let mut world = World::new();
        for event in events {
            happen(&mut world, event);
        }
        prop_assert!(world.calm());
    }
}
