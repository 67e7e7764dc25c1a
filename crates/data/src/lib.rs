//! Image data sets, augmentation and a deterministic prefetching loader.
//!
//! Images are bytes, `[height, width, channels]`; batches are `f32`, NHWC, normalised. What a batch holds
//! depends on seed, epoch and place alone: not on threads, and not on what was loaded before.

mod cifar;
mod dataset;
mod error;
mod idx;
mod loader;
mod order;
mod preparation;
mod source;

pub use dataset::{Dataset, DatasetPair};
pub use error::DataError;
pub use loader::{Batch, Epoch, Loader, LoaderOptions};
pub use order::order;
pub use preparation::{Augmentation, Normalization};
pub use source::open;
