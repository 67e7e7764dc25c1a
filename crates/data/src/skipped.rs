//! Damaged images that a loader has passed over.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What a loader does with an image that cannot be decoded. A file that cannot be read at all always ends the epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CorruptImages {
    /// It ends the epoch with an error that names the file.
    #[default]
    Fail,
    /// The next image in file order that can be decoded takes its place, with its own label, and the file is reported.
    Skip,
}

/// A damaged image that another one stood in for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedImage {
    /// Its place in the data set.
    pub index: usize,
    /// Its file.
    pub file: String,
    /// What is wrong with it.
    pub problem: String,
}

/// What the threads of a loader have found so far.
#[derive(Debug, Default)]
pub(crate) struct Skipped {
    found: Mutex<Found>,
}

#[derive(Debug, Default)]
struct Found {
    by_index: BTreeMap<usize, SkippedImage>,
    /// Places that nobody was told of yet.
    new: Vec<usize>,
}

impl Skipped {
    pub(crate) fn contains(&self, index: usize) -> bool {
        self.with(|found| found.by_index.contains_key(&index))
    }

    pub(crate) fn add(&self, image: SkippedImage) {
        self.with(|found| {
            let index = image.index;
            if found.by_index.insert(index, image).is_none() {
                found.new.push(index);
            }
        });
    }

    pub(crate) fn all(&self) -> Vec<SkippedImage> {
        self.with(|found| found.by_index.values().cloned().collect())
    }

    pub(crate) fn take_new(&self) -> Vec<SkippedImage> {
        self.with(|found| {
            let mut new = std::mem::take(&mut found.new);
            new.sort_unstable();
            new.iter().filter_map(|index| found.by_index.get(index).cloned()).collect()
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Found) -> T) -> T {
        // Nothing is left half done by a thread that panics in here.
        act(&mut self.found.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
