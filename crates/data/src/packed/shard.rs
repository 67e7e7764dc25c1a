//! One shard, mapped into memory.

use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use super::format::{Entry, Footer, decode};
use crate::error::DataError;
use crate::image::Image;

/// A mapped shard whose entries were checked. Its pixels are checked whenever an image is asked for.
#[derive(Debug)]
pub(crate) struct Shard {
    path: PathBuf,
    map: Mmap,
    pub(crate) footer: Footer,
    pub(crate) entries: Vec<Entry>,
}

impl Shard {
    pub(crate) fn open(path: &Path) -> Result<Self, DataError> {
        let unreadable = |source| {
            DataError::unreadable(path, source, "pack the data set again to write what is missing")
        };
        let file = File::open(path).map_err(unreadable)?;
        let map = map(&file).map_err(unreadable)?;
        let (footer, entries) = decode(&map).map_err(|problem| damaged(path, problem))?;
        Ok(Self { path: path.to_path_buf(), map, footer, entries })
    }

    /// Bytes of the file.
    pub(crate) fn bytes(&self) -> u64 {
        self.map.len() as u64
    }

    /// blake3 of the whole file, which reads it.
    pub(crate) fn hash(&self) -> String {
        blake3::hash(&self.map).to_hex().to_string()
    }

    pub(crate) fn image(&self, at: usize) -> Result<Image<'_>, DataError> {
        let entry = &self.entries[at];
        let (height, width) = (entry.height as usize, entry.width as usize);
        // Within the file: `decode` has checked it.
        let pixels = &self.map[entry.offset as usize..][..height * width * 3];
        if crc32fast::hash(pixels) != entry.checksum {
            let problem = format!("the checksum of image {at} is wrong");
            return Err(damaged(&self.path, problem));
        }
        Ok(Image { height, width, channels: 3, pixels: pixels.into() })
    }

    pub(crate) fn name(&self, at: usize) -> String {
        format!("image {at} of {}", self.path.display())
    }
}

fn damaged(path: &Path, problem: impl std::fmt::Display) -> DataError {
    let problem = format!("{problem}; remove it and pack the data set again");
    DataError::DamagedShard { path: path.to_path_buf(), problem }
}

#[allow(unsafe_code)]
fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: shards are never written in place: a writer fills a file of another name and renames it, so that the
    // bytes behind a mapping stay as they are for as long as nobody else changes them. Every image's checksum is
    // compared before its pixels are used. A shard that somebody cuts short while it is mapped ends the process by
    // SIGBUS, which `docs/data.md` says.
    unsafe { Mmap::map(file) }
}
