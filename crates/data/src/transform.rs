//! What happens to an image before a network sees it, and the random choices in it.

use rand_pcg::Pcg64Mcg;

use crate::color::{ColorChange, ColorJitter};
use crate::error::DataError;
use crate::order::{Purpose, below, stream, unit};
use crate::resize::Window;

/// Part of the resized shorter side that the centre crop of ImageNet's usual evaluation keeps.
const USUAL_FRACTION: f64 = 0.875;
/// Crops tried before the largest centred one is taken, as in torchvision.
const TRIES: usize = 10;

/// How an image of any size becomes one of `resolution`×`resolution` pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Geometry {
    /// As it is, centred on black; for images that are not larger than the resolution.
    Padded,
    /// The same, moved by up to `padding` pixels up or down and left or right.
    PaddedCrop {
        /// Pixels of black on each side before a random crop of the resolution.
        padding: usize,
    },
    /// A random part, resized; torchvision's `RandomResizedCrop`.
    RandomResizedCrop {
        /// Least and greatest part of the area.
        scale: [f64; 2],
        /// Least and greatest width by height.
        ratio: [f64; 2],
    },
    /// The shorter side resized, then the middle; torchvision's `Resize` and `CenterCrop`.
    CenterCrop {
        /// Pixels that the shorter side gets, at least the resolution.
        resize: usize,
    },
}

impl Geometry {
    /// Part of the area that a random crop of ImageNet's usual recipe has.
    pub const USUAL_SCALE: [f64; 2] = [0.08, 1.0];
    /// Width by height of such a crop.
    pub const USUAL_RATIO: [f64; 2] = [3.0 / 4.0, 4.0 / 3.0];
}

/// All that happens to an image before normalisation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transform {
    /// How it gets its size.
    pub geometry: Geometry,
    /// Mirror every second image on average.
    pub flip: bool,
    /// Random changes of colour.
    pub color_jitter: Option<ColorJitter>,
}

impl Transform {
    /// Nothing random; small images as they are.
    pub fn padded() -> Self {
        Self { geometry: Geometry::Padded, flip: false, color_jitter: None }
    }

    /// Small images, moved by up to `padding` pixels and mirrored if `flip` says so: CIFAR's usual recipe.
    pub fn padded_crop(padding: usize, flip: bool) -> Self {
        Self { geometry: Geometry::PaddedCrop { padding }, flip, color_jitter: None }
    }

    /// Random crops of 8 % to all of the area with sides of 3:4 to 4:3, mirrored: ImageNet's usual recipe.
    pub fn random_resized_crop() -> Self {
        let geometry = Geometry::RandomResizedCrop {
            scale: Geometry::USUAL_SCALE,
            ratio: Geometry::USUAL_RATIO,
        };
        Self { geometry, flip: true, color_jitter: None }
    }

    /// The middle 87.5 %, at a resolution of 224 the middle of 256 pixels: ImageNet's usual evaluation.
    pub fn center_crop(resolution: usize) -> Self {
        let resize = (resolution as f64 / USUAL_FRACTION).round_ties_even() as usize;
        let geometry = Geometry::CenterCrop { resize };
        Self { geometry, flip: false, color_jitter: None }
    }

    /// Refuses numbers that make no sense at a resolution.
    pub(crate) fn check(&self, resolution: usize) -> Result<(), DataError> {
        let range = |name: &str, [low, high]: [f64; 2], most: f64| {
            let sound = low > 0.0 && low <= high && high <= most;
            (!sound).then(|| {
                format!("{name} of random crops is {low} to {high}; it must rise, above 0 and up to {most}")
            })
        };
        let problem = match self.geometry {
            Geometry::Padded | Geometry::PaddedCrop { .. } => None,
            Geometry::RandomResizedCrop { scale, ratio } => {
                range("scale", scale, 1.0).or_else(|| range("ratio", ratio, 1000.0))
            }
            Geometry::CenterCrop { resize } => (resize < resolution).then(|| {
                format!("images resized to {resize} pixels have no middle of {resolution}; resize to {resolution} or more")
            }),
        };
        let problem = problem.or_else(|| self.color_jitter.and_then(|jitter| jitter.problem()));
        problem.map_or(Ok(()), |problem| Err(DataError::Unsuitable(problem)))
    }

    /// The choice for an image of `[height, width]` in an epoch; depends on nothing else.
    pub(crate) fn choose(&self, seed: u64, epoch: u32, image: u32, size: [usize; 2]) -> Choice {
        let mut random = stream(Purpose::Augmentation, seed, epoch, image);
        let flip = below(&mut random, 2) == 1;
        let placement = match self.geometry {
            Geometry::Padded => Placement::Shifted([0, 0]),
            Geometry::PaddedCrop { padding } => {
                let mut shift = || below(&mut random, 2 * padding + 1) as isize - padding as isize;
                Placement::Shifted([shift(), shift()])
            }
            Geometry::RandomResizedCrop { scale, ratio } => {
                Placement::Resized(random_window(&mut random, size, scale, ratio))
            }
            Geometry::CenterCrop { resize } => Placement::Centred { resize },
        };
        let colors = self.color_jitter.map_or_else(Vec::new, |jitter| jitter.choose(&mut random));
        Choice { flip: self.flip && flip, placement, colors }
    }
}

/// What happens to one image.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Choice {
    pub(crate) flip: bool,
    pub(crate) placement: Placement,
    pub(crate) colors: Vec<ColorChange>,
}

/// Which pixels fill the square.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Placement {
    /// The image as it is, so many pixels below and right of the middle.
    Shifted([isize; 2]),
    /// A window resized to the square.
    Resized(Window),
    /// Resized, then cut out of the middle.
    Centred { resize: usize },
}

/// torchvision's `RandomResizedCrop.get_params`.
fn random_window(
    random: &mut Pcg64Mcg,
    [height, width]: [usize; 2],
    scale: [f64; 2],
    ratio: [f64; 2],
) -> Window {
    let area = (height * width) as f64;
    // From libm, not from the system: the same crop on every machine.
    let logarithms = ratio.map(libm::log);
    for _ in 0..TRIES {
        let target = area * between(random, scale);
        let aspect = libm::exp(between(random, logarithms));
        let crop_width = (target * aspect).sqrt().round_ties_even() as usize;
        let crop_height = (target / aspect).sqrt().round_ties_even() as usize;
        if (1..=width).contains(&crop_width) && (1..=height).contains(&crop_height) {
            let top = below(random, height - crop_height + 1);
            let left = below(random, width - crop_width + 1);
            return Window { top, left, height: crop_height, width: crop_width };
        }
    }
    largest_centred([height, width], ratio)
}

/// The largest window in the middle whose ratio is allowed.
fn largest_centred([height, width]: [usize; 2], ratio: [f64; 2]) -> Window {
    let found = width as f64 / height as f64;
    let rounded = |length: f64| (length.round_ties_even() as usize).max(1);
    let (crop_height, crop_width) = if found < ratio[0] {
        (rounded(width as f64 / ratio[0]).min(height), width)
    } else if found > ratio[1] {
        (height, rounded(height as f64 * ratio[1]).min(width))
    } else {
        (height, width)
    };
    Window {
        top: (height - crop_height) / 2,
        left: (width - crop_width) / 2,
        height: crop_height,
        width: crop_width,
    }
}

fn between(random: &mut Pcg64Mcg, [low, high]: [f64; 2]) -> f64 {
    low + (high - low) * unit(random)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn choices_depend_on_seed_epoch_and_image_and_use_the_whole_range() {
        let transform = Transform::padded_crop(2, true);
        let choose = |epoch, image| {
            let choice = transform.choose(3, epoch, image, [28, 28]);
            let Placement::Shifted(shift) = choice.placement else { panic!("shifted") };
            (choice.flip, shift)
        };
        let all: Vec<_> = (0..500).map(|image| choose(1, image)).collect();
        assert_eq!(all[17], choose(1, 17));
        for offset in -2..=2 {
            assert!(all.iter().any(|(_, shift)| shift[0] == offset), "{offset}");
        }
        let flips = all.iter().filter(|(flip, _)| *flip).count();
        assert!((190..310).contains(&flips), "{flips}");
        assert!((0..500).any(|image| choose(2, image) != all[image as usize]));
        // A resumed trial continues in these, so that no version may change them.
        assert_eq!(all[..4], GOLDEN);
        let none = Transform::padded();
        let nothing =
            Choice { flip: false, placement: Placement::Shifted([0, 0]), colors: Vec::new() };
        assert!((0..100).all(|image| none.choose(3, 1, image, [28, 28]) == nothing));
    }

    const GOLDEN: [(bool, [isize; 2]); 4] =
        [(true, [-1, 2]), (true, [-2, 1]), (true, [1, -1]), (false, [-2, 0])];

    #[test]
    fn random_crops_never_change_between_versions() {
        let transform = Transform::random_resized_crop();
        let windows: Vec<_> = (0..3)
            .map(|image| match transform.choose(3, 1, image, [375, 500]).placement {
                Placement::Resized(Window { top, left, height, width }) => {
                    [top, left, height, width]
                }
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(windows, GOLDEN_WINDOWS);
    }

    const GOLDEN_WINDOWS: [[usize; 4]; 3] =
        [[57, 63, 206, 246], [107, 252, 173, 193], [11, 51, 364, 327]];

    #[test]
    fn random_crops_cover_the_allowed_areas_and_ratios_evenly() {
        let mut random = stream(Purpose::Augmentation, 1, 1, 1);
        let windows: Vec<Window> = (0..4000)
            .map(|_| random_window(&mut random, [1000, 1000], [0.1, 0.5], [0.75, 4.0 / 3.0]))
            .collect();
        let parts: Vec<f64> = windows.iter().map(|w| (w.height * w.width) as f64 / 1e6).collect();
        let mean = parts.iter().sum::<f64>() / parts.len() as f64;
        // A uniform distribution on 0.1 to 0.5 has this mean; its error is 0.115 / √4000.
        assert!((mean - 0.3).abs() < 0.008, "{mean}");
        assert!(parts.iter().all(|part| (0.098..0.502).contains(part)));
        // The logarithm of the ratio is uniform around 0.
        let wide = windows.iter().filter(|window| window.width > window.height).count();
        assert!((1870..2130).contains(&wide), "{wide}");
    }

    #[test]
    fn an_image_that_no_crop_fits_gives_its_middle() {
        let ratio = [0.75, 4.0 / 3.0];
        let wide = Window { top: 0, left: 43, height: 10, width: 13 };
        assert_eq!(largest_centred([10, 100], ratio), wide);
        let high = Window { top: 43, left: 0, height: 13, width: 10 };
        assert_eq!(largest_centred([100, 10], ratio), high);
        assert_eq!(largest_centred([10, 11], ratio), Window::whole([10, 11]));
    }

    #[test]
    fn senseless_numbers_are_refused_by_name() {
        assert_eq!(Transform::center_crop(224).geometry, Geometry::CenterCrop { resize: 256 });
        let mut transform = Transform::random_resized_crop();
        assert!(transform.check(224).is_ok());
        transform.geometry =
            Geometry::RandomResizedCrop { scale: [0.5, 0.2], ratio: Geometry::USUAL_RATIO };
        let message = transform.check(224).expect_err("refused").to_string();
        assert!(message.contains("scale") && message.contains("0.5 to 0.2"), "{message}");
        transform.geometry = Geometry::CenterCrop { resize: 200 };
        let message = transform.check(224).expect_err("refused").to_string();
        assert!(message.contains("200") && message.contains("224"), "{message}");
        let mut transform = Transform::padded();
        transform.color_jitter = Some(ColorJitter { hue: 0.6, ..ColorJitter::default() });
        assert!(transform.check(224).expect_err("refused").to_string().contains("hue"));
    }

    proptest! {
        #[test]
        fn windows_lie_within_the_image(
            height in 1_usize..3000, width in 1_usize..3000, seed: u64,
            low in 0.01_f64..1.0, ratio in 0.01_f64..1.0,
        ) {
            let mut random = stream(Purpose::Augmentation, seed, 0, 0);
            let window = random_window(&mut random, [height, width], [low, 1.0], [ratio, 1.0 / ratio]);
            prop_assert!(window.height >= 1 && window.top + window.height <= height);
            prop_assert!(window.width >= 1 && window.left + window.width <= width);
        }
    }
}
