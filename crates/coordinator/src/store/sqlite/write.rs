//! Changes as SQL, within a transaction of the caller.

use bitsweep_proto::v1;
use bitsweep_sweep::{EpochSummary, Metric, PointBatch, Provenance, TrialId};
use prost::Message as _;
use rusqlite::{Transaction, params};
use serde::Serialize;
use v1::report::Content;
use v1::trial_event::Event;

use crate::store::{AttemptRow, Change, LogRow, NewSweep};

/// Why a change could not be written.
#[derive(Debug)]
pub(super) enum WriteError {
    Sqlite(rusqlite::Error),
    /// A message that means nothing; checked before, so a bug.
    Message(String),
}

impl From<rusqlite::Error> for WriteError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

type Written = Result<(), WriteError>;

pub(super) fn change(transaction: &Transaction<'_>, change: &Change) -> Written {
    match change {
        Change::AddSweep(sweep) => add_sweep(transaction, sweep),
        Change::StartAttempt { trial, attempt } => start_attempt(transaction, trial, attempt),
        Change::Report(report) => store_report(transaction, report),
        Change::EndAttempt { trial, attempt, end, message, ended_ms } => run(
            transaction,
            "UPDATE attempts SET ended_ms = ?3, ended = ?4, message = ?5 \
                 WHERE trial_id = ?1 AND attempt = ?2",
            params![trial.as_str(), attempt, ended_ms, json(end)?, message],
        ),
        Change::ReviveAttempt { trial, attempt } => run(
            transaction,
            "UPDATE attempts SET ended_ms = NULL, ended = NULL, message = '' \
             WHERE trial_id = ?1 AND attempt = ?2",
            params![trial.as_str(), attempt],
        ),
        Change::Trial { trial, state, attempts_used, retry_at_ms } => run(
            transaction,
            "UPDATE trials SET state = ?2, attempts_used = ?3, retry_at_ms = ?4 WHERE id = ?1",
            params![trial.as_str(), *state as i32, attempts_used, retry_at_ms],
        ),
        Change::SweepEnded { sweep, ended_ms } => run(
            transaction,
            "UPDATE sweeps SET ended_ms = ?2 WHERE id = ?1",
            params![sweep.as_str(), ended_ms],
        ),
        Change::Log(line) => log(transaction, line),
    }
}

fn run(transaction: &Transaction<'_>, sql: &str, values: impl rusqlite::Params) -> Written {
    transaction.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

fn json(value: &impl Serialize) -> Result<String, WriteError> {
    serde_json::to_string(value).map_err(|error| WriteError::Message(error.to_string()))
}

/// SQLite's integers are signed; steps and sequences stay far below the sign.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn add_sweep(transaction: &Transaction<'_>, sweep: &NewSweep) -> Written {
    run(
        transaction,
        "INSERT INTO sweeps (id, key, file, plan, created_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![sweep.id.as_str(), sweep.key, sweep.file, json(&sweep.plan)?, sweep.created_ms],
    )?;
    for (position, planned) in sweep.plan.trials.iter().enumerate() {
        run(
            transaction,
            "INSERT INTO trials (id, sweep_id, position, state) VALUES (?1, ?2, ?3, ?4)",
            params![
                TrialId::of(&sweep.id, &planned.spec.name).as_str(),
                sweep.id.as_str(),
                position as i64,
                v1::TrialState::Waiting as i32
            ],
        )?;
    }
    Ok(())
}

fn start_attempt(transaction: &Transaction<'_>, trial: &TrialId, attempt: &AttemptRow) -> Written {
    for table in ["points", "epochs", "layers"] {
        // Epoch 0 is measured before the first step: it is measured again unless a step was kept.
        let sql = format!("DELETE FROM {table} WHERE trial_id = ?1 AND (step > ?2 OR ?2 = 0)");
        run(transaction, &sql, params![trial.as_str(), signed(attempt.from_step)])?;
    }
    run(transaction, "UPDATE trials SET result = NULL WHERE id = ?1", params![trial.as_str()])?;
    run(
        transaction,
        "INSERT INTO attempts (trial_id, attempt, worker_id, worker_name, started_ms, from_step) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            trial.as_str(),
            attempt.attempt,
            attempt.worker_id,
            attempt.worker_name,
            attempt.started_ms,
            signed(attempt.from_step)
        ],
    )
}

fn log(transaction: &Transaction<'_>, line: &LogRow) -> Written {
    run(
        transaction,
        "INSERT INTO log (time_ms, level, worker_name, trial_id, message) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![line.time_ms, json(&line.level)?, line.worker_name, line.trial_id, line.message],
    )
}

fn store_report(transaction: &Transaction<'_>, report: &v1::Report) -> Written {
    let missing = || WriteError::Message("a report without an attempt".to_owned());
    let attempt = report.attempt.as_ref().ok_or_else(missing)?;
    let trial = attempt.trial_id.as_str();
    run(
        transaction,
        "UPDATE attempts SET last_sequence = ?3 WHERE trial_id = ?1 AND attempt = ?2",
        params![trial, attempt.attempt, signed(report.sequence)],
    )?;
    let Some(Content::Event(v1::TrialEvent { event: Some(event) })) = &report.content else {
        return Ok(());
    };
    match event {
        Event::Points(batch) => {
            let batch = PointBatch::try_from(batch.clone())
                .map_err(|error| WriteError::Message(error.to_string()))?;
            for (step, value) in batch.steps.iter().zip(&batch.values) {
                point(transaction, trial, batch.metric, *step, *value)?;
            }
            Ok(())
        }
        Event::Epoch(epoch) => {
            run(
                transaction,
                "INSERT OR REPLACE INTO epochs (trial_id, epoch, step, summary) VALUES (?1, ?2, ?3, ?4)",
                params![trial, epoch.epoch, signed(epoch.step), epoch.encode_to_vec()],
            )?;
            for (metric, step, value) in EpochSummary::from(*epoch).points() {
                point(transaction, trial, metric, step, value)?;
            }
            Ok(())
        }
        Event::Layers(layers) => run(
            transaction,
            "INSERT OR REPLACE INTO layers (trial_id, epoch, step, report) VALUES (?1, ?2, ?3, ?4)",
            params![trial, layers.epoch, signed(layers.step), layers.encode_to_vec()],
        ),
        Event::Started(started) => {
            let provenance = started.provenance.clone().map(Provenance::from);
            run(
                transaction,
                "UPDATE trials SET parameters = ?2, provenance = ?3 WHERE id = ?1",
                params![
                    trial,
                    signed(started.parameters),
                    provenance.as_ref().map(json).transpose()?
                ],
            )
        }
        Event::Checkpoint(checkpoint) => {
            let Some(artifact) = &checkpoint.artifact else { return Ok(()) };
            run(
                transaction,
                "INSERT OR REPLACE INTO checkpoints (trial_id, step, final, epoch, attempt, hash, bytes) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    trial,
                    signed(checkpoint.step),
                    checkpoint.r#final,
                    checkpoint.epoch,
                    attempt.attempt,
                    artifact.hash,
                    signed(artifact.bytes)
                ],
            )
        }
        Event::Finished(result) => run(
            transaction,
            "UPDATE trials SET result = ?2 WHERE id = ?1",
            params![trial, result.encode_to_vec()],
        ),
        // Log lines come as changes of their own, with the worker's name.
        Event::Log(_) | Event::Progress(_) | Event::Failed(_) | Event::Stopped(_) => Ok(()),
    }
}

fn point(
    transaction: &Transaction<'_>,
    trial: &str,
    metric: Metric,
    step: u64,
    value: f64,
) -> Written {
    // SQLite has no NaN: it is stored, and read again, as NULL.
    run(
        transaction,
        "INSERT OR REPLACE INTO points (trial_id, metric, step, value) VALUES (?1, ?2, ?3, ?4)",
        params![trial, v1::Metric::from(metric) as i32, signed(step), value],
    )
}
