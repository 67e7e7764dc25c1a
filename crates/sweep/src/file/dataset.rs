//! `[dataset]`, and `[training-dataset]` with the same keys.

use super::section::{Entry, Section};
use super::{FileError, Mark};
use crate::dataset::{KnownDataset, known_datasets};
use crate::limit;
use crate::trial::{CorruptImages, Normalization};

/// From this side on images are prepared as ImageNet's usually are, and networks get torchvision's first layers,
/// unless the file says otherwise.
pub(crate) const IMAGENET_SIZE_FROM: u32 = 128;

/// Share of the shorter side that the centre crop of a validation image keeps: 224 of 256.
const CENTRE_CROP: f64 = 0.875;

/// Smallest and largest share of the area of a random crop, those of Szegedy et al. 2015.
const CROP_AREA: [f64; 2] = [0.08, 1.0];

/// The images, as the file asks for them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DatasetSection {
    pub(crate) mark: Mark,
    pub(crate) name: String,
    pub(crate) path: Option<String>,
    /// `None`: not said, which only `[training-dataset]` may leave open.
    pub(crate) classes: Option<u32>,
    pub(crate) channels: u32,
    /// Training and validation images, where the data set is known.
    pub(crate) counts: Option<[u32; 2]>,
    pub(crate) resolution: u32,
    pub(crate) train_images: Option<u32>,
    pub(crate) validation_images: Option<u32>,
    pub(crate) flip: bool,
    pub(crate) crop_padding: u32,
    pub(crate) random_resized_crop: Option<[f64; 2]>,
    pub(crate) color_jitter: Option<[f64; 4]>,
    pub(crate) validation_resize: Option<u32>,
    pub(crate) normalization: Normalization,
    pub(crate) corrupt_images: CorruptImages,
}

/// What a data set is by its name.
#[derive(Clone, Copy)]
enum Kind {
    Known(KnownDataset),
    /// Encoded images on the worker's disk, in class folders or packed.
    Files(&'static str),
}

impl Kind {
    fn choices() -> Vec<(&'static str, Self)> {
        let known = known_datasets().iter().map(|d| (d.name, Self::Known(*d)));
        let files = ["image-folder", "packed"].map(|name| (name, Self::Files(name)));
        known.chain(files).collect()
    }

    fn name(self) -> &'static str {
        match self {
            Self::Known(known) => known.name,
            Self::Files(name) => name,
        }
    }

    fn needs_path(self) -> bool {
        match self {
            Self::Known(known) => known.needs_path,
            Self::Files(_) => true,
        }
    }
}

/// Reads `[dataset]`; or, where `evaluated` is that, `[training-dataset]`.
pub(super) fn read(
    mut section: Section<'_>,
    evaluated: Option<&DatasetSection>,
) -> Result<DatasetSection, FileError> {
    let kind = section.require("name", "name = \"fashion-mnist-mini\"")?.choice(&Kind::choices())?;
    if evaluated.is_some() {
        let unused = "only the images of [dataset] are evaluated on; remove it";
        section.refuse("validation-images", unused)?;
        let shared = "the network expects images normalized as those of [dataset]; remove it";
        section.refuse("normalization", shared)?;
    }
    let path = path(&mut section, kind)?;
    let classes = classes(&mut section, kind, evaluated.is_some())?;
    let channels = match kind {
        Kind::Known(known) => known.channels,
        Kind::Files(_) => 3,
    };
    let resolution = resolution(&mut section, kind, evaluated)?;
    let counts = match kind {
        Kind::Known(known) => Some([known.train_images, known.validation_images]),
        Kind::Files(_) => None,
    };
    let mut images = |key: &str, split: usize| -> Result<Option<u32>, FileError> {
        let first = u64::from(classes.unwrap_or(1));
        let last = counts.map_or(*limit::IMAGES.end(), |counts| u64::from(counts[split]));
        section.take(key).map(|entry| entry.small_integer(first..=last)).transpose()
    };
    let train_images = images("train-images", 0)?;
    let validation_images =
        if evaluated.is_some() { None } else { images("validation-images", 1)? };
    let imagenet_like = matches!(kind, Kind::Files(_)) && resolution >= IMAGENET_SIZE_FROM;
    let flip = section.take("flip").map_or(Ok(true), |entry| entry.boolean())?;
    let random_resized_crop = match section.take("random-resized-crop") {
        Some(entry) => crop_area(&entry)?,
        None => imagenet_like.then_some(CROP_AREA),
    };
    let crop_padding = match section.take("crop-padding") {
        Some(entry) => {
            let padding = entry.small_integer(limit::CROP_PADDING)?;
            if padding > 0 && random_resized_crop.is_some() {
                return Err(entry.error(
                    "does not go with random-resized-crop, which crops as well; remove it, or set \
                     random-resized-crop = false",
                ));
            }
            padding
        }
        None => 0,
    };
    let color_jitter =
        section.take("color-jitter").map(|entry| color_jitter(&entry, channels)).transpose()?;
    let validation_resize = validation_resize(&mut section, resolution, imagenet_like)?;
    let normalization = match evaluated {
        Some(dataset) => dataset.normalization,
        None => normalization(&mut section, channels, imagenet_like)?,
    };
    let corrupt_images = corrupt_images(&mut section, kind)?;
    let mark = section.mark();
    section.finish()?;
    Ok(DatasetSection {
        mark,
        name: kind.name().to_owned(),
        path,
        classes,
        channels,
        counts,
        resolution,
        train_images,
        validation_images,
        flip,
        crop_padding,
        random_resized_crop,
        color_jitter,
        validation_resize,
        normalization,
        corrupt_images,
    })
}

fn path(section: &mut Section<'_>, kind: Kind) -> Result<Option<String>, FileError> {
    match (section.take("path"), kind) {
        (Some(entry), Kind::Known(known)) if known.embedded => {
            Err(entry.error(format_args!("{} is part of bitsweep and has no path", known.name)))
        }
        (Some(entry), _) => {
            let path = entry.string()?;
            if path.is_empty() {
                Err(entry.error("is empty; name a folder"))
            } else {
                Ok(Some(path))
            }
        }
        (None, kind) if kind.needs_path() => Err(section.error(format_args!(
            "path is missing; {name} must be on the worker's disk: path = \"/data/{name}\"",
            name = kind.name()
        ))),
        (None, _) => Ok(None),
    }
}

/// `optional`: labels are not always used.
fn classes(
    section: &mut Section<'_>,
    kind: Kind,
    optional: bool,
) -> Result<Option<u32>, FileError> {
    match kind {
        Kind::Known(known) => {
            section
                .refuse("classes", &format!("{} has {}; remove it", known.name, known.classes))?;
            Ok(Some(known.classes))
        }
        Kind::Files(_) if optional => {
            section.take("classes").map(|entry| entry.small_integer(limit::CLASSES)).transpose()
        }
        Kind::Files(_) => {
            section.require("classes", "classes = 1000")?.small_integer(limit::CLASSES).map(Some)
        }
    }
}

fn resolution(
    section: &mut Section<'_>,
    kind: Kind,
    evaluated: Option<&DatasetSection>,
) -> Result<u32, FileError> {
    let smallest = match kind {
        Kind::Known(known) => u64::from(known.side),
        Kind::Files(_) => *limit::RESOLUTION.start(),
    };
    let range = smallest..=*limit::RESOLUTION.end();
    match (section.take("resolution"), kind, evaluated) {
        (Some(entry), _, Some(dataset)) => {
            let side = entry.small_integer(range)?;
            if side == dataset.resolution {
                Ok(side)
            } else {
                let wanted = dataset.resolution;
                Err(entry.error(format_args!("must be that of [dataset], {wanted}; remove it")))
            }
        }
        (Some(entry), _, None) => entry.small_integer(range),
        (None, _, Some(dataset)) => Ok(dataset.resolution),
        (None, Kind::Known(known), None) => Ok(known.side),
        (None, Kind::Files(name), None) => Err(section.error(format_args!(
            "resolution is missing; the images of {name} can have any size: resolution = 224"
        ))),
    }
}

/// `true`, `false` or `[smallest, largest]`.
fn crop_area(entry: &Entry<'_>) -> Result<Option<[f64; 2]>, FileError> {
    if let Some(on) = entry.is_boolean() {
        return Ok(on.then_some(CROP_AREA));
    }
    let wanted = "must be true, false or the smallest and largest share of the area: [0.08, 1.0]";
    let elements = entry.clone().list(false).map_err(|_| entry.error(wanted))?;
    let [smallest, largest] = elements.as_slice() else { return Err(entry.error(wanted)) };
    let area = [smallest.number(limit::CROP_AREA)?, largest.number(limit::CROP_AREA)?];
    if area[0] > area[1] { Err(entry.error("must ascend")) } else { Ok(Some(area)) }
}

fn color_jitter(entry: &Entry<'_>, channels: u32) -> Result<[f64; 4], FileError> {
    if channels != 3 {
        return Err(entry.error("the images have no colours; remove it"));
    }
    let wanted = "must be brightness, contrast, saturation and hue: [0.4, 0.4, 0.4, 0.1]";
    let elements = entry.clone().list(false).map_err(|_| entry.error(wanted))?;
    let [brightness, contrast, saturation, hue] = elements.as_slice() else {
        return Err(entry.error(wanted));
    };
    Ok([
        brightness.number(limit::COLOR_JITTER)?,
        contrast.number(limit::COLOR_JITTER)?,
        saturation.number(limit::COLOR_JITTER)?,
        hue.number(limit::HUE_JITTER)?,
    ])
}

/// A number of pixels, or `false`.
fn validation_resize(
    section: &mut Section<'_>,
    resolution: u32,
    imagenet_like: bool,
) -> Result<Option<u32>, FileError> {
    match section.take("validation-resize") {
        Some(entry) if entry.is_boolean() == Some(false) => Ok(None),
        Some(entry) => {
            let range = u64::from(resolution)..=*limit::VALIDATION_RESIZE.end();
            entry.small_integer(range).map(Some).map_err(|mut error| {
                error.message.push_str(", or false");
                error
            })
        }
        None => Ok(imagenet_like.then(|| (f64::from(resolution) / CENTRE_CROP).round() as u32)),
    }
}

fn normalization(
    section: &mut Section<'_>,
    channels: u32,
    imagenet_like: bool,
) -> Result<Normalization, FileError> {
    let Some(entry) = section.take("normalization") else {
        let usual = if imagenet_like { Normalization::ImageNet } else { Normalization::Dataset };
        return Ok(usual);
    };
    let given = entry
        .choice(&[("dataset", Normalization::Dataset), ("imagenet", Normalization::ImageNet)])?;
    if given == Normalization::ImageNet && channels != 3 {
        return Err(entry.error("ImageNet's figures are for three channels; use \"dataset\""));
    }
    Ok(given)
}

fn corrupt_images(section: &mut Section<'_>, kind: Kind) -> Result<CorruptImages, FileError> {
    if let Kind::Known(known) = kind {
        let problem = format!("{} is read whole or not at all; remove it", known.name);
        section.refuse("corrupt-images", &problem)?;
        return Ok(CorruptImages::Fail);
    }
    section.take("corrupt-images").map_or(Ok(CorruptImages::Fail), |entry| {
        entry.choice(&[("fail", CorruptImages::Fail), ("skip", CorruptImages::Skip)])
    })
}
