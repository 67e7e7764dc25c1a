//! The binary format of CIFAR-10: records of a label and 32×32 pixels, plane by plane.

use crate::error::DataError;

/// Side of an image.
pub(crate) const SIDE: usize = 32;
/// Planes of an image.
pub(crate) const CHANNELS: usize = 3;
/// Names of the classes, by label.
pub(crate) const CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

const PIXELS: usize = SIDE * SIDE;
const RECORD: usize = 1 + CHANNELS * PIXELS;

/// Appends the records of one file as `[32, 32, 3]` images with their labels.
pub(crate) fn decode(
    bytes: &[u8],
    file: &str,
    images: &mut Vec<u8>,
    labels: &mut Vec<u16>,
) -> Result<(), DataError> {
    if bytes.is_empty() || !bytes.len().is_multiple_of(RECORD) {
        return Err(DataError::corrupt(
            file,
            format!("its {} bytes are no whole number of records of {RECORD}", bytes.len()),
        ));
    }
    images.reserve(bytes.len());
    for (index, record) in bytes.chunks_exact(RECORD).enumerate() {
        let (label, planes) = (record[0], &record[1..]);
        if usize::from(label) >= CLASSES.len() {
            return Err(DataError::corrupt(
                file,
                format!("record {index} has label {label}, and labels go from 0 to 9"),
            ));
        }
        labels.push(label.into());
        for pixel in 0..PIXELS {
            images.extend((0..CHANNELS).map(|channel| planes[channel * PIXELS + pixel]));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(label: u8) -> Vec<u8> {
        let mut bytes = vec![label];
        bytes.extend((0..CHANNELS * PIXELS).map(|at| (at / PIXELS * 100 + at % PIXELS % 7) as u8));
        bytes
    }

    #[test]
    fn planes_become_pixels() {
        let (mut images, mut labels) = (Vec::new(), Vec::new());
        let two = [record(3), record(9)].concat();
        decode(&two, "batch", &mut images, &mut labels).expect("whole");
        assert_eq!(labels, [3, 9]);
        assert_eq!(images.len(), 2 * 3072);
        assert_eq!(images[..6], [0, 100, 200, 1, 101, 201]);
    }

    #[test]
    fn cut_files_and_wrong_labels_are_refused() {
        let (mut images, mut labels) = (Vec::new(), Vec::new());
        let cut = &record(1)[..3000];
        let error = decode(cut, "batch", &mut images, &mut labels).expect_err("cut");
        assert!(error.to_string().contains("3000 bytes"), "{error}");
        let error = decode(&record(10), "batch", &mut images, &mut labels).expect_err("label");
        assert!(error.to_string().contains("record 0 has label 10"), "{error}");
    }
}
