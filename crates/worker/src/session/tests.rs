//! The session as a coordinator and its trials see it.

use bitsweep_sweep::{
    CheckpointSaved, FinalResult, Level, LogLine, Phase, Progress, TrialEvent, TrialId,
};
use v1::report::Content;

use super::*;
use crate::trial::{FinalWord, ProcessEnd, Status};

const GRACE: Duration = Duration::from_secs(30);

fn session(slots: u32) -> Session {
    let identity = Identity {
        worker_id: "w".into(),
        name: "host".into(),
        slots,
        threads: 1,
        devices: Vec::new(),
    };
    let limits = Limits { grace: GRACE, patience: Duration::from_secs(15) };
    Session::new(identity, limits, 1)
}

fn at(seconds: u64) -> Moment {
    Moment { elapsed: Duration::from_secs(seconds), unix_ms: 1000 * seconds as i64 }
}

fn key(trial: &str, attempt: u32) -> AttemptKey {
    AttemptKey { trial: TrialId::new(trial), attempt }
}

fn receive(session: &mut Session, message: FromCoordinator, now: Moment) -> Vec<Effect> {
    session
        .handle(Event::Received(Box::new(v1::CoordinatorMessage { message: Some(message) })), now)
}

/// Connects; `verdicts` are attempt, keep and durable sequence.
fn connect(
    session: &mut Session,
    verdicts: &[(&AttemptKey, bool, u64)],
    now: Moment,
) -> Vec<Effect> {
    session.handle(Event::Tick, now);
    session.handle(Event::Connected, now);
    let verdicts = verdicts
        .iter()
        .map(|(key, keep, durable_sequence)| v1::Verdict {
            attempt: Some(key.reference()),
            keep: *keep,
            durable_sequence: *durable_sequence,
        })
        .collect();
    let welcome = v1::Welcome { heartbeat_interval_ms: 5000, lease_ms: 20_000, verdicts };
    receive(session, FromCoordinator::Welcome(welcome), now)
}

fn assign(session: &mut Session, key: &AttemptKey, now: Moment) -> Vec<Effect> {
    let assign = v1::Assign { attempt: Some(key.reference()), ..Default::default() };
    receive(session, FromCoordinator::Assign(assign), now)
}

fn acknowledge(session: &mut Session, key: &AttemptKey, sequence: u64) -> Vec<Effect> {
    let acknowledge = v1::Acknowledge { attempt: Some(key.reference()), sequence };
    receive(session, FromCoordinator::Acknowledge(acknowledge), at(0))
}

fn cancel(session: &mut Session, key: &AttemptKey) -> Vec<Effect> {
    let cancel =
        v1::CancelAttempt { attempt: Some(key.reference()), reason: "a later attempt".into() };
    receive(session, FromCoordinator::Cancel(cancel), at(0))
}

fn say(session: &mut Session, key: &AttemptKey, event: TrialEvent) -> Vec<Effect> {
    session.handle(Event::Trial { key: key.clone(), event, cost: 1 }, at(0))
}

fn log() -> TrialEvent {
    TrialEvent::Log(LogLine { level: Level::Info, message: "x".into(), time_ms: 0 })
}

fn progress(step: u64) -> TrialEvent {
    TrialEvent::Progress(Progress {
        phase: Phase::Training,
        step,
        total_steps: 100,
        epoch: 1,
        total_epochs: 2,
        images_per_second: 1.0,
        loss: None,
    })
}

fn checkpoint(path: &str) -> TrialEvent {
    TrialEvent::Checkpoint(CheckpointSaved {
        epoch: 1,
        step: 10,
        is_final: false,
        path: path.into(),
    })
}

fn exit(session: &mut Session, key: &AttemptKey, last: Option<FinalWord>) -> Vec<Effect> {
    let end = ProcessEnd {
        status: Status::Code(if last.is_some() { 0 } else { 101 }),
        last,
        broke_protocol: None,
        log: Vec::new(),
        host_out_of_memory: false,
    };
    session.handle(Event::Exited { key: key.clone(), end }, at(0))
}

/// Everything the stream would carry now.
fn messages(session: &mut Session, now: Moment) -> Vec<ToCoordinator> {
    std::iter::from_fn(|| session.take_message(now)).filter_map(|m| m.message).collect()
}

fn reports(session: &mut Session) -> Vec<v1::Report> {
    let reports = messages(session, at(0)).into_iter().filter_map(|message| match message {
        ToCoordinator::Reports(reports) => Some(reports.reports),
        _ => None,
    });
    reports.flatten().collect()
}

fn sequences(session: &mut Session) -> Vec<u64> {
    reports(session).iter().map(|report| report.sequence).collect()
}

fn ended(report: &v1::Report) -> Option<v1::AttemptEnd> {
    match report.content.as_ref() {
        Some(Content::Ended(ended)) => Some(ended.reason()),
        _ => None,
    }
}

fn starts(effects: &[Effect]) -> Vec<(AttemptKey, u32)> {
    let started = effects.iter().filter_map(|effect| match effect {
        Effect::Start { key, slot, .. } => Some((key.clone(), *slot)),
        _ => None,
    });
    started.collect()
}

#[test]
fn a_trial_goes_from_assignment_to_acknowledged_end() {
    let mut session = session(1);
    let trial = key("s/t", 1);
    connect(&mut session, &[], at(0));
    assert_eq!(starts(&assign(&mut session, &trial, at(0))), [(trial.clone(), 0)]);
    say(&mut session, &trial, log());
    say(
        &mut session,
        &trial,
        TrialEvent::Finished(FinalResult {
            top1: 1.0,
            top5: 2.0,
            validation_loss: 0.1,
            epochs: 1,
            steps: 9,
            correct: Vec::new(),
        }),
    );
    exit(&mut session, &trial, Some(FinalWord::Finished));
    let sent = reports(&mut session);
    assert_eq!(sent.iter().map(|r| r.sequence).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(ended(&sent[2]), Some(v1::AttemptEnd::Finished));
    assert_eq!(session.held(), [trial.reference()], "kept until its end is durable");
    let effects = acknowledge(&mut session, &trial, 3);
    assert!(effects.contains(&Effect::Release { key: trial.clone(), cost: 2 }));
    assert!(effects.contains(&Effect::CleanUp(trial)));
    assert!(session.held().is_empty());
}

#[test]
fn what_was_not_durable_is_sent_again_after_a_reconnection_and_nothing_else() {
    let mut session = session(1);
    let trial = key("s/t", 1);
    connect(&mut session, &[], at(0));
    assign(&mut session, &trial, at(0));
    for _ in 0..4 {
        say(&mut session, &trial, log());
    }
    assert_eq!(sequences(&mut session), [1, 2, 3, 4]);
    acknowledge(&mut session, &trial, 1);
    session.handle(Event::Lost { reason: "gone".into() }, at(1));
    say(&mut session, &trial, log());
    assert!(reports(&mut session).is_empty(), "there is no stream");
    connect(&mut session, &[(&trial, true, 3)], at(60));
    assert_eq!(sequences(&mut session), [4, 5]);
}

#[test]
fn trials_go_on_while_the_coordinator_is_away() {
    let mut session = session(1);
    let trial = key("s/t", 1);
    connect(&mut session, &[], at(0));
    assign(&mut session, &trial, at(0));
    let effects = session.handle(Event::Lost { reason: "gone".into() }, at(1));
    assert!(effects.is_empty(), "{effects:?}");
    for hour in 1..48 {
        let effects = session.handle(Event::Tick, at(3600 * hour));
        let [Effect::Connect(hello)] = effects.as_slice() else { panic!("{effects:?}") };
        assert_eq!(hello.attempts, [trial.reference()]);
        let effects = session.handle(Event::Lost { reason: "gone".into() }, at(3600 * hour + 1));
        assert!(effects.is_empty(), "{effects:?}");
        assert_eq!(session.outcome(at(3600 * hour + 1)), None);
    }
}

#[test]
fn an_attempt_that_is_fenced_is_killed_and_says_nothing_more() {
    let mut session = session(1);
    let trial = key("s/t", 1);
    connect(&mut session, &[], at(0));
    assign(&mut session, &trial, at(0));
    say(&mut session, &trial, log());
    session.handle(Event::Lost { reason: "gone".into() }, at(1));
    let effects = connect(&mut session, &[(&trial, false, 0)], at(60));
    assert!(effects.contains(&Effect::Discard(trial.clone())));
    say(&mut session, &trial, log());
    assert!(reports(&mut session).is_empty());
    assert!(session.held().is_empty(), "its lease is not renewed");
    assert_eq!(exit(&mut session, &trial, None), [Effect::CleanUp(trial)]);
}

#[test]
fn a_slot_is_taken_again_only_when_the_process_is_gone() {
    let mut session = session(1);
    let (first, second) = (key("s/a", 1), key("s/b", 1));
    connect(&mut session, &[], at(0));
    assign(&mut session, &first, at(0));
    assert_eq!(cancel(&mut session, &first), [Effect::Discard(first.clone())]);
    assert!(starts(&assign(&mut session, &second, at(0))).is_empty());
    assert_eq!(session.held(), [second.reference()], "its lease is renewed while it waits");
    assert_eq!(starts(&exit(&mut session, &first, None)), [(second, 0)]);
}

#[test]
fn slots_are_filled_in_order_and_reused() {
    let mut session = session(2);
    let keys = [key("s/a", 1), key("s/b", 1), key("s/c", 1)];
    connect(&mut session, &[], at(0));
    let started: Vec<_> =
        keys.iter().flat_map(|key| starts(&assign(&mut session, key, at(0)))).collect();
    assert_eq!(started, [(keys[0].clone(), 0), (keys[1].clone(), 1)]);
    assert_eq!(starts(&exit(&mut session, &keys[0], None)), [(keys[2].clone(), 0)]);
}

#[test]
fn a_later_attempt_of_the_same_trial_fences_the_earlier_one() {
    let mut session = session(2);
    connect(&mut session, &[], at(0));
    assign(&mut session, &key("s/t", 1), at(0));
    let effects = assign(&mut session, &key("s/t", 2), at(0));
    assert_eq!(effects[0], Effect::Discard(key("s/t", 1)));
    assert_eq!(starts(&effects), [(key("s/t", 2), 1)]);
    assert!(assign(&mut session, &key("s/t", 2), at(0)).is_empty(), "a repeated assignment");
}

#[test]
fn reports_after_a_checkpoint_wait_for_its_upload() {
    let mut session = session(1);
    let trial = key("s/t", 1);
    connect(&mut session, &[], at(0));
    assign(&mut session, &trial, at(0));
    say(&mut session, &trial, log());
    let upload = Effect::Upload { key: trial.clone(), sequence: 2, path: "file".into() };
    assert_eq!(say(&mut session, &trial, checkpoint("file")), [upload]);
    exit(&mut session, &trial, Some(FinalWord::Stopped));
    assert_eq!(sequences(&mut session), [1]);
    assert_eq!(session.held(), [trial.reference()], "the lease is kept for the upload");
    let artifact = v1::ArtifactRef { hash: "h".into(), bytes: 4 };
    let result = Ok(artifact.clone());
    session.handle(Event::Uploaded { key: trial, sequence: 2, result }, at(0));
    let sent = reports(&mut session);
    assert_eq!(sent.len(), 2);
    let Some(Content::Event(event)) = &sent[0].content else { panic!("{:?}", sent[0]) };
    let Some(v1::trial_event::Event::Checkpoint(saved)) = &event.event else { panic!("{event:?}") };
    assert_eq!((&saved.path, &saved.artifact), (&None, &Some(artifact)));
}

#[test]
fn a_checkpoint_that_cannot_be_delivered_ends_the_attempt_without_a_hole() {
    let mut session = session(1);
    let trial = key("s/t", 1);
    connect(&mut session, &[], at(0));
    assign(&mut session, &trial, at(0));
    say(&mut session, &trial, log());
    say(&mut session, &trial, checkpoint("file"));
    say(&mut session, &trial, log());
    let result = Err("file: it is gone".into());
    let effects =
        session.handle(Event::Uploaded { key: trial.clone(), sequence: 2, result }, at(0));
    let release = Effect::Release { key: trial.clone(), cost: 2 };
    assert_eq!(effects, [release, Effect::Kill(trial.clone())]);
    exit(&mut session, &trial, None);
    let sent = reports(&mut session);
    assert_eq!(sent.iter().map(|r| r.sequence).collect::<Vec<_>>(), [1, 2]);
    let Some(Content::Ended(ended)) = &sent[1].content else { panic!("{:?}", sent[1]) };
    assert_eq!(ended.reason(), v1::AttemptEnd::Crashed);
    assert!(ended.message.contains("file: it is gone"), "{}", ended.message);
}

#[test]
fn only_the_newest_progress_is_sent() {
    let mut session = session(1);
    let trial = key("s/t", 1);
    connect(&mut session, &[], at(0));
    assign(&mut session, &trial, at(0));
    for step in 1..50 {
        say(&mut session, &trial, progress(step));
    }
    say(&mut session, &trial, log());
    let sent = reports(&mut session);
    assert_eq!(sent.iter().map(|r| r.sequence).collect::<Vec<_>>(), [1, 0]);
    let Some(Content::Event(event)) = &sent[1].content else { panic!("{:?}", sent[1]) };
    assert!(matches!(&event.event,
        Some(v1::trial_event::Event::Progress(progress)) if progress.step == 49));
}

#[test]
fn heartbeats_keep_their_interval_and_name_what_is_held() {
    let mut session = session(1);
    let trial = key("s/t", 1);
    connect(&mut session, &[], at(0));
    assign(&mut session, &trial, at(0));
    let beats = |session: &mut Session, now| {
        let beats = messages(session, now).into_iter().filter_map(|message| match message {
            ToCoordinator::Heartbeat(heartbeat) => Some(heartbeat.running),
            _ => None,
        });
        beats.collect::<Vec<_>>()
    };
    assert_eq!(beats(&mut session, at(0)), [vec![trial.reference()]]);
    assert_eq!(session.deadline(at(0)), Some(Duration::from_secs(5)));
    assert!(beats(&mut session, at(4)).is_empty());
    assert_eq!(beats(&mut session, at(5)).len(), 1);
    session.handle(Event::Lost { reason: "gone".into() }, at(6));
    assert!(beats(&mut session, at(60)).is_empty());
}

#[test]
fn a_due_heartbeat_does_not_make_the_clock_spin() {
    let mut session = session(1);
    connect(&mut session, &[], at(0));
    assert!(session.has_message(at(9)));
    assert_eq!(session.deadline(at(9)), None, "it waits for the stream");
}

#[test]
fn leaving_asks_for_checkpoints_delivers_the_rest_and_goes() {
    let mut session = session(1);
    let (running, queued) = (key("s/a", 1), key("s/b", 1));
    connect(&mut session, &[], at(0));
    assign(&mut session, &running, at(0));
    assign(&mut session, &queued, at(0));
    assert_eq!(session.handle(Event::ShutDown, at(0)), [Effect::Stop(running.clone())]);
    assert!(session.handle(Event::ShutDown, at(0)).is_empty(), "once is enough");
    exit(&mut session, &running, Some(FinalWord::Stopped));
    let sent = messages(&mut session, at(0));
    assert!(matches!(sent[0], ToCoordinator::Draining(_)));
    let Some(ToCoordinator::Reports(reports)) = sent.last() else { panic!("{sent:?}") };
    let drained = Some(v1::AttemptEnd::Drained);
    assert_eq!(reports.reports.iter().map(ended).collect::<Vec<_>>(), [drained, drained]);
    assert_eq!(session.outcome(at(1)), None, "its reports are not durable");
    acknowledge(&mut session, &running, 1);
    acknowledge(&mut session, &queued, 1);
    assert_eq!(session.outcome(at(1)), Some(Outcome::Left));
}

#[test]
fn a_leaving_worker_gives_new_leases_straight_back() {
    let mut session = session(1);
    let trial = key("s/t", 1);
    connect(&mut session, &[], at(0));
    receive(&mut session, FromCoordinator::Drain(v1::Drain {}), at(0));
    assert!(assign(&mut session, &trial, at(0)).is_empty());
    assert_eq!(ended(&reports(&mut session)[0]), Some(v1::AttemptEnd::Drained));
}

#[test]
fn an_idle_worker_says_that_it_leaves_before_it_goes() {
    let mut session = session(1);
    connect(&mut session, &[], at(0));
    session.handle(Event::ShutDown, at(0));
    assert_eq!(session.outcome(at(0)), None);
    messages(&mut session, at(0));
    assert_eq!(session.outcome(at(0)), Some(Outcome::Left));
}

#[test]
fn grace_ends_with_a_kill_and_delivery_with_leaving_anyway() {
    let mut session = session(1);
    let trial = key("s/t", 1);
    connect(&mut session, &[], at(0));
    assign(&mut session, &trial, at(0));
    session.handle(Event::ShutDown, at(10));
    assert!(session.handle(Event::Tick, at(39)).is_empty());
    assert_eq!(session.handle(Event::Tick, at(40)), [Effect::Kill(trial.clone())]);
    assert!(session.handle(Event::Tick, at(41)).is_empty(), "once");
    let end = ProcessEnd {
        status: Status::Signal(9),
        last: None,
        broke_protocol: None,
        log: Vec::new(),
        host_out_of_memory: false,
    };
    session.handle(Event::Exited { key: trial, end }, at(41));
    let sent = reports(&mut session);
    assert_eq!(ended(&sent[0]), Some(v1::AttemptEnd::Drained));
    assert_eq!(session.outcome(at(44)), None);
    assert_eq!(session.outcome(at(45)), Some(Outcome::Left));
}

#[test]
fn a_refusal_is_final() {
    let mut session = session(1);
    session.handle(Event::Tick, at(0));
    let message = "the coordinator speaks protocol 2, this worker protocol 1".to_owned();
    session.handle(Event::Refused { message: message.clone() }, at(0));
    assert_eq!(session.outcome(at(0)), Some(Outcome::Refused { message }));
}

#[test]
fn what_nobody_knows_is_ignored() {
    let mut session = session(1);
    connect(&mut session, &[], at(0));
    let stranger = key("s/other", 7);
    assert!(acknowledge(&mut session, &stranger, 3).is_empty());
    assert!(cancel(&mut session, &stranger).is_empty());
    assert!(say(&mut session, &stranger, log()).is_empty());
    assert!(exit(&mut session, &stranger, None).is_empty());
    assert!(session.handle(Event::Received(Box::default()), at(0)).is_empty());
}

#[test]
fn a_worker_with_a_full_disk_gives_its_leases_back_and_says_why_it_goes() {
    let mut session = session(1);
    let trial = key("s/t", 1);
    connect(&mut session, &[], at(0));
    assign(&mut session, &trial, at(0));
    let problem = "No space left on device".to_owned();
    session.handle(Event::Unusable { key: trial.clone(), problem: problem.clone() }, at(0));
    let sent = reports(&mut session);
    assert_eq!(ended(&sent[0]), Some(v1::AttemptEnd::Drained), "it costs the trial nothing");
    assert_eq!(session.outcome(at(0)), None);
    acknowledge(&mut session, &trial, 1);
    assert_eq!(session.outcome(at(0)), Some(Outcome::Unusable { problem }));
}
