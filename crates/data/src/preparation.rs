//! From a stored image to the numbers a network sees.

use crate::color;
use crate::error::DataError;
use crate::image::Image;
use crate::normalization::Normalization;
use crate::resize::{ImageResizer, Window, shorter_side_to};
use crate::transform::{Choice, Placement};

/// Prepares images: values of every byte of every channel are kept, so that normalising is one look-up.
pub(crate) struct Preparation {
    table: Vec<f32>,
    channels: usize,
    resolution: usize,
}

/// Buffers that one thread uses again and again.
#[derive(Default)]
pub(crate) struct Scratch {
    resizer: ImageResizer,
    resized: Vec<u8>,
    square: Vec<u8>,
}

impl Preparation {
    pub(crate) fn new(normalization: &Normalization, resolution: usize) -> Self {
        let channels = normalization.mean.len();
        let table = (0..256 * channels)
            .map(|at| {
                let (value, channel) = (at % 256, at / 256);
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

    /// Writes a prepared image, `[resolution, resolution, channels]`.
    pub(crate) fn write(
        &self,
        image: &Image<'_>,
        choice: &Choice,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) -> Result<(), DataError> {
        let side = self.resolution;
        match choice.placement {
            Placement::Shifted(shift) => self.place(image, shift, &mut scratch.square)?,
            Placement::Resized(window) => {
                scratch.resizer.resize(image, window, [side, side], &mut scratch.square)?;
            }
            Placement::Centred { resize } => {
                let size = shorter_side_to([image.height, image.width], resize);
                let whole = Window::whole([image.height, image.width]);
                scratch.resizer.resize(image, whole, size, &mut scratch.resized)?;
                let middle = Window::centre(size, side);
                cut(&scratch.resized, size[1], middle, self.channels, &mut scratch.square);
            }
        }
        for change in &choice.colors {
            color::apply(*change, &mut scratch.square, self.channels);
        }
        self.normalize(&scratch.square, choice.flip, out);
        Ok(())
    }

    /// The image as it is on black, `shift` below and right of the middle.
    fn place(
        &self,
        image: &Image<'_>,
        shift: [isize; 2],
        square: &mut Vec<u8>,
    ) -> Result<(), DataError> {
        let (side, channels) = (self.resolution, self.channels);
        let (height, width) = (image.height, image.width);
        if height.max(width) > side {
            return Err(too_large([height, width], side));
        }
        square.clear();
        square.resize(self.size(), 0);
        let top = ((side - height) / 2) as isize + shift[0];
        let left = ((side - width) / 2) as isize + shift[1];
        // Columns of the image that the square shows, and where the first of them lies in it.
        let first = usize::try_from(-left).unwrap_or(0).min(width);
        let start = usize::try_from(left).unwrap_or(0).min(side);
        let count = (width - first).min(side - start) * channels;
        for (y, row) in square.chunks_exact_mut(side * channels).enumerate() {
            let source = usize::try_from(y as isize - top).ok().filter(|y| *y < height);
            if let Some(source) = source {
                let from = (source * width + first) * channels;
                let pixels = &image.pixels[from..from + count];
                row[start * channels..start * channels + count].copy_from_slice(pixels);
            }
        }
        Ok(())
    }

    /// Looks every byte up, from the right end of each row if `flip` says so.
    fn normalize(&self, square: &[u8], flip: bool, out: &mut [f32]) {
        let (side, channels) = (self.resolution, self.channels);
        let row_size = side * channels;
        for (row, values) in square.chunks_exact(row_size).zip(out.chunks_exact_mut(row_size)) {
            for (x, pixel) in values.chunks_exact_mut(channels).enumerate() {
                let source = if flip { side - 1 - x } else { x };
                let bytes = &row[source * channels..][..channels];
                let tables = self.table.chunks_exact(256);
                for ((value, byte), table) in pixel.iter_mut().zip(bytes).zip(tables) {
                    *value = table[usize::from(*byte)];
                }
            }
        }
    }
}

/// Why images do not fit.
pub(crate) fn too_large([height, width]: [usize; 2], resolution: usize) -> DataError {
    DataError::Unsuitable(format!(
        "images of {height}×{width} pixels do not fit a resolution of {resolution}; give at least {}, or crop them",
        height.max(width)
    ))
}

fn cut(pixels: &[u8], width: usize, window: Window, channels: usize, out: &mut Vec<u8>) {
    out.clear();
    for row in pixels.chunks_exact(width * channels).skip(window.top).take(window.height) {
        let from = window.left * channels;
        out.extend_from_slice(&row[from..from + window.width * channels]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::color::ColorChange;

    fn one_image() -> Image<'static> {
        Image { height: 2, width: 3, channels: 1, pixels: vec![1, 2, 3, 4, 5, 6].into() }
    }

    fn shifted(flip: bool, shift: [isize; 2]) -> Choice {
        Choice { flip, placement: Placement::Shifted(shift), colors: Vec::new() }
    }

    /// The prepared image as bytes again.
    fn prepared(resolution: usize, choice: &Choice) -> Vec<u8> {
        let plain = Normalization { mean: vec![0.0], deviation: vec![1.0 / 255.0] };
        let preparation = Preparation::new(&plain, resolution);
        let mut out = vec![f32::NAN; preparation.size()];
        preparation.write(&one_image(), choice, &mut Scratch::default(), &mut out).expect("fits");
        out.into_iter().map(|v| v.round() as u8).collect()
    }

    #[test]
    fn small_images_are_centred_on_black() {
        let expected = [0, 0, 0, 1, 2, 3, 4, 5, 6];
        assert_eq!(prepared(3, &shifted(false, [1, 0])), expected);
        assert_eq!(prepared(3, &shifted(false, [0, 0])), [1, 2, 3, 4, 5, 6, 0, 0, 0]);
        assert_eq!(prepared(5, &shifted(false, [0, 0]))[5..10], [0, 1, 2, 3, 0]);
    }

    #[test]
    fn flips_mirror_and_shifts_bring_in_black() {
        assert_eq!(prepared(3, &shifted(true, [0, 0])), [3, 2, 1, 6, 5, 4, 0, 0, 0]);
        assert_eq!(prepared(3, &shifted(false, [0, 2])), [0, 0, 1, 0, 0, 4, 0, 0, 0]);
        assert_eq!(prepared(3, &shifted(false, [0, -1])), [2, 3, 0, 5, 6, 0, 0, 0, 0]);
        for gone in [[-2, 0], [0, 3], [0, -3], [9, 9], [-9, -9]] {
            assert_eq!(prepared(3, &shifted(false, gone)), [0; 9]);
        }
    }

    #[test]
    fn an_image_of_the_right_size_passes_centre_crop_and_whole_window_unchanged() {
        let mut choice = shifted(false, [0, 0]);
        choice.placement = Placement::Centred { resize: 2 };
        assert_eq!(prepared(2, &choice), [1, 2, 4, 5]);
        choice.placement = Placement::Resized(Window { top: 0, left: 1, height: 2, width: 2 });
        assert_eq!(prepared(2, &choice), [2, 3, 5, 6]);
        choice.colors = vec![ColorChange::Brightness(2.0)];
        assert_eq!(prepared(2, &choice), [4, 6, 10, 12]);
    }
}
