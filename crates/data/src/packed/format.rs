//! The bytes of a shard: a mark, pixels, one entry an image, and a fixed end that says where the entries are.
//!
//! All numbers are little-endian. A file that was cut anywhere lacks the end, and is no shard.

/// Version of the format; others are refused.
pub(crate) const VERSION: u32 = 1;
/// What a shard begins with.
pub(crate) const START: [u8; 8] = *b"bswshard";
/// What a shard ends with.
const END: [u8; 8] = *b"drahswsb";
/// Bytes of an entry.
pub(crate) const ENTRY: usize = 32;
/// Bytes of the fixed end.
pub(crate) const FOOTER: usize = 80;

/// One image of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Where its pixels begin, from the start of the file.
    pub(crate) offset: u64,
    /// Its place among the source's files.
    pub(crate) source: u64,
    pub(crate) height: u32,
    pub(crate) width: u32,
    /// CRC-32 of its pixels.
    pub(crate) checksum: u32,
    pub(crate) label: u16,
}

/// What the end of a shard says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Footer {
    /// Hash of what was packed and how; a shard of another source or size has another.
    pub(crate) plan: [u8; 32],
    /// Where the entries begin.
    pub(crate) entries_at: u64,
    /// Place of the first source file that this shard covers.
    pub(crate) first: u64,
    /// Place behind the last one; files in between that have no entry were skipped.
    pub(crate) end: u64,
    /// Number of entries.
    pub(crate) count: u32,
}

impl Entry {
    /// Bytes of the pixels; `None` if no file can have so many.
    pub(crate) fn size(&self) -> Option<u64> {
        u64::from(self.height).checked_mul(u64::from(self.width))?.checked_mul(3)
    }

    pub(crate) fn encode(&self) -> [u8; ENTRY] {
        let mut bytes = [0; ENTRY];
        bytes[..8].copy_from_slice(&self.offset.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.source.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.height.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.width.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.checksum.to_le_bytes());
        bytes[28..30].copy_from_slice(&self.label.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8; ENTRY]) -> Self {
        Self {
            offset: u64_at(bytes, 0),
            source: u64_at(bytes, 8),
            height: u32_at(bytes, 16),
            width: u32_at(bytes, 20),
            checksum: u32_at(bytes, 24),
            label: u16::from_le_bytes([bytes[28], bytes[29]]),
        }
    }
}

impl Footer {
    /// The end of a shard with these entries; its checksum covers both.
    pub(crate) fn encode(&self, entries: &[u8]) -> [u8; FOOTER] {
        let mut bytes = [0; FOOTER];
        bytes[..32].copy_from_slice(&self.plan);
        bytes[32..40].copy_from_slice(&self.entries_at.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.first.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.end.to_le_bytes());
        bytes[56..60].copy_from_slice(&self.count.to_le_bytes());
        bytes[60..64].copy_from_slice(&VERSION.to_le_bytes());
        let checksum = checksum(entries, &bytes[..64]);
        bytes[64..68].copy_from_slice(&checksum.to_le_bytes());
        bytes[72..].copy_from_slice(&END);
        bytes
    }
}

/// Reads the end and the entries of a whole shard. The problem, if there is one, is one line.
pub(crate) fn decode(file: &[u8]) -> Result<(Footer, Vec<Entry>), String> {
    if !file.starts_with(&START) {
        return Err("it does not begin as a shard does".to_owned());
    }
    let (before, footer) = file
        .split_last_chunk::<FOOTER>()
        .filter(|(_, footer)| footer[72..] == END)
        .ok_or("its end is missing: it was cut, or never finished")?;
    let version = u32_at(footer, 60);
    if version != VERSION {
        return Err(format!("its format has version {version}; this program reads {VERSION}"));
    }
    let found = Footer {
        plan: std::array::from_fn(|at| footer[at]),
        entries_at: u64_at(footer, 32),
        first: u64_at(footer, 40),
        end: u64_at(footer, 48),
        count: u32_at(footer, 56),
    };
    let entries = usize::try_from(found.entries_at).ok().and_then(|at| before.get(at..));
    let entries = entries
        .filter(|entries| entries.len() as u64 == u64::from(found.count) * ENTRY as u64)
        .ok_or("the place of its entries is wrong")?;
    if checksum(entries, &footer[..64]) != u32_at(footer, 64) {
        return Err("the checksum of its entries is wrong".to_owned());
    }
    let entries: Vec<Entry> = entries.as_chunks::<ENTRY>().0.iter().map(Entry::decode).collect();
    let within = |entry: &Entry| {
        let end = entry.size().and_then(|size| entry.offset.checked_add(size));
        end.is_some_and(|end| end <= found.entries_at)
            && (found.first..found.end).contains(&entry.source)
    };
    if let Some(at) = entries.iter().position(|entry| !within(entry)) {
        return Err(format!("image {at} lies outside of it"));
    }
    Ok((found, entries))
}

fn checksum(entries: &[u8], footer: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(entries);
    hasher.update(footer);
    hasher.finalize()
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|byte| bytes[at + byte]))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|byte| bytes[at + byte]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A shard of images of one row whose pixels are their place.
    fn shard(widths: &[u8]) -> Vec<u8> {
        let (mut file, mut entries) = (START.to_vec(), Vec::new());
        for (at, width) in widths.iter().enumerate() {
            let pixels = vec![at as u8; usize::from(*width) * 3];
            let entry = Entry {
                offset: file.len() as u64,
                source: at as u64,
                height: 1,
                width: (*width).into(),
                checksum: crc32fast::hash(&pixels),
                label: at as u16,
            };
            file.extend(pixels);
            entries.extend(entry.encode());
        }
        let footer = Footer {
            plan: [7; 32],
            entries_at: file.len() as u64,
            first: 0,
            end: widths.len() as u64,
            count: widths.len() as u32,
        };
        let footer = footer.encode(&entries);
        [file, entries, footer.to_vec()].concat()
    }

    proptest! {
        #[test]
        fn a_shard_reads_as_it_was_written(widths in prop::collection::vec(1_u8.., 0..9)) {
            let (footer, entries) = decode(&shard(&widths)).expect("whole");
            prop_assert_eq!(footer.count as usize, widths.len());
            prop_assert_eq!(footer.plan, [7; 32]);
            let read: Vec<u8> = entries.iter().map(|entry| entry.width as u8).collect();
            prop_assert_eq!(read, widths);
        }

        #[test]
        fn a_shard_cut_anywhere_is_none(widths in prop::collection::vec(1_u8.., 1..9), part in 0.0_f64..1.0) {
            let whole = shard(&widths);
            let length = (whole.len() as f64 * part) as usize;
            prop_assert!(decode(&whole[..length]).is_err());
        }

        #[test]
        fn a_changed_byte_behind_the_pixels_is_noticed(
            widths in prop::collection::vec(1_u8.., 1..9), part in 0.0_f64..1.0, change in 1_u8..,
        ) {
            let mut file = shard(&widths);
            let pixels: usize = widths.iter().map(|width| usize::from(*width) * 3).sum();
            let from = START.len() + pixels;
            let at = from + ((file.len() - from) as f64 * part) as usize;
            // Four bytes of the end are unused.
            let unused = file.len() - FOOTER + 68..file.len() - FOOTER + 72;
            prop_assume!(!unused.contains(&at));
            file[at] ^= change;
            prop_assert!(decode(&file).is_err());
        }

        #[test]
        fn no_bytes_bring_the_reader_down(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let framed = [&START[..], &bytes, &END].concat();
            let _ = (decode(&bytes), decode(&framed));
        }
    }
}
