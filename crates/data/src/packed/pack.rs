//! Packing a folder of images into shards.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::manifest::{Manifest, ShardRecord, SkippedRecord, SplitRecord};
use super::plan::Plan;
use super::resume::{Finished, finished, refuse_others, remove_surplus};
use super::writer::{ShardWriter, file_name};
use crate::error::DataError;
use crate::folder::FolderSplit;
use crate::image::Image;
use crate::resize::{ImageResizer, Window, shorter_side_to};
use crate::skipped::CorruptImages;

/// Images that may wait for the writer, per thread.
const WAITING: usize = 4;

/// How a folder is packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackOptions {
    /// Pixels that the shorter side of every image gets; `None`: as the files are.
    pub size: Option<u32>,
    /// Bytes after which a shard is closed and the next one begun.
    pub shard_bytes: u64,
    /// Threads that decode.
    pub threads: usize,
    /// Whether a damaged image ends the packing or is left out.
    pub corrupt_images: CorruptImages,
}

impl Default for PackOptions {
    fn default() -> Self {
        Self {
            size: Some(256),
            shard_bytes: 1 << 30,
            threads: 1,
            corrupt_images: CorruptImages::Fail,
        }
    }
}

/// How far a packing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackProgress {
    /// Files packed or skipped, those of earlier runs included.
    pub done: usize,
    /// All files.
    pub total: usize,
    /// Files left out because they are damaged.
    pub skipped: usize,
}

/// A damaged file that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedFile {
    /// The file.
    pub file: String,
    /// What is wrong with it.
    pub problem: String,
}

/// What a finished packing has written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackReport {
    /// Images in the shards.
    pub images: usize,
    /// Shards.
    pub shards: usize,
    /// Bytes of the shards.
    pub bytes: u64,
    /// Damaged files that were left out.
    pub skipped: Vec<SkippedFile>,
}

/// Packs the folder `folder`, with `train/` and `val/` or `test/` of class folders, into shards in `out`.
///
/// The order is that of the folder's classes and files by name, so that packing twice gives the same bytes. Whole shards
/// that an earlier run of the same packing has left are kept. `progress` is called for every image and can break off:
/// then the result is `None`, and the next run goes on after the last whole shard.
///
/// # Errors
/// When files cannot be read or written, an image is damaged and `corrupt_images` says so, or `out` holds something else.
pub fn pack(
    folder: &Path,
    out: &Path,
    options: &PackOptions,
    progress: &mut dyn FnMut(PackProgress) -> ControlFlow<()>,
) -> Result<Option<PackReport>, DataError> {
    if options.size == Some(0) {
        return Err(DataError::Unsuitable("images cannot be 0 pixels high".to_owned()));
    }
    let plan = Plan::new(folder, options.size)?;
    std::fs::create_dir_all(out).map_err(|source| DataError::unwritable(out, source))?;
    let _lock = lock(out)?;
    refuse_others(out, &plan)?;
    let mut state = PackProgress { done: 0, total: plan.total(), skipped: 0 };
    let mut splits = Vec::new();
    for (name, split) in &plan.splits {
        let run = SplitRun { plan: &plan, name, split, out, options };
        match run.pack(&mut state, progress)? {
            Some(record) => splits.push(record),
            None => return Ok(None),
        }
    }
    let manifest = Manifest::new(plan.hex(), plan.size, plan.classes.to_vec(), splits);
    remove_surplus(out, &manifest)?;
    manifest.write(out)?;
    Ok(Some(report(manifest)))
}

fn report(manifest: Manifest) -> PackReport {
    let shards = || manifest.splits.iter().flat_map(|split| &split.shards);
    PackReport {
        images: shards().map(|shard| shard.images as usize).sum(),
        shards: shards().count(),
        bytes: shards().map(|shard| shard.bytes).sum(),
        skipped: manifest
            .splits
            .iter()
            .flat_map(|split| &split.skipped)
            .map(|skipped| SkippedFile {
                file: skipped.file.clone(),
                problem: skipped.problem.clone(),
            })
            .collect(),
    }
}

/// Keeps a second packing out of the folder for as long as the file lives.
fn lock(out: &Path) -> Result<File, DataError> {
    let path = out.join(".lock");
    let file = File::create(&path).map_err(|source| DataError::unwritable(&path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(DataError::Unsuitable(format!(
            "another process is packing into {}; wait for it, or end it",
            out.display()
        ))),
        Err(std::fs::TryLockError::Error(source)) => Err(DataError::unwritable(&path, source)),
    }
}

/// The packing of one split.
struct SplitRun<'a> {
    plan: &'a Plan,
    name: &'static str,
    split: &'a FolderSplit,
    out: &'a Path,
    options: &'a PackOptions,
}

/// An image ready for its shard, or what is wrong with the file.
type Decoded = Result<Image<'static>, DataError>;

impl SplitRun<'_> {
    fn pack(
        &self,
        state: &mut PackProgress,
        progress: &mut dyn FnMut(PackProgress) -> ControlFlow<()>,
    ) -> Result<Option<SplitRecord>, DataError> {
        let Finished { mut shards, next, skipped } = finished(self.out, self.plan, self.name);
        let mut skipped: Vec<SkippedRecord> =
            skipped.into_iter().filter_map(|place| self.problem_of(place)).collect();
        state.done += next as usize;
        state.skipped += skipped.len();
        let threads = self.options.threads.max(1);
        let count = self.split.labels.len();
        let from = next as usize;
        let done = std::thread::scope(|scope| {
            let receivers: Vec<Receiver<Decoded>> = (0..threads)
                .map(|thread| {
                    let (sender, receiver) = sync_channel(WAITING);
                    scope.spawn(move || self.decode(from + thread, threads, &sender));
                    receiver
                })
                .collect();
            let mut writer: Option<ShardWriter> = None;
            // Files that whole shards cover, skipped ones included.
            let mut covered = next;
            for place in from..count {
                if progress(*state).is_break() {
                    return Ok(false);
                }
                // The threads' results come in turn, so that the order is that of the files.
                let decoded = receivers[(place - from) % threads].recv().unwrap_or_else(|_| {
                    // A thread that panicked has said so; this one does its work.
                    self.decoded(place, &mut ImageResizer::default())
                });
                match decoded {
                    Ok(image) => {
                        let shard = match &mut writer {
                            Some(shard) => shard,
                            None => writer.insert(self.begin(shards.len(), covered)?),
                        };
                        shard.push(&image, self.split.labels[place], place as u64)?;
                    }
                    Err(DataError::CorruptImage { file, problem })
                        if self.options.corrupt_images == CorruptImages::Skip =>
                    {
                        state.skipped += 1;
                        skipped.push(SkippedRecord { file, problem });
                    }
                    Err(error) => return Err(error),
                }
                state.done += 1;
                let full = writer.as_ref().is_some_and(|w| w.bytes() >= self.options.shard_bytes);
                if (full || place + 1 == count)
                    && let Some(writer) = writer.take()
                {
                    covered = place as u64 + 1;
                    shards.push(writer.finish(covered)?);
                }
            }
            // Too late to break off.
            let _ = progress(*state);
            Ok(true)
        })?;
        Ok(done.then(|| self.record(shards, skipped)))
    }

    fn record(&self, shards: Vec<ShardRecord>, skipped: Vec<SkippedRecord>) -> SplitRecord {
        let images = shards.iter().map(|shard| shard.images).sum();
        SplitRecord { name: self.name.to_owned(), images, shards, skipped }
    }

    fn begin(&self, number: usize, first: u64) -> Result<ShardWriter, DataError> {
        ShardWriter::create(&self.out.join(file_name(self.name, number)), self.plan.hash, first)
    }

    /// Decodes every `step`-th file until all are done or nobody listens any more.
    fn decode(&self, from: usize, step: usize, sender: &SyncSender<Decoded>) {
        let mut resizer = ImageResizer::default();
        for place in (from..self.split.labels.len()).step_by(step) {
            if sender.send(self.decoded(place, &mut resizer)).is_err() {
                return;
            }
        }
    }

    fn decoded(&self, place: usize, resizer: &mut ImageResizer) -> Decoded {
        let image = self.split.files.image(place)?;
        let Some(side) = self.options.size else { return Ok(image) };
        let size = [image.height, image.width];
        let [height, width] = shorter_side_to(size, side as usize);
        let mut pixels = Vec::new();
        resizer.resize(&image, Window::whole(size), [height, width], &mut pixels)?;
        Ok(Image { height, width, channels: 3, pixels: pixels.into() })
    }

    /// Why a file was left out by an earlier run.
    fn problem_of(&self, place: u64) -> Option<SkippedRecord> {
        match self.split.files.image(place as usize) {
            Err(DataError::CorruptImage { file, problem }) => Some(SkippedRecord { file, problem }),
            _ => None,
        }
    }
}
