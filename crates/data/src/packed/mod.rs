//! Packed data sets: decoded and resized images in shards that are mapped into memory. `docs/data.md` has the
//! format.

mod format;
mod manifest;
mod pack;
mod plan;
mod resume;
mod shard;
mod split;
mod writer;

pub use pack::{PackOptions, PackProgress, PackReport, SkippedFile, pack};
pub use split::verify_packed;
pub(crate) use split::{PackedSplit, open_packed};
