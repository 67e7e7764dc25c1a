//! The images of a trial.

use bitsweep_sweep as domain;

use super::{ConvertError, enums, read_enum};
use crate::v1;

enums! {
    domain::Normalization as v1::Normalization => "normalization" {
        Dataset = Dataset, ImageNet = Imagenet,
    }
    domain::CorruptImages as v1::CorruptImages => "corrupt_images" { Fail = Fail, Skip = Skip }
}

impl From<&domain::DataSpec> for v1::DataSpec {
    fn from(data: &domain::DataSpec) -> Self {
        Self {
            name: data.name.clone(),
            path: data.path.clone(),
            resolution: data.resolution,
            train_images: data.train_images,
            validation_images: data.validation_images,
            flip: data.flip,
            crop_padding: data.crop_padding,
            random_resized_crop: data
                .random_resized_crop
                .map(|[smallest, largest]| v1::CropArea { smallest, largest }),
            color_jitter: data.color_jitter.map(|[brightness, contrast, saturation, hue]| {
                v1::ColorJitter { brightness, contrast, saturation, hue }
            }),
            validation_resize: data.validation_resize,
            normalization: v1::Normalization::from(data.normalization).into(),
            corrupt_images: v1::CorruptImages::from(data.corrupt_images).into(),
        }
    }
}

/// Reads the message at `path` within a specification.
pub(super) fn read(path: &str, data: v1::DataSpec) -> Result<domain::DataSpec, ConvertError> {
    let normalization = format!("{path}.normalization");
    let corrupt_images = format!("{path}.corrupt_images");
    Ok(domain::DataSpec {
        name: data.name,
        path: data.path,
        resolution: data.resolution,
        train_images: data.train_images,
        validation_images: data.validation_images,
        flip: data.flip,
        crop_padding: data.crop_padding,
        random_resized_crop: data.random_resized_crop.map(|area| [area.smallest, area.largest]),
        color_jitter: data
            .color_jitter
            .map(|jitter| [jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue]),
        validation_resize: data.validation_resize,
        normalization: read_enum::<v1::Normalization, _>(&normalization, data.normalization)?,
        corrupt_images: read_enum::<v1::CorruptImages, _>(&corrupt_images, data.corrupt_images)?,
    })
}
