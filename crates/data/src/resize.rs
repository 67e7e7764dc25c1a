//! Bilinear resizing with antialiasing, as PIL's `Image.resize(size, BILINEAR)`, which torchvision uses.

use fast_image_resize::images::{TypedCroppedImage, TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x3};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};

use crate::error::DataError;
use crate::image::Image;

/// A part of an image, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) top: usize,
    pub(crate) left: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

impl Window {
    /// All of an image.
    pub(crate) fn whole([height, width]: [usize; 2]) -> Self {
        Self { top: 0, left: 0, height, width }
    }

    /// The middle `side`×`side` of an image that is at least as large, as torchvision's `CenterCrop` rounds.
    pub(crate) fn centre([height, width]: [usize; 2], side: usize) -> Self {
        let start = |length: usize| ((length - side) as f64 / 2.0).round_ties_even() as usize;
        Self { top: start(height), left: start(width), height: side, width: side }
    }
}

/// Height and width after the shorter side became `side`, as torchvision's `Resize(side)` rounds.
pub(crate) fn shorter_side_to([height, width]: [usize; 2], side: usize) -> [usize; 2] {
    let (short, long) = (height.min(width), height.max(width));
    // Below 2⁵³, where the quotient of whole numbers in double precision rounds down to the same.
    let other = side * long / short;
    if height <= width { [side, other] } else { [other, side] }
}

/// Resizes one image after the other in the same buffers.
#[derive(Default)]
pub(crate) struct ImageResizer {
    resizer: Resizer,
}

impl ImageResizer {
    /// Writes `window` of `image`, resized to `[height, width]`, into `out`. Pixels outside the window have no
    /// influence, as if it had been cut out first.
    pub(crate) fn resize(
        &mut self,
        image: &Image<'_>,
        window: Window,
        [height, width]: [usize; 2],
        out: &mut Vec<u8>,
    ) -> Result<(), DataError> {
        out.resize(height * width * image.channels, 0);
        let size = [height, width];
        // By pixel type, so that only these two are compiled.
        let result = match image.channels {
            1 => self.resize_pixels::<U8>(image, window, size, out),
            3 => self.resize_pixels::<U8x3>(image, window, size, out),
            channels => return Err(DataError::Unsuitable(format!("{channels} channels an image"))),
        };
        // The sizes come from headers and were checked; were they not, an image would be refused and not a panic.
        result.map_err(|error| {
            DataError::Unsuitable(format!(
                "an image of {}×{} pixels cannot be resized to {width}×{height}: {error}",
                image.width, image.height
            ))
        })
    }

    fn resize_pixels<P: PixelTrait>(
        &mut self,
        image: &Image<'_>,
        window: Window,
        [height, width]: [usize; 2],
        out: &mut [u8],
    ) -> Result<(), Box<dyn std::error::Error>> {
        let [image_width, image_height] = [image.width as u32, image.height as u32];
        let source = TypedImageRef::<P>::from_buffer(image_width, image_height, &image.pixels)?;
        let source = TypedCroppedImage::from_ref(
            &source,
            window.left as u32,
            window.top as u32,
            window.width as u32,
            window.height as u32,
        )?;
        let mut target = TypedImage::<P>::from_buffer(width as u32, height as u32, out)?;
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
            .use_alpha(false);
        self.resizer.resize_typed(&source, &mut target, &options)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_round_as_in_torchvision() {
        assert_eq!(shorter_side_to([375, 500], 256), [256, 341]);
        assert_eq!(shorter_side_to([500, 333], 256), [384, 256]);
        assert_eq!(shorter_side_to([256, 256], 256), [256, 256]);
        // Half a pixel goes to the even number.
        assert_eq!(
            Window::centre([257, 259], 224),
            Window { top: 16, left: 18, height: 224, width: 224 }
        );
    }

    fn image(height: usize, width: usize, channels: usize, seed: u8) -> Image<'static> {
        let pixels = (0..height * width * channels)
            .map(|at| {
                (at as u32).wrapping_mul(2_654_435_761).wrapping_add(seed.into()).to_be_bytes()[0]
            })
            .collect();
        Image { height, width, channels, pixels: Cow::Owned(pixels) }
    }

    proptest! {
        #[test]
        fn resizing_a_window_is_resizing_what_was_cut_out(
            (height, width, window) in (1_usize..40, 1_usize..40).prop_flat_map(|(height, width)| {
                let rows = (0..height).prop_flat_map(move |top| (Just(top), 1..=height - top));
                let columns = (0..width).prop_flat_map(move |left| (Just(left), 1..=width - left));
                (Just(height), Just(width), (rows, columns).prop_map(|((top, height), (left, width))| {
                    Window { top, left, height, width }
                }))
            }),
            to in (1_usize..40, 1_usize..40),
            channels in prop_oneof![Just(1_usize), Just(3)],
            seed: u8,
        ) {
            let source = image(height, width, channels, seed);
            let cut: Vec<u8> = source.pixels
                .chunks_exact(width * channels)
                .skip(window.top)
                .take(window.height)
                .flat_map(|row| &row[window.left * channels..(window.left + window.width) * channels])
                .copied()
                .collect();
            let cut = Image { height: window.height, width: window.width, channels, pixels: cut.into() };
            let mut resizer = ImageResizer::default();
            let (mut direct, mut after) = (Vec::new(), Vec::new());
            let size = [to.0, to.1];
            resizer.resize(&source, window, size, &mut direct).expect("possible");
            let whole = Window::whole([cut.height, cut.width]);
            resizer.resize(&cut, whole, size, &mut after).expect("possible");
            prop_assert_eq!(direct, after);
        }

        #[test]
        fn an_even_image_stays_even(value: u8, height in 1_usize..60, width in 1_usize..60, side in 1_usize..60) {
            let even = Image { height, width, channels: 3, pixels: vec![value; height * width * 3].into() };
            let mut out = Vec::new();
            let whole = Window::whole([height, width]);
            ImageResizer::default().resize(&even, whole, [side, side], &mut out).expect("possible");
            // The weights are rounded, so that their sum may miss one by the last bit.
            prop_assert!(out.iter().all(|byte| byte.abs_diff(value) <= 1));
        }
    }
}
