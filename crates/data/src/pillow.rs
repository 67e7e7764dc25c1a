//! Decoding, resizing and colours beside what Pillow and torchvision make of the same files.
//!
//! `scripts/make-resize-fixtures` has written the files and the expected bytes.

use std::io::Read;
use std::path::PathBuf;

use flate2::read::GzDecoder;
use serde::Deserialize;

use crate::color::{self, ColorChange};
use crate::decode::decode;
use crate::image::Image;
use crate::normalization::Normalization;
use crate::preparation::{Preparation, Scratch};
use crate::resize::{ImageResizer, Window};
use crate::transform::{Choice, Placement};

/// Largest difference of a resized byte: the weights here have 16 bits or fewer, Pillow's 22, and each of the two passes
/// rounds to a byte.
const RESIZE: u8 = 1;
/// Largest difference of a byte of a JPEG file: the inverse cosine transform, the chroma upsampling and the colour
/// conversion round in other places than libjpeg-turbo's.
const JPEG: u8 = 5;
/// The same of one that was CMYK, which loses another bit where black is multiplied in.
const CMYK: u8 = 6;
/// Mean difference of a byte of a JPEG file.
const JPEG_MEAN: f64 = 0.5;

#[derive(Deserialize)]
struct Cases {
    decode: Vec<DecodeCase>,
    resize: Vec<ResizeCase>,
    center_crop: Vec<CenterCropCase>,
    color: Vec<ColorCase>,
}

#[derive(Deserialize)]
struct DecodeCase {
    file: String,
    width: usize,
    height: usize,
    expected: String,
}

#[derive(Deserialize)]
struct ResizeCase {
    window: [usize; 4],
    size: [usize; 2],
    expected: String,
}

#[derive(Deserialize)]
struct CenterCropCase {
    transposed: bool,
    resize: usize,
    resolution: usize,
    expected: String,
}

#[derive(Deserialize)]
struct ColorCase {
    change: String,
    factor: f64,
    expected: String,
}

fn read(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures"));
    std::fs::read(folder.join(name)).expect("written by scripts/make-resize-fixtures")
}

fn expected(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    GzDecoder::new(read(name).as_slice()).read_to_end(&mut bytes).expect("gzip");
    bytes
}

fn cases() -> Cases {
    serde_json::from_slice(&read("cases.json")).expect("of this shape")
}

/// Greatest and mean difference.
fn differences(found: &[u8], expected: &[u8]) -> (u8, f64) {
    assert_eq!(found.len(), expected.len());
    let differences = || found.iter().zip(expected).map(|(a, b)| a.abs_diff(*b));
    let sum: u64 = differences().map(u64::from).sum();
    (differences().max().unwrap_or(0), sum as f64 / found.len() as f64)
}

#[test]
fn files_decode_as_pillow_decodes_them() {
    for case in cases().decode {
        let image = decode(&read(&case.file)).expect("sound");
        assert_eq!([image.height, image.width], [case.height, case.width], "{}", case.file);
        let (most, mean) = differences(&image.pixels, &expected(&case.expected));
        let (most_allowed, mean_allowed) = match case.file.as_str() {
            "cmyk.jpg" => (CMYK, JPEG_MEAN),
            file if file.ends_with("jpg") => (JPEG, JPEG_MEAN),
            _ => (0, 0.0),
        };
        assert!(most <= most_allowed && mean <= mean_allowed, "{}: {most}, {mean}", case.file);
    }
}

#[test]
fn windows_resize_as_in_torchvision() {
    let photo = decode(&read("photo.png")).expect("sound");
    for case in cases().resize {
        let [top, left, height, width] = case.window;
        let window = Window { top, left, height, width };
        let mut found = Vec::new();
        ImageResizer::default().resize(&photo, window, case.size, &mut found).expect("possible");
        let (most, _) = differences(&found, &expected(&case.expected));
        assert!(most <= RESIZE, "{}: {most}", case.expected);
    }
}

#[test]
fn centre_crops_take_the_pixels_that_torchvision_takes() {
    let photo = decode(&read("photo.png")).expect("sound");
    let transposed = Image {
        height: photo.width,
        width: photo.height,
        channels: 3,
        pixels: (0..photo.width)
            .flat_map(|x| (0..photo.height).map(move |y| (x, y)))
            .flat_map(|(x, y)| photo.pixels[(y * photo.width + x) * 3..][..3].to_vec())
            .collect(),
    };
    let bytes = Normalization { mean: vec![0.0; 3], deviation: vec![1.0 / 255.0; 3] };
    for case in cases().center_crop {
        let preparation = Preparation::new(&bytes, case.resolution);
        let placement = Placement::Centred { resize: case.resize };
        let choice = Choice { flip: false, placement, colors: Vec::new() };
        let mut values = vec![0.0; preparation.size()];
        let image = if case.transposed { &transposed } else { &photo };
        preparation.write(image, &choice, &mut Scratch::default(), &mut values).expect("possible");
        let found: Vec<u8> = values.iter().map(|value| value.round() as u8).collect();
        let (most, _) = differences(&found, &expected(&case.expected));
        assert!(most <= RESIZE, "{}: {most}", case.expected);
    }
}

#[test]
fn colours_change_byte_for_byte_as_in_torchvision() {
    let image = decode(&read("rgb.png")).expect("sound");
    for case in cases().color {
        let change = match case.change.as_str() {
            "brightness" => ColorChange::Brightness(case.factor),
            "contrast" => ColorChange::Contrast(case.factor),
            "saturation" => ColorChange::Saturation(case.factor),
            _ => ColorChange::Hue(case.factor),
        };
        let mut found = image.pixels.to_vec();
        color::apply(change, &mut found, 3);
        let (most, _) = differences(&found, &expected(&case.expected));
        assert_eq!(most, 0, "{} by {}", case.change, case.factor);
    }
}
