//! Tables, and how an older database becomes a newer one.

use std::path::Path;

use rusqlite::Connection;

use super::StoreError;

/// Measured values are BLOBs of the protocol's messages: JSON has no infinity and no NaN.
///
/// Step N brings a database of schema N to schema N + 1. Steps are never changed, only added.
const MIGRATIONS: [&str; 1] = ["
CREATE TABLE sweeps (
    id TEXT PRIMARY KEY, key TEXT NOT NULL UNIQUE, file TEXT NOT NULL, plan TEXT NOT NULL,
    created_ms INTEGER NOT NULL, ended_ms INTEGER
) STRICT;
CREATE TABLE trials (
    id TEXT PRIMARY KEY, sweep_id TEXT NOT NULL REFERENCES sweeps(id), position INTEGER NOT NULL,
    state INTEGER NOT NULL, attempts_used INTEGER NOT NULL DEFAULT 0, retry_at_ms INTEGER,
    parameters INTEGER NOT NULL DEFAULT 0, provenance TEXT, result BLOB
) STRICT;
CREATE INDEX trials_of_sweep ON trials(sweep_id, position);
CREATE TABLE attempts (
    trial_id TEXT NOT NULL REFERENCES trials(id), attempt INTEGER NOT NULL,
    worker_id TEXT NOT NULL, worker_name TEXT NOT NULL, started_ms INTEGER NOT NULL,
    ended_ms INTEGER, ended TEXT, message TEXT NOT NULL DEFAULT '',
    from_step INTEGER NOT NULL, last_sequence INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (trial_id, attempt)
) STRICT, WITHOUT ROWID;
CREATE TABLE points (
    trial_id TEXT NOT NULL, metric INTEGER NOT NULL, step INTEGER NOT NULL, value REAL,
    PRIMARY KEY (trial_id, metric, step)
) STRICT, WITHOUT ROWID;
CREATE TABLE epochs (
    trial_id TEXT NOT NULL, epoch INTEGER NOT NULL, step INTEGER NOT NULL, summary BLOB NOT NULL,
    PRIMARY KEY (trial_id, epoch)
) STRICT, WITHOUT ROWID;
CREATE TABLE layers (
    trial_id TEXT NOT NULL, epoch INTEGER NOT NULL, step INTEGER NOT NULL, report BLOB NOT NULL,
    PRIMARY KEY (trial_id, epoch)
) STRICT, WITHOUT ROWID;
CREATE TABLE checkpoints (
    trial_id TEXT NOT NULL, step INTEGER NOT NULL, final INTEGER NOT NULL, epoch INTEGER NOT NULL,
    attempt INTEGER NOT NULL, hash TEXT NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY (trial_id, step, final)
) STRICT, WITHOUT ROWID;
CREATE TABLE log (
    id INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, level TEXT NOT NULL,
    worker_name TEXT NOT NULL, trial_id TEXT NOT NULL, message TEXT NOT NULL
) STRICT;
"];

/// Brings the database to the newest schema, each step in a transaction of its own.
pub(super) fn migrate(connection: &mut Connection, file: &Path) -> Result<(), StoreError> {
    let other = |error: rusqlite::Error| super::sqlite::store_error(&error, file);
    let found: i64 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(other)?;
    let known = MIGRATIONS.len() as i64;
    if found > known {
        return Err(StoreError::Newer { file: file.to_path_buf(), found, known });
    }
    for (at, migration) in MIGRATIONS.iter().enumerate().skip(found as usize) {
        let transaction = connection.transaction().map_err(other)?;
        transaction.execute_batch(migration).map_err(other)?;
        transaction.pragma_update(None, "user_version", at as i64 + 1).map_err(other)?;
        transaction.commit().map_err(other)?;
    }
    Ok(())
}
