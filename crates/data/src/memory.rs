//! Small folders, decoded once into memory.

use rayon::prelude::*;

use crate::decode::{decode, dimensions};
use crate::error::DataError;
use crate::store::{Extent, Files, Memory, Store};

/// Images of a folder: decoded, on all threads, if that takes at most `limit` bytes, and as files otherwise.
/// Damaged files are remembered.
pub(crate) fn decode_within(files: Files, limit: u64) -> Result<Store, DataError> {
    if !files_within(&files, limit)? {
        return Ok(Store::Files(files));
    }
    let sizes: Vec<[usize; 2]> = (0..files.names.len())
        .into_par_iter()
        // A damaged file has no size; decoding it says why.
        .map(|place| Ok(dimensions(&files.read(place)?).unwrap_or_default()))
        .collect::<Result<_, DataError>>()?;
    let (mut extents, mut offset) = (Vec::with_capacity(sizes.len()), 0);
    for [height, width] in sizes {
        extents.push(Extent { offset, height: height as u32, width: width as u32 });
        offset += height * width * 3;
    }
    if offset as u64 > limit {
        return Ok(Store::Files(files));
    }
    decode_all(files, extents, offset).map(Store::Memory)
}

/// Whether the files themselves are within the limit: they are smaller than their pixels, so that a few of them tell
/// of most large folders that they are too large.
fn files_within(files: &Files, limit: u64) -> Result<bool, DataError> {
    let mut total = 0;
    for place in 0..files.names.len() {
        let path = files.path(place);
        let metadata = std::fs::metadata(&path).map_err(|source| {
            DataError::unreadable(&path, source, "is it a link to a file that is gone?")
        })?;
        total += metadata.len();
        if total > limit {
            return Ok(false);
        }
    }
    Ok(true)
}

fn decode_all(files: Files, extents: Vec<Extent>, size: usize) -> Result<Memory, DataError> {
    let mut pixels = vec![0; size];
    let mut rest = pixels.as_mut_slice();
    let mut parts = Vec::with_capacity(extents.len());
    for extent in &extents {
        let [height, width] = extent.size();
        let (part, after) = rest.split_at_mut(height * width * 3);
        parts.push(part);
        rest = after;
    }
    let problems = parts
        .into_par_iter()
        .enumerate()
        .map(|(place, part)| {
            Ok(match decode(&files.read(place)?) {
                Ok(image) if image.pixels.len() == part.len() => {
                    part.copy_from_slice(&image.pixels);
                    None
                }
                Ok(_) => Some((place, "it changed while it was read".to_owned())),
                Err(problem) => Some((place, problem)),
            })
        })
        .collect::<Result<Vec<_>, DataError>>()?;
    let damaged = problems.into_iter().flatten().collect();
    Ok(Memory { pixels, extents, channels: 3, damaged, files: Some(files) })
}
