//! What a store keeps, whoever implements it. `conforms` takes a way to open the same state again.

use bitsweep_proto::v1;
use bitsweep_sweep::{AttemptEnd, Level, Metric, Plan, SweepFile, SweepId, TrialId};
use v1::report::Content;
use v1::trial_event::Event;

use super::{AttemptRow, Change, LogRow, NewSweep, SeriesStore, SqliteStore, StateLock, Store};

fn sweep() -> NewSweep {
    let text = "name = \"kept\"\nnetworks = [\"resnet18\"]\nbits = [32, 4]\n\
                dataset = { name = \"fashion-mnist-mini\" }\ntrain = { epochs = 2 }\n";
    let file = SweepFile::parse(text, "kept.toml").expect("parses");
    let plan = Plan::new(&file, None).expect("plans");
    let id = SweepId::new("kept-1");
    NewSweep { id, key: plan.key(), file: text.to_owned(), plan, created_ms: 5 }
}

fn trial() -> TrialId {
    TrialId::new("kept-1/resnet18-32-s0")
}

fn start(attempt: u32, from_step: u64) -> Change {
    let attempt = AttemptRow {
        attempt,
        worker_id: "w1".into(),
        worker_name: "gpu01".into(),
        started_ms: 10,
        ended_ms: None,
        end: None,
        message: String::new(),
        from_step,
        last_sequence: 0,
    };
    Change::StartAttempt { trial: trial(), attempt }
}

fn report(attempt: u32, sequence: u64, event: Event) -> Change {
    Change::Report(Box::new(v1::Report {
        attempt: Some(v1::AttemptRef { trial_id: trial().to_string(), attempt }),
        sequence,
        time_ms: 0,
        content: Some(Content::Event(v1::TrialEvent { event: Some(event) })),
    }))
}

fn losses(steps: std::ops::RangeInclusive<u64>) -> Event {
    Event::Points(v1::PointBatch {
        metric: v1::Metric::StepLoss.into(),
        values: steps.clone().map(|s| s as f64 / 2.0).collect(),
        steps: steps.collect(),
    })
}

fn epoch(epoch: u32, step: u64) -> Event {
    Event::Epoch(v1::EpochSummary { epoch, step, top1: 50.0, ..Default::default() })
}

fn checkpoint(step: u64, last: bool) -> Event {
    let artifact = v1::ArtifactRef { hash: format!("{step:064x}"), bytes: 9 };
    let path = None;
    Event::Checkpoint(v1::CheckpointSaved {
        epoch: 1,
        step,
        r#final: last,
        path,
        artifact: Some(artifact),
    })
}

fn steps(store: &impl SeriesStore, metric: Metric) -> Vec<u64> {
    let series = store.series(&trial(), &[metric]).expect("reads");
    series.into_iter().flat_map(|batch| batch.steps).collect()
}

#[test]
fn what_apply_returned_from_is_there_after_a_restart_without_goodbye() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = SqliteStore::open(folder.path()).expect("opens");
    let log = LogRow {
        time_ms: 1,
        level: Level::Warn,
        worker_name: "gpu01".into(),
        trial_id: trial().to_string(),
        message: "hot".into(),
    };
    let end = Change::EndAttempt {
        trial: trial(),
        attempt: 1,
        end: AttemptEnd::Crashed,
        message: "signal 11".into(),
        ended_ms: 20,
    };
    let state = Change::Trial {
        trial: trial(),
        state: v1::TrialState::Ready,
        attempts_used: 1,
        retry_at_ms: Some(99),
    };
    let changes = [
        Change::AddSweep(Box::new(sweep())),
        start(1, 0),
        report(1, 1, losses(1..=4)),
        report(1, 2, epoch(1, 4)),
        report(1, 3, checkpoint(4, false)),
        Change::Log(log.clone()),
        end,
        state,
    ];
    store.apply(&changes).expect("applies");
    // Never closed: as after SIGKILL, only the files speak.
    let copy = tempfile::tempdir().expect("a folder");
    for file in std::fs::read_dir(folder.path()).expect("lists").flatten() {
        std::fs::copy(file.path(), copy.path().join(file.file_name())).expect("copies");
    }
    let again = SqliteStore::open(copy.path()).expect("opens");
    let sweeps = again.sweeps().expect("reads");
    assert_eq!((sweeps.len(), &sweeps[0].plan), (1, &sweep().plan));
    let trials = again.trials(&SweepId::new("kept-1")).expect("reads");
    assert_eq!(trials.len(), 2);
    let kept = &trials[0];
    assert_eq!(
        (kept.state, kept.attempts_used, kept.retry_at_ms),
        (v1::TrialState::Ready, 1, Some(99))
    );
    assert_eq!(
        (kept.attempts[0].end, kept.attempts[0].last_sequence),
        (Some(AttemptEnd::Crashed), 3)
    );
    assert_eq!(kept.newest_checkpoint.as_ref().map(|c| c.step), Some(4));
    assert_eq!(kept.final_checkpoint, None);
    assert_eq!(kept.epochs.len(), 1);
    assert_eq!(steps(&again, Metric::StepLoss), [1, 2, 3, 4]);
    assert_eq!(steps(&again, Metric::Top1), [4]);
    assert_eq!(again.log(10).expect("reads"), [log]);
}

#[test]
fn a_new_attempt_drops_what_came_after_its_checkpoint() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = SqliteStore::open(folder.path()).expect("opens");
    store
        .apply(&[
            Change::AddSweep(Box::new(sweep())),
            start(1, 0),
            report(1, 1, epoch(0, 0)),
            report(1, 2, losses(1..=7)),
            report(1, 3, epoch(1, 5)),
            report(1, 4, epoch(2, 7)),
            start(2, 5),
        ])
        .expect("applies");
    assert_eq!(steps(&store, Metric::StepLoss), [1, 2, 3, 4, 5]);
    assert_eq!(steps(&store, Metric::Top1), [0, 5]);
    store.apply(&[report(2, 1, losses(5..=6)), start(3, 0)]).expect("applies");
    assert!(steps(&store, Metric::StepLoss).is_empty());
    assert!(steps(&store, Metric::Top1).is_empty(), "epoch 0 is measured again, too");
}

#[test]
fn the_final_checkpoint_is_told_from_the_newest() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = SqliteStore::open(folder.path()).expect("opens");
    let changes = [
        Change::AddSweep(Box::new(sweep())),
        start(1, 0),
        report(1, 1, checkpoint(4, false)),
        report(1, 2, checkpoint(8, true)),
    ];
    store.apply(&changes).expect("applies");
    let trials = store.trials(&SweepId::new("kept-1")).expect("reads");
    assert_eq!(trials[0].final_checkpoint.as_ref().map(|c| c.step), Some(8));
    assert_eq!(trials[0].newest_checkpoint.as_ref().map(|c| c.step), Some(8));
}

#[test]
fn all_changes_are_made_or_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = SqliteStore::open(folder.path()).expect("opens");
    let twice = [Change::AddSweep(Box::new(sweep())), Change::AddSweep(Box::new(sweep()))];
    let error = store.apply(&twice).expect_err("the same sweep twice");
    assert!(!error.is_passing(), "{error}");
    assert!(store.sweeps().expect("reads").is_empty());
}

#[test]
fn a_loss_that_is_no_number_comes_back_as_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = SqliteStore::open(folder.path()).expect("opens");
    let points = v1::PointBatch {
        metric: v1::Metric::StepLoss.into(),
        steps: vec![1, 2],
        values: vec![f64::NAN, 1.5],
    };
    store
        .apply(&[
            Change::AddSweep(Box::new(sweep())),
            start(1, 0),
            report(1, 1, Event::Points(points)),
        ])
        .expect("applies");
    let series = store.series(&trial(), &[]).expect("reads");
    assert!(series[0].values[0].is_nan());
    assert_eq!(series[0].values[1], 1.5);
}

#[test]
fn a_newer_or_damaged_database_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(SqliteStore::open(folder.path()).expect("opens"));
    let file = folder.path().join("bitsweep.sqlite");
    let connection = rusqlite::Connection::open(&file).expect("opens");
    connection.pragma_update(None, "user_version", 99).expect("written");
    drop(connection);
    let message = SqliteStore::open(folder.path()).err().expect("refused").to_string();
    assert!(message.contains("schema 99") && message.contains("knows 1"), "{message}");
    std::fs::write(&file, vec![7; 8192]).expect("written");
    let message = SqliteStore::open(folder.path()).err().expect("refused").to_string();
    assert!(message.contains("bitsweep.sqlite is damaged"), "{message}");
}

#[test]
fn a_lock_that_is_in_the_way_passes() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = SqliteStore::open(folder.path()).expect("opens");
    let file = folder.path().join("bitsweep.sqlite");
    let other = rusqlite::Connection::open(&file).expect("opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("locks");
    store.connection().busy_timeout(std::time::Duration::ZERO).expect("set");
    let sweep = [Change::AddSweep(Box::new(sweep()))];
    let error = store.apply(&sweep).expect_err("locked");
    assert!(error.is_passing() && error.to_string().contains("bitsweep.sqlite"), "{error}");
    other.execute_batch("ROLLBACK").expect("unlocks");
    store.apply(&sweep).expect("goes on");
}

#[test]
fn one_coordinator_holds_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let lock = StateLock::acquire(folder.path()).expect("free");
    let message = StateLock::acquire(folder.path()).expect_err("held").to_string();
    assert!(message.contains("another coordinator already uses"), "{message}");
    drop(lock);
    StateLock::acquire(folder.path()).expect("free again");
}
