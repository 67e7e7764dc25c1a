//! Image data sets, augmentation and a deterministic prefetching loader.
//!
//! Images are bytes, `[height, width, channels]`; batches are `f32`, NHWC, normalised. What a batch holds
//! depends on files, seed, epoch and place alone: not on threads, and not on what was loaded before.

mod cifar;
mod color;
mod dataset;
mod decode;
mod error;
mod fingerprint;
mod folder;
mod idx;
mod image;
mod loader;
mod memory;
mod normalization;
mod order;
mod packed;
#[cfg(test)]
mod pillow;
mod preparation;
mod resize;
mod skipped;
mod source;
mod store;
mod transform;

pub use color::ColorJitter;
pub use dataset::{Dataset, DatasetPair};
pub use error::DataError;
pub use image::Image;
pub use loader::{Batch, Epoch, Loader, LoaderOptions};
pub use normalization::Normalization;
pub use order::order;
pub use packed::{PackOptions, PackProgress, PackReport, SkippedFile, pack, verify_packed};
pub use skipped::{CorruptImages, SkippedImage};
pub use source::{OpenRequest, open, open_validation};
pub use transform::{Geometry, Transform};
