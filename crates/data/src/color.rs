//! Random changes of colour, as torchvision's `ColorJitter` makes them of PIL images: in whole bytes, each
//! change applied to what the one before left.

use rand_pcg::Pcg64Mcg;

use crate::order::{below, unit};

/// How far colours may change.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ColorJitter {
    /// Factor from `1 − b` (at least 0) to `1 + b`.
    pub brightness: f64,
    /// Factor from `1 − c` (at least 0) to `1 + c`, around the mean grey.
    pub contrast: f64,
    /// Factor from `1 − s` (at least 0) to `1 + s`; 0 would be grey.
    pub saturation: f64,
    /// Turn of the colour circle from `−h` to `h`; at most 0.5, half a turn.
    pub hue: f64,
}

/// One change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ColorChange {
    Brightness(f64),
    Contrast(f64),
    Saturation(f64),
    Hue(f64),
}

impl ColorJitter {
    /// What is wrong with the numbers, if anything.
    pub(crate) fn problem(&self) -> Option<String> {
        let factors = [
            ("brightness", self.brightness),
            ("contrast", self.contrast),
            ("saturation", self.saturation),
        ];
        for (name, value) in factors {
            if !(value >= 0.0 && value.is_finite()) {
                return Some(format!("{name} jitter is {value}; it must be 0 or more"));
            }
        }
        (!(0.0..=0.5).contains(&self.hue))
            .then(|| format!("hue jitter is {}; it must be from 0 to 0.5", self.hue))
    }

    /// The four changes in a random order; those of strength 0 are left out.
    pub(crate) fn choose(&self, random: &mut Pcg64Mcg) -> Vec<ColorChange> {
        let mut between = |low: f64, high: f64| low + (high - low) * unit(random);
        let mut factor = |strength: f64| between((1.0 - strength).max(0.0), 1.0 + strength);
        let mut changes = [
            (self.brightness, ColorChange::Brightness(factor(self.brightness))),
            (self.contrast, ColorChange::Contrast(factor(self.contrast))),
            (self.saturation, ColorChange::Saturation(factor(self.saturation))),
            (self.hue, ColorChange::Hue(between(-self.hue, self.hue))),
        ];
        for last in (1..changes.len()).rev() {
            changes.swap(last, below(random, last + 1));
        }
        changes.iter().filter(|(strength, _)| *strength > 0.0).map(|(_, change)| *change).collect()
    }
}

/// Applies a change to pixels of `channels` channels. Grey pixels have neither saturation nor hue.
pub(crate) fn apply(change: ColorChange, pixels: &mut [u8], channels: usize) {
    match change {
        ColorChange::Brightness(factor) => {
            pixels.iter_mut().for_each(|byte| *byte = blend(0, *byte, factor));
        }
        ColorChange::Contrast(factor) => {
            let grey = mean_grey(pixels, channels);
            pixels.iter_mut().for_each(|byte| *byte = blend(grey, *byte, factor));
        }
        ColorChange::Saturation(factor) if channels == 3 => {
            for pixel in pixels.as_chunks_mut::<3>().0 {
                let grey = luma(*pixel);
                *pixel = pixel.map(|byte| blend(grey, byte, factor));
            }
        }
        ColorChange::Hue(turn) if channels == 3 => {
            // To a byte as NumPy converts: towards zero, then modulo 256.
            let shift = (turn * 255.0) as i32 as u8;
            for pixel in pixels.as_chunks_mut::<3>().0 {
                let [hue, saturation, value] = to_hsv(*pixel);
                *pixel = to_rgb([hue.wrapping_add(shift), saturation, value]);
            }
        }
        ColorChange::Saturation(_) | ColorChange::Hue(_) => {}
    }
}

/// `from + factor · (to − from)` in single precision, cut off below the point and at the ends of a byte.
fn blend(from: u8, to: u8, factor: f64) -> u8 {
    let (from, to) = (f32::from(from), f32::from(to));
    // A conversion from float to integer saturates.
    (from + factor as f32 * (to - from)) as u8
}

/// Brightness as ITU-R 601-2 weighs it, in 16-bit fixed point.
fn luma([red, green, blue]: [u8; 3]) -> u8 {
    let weighted = u32::from(red) * 19_595 + u32::from(green) * 38_470 + u32::from(blue) * 7_471;
    ((weighted + 0x8000) >> 16) as u8
}

fn mean_grey(pixels: &[u8], channels: usize) -> u8 {
    let (sum, count) = if channels == 3 {
        let pixels = pixels.as_chunks::<3>().0;
        (pixels.iter().map(|pixel| u64::from(luma(*pixel))).sum::<u64>(), pixels.len())
    } else {
        (pixels.iter().map(|byte| u64::from(*byte)).sum(), pixels.len())
    };
    (sum as f64 / count.max(1) as f64 + 0.5) as u8
}

/// Hue, saturation and value in bytes, cut off below the point; a whole turn of hue is 255.
fn to_hsv([red, green, blue]: [u8; 3]) -> [u8; 3] {
    let (high, low) = (red.max(green).max(blue), red.min(green).min(blue));
    if high == low {
        return [0, 0, high];
    }
    let range = f32::from(high - low);
    let saturation = range / f32::from(high);
    let distance = |byte: u8| f32::from(high - byte) / range;
    let (red_distance, green_distance, blue_distance) =
        (distance(red), distance(green), distance(blue));
    let sixth = if red == high {
        blue_distance - green_distance
    } else if green == high {
        (2.0 + f64::from(red_distance) - f64::from(blue_distance)) as f32
    } else {
        (4.0 + f64::from(green_distance) - f64::from(red_distance)) as f32
    };
    let turn = ((f64::from(sixth) / 6.0 + 1.0) % 1.0) as f32;
    let byte = |fraction: f32| (f64::from(fraction) * 255.0) as u8;
    [byte(turn), byte(saturation), high]
}

fn to_rgb([hue, saturation, value]: [u8; 3]) -> [u8; 3] {
    if saturation == 0 {
        return [value; 3];
    }
    let sixths = f64::from(hue) * 6.0 / 255.0;
    let sector = sixths.floor();
    let within = f64::from((sixths - sector) as f32);
    let strength = f64::from(f32::from(saturation) / 255.0);
    let scaled = |factor: f64| (f64::from(value) * factor).round() as u8;
    let (low, falling, rising) = (
        scaled(1.0 - strength),
        scaled(1.0 - strength * within),
        scaled(1.0 - strength * (1.0 - within)),
    );
    match sector as u8 % 6 {
        0 => [value, rising, low],
        1 => [falling, value, low],
        2 => [low, value, rising],
        3 => [low, falling, value],
        4 => [rising, low, value],
        _ => [value, low, falling],
    }
}
