//! Batches, prepared ahead by threads, the same whatever their number.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use crate::dataset::Dataset;
use crate::error::DataError;
use crate::order::order;
use crate::preparation::{Augmentation, Choice, Normalization, Preparation};

/// How batches are made.
#[derive(Clone, Debug, PartialEq)]
pub struct LoaderOptions {
    /// Images a batch.
    pub batch_size: usize,
    /// Side of a prepared image; smaller images are centred on black.
    pub resolution: usize,
    /// Applied to every pixel.
    pub normalization: Normalization,
    /// Random changes; `None` for evaluation.
    pub augmentation: Option<Augmentation>,
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
    pub labels: Vec<u8>,
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
}

impl Loader {
    /// A loader of `dataset`.
    ///
    /// # Errors
    /// When images are larger than the resolution, or there are none.
    pub fn new(dataset: Arc<Dataset>, options: LoaderOptions) -> Result<Self, DataError> {
        let [height, width, _] = dataset.image_shape();
        if options.resolution < height.max(width) {
            return Err(DataError::Unsuitable(format!(
                "images of {height}×{width} pixels do not fit a resolution of {}; give at least {}",
                options.resolution,
                height.max(width)
            )));
        }
        if dataset.is_empty() || options.batch_size == 0 {
            return Err(DataError::Unsuitable("there is no image to load".to_owned()));
        }
        let preparation = Preparation::new(&options.normalization, options.resolution);
        Ok(Self { shared: Arc::new(Shared { dataset, options, preparation }) })
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
        [side, side, self.shared.dataset.channels]
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
        let mut epoch =
            Epoch { work, receivers: Vec::new(), handles: Vec::new(), from, next: from, end };
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

/// The batches of one epoch, in order. Dropping it ends its threads.
pub struct Epoch {
    work: Arc<Work>,
    /// Thread t prepares batches `from + t`, `from + t + threads`, and so on.
    receivers: Vec<Receiver<Batch>>,
    handles: Vec<JoinHandle<()>>,
    from: usize,
    next: usize,
    end: usize,
}

impl Iterator for Epoch {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        if self.next >= self.end {
            return None;
        }
        let index = self.next;
        self.next += 1;
        if self.receivers.is_empty() {
            return Some(self.work.batch(index));
        }
        let thread = (index - self.from) % self.receivers.len();
        // A thread that died left its batches undone; the caller's own work is the same.
        Some(self.receivers[thread].recv().unwrap_or_else(|_| self.work.batch(index)))
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
    fn prepare(&self, from: usize, end: usize, step: usize, sender: &SyncSender<Batch>) {
        for index in (from..end).step_by(step) {
            if sender.send(self.batch(index)).is_err() {
                return;
            }
        }
    }

    fn batch(&self, index: usize) -> Batch {
        let Shared { dataset, options, preparation } = &*self.shared;
        let start = index * options.batch_size;
        let end = (start + options.batch_size).min(self.order.len());
        let chosen = &self.order[start..end];
        let mut images = vec![0.0; chosen.len() * preparation.size()];
        let mut labels = Vec::with_capacity(chosen.len());
        for (image, out) in chosen.iter().zip(images.chunks_exact_mut(preparation.size())) {
            let choice = options.augmentation.map_or_else(Choice::default, |augmentation| {
                augmentation.choose(options.seed, self.epoch, *image)
            });
            preparation.write(dataset, *image as usize, choice, out);
            labels.push(dataset.labels[*image as usize]);
        }
        Batch { index, images, labels }
    }
}
