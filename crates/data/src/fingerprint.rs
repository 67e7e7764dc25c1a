//! What identifies the images of a data set, so that a figure says what it was measured on.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use rayon::prelude::*;

use crate::dataset::{Dataset, DatasetPair};
use crate::error::DataError;
use crate::packed::PackedSplit;
use crate::store::{Files, Memory, Store};

/// Fingerprints found before, in the folder they are of.
const KEPT: &str = ".bitsweep-fingerprints";

impl Dataset {
    /// blake3, lower-case hexadecimal, over class names, labels and images.
    ///
    /// Of images in memory: over their pixels, so that compression makes no difference. Of files that are decoded
    /// as they are needed: over their names and bytes; since that reads all of them, the result is kept in the
    /// folder, if it can be written, until a name, size or time of change differs. Of mapped shards: over the
    /// shards' own hashes.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn fingerprint(&self) -> Result<String, DataError> {
        let hash = match &*self.store {
            Store::Memory(memory) => self.of_pixels(memory),
            Store::Files(files) => self.of_files(files)?,
            Store::Packed(packed) => self.of_shards(packed),
        };
        Ok(hash.to_hex().to_string())
    }

    /// What all kinds begin with.
    fn hasher(&self) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new();
        for size in [self.len(), self.channels(), self.classes()] {
            hasher.update(&(size as u64).to_le_bytes());
        }
        for name in self.class_names() {
            text(&mut hasher, name);
        }
        for label in self.labels() {
            hasher.update(&label.to_le_bytes());
        }
        hasher
    }

    fn of_pixels(&self, memory: &Memory) -> blake3::Hash {
        let mut hasher = self.hasher();
        for place in self.places() {
            let extent = memory.extents[place];
            let [height, width] = extent.size();
            hasher.update(&extent.height.to_le_bytes());
            hasher.update(&extent.width.to_le_bytes());
            hasher.update(&[u8::from(memory.damaged.contains_key(&place))]);
            hasher.update(&memory.pixels[extent.offset..][..height * width * memory.channels]);
        }
        hasher.finalize()
    }

    fn of_files(&self, files: &Files) -> Result<blake3::Hash, DataError> {
        let places: Vec<usize> = self.places().collect();
        let stamps = places
            .par_iter()
            .map(|place| stamp(&files.path(*place)))
            .collect::<Result<Vec<_>, DataError>>()?;
        let mut state = self.hasher();
        for (place, stamp) in places.iter().zip(&stamps) {
            text(&mut state, &files.names[*place]);
            state.update(stamp);
        }
        let state = state.finalize().to_hex().to_string();
        let kept = files.folder.join(KEPT);
        if let Some(hash) = recall(&kept, &state) {
            return Ok(hash);
        }
        let digests = places
            .par_iter()
            .map(|place| Ok(blake3::hash(&files.read(*place)?)))
            .collect::<Result<Vec<_>, DataError>>()?;
        let mut hasher = self.hasher();
        for (place, digest) in places.iter().zip(&digests) {
            text(&mut hasher, &files.names[*place]);
            hasher.update(digest.as_bytes());
        }
        let hash = hasher.finalize();
        remember(&kept, &state, &hash);
        Ok(hash)
    }

    fn of_shards(&self, packed: &PackedSplit) -> blake3::Hash {
        let mut hasher = self.hasher();
        for hash in packed.shard_hashes() {
            text(&mut hasher, hash);
        }
        if let Some(chosen) = &self.chosen {
            chosen.iter().for_each(|place| {
                hasher.update(&place.to_le_bytes());
            });
        }
        hasher.finalize()
    }

    fn places(&self) -> impl Iterator<Item = usize> {
        (0..self.len())
            .map(|index| self.chosen.as_ref().map_or(index, |chosen| chosen[index] as usize))
    }
}

impl DatasetPair {
    /// blake3 over both splits' fingerprints, lower-case hexadecimal.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn fingerprint(&self) -> Result<String, DataError> {
        let both = format!("{} {}", self.train.fingerprint()?, self.validation.fingerprint()?);
        Ok(blake3::hash(both.as_bytes()).to_hex().to_string())
    }
}

/// Hashes a text with its length, so that two in a row cannot be taken for two others.
pub(crate) fn text(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}

/// Size and time of the last change of a file: what changes when somebody replaces it.
pub(crate) fn stamp(path: &Path) -> Result<[u8; 24], DataError> {
    let advice = "has the folder changed since it was opened?";
    let metadata =
        fs::metadata(path).map_err(|source| DataError::unreadable(path, source, advice))?;
    let changed = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let mut stamp = [0; 24];
    stamp[..8].copy_from_slice(&metadata.len().to_le_bytes());
    stamp[8..].copy_from_slice(&changed.unwrap_or_default().as_nanos().to_le_bytes());
    Ok(stamp)
}

/// The hash kept for this state of the files.
fn recall(kept: &Path, state: &str) -> Option<blake3::Hash> {
    let lines = fs::read_to_string(kept).ok()?;
    let hash = lines.lines().find_map(|line| line.strip_prefix(state)?.strip_prefix(' '))?;
    blake3::Hash::from_hex(hash).ok()
}

/// Keeps a hash, if the folder allows it: it can always be found again.
fn remember(kept: &Path, state: &str, hash: &blake3::Hash) {
    let mut lines = fs::read_to_string(kept).unwrap_or_default();
    lines.push_str(&format!("{state} {}\n", hash.to_hex()));
    let partial = PathBuf::from(format!("{}.{}", kept.display(), std::process::id()));
    if fs::write(&partial, lines).and_then(|()| fs::rename(&partial, kept)).is_err() {
        let _ = fs::remove_file(&partial);
    }
}
