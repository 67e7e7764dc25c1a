//! The IDX format of MNIST and its kin, plain or gzip.

use std::io::Read;

use flate2::read::GzDecoder;

use crate::error::DataError;

/// Type byte for unsigned bytes.
const UNSIGNED_BYTES: u8 = 0x08;

/// An array of bytes with its sizes, outermost first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IdxArray {
    pub(crate) sizes: Vec<usize>,
    pub(crate) values: Vec<u8>,
}

/// Decodes an IDX file; gzip is recognised by its first bytes. `file` is its name in messages.
pub(crate) fn decode(bytes: &[u8], file: &str) -> Result<IdxArray, DataError> {
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        GzDecoder::new(bytes)
            .read_to_end(&mut plain)
            .map_err(|error| DataError::corrupt(file, format!("gzip says {error}")))?;
        return decode_plain(&plain, file);
    }
    decode_plain(bytes, file)
}

fn decode_plain(bytes: &[u8], file: &str) -> Result<IdxArray, DataError> {
    let header = |length: usize| {
        bytes.get(..length).ok_or_else(|| {
            DataError::corrupt(
                file,
                format!("it ends at byte {} within its header of {length}", bytes.len()),
            )
        })
    };
    let &[zero_a, zero_b, kind, dimensions] = header(4)? else { unreachable!("four bytes") };
    if (zero_a, zero_b, kind) != (0, 0, UNSIGNED_BYTES) || dimensions == 0 {
        let found = [zero_a, zero_b, kind, dimensions].map(|b| format!("{b:02x}")).join(" ");
        return Err(DataError::corrupt(
            file,
            format!("it begins with {found} where an IDX file of bytes begins with 00 00 08"),
        ));
    }
    let start = 4 + 4 * usize::from(dimensions);
    let sizes: Vec<usize> = header(start)?[4..]
        .chunks_exact(4)
        .map(|size| size.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
        .collect();
    let count = sizes.iter().try_fold(1_usize, |product, size| product.checked_mul(*size));
    let expected = count.and_then(|count| count.checked_add(start));
    if expected != Some(bytes.len()) {
        let wanted =
            expected.map_or_else(|| "more than memory".to_owned(), |n| format!("{n} bytes"));
        return Err(DataError::corrupt(
            file,
            format!("its header says {sizes:?}, that is {wanted}; it has {} bytes", bytes.len()),
        ));
    }
    Ok(IdxArray { sizes, values: bytes[start..].to_vec() })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn two_images() -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 1];
        bytes.extend([10, 20, 30, 40]);
        bytes
    }

    fn problem(bytes: &[u8]) -> String {
        decode(bytes, "images").expect_err("damaged").to_string()
    }

    #[test]
    fn plain_and_compressed_files_read_the_same() {
        let expected = IdxArray { sizes: vec![2, 2, 1], values: vec![10, 20, 30, 40] };
        assert_eq!(decode(&two_images(), "images").expect("plain"), expected);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&two_images()).expect("memory");
        let compressed = encoder.finish().expect("memory");
        assert_eq!(decode(&compressed, "images").expect("gzip"), expected);
        assert!(problem(&compressed[..compressed.len() - 9]).contains("gzip says"));
    }

    #[test]
    fn every_cut_is_noticed() {
        let whole = two_images();
        for length in 0..whole.len() {
            assert!(problem(&whole[..length]).starts_with("images is damaged"), "{length}");
        }
        let longer = [whole, vec![0]].concat();
        assert!(problem(&longer).contains("it has 21 bytes"));
    }

    #[test]
    fn another_format_is_named_by_its_first_bytes() {
        assert!(problem(b"PNG image").contains("50 4e 47 20"));
        let huge = [vec![0, 0, 8, 3], vec![0xff; 12]].concat();
        assert!(problem(&huge).contains("more than memory"));
    }
}
