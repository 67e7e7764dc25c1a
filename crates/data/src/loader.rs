//! Batches, prepared ahead by threads, the same whatever their number.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use crate::dataset::Dataset;
use crate::error::DataError;
use crate::image::Image;
use crate::normalization::Normalization;
use crate::order::order;
use crate::preparation::{Preparation, Scratch, too_large};
use crate::skipped::{CorruptImages, Skipped, SkippedImage};
use crate::transform::{Geometry, Transform};

/// Damaged images in a row after which something else is wrong.
const MOST_IN_A_ROW: usize = 1000;

/// How batches are made.
#[derive(Clone, Debug, PartialEq)]
pub struct LoaderOptions {
    /// Images a batch.
    pub batch_size: usize,
    /// Side of a prepared image.
    pub resolution: usize,
    /// How images get that size, and random changes.
    pub transform: Transform,
    /// Applied to every pixel.
    pub normalization: Normalization,
    /// What to do with images that cannot be decoded.
    pub corrupt_images: CorruptImages,
    /// Seed of order and random changes.
    pub seed: u64,
    /// A new order every epoch; otherwise file order.
    pub shuffle: bool,
    /// Leave out the last batch of an epoch if it is smaller, unless it is the only one.
    pub drop_last: bool,
    /// Threads that prepare batches ahead; 0: the caller's own, when asked for a batch.
    pub threads: usize,
    /// Batches that may wait for the caller, per thread.
    pub prefetch: usize,
}

/// Images ready for a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Place within the epoch, from 0.
    pub index: usize,
    /// `[n, resolution, resolution, channels]`.
    pub images: Vec<f32>,
    /// One per image.
    pub labels: Vec<u16>,
    /// Images that stand in for damaged ones.
    pub replaced: usize,
}

/// Makes the batches of a data set's epochs.
#[derive(Clone)]
pub struct Loader {
    shared: Arc<Shared>,
}

struct Shared {
    dataset: Arc<Dataset>,
    options: LoaderOptions,
    preparation: Preparation,
    skipped: Skipped,
}

impl Loader {
    /// A loader of `dataset`.
    ///
    /// # Errors
    /// When there are no images, when they are known to be larger than the resolution and are not cropped, when an image
    /// in memory is damaged and none may be skipped, or when options make no sense.
    pub fn new(dataset: Arc<Dataset>, options: LoaderOptions) -> Result<Self, DataError> {
        if dataset.is_empty() || options.batch_size == 0 || options.resolution == 0 {
            return Err(DataError::Unsuitable("there is no image to load".to_owned()));
        }
        options.transform.check(options.resolution)?;
        options.normalization.check(dataset.channels())?;
        let cropped =
            !matches!(options.transform.geometry, Geometry::Padded | Geometry::PaddedCrop { .. });
        if let Some([[_, height], [_, width]]) = dataset.sizes()
            && !cropped
            && height.max(width) > options.resolution
        {
            return Err(too_large([height, width], options.resolution));
        }
        if options.corrupt_images == CorruptImages::Fail
            && let Some((file, problem)) = dataset.corrupt_images().into_iter().next()
        {
            return Err(DataError::CorruptImage { file, problem });
        }
        let preparation = Preparation::new(&options.normalization, options.resolution);
        let skipped = Skipped::default();
        Ok(Self { shared: Arc::new(Shared { dataset, options, preparation, skipped }) })
    }

    /// Damaged images met so far, in file order.
    pub fn skipped(&self) -> Vec<SkippedImage> {
        self.shared.skipped.all()
    }

    /// Damaged images met since this was last asked, so that each is reported once.
    pub fn newly_skipped(&self) -> Vec<SkippedImage> {
        self.shared.skipped.take_new()
    }

    /// Batches of every epoch.
    pub fn batches_per_epoch(&self) -> usize {
        let (count, size) = (self.shared.dataset.len(), self.shared.options.batch_size);
        if self.shared.options.drop_last && count >= size {
            count / size
        } else {
            count.div_ceil(size)
        }
    }

    /// Shape of a prepared image: height, width, channels.
    pub fn image_shape(&self) -> [usize; 3] {
        let side = self.shared.options.resolution;
        [side, side, self.shared.dataset.channels()]
    }

    /// The batches of an epoch in order, beginning with batch `from`.
    pub fn epoch(&self, epoch: u32, from: usize) -> Epoch {
        let (shared, count) = (&self.shared, self.shared.dataset.len());
        let order = if shared.options.shuffle {
            order(shared.options.seed, epoch, count)
        } else {
            (0..count as u32).collect()
        };
        let work = Arc::new(Work { shared: Arc::clone(shared), order, epoch });
        let end = self.batches_per_epoch();
        let threads = shared.options.threads.min(end.saturating_sub(from));
        let mut epoch = Epoch {
            work,
            receivers: Vec::new(),
            handles: Vec::new(),
            scratch: Scratch::default(),
            from,
            next: from,
            end,
        };
        for thread in 0..threads {
            let (sender, receiver) = sync_channel(shared.options.prefetch.max(1));
            let work = Arc::clone(&epoch.work);
            let prepare = move || work.prepare(from + thread, end, threads, &sender);
            // A thread that the system refuses leaves its batches to the caller, as one that died.
            epoch.handles.extend(Builder::new().name(format!("loader-{thread}")).spawn(prepare));
            epoch.receivers.push(receiver);
        }
        epoch
    }
}

/// The batches of one epoch, in order, up to the first error. Dropping it ends its threads.
pub struct Epoch {
    work: Arc<Work>,
    /// Thread t prepares batches `from + t`, `from + t + threads`, and so on.
    receivers: Vec<Receiver<Result<Batch, DataError>>>,
    handles: Vec<JoinHandle<()>>,
    /// For batches that the caller's own thread prepares.
    scratch: Scratch,
    from: usize,
    next: usize,
    end: usize,
}

impl Iterator for Epoch {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        let index = self.next;
        self.next += 1;
        let received = match self.receivers.len() {
            0 => None,
            threads => self.receivers[(index - self.from) % threads].recv().ok(),
        };
        // A thread that died left its batches undone; the caller's own work is the same.
        let batch = received.unwrap_or_else(|| self.work.batch(index, &mut self.scratch));
        if batch.is_err() {
            self.end = self.next;
        }
        Some(batch)
    }
}

impl Drop for Epoch {
    fn drop(&mut self) {
        // Nobody listens from here on, so that a thread ends with the batch it is at.
        self.receivers.clear();
        for handle in self.handles.drain(..) {
            // One that panicked has said so on standard error and holds nothing any more.
            let _ = handle.join();
        }
    }
}

struct Work {
    shared: Arc<Shared>,
    order: Vec<u32>,
    epoch: u32,
}

impl Work {
    /// Prepares every `step`-th batch until all are done or nobody listens any more.
    fn prepare(
        &self,
        from: usize,
        end: usize,
        step: usize,
        sender: &SyncSender<Result<Batch, DataError>>,
    ) {
        let mut scratch = Scratch::default();
        for index in (from..end).step_by(step) {
            if sender.send(self.batch(index, &mut scratch)).is_err() {
                return;
            }
        }
    }

    fn batch(&self, index: usize, scratch: &mut Scratch) -> Result<Batch, DataError> {
        let Shared { dataset, options, preparation, .. } = &*self.shared;
        let start = index * options.batch_size;
        let end = (start + options.batch_size).min(self.order.len());
        let chosen = &self.order[start..end];
        let mut images = vec![0.0; chosen.len() * preparation.size()];
        let (mut labels, mut replaced) = (Vec::with_capacity(chosen.len()), 0);
        for (place, out) in chosen.iter().zip(images.chunks_exact_mut(preparation.size())) {
            let wanted = *place as usize;
            let (found, image) = self.shared.image(wanted)?;
            let size = [image.height, image.width];
            // The random numbers of the place, whichever image stands in it.
            let choice = options.transform.choose(options.seed, self.epoch, *place, size);
            preparation.write(&image, &choice, scratch, out)?;
            labels.push(dataset.labels()[found]);
            replaced += usize::from(found != wanted);
        }
        Ok(Batch { index, images, labels, replaced })
    }
}

impl Shared {
    /// An image, or the one that stands in for it: depends on the files alone, not on what was loaded before.
    fn image(&self, wanted: usize) -> Result<(usize, Image<'_>), DataError> {
        let count = self.dataset.len();
        for distance in 0..count.min(MOST_IN_A_ROW) {
            let index = (wanted + distance) % count;
            if self.skipped.contains(index) {
                continue;
            }
            match self.dataset.image(index) {
                Err(DataError::CorruptImage { file, problem })
                    if self.options.corrupt_images == CorruptImages::Skip =>
                {
                    self.skipped.add(SkippedImage { index, file, problem });
                }
                image => return image.map(|image| (index, image)),
            }
        }
        Err(DataError::Unsuitable(format!(
            "{} and the {} images after it are damaged; is this the right folder?",
            self.dataset.image_name(wanted),
            count.min(MOST_IN_A_ROW) - 1
        )))
    }
}
