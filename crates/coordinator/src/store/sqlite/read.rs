//! Rows as values.

use bitsweep_proto::v1;
use bitsweep_sweep::{LayerReport, Metric, PointBatch, SweepId, TrialId};
use prost::Message;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Result, Row, params};
use serde::de::DeserializeOwned;

use crate::store::{AttemptRow, CheckpointRow, LogRow, SweepRow, TrialRow};

/// A JSON column.
fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<T> {
    parse(&row.get::<_, String>(column)?, column)
}

/// A JSON column that may be NULL.
fn optional_json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<Option<T>> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| parse(&text, column)).transpose()
}

fn parse<T: DeserializeOwned>(text: &str, column: usize) -> Result<T> {
    serde_json::from_str(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
    })
}

/// A column that holds a message of the protocol.
fn message<T: Message + Default>(bytes: &[u8], column: usize) -> Result<T> {
    T::decode(bytes).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, Box::new(error))
    })
}

/// A column that holds no negative number.
fn unsigned(row: &Row<'_>, column: usize) -> Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or_default())
}

pub(super) fn sweeps(connection: &Connection) -> Result<Vec<SweepRow>> {
    let sql =
        "SELECT id, key, file, plan, created_ms, ended_ms FROM sweeps ORDER BY created_ms, rowid";
    connection
        .prepare_cached(sql)?
        .query_map([], |row| {
            Ok(SweepRow {
                id: SweepId::new(row.get::<_, String>(0)?),
                key: row.get(1)?,
                file: row.get(2)?,
                plan: json(row, 3)?,
                created_ms: row.get(4)?,
                ended_ms: row.get(5)?,
            })
        })?
        .collect()
}

pub(super) fn trials(connection: &Connection, sweep: &SweepId) -> Result<Vec<TrialRow>> {
    let sql = "SELECT id, state, attempts_used, retry_at_ms, parameters, provenance, result \
               FROM trials WHERE sweep_id = ?1 ORDER BY position";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([sweep.as_str()], |row| {
        let id: String = row.get(0)?;
        Ok(TrialRow {
            state: v1::TrialState::try_from(row.get::<_, i32>(1)?)
                .unwrap_or(v1::TrialState::Unspecified),
            attempts_used: row.get(2)?,
            retry_at_ms: row.get(3)?,
            parameters: unsigned(row, 4)?,
            provenance: optional_json(row, 5)?,
            result: row
                .get::<_, Option<Vec<u8>>>(6)?
                .map(|bytes| message::<v1::FinalResult>(&bytes, 6))
                .transpose()?
                .map(Into::into),
            attempts: attempts(connection, &id)?,
            epochs: epochs(connection, &id)?,
            newest_checkpoint: checkpoint(connection, &id, false)?,
            final_checkpoint: checkpoint(connection, &id, true)?,
            id: TrialId::new(id),
        })
    })?;
    rows.collect()
}

fn attempts(connection: &Connection, trial: &str) -> Result<Vec<AttemptRow>> {
    let sql = "SELECT attempt, worker_id, worker_name, started_ms, ended_ms, ended, message, from_step, \
               last_sequence FROM attempts WHERE trial_id = ?1 ORDER BY attempt";
    connection
        .prepare_cached(sql)?
        .query_map([trial], |row| {
            Ok(AttemptRow {
                attempt: row.get(0)?,
                worker_id: row.get(1)?,
                worker_name: row.get(2)?,
                started_ms: row.get(3)?,
                ended_ms: row.get(4)?,
                end: optional_json(row, 5)?,
                message: row.get(6)?,
                from_step: unsigned(row, 7)?,
                last_sequence: unsigned(row, 8)?,
            })
        })?
        .collect()
}

fn epochs(connection: &Connection, trial: &str) -> Result<Vec<bitsweep_sweep::EpochSummary>> {
    let sql = "SELECT summary FROM epochs WHERE trial_id = ?1 ORDER BY epoch";
    connection
        .prepare_cached(sql)?
        .query_map([trial], |row| {
            Ok(message::<v1::EpochSummary>(row.get_ref(0)?.as_blob()?, 0)?.into())
        })?
        .collect()
}

/// The newest checkpoint, or the one that children start from.
fn checkpoint(connection: &Connection, trial: &str, last: bool) -> Result<Option<CheckpointRow>> {
    let sql = "SELECT epoch, step, hash, bytes FROM checkpoints \
               WHERE trial_id = ?1 AND (final = 1 OR ?2 = 0) ORDER BY step DESC, final DESC LIMIT 1";
    connection
        .prepare_cached(sql)?
        .query_row(params![trial, last], |row| {
            Ok(CheckpointRow {
                epoch: row.get(0)?,
                step: unsigned(row, 1)?,
                hash: row.get(2)?,
                bytes: unsigned(row, 3)?,
            })
        })
        .optional()
}

pub(super) fn log(connection: &Connection, limit: u32) -> Result<Vec<LogRow>> {
    let sql = "SELECT time_ms, level, worker_name, trial_id, message FROM \
               (SELECT * FROM log ORDER BY id DESC LIMIT ?1) ORDER BY id";
    connection
        .prepare_cached(sql)?
        .query_map([limit], |row| {
            Ok(LogRow {
                time_ms: row.get(0)?,
                level: json(row, 1)?,
                worker_name: row.get(2)?,
                trial_id: row.get(3)?,
                message: row.get(4)?,
            })
        })?
        .collect()
}

pub(super) fn series(
    connection: &Connection,
    trial: &TrialId,
    metrics: &[Metric],
) -> Result<Vec<PointBatch>> {
    let wanted = if metrics.is_empty() { &Metric::ALL } else { metrics };
    let sql = "SELECT step, value FROM points WHERE trial_id = ?1 AND metric = ?2 ORDER BY step";
    let mut statement = connection.prepare_cached(sql)?;
    let mut series = Vec::new();
    for metric in wanted {
        let number = v1::Metric::from(*metric) as i32;
        let points = statement.query_map(params![trial.as_str(), number], |row| {
            Ok((unsigned(row, 0)?, row.get::<_, Option<f64>>(1)?.unwrap_or(f64::NAN)))
        })?;
        let (steps, values): (Vec<u64>, Vec<f64>) =
            points.collect::<Result<Vec<_>>>()?.into_iter().unzip();
        if !steps.is_empty() {
            series.push(PointBatch { metric: *metric, steps, values });
        }
    }
    Ok(series)
}

pub(super) fn layers(connection: &Connection, trial: &TrialId) -> Result<Vec<LayerReport>> {
    let sql = "SELECT report FROM layers WHERE trial_id = ?1 ORDER BY epoch";
    connection
        .prepare_cached(sql)?
        .query_map([trial.as_str()], |row| {
            let report = message::<v1::LayerReport>(row.get_ref(0)?.as_blob()?, 0)?;
            LayerReport::try_from(report).map_err(|error| {
                rusqlite::Error::FromSqlConversionFailure(0, Type::Blob, Box::new(error))
            })
        })?
        .collect()
}
