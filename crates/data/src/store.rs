//! Where the images of a split are: decoded in memory, in files, or in mapped shards.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::decode::decode;
use crate::error::DataError;
use crate::image::Image;
use crate::packed::PackedSplit;

/// Images by place.
#[derive(Debug)]
pub(crate) enum Store {
    Memory(Memory),
    Files(Files),
    Packed(PackedSplit),
}

impl Store {
    pub(crate) fn image(&self, place: usize) -> Result<Image<'_>, DataError> {
        match self {
            Self::Memory(memory) => memory.image(place),
            Self::Files(files) => files.image(place),
            Self::Packed(packed) => packed.image(place),
        }
    }

    /// Height and width, if they are known without decoding.
    pub(crate) fn size(&self, place: usize) -> Option<[usize; 2]> {
        match self {
            Self::Memory(memory) => Some(memory.extents[place].size()),
            Self::Files(_) => None,
            Self::Packed(packed) => Some(packed.size(place)),
        }
    }

    /// A name for people: the file's, or the place.
    pub(crate) fn name(&self, place: usize) -> String {
        match self {
            Self::Memory(Memory { files: Some(files), .. }) | Self::Files(files) => {
                files.path(place).display().to_string()
            }
            Self::Memory(_) => format!("image {place}"),
            Self::Packed(packed) => packed.name(place),
        }
    }
}

/// Decoded images one after the other.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) pixels: Vec<u8>,
    pub(crate) extents: Vec<Extent>,
    pub(crate) channels: usize,
    /// Files that could not be decoded, and why.
    pub(crate) damaged: BTreeMap<usize, String>,
    /// Where the images came from, if from one file each.
    pub(crate) files: Option<Files>,
}

/// Where one image lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) offset: usize,
    pub(crate) height: u32,
    pub(crate) width: u32,
}

impl Extent {
    pub(crate) fn size(self) -> [usize; 2] {
        [self.height as usize, self.width as usize]
    }
}

impl Memory {
    /// Images of one size, as data set files hold them.
    pub(crate) fn uniform(pixels: Vec<u8>, [height, width, channels]: [usize; 3]) -> Self {
        let size = height * width * channels;
        let extents = (0..pixels.len() / size)
            .map(|index| Extent {
                offset: index * size,
                height: height as u32,
                width: width as u32,
            })
            .collect();
        Self { pixels, extents, channels, ..Self::default() }
    }

    fn image(&self, place: usize) -> Result<Image<'_>, DataError> {
        if let Some(problem) = self.damaged.get(&place) {
            let name = self.files.as_ref().map(|files| files.path(place).display().to_string());
            return Err(DataError::corrupt_image(name.unwrap_or_default(), problem));
        }
        let extent = self.extents[place];
        let ([height, width], channels) = (extent.size(), self.channels);
        let pixels = &self.pixels[extent.offset..][..height * width * channels];
        Ok(Image { height, width, channels, pixels: Cow::Borrowed(pixels) })
    }
}

/// Image files below a folder.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) folder: PathBuf,
    /// Relative to the folder.
    pub(crate) names: Vec<Box<str>>,
}

impl Files {
    pub(crate) fn path(&self, place: usize) -> PathBuf {
        self.folder.join(&*self.names[place])
    }

    pub(crate) fn read(&self, place: usize) -> Result<Vec<u8>, DataError> {
        let path = self.path(place);
        std::fs::read(&path).map_err(|source| {
            DataError::unreadable(&path, source, "has the folder changed since it was opened?")
        })
    }

    pub(crate) fn image(&self, place: usize) -> Result<Image<'static>, DataError> {
        decode(&self.read(place)?).map_err(|problem| {
            DataError::corrupt_image(self.path(place).display().to_string(), problem)
        })
    }
}
