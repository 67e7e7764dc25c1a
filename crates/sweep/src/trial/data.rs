//! The images of a trial and how they are prepared.

use serde::{Deserialize, Serialize};

/// How pixels are normalized.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Normalization {
    /// By mean and deviation of the training images of [`crate::TrialSpec::data`], whichever images are trained on.
    #[default]
    Dataset,
    /// By ImageNet's mean (0.485, 0.456, 0.406) and deviation (0.229, 0.224, 0.225).
    ImageNet,
}

/// What becomes of an image that cannot be decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CorruptImages {
    /// The trial ends and names the file.
    #[default]
    Fail,
    /// Left out, named and counted.
    Skip,
}

/// The images of a trial.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DataSpec {
    /// Name of a known data set.
    pub name: String,
    /// Folder on the worker; `None` for embedded data and for the data set's usual place.
    pub path: Option<String>,
    /// Side of the square network input, in pixels.
    pub resolution: u32,
    /// Training images to use, balanced over the classes; `None`: all.
    pub train_images: Option<u32>,
    /// Validation images to use, balanced over the classes; `None`: all.
    pub validation_images: Option<u32>,
    /// Random horizontal flip of training images.
    pub flip: bool,
    /// Zero-padding in pixels before a random crop; 0: no crop.
    pub crop_padding: u32,
    /// Training images are a random part of the image, resized: smallest and largest share of its area.
    /// `None`: the whole image, which must fit the resolution.
    pub random_resized_crop: Option<[f64; 2]>,
    /// Largest relative change of brightness, contrast, saturation and hue of training images.
    pub color_jitter: Option<[f64; 4]>,
    /// Shorter side that images nothing random happens to, those of validation and of calibration, are resized to
    /// before a centre crop of the resolution; `None`: not resized.
    pub validation_resize: Option<u32>,
    /// How pixels are normalized.
    pub normalization: Normalization,
    /// What becomes of images that cannot be decoded.
    pub corrupt_images: CorruptImages,
}
