//! From a stored image to the numbers a network sees.

use crate::dataset::Dataset;
use crate::order::{Purpose, below, stream};

/// Mean and standard deviation of every channel, of pixels scaled to `[0, 1]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalization {
    /// Per channel.
    pub mean: Vec<f32>,
    /// Per channel; 1 for a channel that never varies.
    pub deviation: Vec<f32>,
}

impl Normalization {
    /// That of a data set's pixels.
    pub fn of(dataset: &Dataset) -> Self {
        let channels = dataset.channels;
        // Whole numbers: the sums are exact, so the order of summation cannot matter.
        let mut sums = vec![(0_u64, 0_u64); channels];
        for pixel in dataset.images.chunks_exact(channels) {
            for ((sum, squares), value) in sums.iter_mut().zip(pixel) {
                *sum += u64::from(*value);
                *squares += u64::from(*value) * u64::from(*value);
            }
        }
        let count = (dataset.images.len() / channels) as f64;
        let (mut mean, mut deviation) = (Vec::new(), Vec::new());
        for (sum, squares) in sums {
            let average = sum as f64 / count;
            let variance = squares as f64 / count - average * average;
            mean.push((average / 255.0) as f32);
            deviation.push(if variance > 0.0 { (variance.sqrt() / 255.0) as f32 } else { 1.0 });
        }
        Self { mean, deviation }
    }
}

/// Random changes of training images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Augmentation {
    /// Mirror every second image on average.
    pub flip: bool,
    /// Pixels of black around the image before a random crop of the same size.
    pub crop_padding: usize,
}

/// What happens to one image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) flip: bool,
    /// How far the image moves down and right.
    pub(crate) shift: [isize; 2],
}

impl Augmentation {
    /// The choice for an image in an epoch; depends on nothing else.
    pub(crate) fn choose(self, seed: u64, epoch: u32, image: u32) -> Choice {
        let mut random = stream(Purpose::Augmentation, seed, epoch, image);
        let flip = below(&mut random, 2) == 1;
        let mut shift = || {
            let places = 2 * self.crop_padding + 1;
            below(&mut random, places) as isize - self.crop_padding as isize
        };
        Choice { flip: self.flip && flip, shift: [shift(), shift()] }
    }
}

/// Values of every byte of every channel, so that a pixel is one look-up.
pub(crate) struct Preparation {
    table: Vec<f32>,
    channels: usize,
    resolution: usize,
}

impl Preparation {
    pub(crate) fn new(normalization: &Normalization, resolution: usize) -> Self {
        let channels = normalization.mean.len();
        let table = (0..256 * channels)
            .map(|at| {
                let (value, channel) = (at / channels, at % channels);
                (value as f32 / 255.0 - normalization.mean[channel])
                    / normalization.deviation[channel]
            })
            .collect();
        Self { table, channels, resolution }
    }

    /// Values of one prepared image.
    pub(crate) fn size(&self) -> usize {
        self.resolution * self.resolution * self.channels
    }

    /// Writes an image, centred on black if it is smaller than the resolution.
    pub(crate) fn write(&self, dataset: &Dataset, image: usize, choice: Choice, out: &mut [f32]) {
        let [height, width, channels] = dataset.image_shape();
        let bytes = dataset.image(image);
        let top = ((self.resolution - height) / 2) as isize + choice.shift[0];
        let left = ((self.resolution - width) / 2) as isize + choice.shift[1];
        let rows = out.chunks_exact_mut(self.resolution * channels);
        for (y, row) in rows.enumerate() {
            let source_row = usize::try_from(y as isize - top).ok().filter(|y| *y < height);
            for (x, pixel) in row.chunks_exact_mut(channels).enumerate() {
                let column = usize::try_from(x as isize - left).ok().filter(|x| *x < width);
                let source = source_row.zip(column).map(|(row, column)| {
                    let column = if choice.flip { width - 1 - column } else { column };
                    (row * width + column) * channels
                });
                for (channel, value) in pixel.iter_mut().enumerate() {
                    let byte = source.map_or(0, |at| usize::from(bytes[at + channel]));
                    *value = self.table[byte * channels + channel];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_image() -> Dataset {
        let (height, width) = (2, 3);
        Dataset {
            images: vec![1, 2, 3, 4, 5, 6],
            labels: vec![0],
            height,
            width,
            channels: 1,
            classes: 1,
        }
    }

    /// The prepared image as bytes again.
    fn prepared(resolution: usize, choice: Choice) -> Vec<u8> {
        let plain = Normalization { mean: vec![0.0], deviation: vec![1.0 / 255.0] };
        let preparation = Preparation::new(&plain, resolution);
        let mut out = vec![f32::NAN; preparation.size()];
        preparation.write(&one_image(), 0, choice, &mut out);
        out.into_iter().map(|v| v.round() as u8).collect()
    }

    #[test]
    fn small_images_are_centred_on_black() {
        let expected = [0, 0, 0, 1, 2, 3, 4, 5, 6];
        assert_eq!(prepared(3, Choice { flip: false, shift: [1, 0] }), expected);
        assert_eq!(prepared(3, Choice::default()), [1, 2, 3, 4, 5, 6, 0, 0, 0]);
        assert_eq!(prepared(5, Choice::default())[5..10], [0, 1, 2, 3, 0]);
    }

    #[test]
    fn flips_mirror_and_shifts_bring_in_black() {
        let flipped = prepared(3, Choice { flip: true, shift: [0, 0] });
        assert_eq!(flipped, [3, 2, 1, 6, 5, 4, 0, 0, 0]);
        let moved = prepared(3, Choice { flip: false, shift: [0, 2] });
        assert_eq!(moved, [0, 0, 1, 0, 0, 4, 0, 0, 0]);
        let gone = prepared(3, Choice { flip: false, shift: [-2, 0] });
        assert_eq!(gone, [0; 9]);
    }

    #[test]
    fn normalized_pixels_have_mean_zero_and_deviation_one() {
        let dataset = one_image();
        let found = Normalization::of(&dataset);
        assert!((found.mean[0] - 3.5 / 255.0).abs() < 1e-7);
        let preparation = Preparation::new(&found, 3);
        let mut out = vec![0.0; 9];
        preparation.write(&dataset, 0, Choice::default(), &mut out);
        let pixels = &out[..6];
        let mean: f32 = pixels.iter().sum::<f32>() / 6.0;
        let variance: f32 = pixels.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / 6.0;
        assert!(mean.abs() < 1e-5 && (variance - 1.0).abs() < 1e-5, "{mean} {variance}");
    }

    #[test]
    fn choices_depend_on_seed_epoch_and_image_and_use_the_whole_range() {
        let augmentation = Augmentation { flip: true, crop_padding: 2 };
        let all: Vec<Choice> = (0..500).map(|i| augmentation.choose(3, 1, i)).collect();
        assert_eq!(all[17], augmentation.choose(3, 1, 17));
        for offset in -2..=2 {
            assert!(all.iter().any(|c| c.shift[0] == offset), "{offset}");
        }
        let flips = all.iter().filter(|c| c.flip).count();
        assert!((190..310).contains(&flips), "{flips}");
        assert!((0..500).any(|i| augmentation.choose(3, 2, i) != all[i as usize]));
        // A resumed trial continues in these, so that no version may change them.
        let golden = GOLDEN.map(|(flip, shift)| Choice { flip, shift });
        assert_eq!(all[..4], golden);
        let none = Augmentation::default();
        assert!((0..100).all(|i| none.choose(3, 1, i) == Choice::default()));
    }

    const GOLDEN: [(bool, [isize; 2]); 4] =
        [(true, [-1, 2]), (true, [-2, 1]), (true, [1, -1]), (false, [-2, 0])];
}
