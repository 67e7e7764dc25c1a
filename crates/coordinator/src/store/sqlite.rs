//! The store in one SQLite file.

mod read;
mod write;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bitsweep_sweep::{LayerReport, Metric, PointBatch, SweepId, TrialId};
use rusqlite::{Connection, ErrorCode};

use super::schema;
use super::{Change, LogRow, SeriesStore, Store, StoreError, SweepRow, TrialRow};

/// A connection to the file `bitsweep.sqlite` of a state folder.
pub(crate) struct SqliteStore {
    connection: Connection,
    file: PathBuf,
}

impl SqliteStore {
    /// Opens the database of a state folder, making or migrating it as needed.
    pub(crate) fn open(folder: &Path) -> Result<Self, StoreError> {
        let file = folder.join("bitsweep.sqlite");
        let mut store = Self::connect(file)?;
        schema::migrate(&mut store.connection, &store.file)?;
        Ok(store)
    }

    /// Another connection to the same database, to read beside a writer.
    pub(crate) fn reader(&self) -> Result<Self, StoreError> {
        Self::connect(self.file.clone())
    }

    fn connect(file: PathBuf) -> Result<Self, StoreError> {
        let connection = Connection::open(&file).map_err(|e| store_error(&e, &file))?;
        let set = |name: &str, value: &str| {
            connection.pragma_update(None, name, value).map_err(|e| store_error(&e, &file))
        };
        set("journal_mode", "WAL")?;
        // With WAL, NORMAL could lose the last transactions at a power cut; what was acknowledged may not be lost.
        set("synchronous", "FULL")?;
        set("foreign_keys", "ON")?;
        connection.busy_timeout(Duration::from_secs(10)).map_err(|e| store_error(&e, &file))?;
        Ok(Self { connection, file })
    }

    #[cfg(test)]
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    fn error(&self, error: &rusqlite::Error) -> StoreError {
        store_error(error, &self.file)
    }
}

/// Tells the failures apart that a person can do something about.
pub(super) fn store_error(error: &rusqlite::Error, file: &Path) -> StoreError {
    let folder = file.parent().unwrap_or(file).to_path_buf();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::DiskFull { folder },
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            StoreError::Damaged { file: file.to_path_buf(), reason: error.to_string() }
        }
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::OutOfMemory,
        ) => StoreError::Busy { file: file.to_path_buf(), reason: error.to_string() },
        _ => StoreError::Other(error.to_string()),
    }
}

impl Store for SqliteStore {
    fn apply(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let file = &self.file;
        let transaction = self.connection.transaction().map_err(|e| store_error(&e, file))?;
        for change in changes {
            write::change(&transaction, change).map_err(|error| match error {
                write::WriteError::Sqlite(error) => store_error(&error, file),
                write::WriteError::Message(message) => StoreError::Other(message),
            })?;
        }
        transaction.commit().map_err(|e| store_error(&e, file))
    }

    fn sweeps(&self) -> Result<Vec<SweepRow>, StoreError> {
        read::sweeps(&self.connection).map_err(|e| self.error(&e))
    }

    fn trials(&self, sweep: &SweepId) -> Result<Vec<TrialRow>, StoreError> {
        read::trials(&self.connection, sweep).map_err(|e| self.error(&e))
    }

    fn log(&self, limit: u32) -> Result<Vec<LogRow>, StoreError> {
        read::log(&self.connection, limit).map_err(|e| self.error(&e))
    }
}

impl SeriesStore for SqliteStore {
    fn series(&self, trial: &TrialId, metrics: &[Metric]) -> Result<Vec<PointBatch>, StoreError> {
        read::series(&self.connection, trial, metrics).map_err(|e| self.error(&e))
    }

    fn layers(&self, trial: &TrialId) -> Result<Vec<LayerReport>, StoreError> {
        read::layers(&self.connection, trial).map_err(|e| self.error(&e))
    }
}
