//! Reading a packed data set.

use std::path::Path;
use std::sync::Arc;

use super::manifest::{Manifest, SplitRecord};
use super::shard::Shard;
use crate::dataset::Dataset;
use crate::error::DataError;
use crate::image::Image;
use crate::store::Store;

/// The shards of one split, one after the other.
#[derive(Debug)]
pub(crate) struct PackedSplit {
    shards: Vec<Shard>,
    /// Images before each shard.
    starts: Vec<usize>,
    hashes: Vec<String>,
}

/// The splits of a packed data set: training images, unless there are none, and validation images.
pub(crate) struct Packed {
    pub(crate) train: Option<Dataset>,
    pub(crate) validation: Option<Dataset>,
}

/// Opens all shards of a packed data set and checks that each is whole.
pub(crate) fn open_packed(folder: &Path) -> Result<Packed, DataError> {
    let manifest = Manifest::read(folder)?;
    let classes: Arc<[String]> = manifest.classes.into();
    let open = |name: &str| {
        let record = manifest.splits.iter().find(|split| split.name == name);
        record.map(|record| open_split(folder, record, &classes)).transpose()
    };
    Ok(Packed { train: open("train")?, validation: open("val")? })
}

fn open_split(
    folder: &Path,
    record: &SplitRecord,
    classes: &Arc<[String]>,
) -> Result<Dataset, DataError> {
    let (mut shards, mut starts, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    for shard_record in &record.shards {
        let path = folder.join(&shard_record.file);
        let shard = Shard::open(&path)?;
        let damaged = |problem: String| {
            let problem = format!("{problem}; remove it and pack the data set again");
            DataError::DamagedShard { path: path.clone(), problem }
        };
        let images = shard.entries.len() as u64;
        if (shard.bytes(), images) != (shard_record.bytes, shard_record.images) {
            return Err(damaged(format!(
                "it has {} bytes and {images} images where index.json says {} and {}",
                shard.bytes(),
                shard_record.bytes,
                shard_record.images
            )));
        }
        if let Some(entry) = shard.entries.iter().find(|e| usize::from(e.label) >= classes.len()) {
            return Err(damaged(format!("label {} of {} classes", entry.label, classes.len())));
        }
        starts.push(labels.len());
        labels.extend(shard.entries.iter().map(|entry| entry.label));
        shards.push(shard);
    }
    let hashes = record.shards.iter().map(|shard| shard.blake3.clone()).collect();
    let split = PackedSplit { shards, starts, hashes };
    Ok(Dataset::new(Store::Packed(split), labels, Arc::clone(classes)))
}

/// Hashes every shard of a packed data set and compares it with what was written.
///
/// # Errors
/// Naming the first shard that differs.
pub fn verify_packed(folder: &Path) -> Result<(), DataError> {
    for record in Manifest::read(folder)?.splits.iter().flat_map(|split| &split.shards) {
        let path = folder.join(&record.file);
        if Shard::open(&path)?.hash() != record.blake3 {
            let problem =
                "its hash is not the one in index.json; remove it and pack the data set again";
            return Err(DataError::DamagedShard { path, problem: problem.to_owned() });
        }
    }
    Ok(())
}

impl PackedSplit {
    pub(crate) fn image(&self, place: usize) -> Result<Image<'_>, DataError> {
        let (shard, at) = self.find(place);
        shard.image(at)
    }

    pub(crate) fn size(&self, place: usize) -> [usize; 2] {
        let (shard, at) = self.find(place);
        [shard.entries[at].height as usize, shard.entries[at].width as usize]
    }

    pub(crate) fn name(&self, place: usize) -> String {
        let (shard, at) = self.find(place);
        shard.name(at)
    }

    pub(crate) fn shard_hashes(&self) -> &[String] {
        &self.hashes
    }

    fn find(&self, place: usize) -> (&Shard, usize) {
        let shard = self.starts.partition_point(|start| *start <= place) - 1;
        (&self.shards[shard], place - self.starts[shard])
    }
}
