//! Writing one shard.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::format::{Entry, FOOTER, Footer, START};
use super::manifest::ShardRecord;
use crate::error::DataError;
use crate::image::Image;

/// The name of a split's shard.
pub(crate) fn file_name(split: &str, number: usize) -> String {
    format!("{split}-{number:05}.shard")
}

/// A shard being written under another name; dropped before it is finished, it leaves nothing.
pub(crate) struct ShardWriter {
    path: PathBuf,
    partial: PathBuf,
    file: Option<BufWriter<File>>,
    hasher: blake3::Hasher,
    entries: Vec<Entry>,
    written: u64,
    plan: [u8; 32],
    first: u64,
}

impl ShardWriter {
    /// Begins the shard `path` with the source's file `first`.
    pub(crate) fn create(path: &Path, plan: [u8; 32], first: u64) -> Result<Self, DataError> {
        let partial = path.with_extension("shard.partial");
        let file =
            File::create(&partial).map_err(|source| DataError::unwritable(&partial, source))?;
        let mut writer = Self {
            path: path.to_path_buf(),
            partial,
            file: Some(BufWriter::with_capacity(1 << 20, file)),
            hasher: blake3::Hasher::new(),
            entries: Vec::new(),
            written: 0,
            plan,
            first,
        };
        writer.write(&START)?;
        Ok(writer)
    }

    /// Bytes so far, without the entries.
    pub(crate) fn bytes(&self) -> u64 {
        self.written
    }

    /// Appends an image, the source's file `source`.
    pub(crate) fn push(
        &mut self,
        image: &Image<'_>,
        label: u16,
        source: u64,
    ) -> Result<(), DataError> {
        self.entries.push(Entry {
            offset: self.written,
            source,
            height: image.height as u32,
            width: image.width as u32,
            checksum: crc32fast::hash(&image.pixels),
            label,
        });
        self.write(&image.pixels)
    }

    /// Writes entries and end, makes sure that they are on disk, and gives the shard its name. `end` is the place
    /// behind the last file of the source that was looked at.
    pub(crate) fn finish(mut self, end: u64) -> Result<ShardRecord, DataError> {
        let entries: Vec<u8> = self.entries.iter().flat_map(Entry::encode).collect();
        let footer = Footer {
            plan: self.plan,
            entries_at: self.written,
            first: self.first,
            end,
            count: self.entries.len() as u32,
        };
        let footer: [u8; FOOTER] = footer.encode(&entries);
        self.write(&entries)?;
        self.write(&footer)?;
        let unwritable = |path: &Path| {
            let path = path.to_path_buf();
            move |source| DataError::unwritable(&path, source)
        };
        if let Some(file) = self.file.take() {
            let file = file
                .into_inner()
                .map_err(|error| DataError::unwritable(&self.partial, error.into_error()))?;
            file.sync_all().map_err(unwritable(&self.partial))?;
        }
        std::fs::rename(&self.partial, &self.path).map_err(unwritable(&self.path))?;
        Ok(ShardRecord {
            file: self.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            images: self.entries.len() as u64,
            bytes: self.written,
            blake3: self.hasher.finalize().to_hex().to_string(),
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        self.hasher.update(bytes);
        self.written += bytes.len() as u64;
        match &mut self.file {
            Some(file) => {
                file.write_all(bytes).map_err(|source| DataError::unwritable(&self.partial, source))
            }
            None => Ok(()),
        }
    }
}

impl Drop for ShardWriter {
    fn drop(&mut self) {
        // Renamed, there is nothing under this name; and a leftover would be written over, never read.
        let _ = std::fs::remove_file(&self.partial);
    }
}
