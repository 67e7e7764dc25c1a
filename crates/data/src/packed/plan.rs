//! What is to be packed.

use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use super::format::VERSION;
use crate::error::DataError;
use crate::fingerprint::{stamp, text};
use crate::folder::{FolderSplit, scan, train_folder, validation_folder};

/// Splits of a folder, and a hash that another folder or size does not have.
pub(crate) struct Plan {
    pub(crate) splits: Vec<(&'static str, FolderSplit)>,
    pub(crate) classes: Arc<[String]>,
    pub(crate) size: Option<u32>,
    pub(crate) hash: [u8; 32],
}

impl Plan {
    /// Lists the files of `folder`: `train/` and `val/` or `test/`, or either of them.
    pub(crate) fn new(folder: &Path, size: Option<u32>) -> Result<Self, DataError> {
        let (train, validation) = (train_folder(folder), validation_folder(folder));
        let mut splits = Vec::new();
        let mut classes = None;
        if train.is_dir() || validation.is_none() {
            let split = scan(&train, None)?;
            classes = Some(Arc::clone(&split.classes));
            splits.push(("train", split));
        }
        if let Some(validation) = validation {
            let split = scan(&validation, classes.as_ref())?;
            classes = Some(Arc::clone(&split.classes));
            splits.push(("val", split));
        }
        let classes = classes.unwrap_or_default();
        let hash = hash(&splits, &classes, size)?;
        Ok(Self { splits, classes, size, hash })
    }

    /// All files.
    pub(crate) fn total(&self) -> usize {
        self.splits.iter().map(|(_, split)| split.labels.len()).sum()
    }

    pub(crate) fn hex(&self) -> String {
        blake3::Hash::from_bytes(self.hash).to_hex().to_string()
    }
}

fn hash(
    splits: &[(&'static str, FolderSplit)],
    classes: &[String],
    size: Option<u32>,
) -> Result<[u8; 32], DataError> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&VERSION.to_le_bytes());
    hasher.update(&size.unwrap_or(0).to_le_bytes());
    classes.iter().for_each(|name| text(&mut hasher, name));
    for (name, split) in splits {
        text(&mut hasher, name);
        let stamps = (0..split.labels.len())
            .into_par_iter()
            .map(|place| stamp(&split.files.path(place)))
            .collect::<Result<Vec<_>, DataError>>()?;
        for (file, stamp) in split.files.names.iter().zip(stamps) {
            text(&mut hasher, file);
            hasher.update(&stamp);
        }
    }
    Ok(*hasher.finalize().as_bytes())
}
