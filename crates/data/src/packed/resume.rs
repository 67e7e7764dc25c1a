//! What an earlier run has left in the folder.

use std::path::{Path, PathBuf};

use super::manifest::{Manifest, ShardRecord};
use super::plan::Plan;
use super::shard::Shard;
use super::writer::file_name;
use crate::error::DataError;

/// The whole shards of a split from its beginning.
#[derive(Default)]
pub(crate) struct Finished {
    pub(crate) shards: Vec<ShardRecord>,
    /// Place of the first file that no shard covers.
    pub(crate) next: u64,
    /// Places of files that were covered and left out.
    pub(crate) skipped: Vec<u64>,
}

/// Refuses a folder that holds another packed data set.
pub(crate) fn refuse_others(out: &Path, plan: &Plan) -> Result<(), DataError> {
    let other = || {
        Err(DataError::Unsuitable(format!(
            "{} holds a data set packed from another folder, from other files or with another size; give another \
             folder, or remove it first",
            out.display()
        )))
    };
    if Manifest::path(out).exists() && Manifest::read(out)?.plan != plan.hex() {
        return other();
    }
    for path in shard_files(out)? {
        if Shard::open(&path).is_ok_and(|shard| shard.footer.plan != plan.hash) {
            return other();
        }
    }
    Ok(())
}

/// Finds the whole shards of a split that belong to the plan. Those that are damaged, and all after them, are written
/// again.
pub(crate) fn finished(out: &Path, plan: &Plan, split: &str) -> Finished {
    let mut finished = Finished::default();
    loop {
        let file = file_name(split, finished.shards.len());
        let Ok(shard) = Shard::open(&out.join(&file)) else { return finished };
        let intact = (0..shard.entries.len()).all(|at| shard.image(at).is_ok());
        let footer = shard.footer;
        if footer.plan != plan.hash || footer.first != finished.next || !intact {
            return finished;
        }
        let mut sources = shard.entries.iter().map(|entry| entry.source).peekable();
        let missing =
            (footer.first..footer.end).filter(|place| sources.next_if_eq(place).is_none());
        finished.skipped.extend(missing);
        finished.next = footer.end;
        finished.shards.push(ShardRecord {
            file,
            images: shard.entries.len() as u64,
            bytes: shard.bytes(),
            blake3: shard.hash(),
        });
    }
}

/// Removes shards that the finished data set does not name.
pub(crate) fn remove_surplus(out: &Path, manifest: &Manifest) -> Result<(), DataError> {
    let named: Vec<PathBuf> = manifest
        .splits
        .iter()
        .flat_map(|split| &split.shards)
        .map(|shard| out.join(&shard.file))
        .collect();
    for path in shard_files(out)? {
        if !named.contains(&path) {
            std::fs::remove_file(&path).map_err(|source| DataError::unwritable(&path, source))?;
        }
    }
    Ok(())
}

fn shard_files(out: &Path) -> Result<Vec<PathBuf>, DataError> {
    let unreadable = |source| DataError::unreadable(out, source, "give a folder to write to");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(out).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "shard") {
            files.push(path);
        }
    }
    Ok(files)
}
