//! `index.json`: what a packed data set consists of. Written last, so that a folder that has it is whole.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::format::VERSION;
use crate::error::DataError;

const FILE: &str = "index.json";
const FORMAT: &str = "bitsweep-packed";

/// What a packed data set consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    pub(crate) format: String,
    pub(crate) version: u32,
    /// Hash of what was packed and how.
    pub(crate) plan: String,
    /// Length of the shorter sides; absent: as the files are.
    pub(crate) size: Option<u32>,
    pub(crate) classes: Vec<String>,
    pub(crate) splits: Vec<SplitRecord>,
}

/// One split.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SplitRecord {
    /// `train` or `val`.
    pub(crate) name: String,
    pub(crate) images: u64,
    pub(crate) shards: Vec<ShardRecord>,
    pub(crate) skipped: Vec<SkippedRecord>,
}

/// One shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShardRecord {
    pub(crate) file: String,
    pub(crate) images: u64,
    pub(crate) bytes: u64,
    /// Of the whole file.
    pub(crate) blake3: String,
}

/// A damaged file that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SkippedRecord {
    pub(crate) file: String,
    pub(crate) problem: String,
}

/// What may stand around a manifest; read first, so that a newer version is told from damage.
#[derive(Deserialize)]
struct Envelope {
    format: String,
    version: u32,
}

impl Manifest {
    pub(crate) fn new(
        plan: String,
        size: Option<u32>,
        classes: Vec<String>,
        splits: Vec<SplitRecord>,
    ) -> Self {
        Self { format: FORMAT.to_owned(), version: VERSION, plan, size, classes, splits }
    }

    pub(crate) fn path(folder: &Path) -> PathBuf {
        folder.join(FILE)
    }

    pub(crate) fn read(folder: &Path) -> Result<Self, DataError> {
        let path = Self::path(folder);
        let bytes = std::fs::read(&path).map_err(|source| {
            let advice = "path must be a folder that `bitsweep data pack` has finished; run it again to go on";
            DataError::unreadable(&path, source, advice)
        })?;
        let file = path.display().to_string();
        let damaged = |error: serde_json::Error| DataError::corrupt(&file, error.to_string());
        let envelope: Envelope = serde_json::from_slice(&bytes).map_err(damaged)?;
        if (envelope.format.as_str(), envelope.version) != (FORMAT, VERSION) {
            return Err(DataError::Unsuitable(format!(
                "{file} is of format {} version {}; this program reads {FORMAT} version {VERSION}, pack again",
                envelope.format, envelope.version
            )));
        }
        serde_json::from_slice(&bytes).map_err(damaged)
    }

    /// Writes by way of a temporary file, so that there is a whole manifest or none.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), DataError> {
        let path = Self::path(folder);
        let partial = folder.join(format!("{FILE}.partial"));
        let write = || {
            let mut bytes = serde_json::to_vec_pretty(self)?;
            bytes.push(b'\n');
            std::fs::write(&partial, bytes)?;
            std::fs::File::open(&partial)?.sync_all()?;
            std::fs::rename(&partial, &path)
        };
        write().map_err(|source| DataError::unwritable(&path, source))
    }
}
