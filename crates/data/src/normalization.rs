//! From bytes to numbers around zero.

use crate::dataset::Dataset;
use crate::error::DataError;

/// Mean and standard deviation of every channel, of pixels scaled to `[0, 1]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalization {
    /// Per channel.
    pub mean: Vec<f32>,
    /// Per channel; 1 for a channel that never varies.
    pub deviation: Vec<f32>,
}

impl Normalization {
    /// That of ImageNet's training images, which pretrained networks expect.
    pub fn imagenet() -> Self {
        Self { mean: vec![0.485, 0.456, 0.406], deviation: vec![0.229, 0.224, 0.225] }
    }

    /// That of a data set's pixels, exact, of a set that is held decoded. Damaged images do not count.
    ///
    /// # Errors
    /// When the images are decoded only as they are needed.
    pub fn of(dataset: &Dataset) -> Result<Self, DataError> {
        if !dataset.in_memory() {
            return Err(DataError::Unsuitable(
                "the mean of a data set this large would need all of it decoded; use ImageNet's, or give mean \
                 and deviation"
                    .to_owned(),
            ));
        }
        // Whole numbers: the sums are exact, so the order of summation cannot matter.
        let channels = dataset.channels();
        let (mut sums, mut pixels) = (vec![(0_u64, 0_u64); channels], 0);
        for index in 0..dataset.len() {
            let image = match dataset.image(index) {
                Err(DataError::CorruptImage { .. }) => continue,
                image => image?,
            };
            pixels += image.height * image.width;
            for pixel in image.pixels.chunks_exact(channels) {
                for ((sum, squares), value) in sums.iter_mut().zip(pixel) {
                    *sum += u64::from(*value);
                    *squares += u64::from(*value) * u64::from(*value);
                }
            }
        }
        let count = pixels.max(1) as f64;
        let (mut mean, mut deviation) = (Vec::new(), Vec::new());
        for (sum, squares) in sums {
            let average = sum as f64 / count;
            let variance = squares as f64 / count - average * average;
            mean.push((average / 255.0) as f32);
            deviation.push(if variance > 0.0 { (variance.sqrt() / 255.0) as f32 } else { 1.0 });
        }
        Ok(Self { mean, deviation })
    }

    /// Refuses numbers that do not fit images of `channels` channels.
    pub(crate) fn check(&self, channels: usize) -> Result<(), DataError> {
        let counts = [self.mean.len(), self.deviation.len()];
        if counts != [channels; 2] {
            return Err(DataError::Unsuitable(format!(
                "normalisation has {} means and {} deviations for images of {channels} channels",
                counts[0], counts[1]
            )));
        }
        let sound = self.mean.iter().all(|mean| mean.is_finite())
            && self.deviation.iter().all(|deviation| deviation.is_finite() && *deviation > 0.0);
        if !sound {
            return Err(DataError::Unsuitable(format!(
                "normalisation by means {:?} and deviations {:?}: deviations must be above 0",
                self.mean, self.deviation
            )));
        }
        Ok(())
    }
}
