//! JPEG and PNG files to red, green and blue, as PIL's `Image.open(file).convert("RGB")` gives them.
//!
//! The format is told by the first bytes, not by the name. Orientation tags and colour profiles are ignored, as
//! torchvision ignores them; transparency is dropped. PNG is exact; of JPEG see `docs/data.md`.

use std::borrow::Cow;
use std::io::Cursor;

use png::{BitDepth, ColorType, Transformations};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use crate::image::Image;

/// Pixels of the largest image that is decoded: twice what PIL warns of, where PIL refuses.
const MOST_PIXELS: u64 = 178_956_970;

const PNG_SIGNATURE: [u8; 8] = [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];

/// Height and width of an image, from its header.
pub(crate) fn dimensions(bytes: &[u8]) -> Result<[usize; 2], String> {
    match format(bytes)? {
        Format::Jpeg => {
            let mut decoder = jpeg_decoder(bytes);
            decoder.decode_headers().map_err(|error| jpeg_problem(&error))?;
            let (width, height) = decoder.dimensions().ok_or("its header has no size")?;
            allowed(height as u64, width as u64)
        }
        Format::Png => {
            let mut decoder = png::Decoder::new(Cursor::new(bytes));
            let info = decoder.read_header_info().map_err(|error| one_line(&error.to_string()))?;
            allowed(info.height.into(), info.width.into())
        }
    }
}

/// Decodes an image. The problem, if there is one, is one line.
pub(crate) fn decode(bytes: &[u8]) -> Result<Image<'static>, String> {
    let [height, width] = dimensions(bytes)?;
    let pixels = match format(bytes)? {
        Format::Jpeg => jpeg(bytes)?,
        Format::Png => png(bytes)?,
    };
    if pixels.len() != height * width * 3 {
        return Err(format!("{} bytes of pixels for {width}×{height}", pixels.len()));
    }
    Ok(Image { height, width, channels: 3, pixels: Cow::Owned(pixels) })
}

#[derive(Clone, Copy)]
enum Format {
    Jpeg,
    Png,
}

fn format(bytes: &[u8]) -> Result<Format, String> {
    if bytes.starts_with(&[0xff, 0xd8]) {
        Ok(Format::Jpeg)
    } else if bytes.starts_with(&PNG_SIGNATURE) {
        Ok(Format::Png)
    } else if bytes.is_empty() {
        Err("the file is empty".to_owned())
    } else {
        let start: Vec<String> = bytes.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        Err(format!("it begins with {}, as neither JPEG nor PNG does", start.join(" ")))
    }
}

fn allowed(height: u64, width: u64) -> Result<[usize; 2], String> {
    if height == 0 || width == 0 {
        return Err(format!("its size is {width}×{height}"));
    }
    if height.saturating_mul(width) > MOST_PIXELS {
        return Err(format!("{width}×{height} pixels are more than {MOST_PIXELS}"));
    }
    Ok([height as usize, width as usize])
}

fn jpeg_decoder(bytes: &[u8]) -> JpegDecoder<ZCursor<&[u8]>> {
    // Strict: a file whose data end early is an error and not grey rows.
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(u16::MAX.into())
        .set_max_height(u16::MAX.into())
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    JpegDecoder::new_with_options(ZCursor::new(bytes), options)
}

fn jpeg(bytes: &[u8]) -> Result<Vec<u8>, String> {
    // The decoder forgives an end within the last row of blocks.
    if !has_end_marker(bytes) {
        return Err("it ends before its end marker".to_owned());
    }
    jpeg_decoder(bytes).decode().map_err(|error| jpeg_problem(&error))
}

fn jpeg_problem(error: &zune_jpeg::errors::DecodeErrors) -> String {
    one_line(&format!("{error:?}"))
}

/// Whether an end marker follows the first scan; the one of a thumbnail within an earlier segment does not count.
fn has_end_marker(bytes: &[u8]) -> bool {
    const START_OF_SCAN: u8 = 0xda;
    let mut at = 2;
    while let Some(&[prefix, marker, high, low]) = bytes.get(at..at + 4) {
        if prefix != 0xff {
            at += 1;
        } else if marker == 0xff {
            // Markers may be preceded by any number of fill bytes.
            at += 1;
        } else if marker == START_OF_SCAN {
            return bytes[at..].windows(2).any(|pair| pair == [0xff, 0xd9]);
        } else {
            at += 2 + usize::from(u16::from_be_bytes([high, low])).max(2);
        }
    }
    false
}

fn png(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let problem = |error: png::DecodingError| one_line(&error.to_string());
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    // Palettes and less than 8 bits become bytes; of 16 bits the high byte stays.
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let mut reader = decoder.read_info().map_err(problem)?;
    let size = reader.output_buffer_size().ok_or("its pixels do not fit into memory")?;
    let mut bytes = vec![0; size];
    let info = reader.next_frame(&mut bytes).map_err(problem)?;
    bytes.truncate(info.buffer_size());
    if info.bit_depth != BitDepth::Eight {
        return Err(format!("{:?} bits a channel", info.bit_depth));
    }
    match info.color_type {
        ColorType::Rgb => Ok(bytes),
        ColorType::Rgba => {
            Ok(bytes.as_chunks::<4>().0.iter().flat_map(|p| [p[0], p[1], p[2]]).collect())
        }
        ColorType::Grayscale => Ok(bytes.iter().flat_map(|grey| [*grey; 3]).collect()),
        ColorType::GrayscaleAlpha => {
            Ok(bytes.as_chunks::<2>().0.iter().flat_map(|pixel| [pixel[0]; 3]).collect())
        }
        ColorType::Indexed => Err("its palette is missing".to_owned()),
    }
}

/// A message without line breaks, quotes or a full stop.
fn one_line(message: &str) -> String {
    let words: Vec<&str> = message.split_whitespace().collect();
    words.join(" ").trim_matches(|c: char| c == '"' || c == '.').to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const JPEG: &[u8] = include_bytes!("../tests/fixtures/420.jpg");
    const PROGRESSIVE: &[u8] = include_bytes!("../tests/fixtures/progressive.jpg");
    const PNG: &[u8] = include_bytes!("../tests/fixtures/palette.png");

    fn problem(bytes: &[u8]) -> String {
        decode(bytes).expect_err("damaged")
    }

    #[test]
    fn problems_are_told_in_words() {
        assert_eq!(problem(b""), "the file is empty");
        assert_eq!(problem(b"GIF89a"), "it begins with 47 49 46 38, as neither JPEG nor PNG does");
        assert_eq!(problem(&JPEG[..JPEG.len() - 1]), "it ends before its end marker");
        let mut huge = PNG.to_vec();
        huge[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
        let checksum = crc32fast::hash(&huge[12..29]).to_be_bytes();
        huge[29..33].copy_from_slice(&checksum);
        assert!(problem(&huge).contains("65536×65536 pixels are more than"), "{}", problem(&huge));
    }

    #[test]
    fn the_end_of_a_thumbnail_is_not_the_end_of_the_image() {
        let (start, rest) = JPEG.split_at(2);
        // A segment of an application, with an end marker in it.
        let thumbnail = [0xff, 0xe1, 0, 6, 0xff, 0xd8, 0xff, 0xd9];
        let mut bytes = [start, &thumbnail, rest].concat();
        assert!(decode(&bytes).is_ok());
        bytes.truncate(bytes.len() - 2);
        assert_eq!(problem(&bytes), "it ends before its end marker");
    }

    proptest! {
        #[test]
        fn a_jpeg_cut_anywhere_is_damaged(progressive: bool, part in 0.0_f64..1.0) {
            let whole = if progressive { PROGRESSIVE } else { JPEG };
            prop_assert!(decode(&whole[..(whole.len() as f64 * part) as usize]).is_err());
        }

        #[test]
        fn changed_bytes_bring_no_decoder_down(
            file in 0_usize..3,
            changes in prop::collection::vec((0.0_f64..1.0, any::<u8>()), 1..6),
        ) {
            let mut bytes = [JPEG, PROGRESSIVE, PNG][file].to_vec();
            let length = bytes.len() as f64;
            for (part, value) in changes {
                bytes[(length * part) as usize] = value;
            }
            if let Ok(image) = decode(&bytes) {
                prop_assert_eq!(image.pixels.len(), image.height * image.width * 3);
            }
        }
    }
}
