//! The images of an evaluation.

use std::path::Path;
use std::sync::Arc;

use bitsweep_data::{CorruptImages, Geometry, Loader, LoaderOptions, OpenRequest, Transform};

use super::{EvalRequest, class_index};
use crate::error::TrainError;
use crate::export::Description;
use crate::images::data_error;

/// Batches prepared ahead by each thread.
const PREFETCH: usize = 2;

/// Images ready to be evaluated.
pub(super) struct EvalImages {
    pub(super) loader: Loader,
    pub(super) images: u64,
}

impl EvalImages {
    /// Files that cannot be decoded, with the reason.
    pub(super) fn skipped(&self) -> Vec<(String, String)> {
        self.loader.skipped().into_iter().map(|image| (image.file, image.problem)).collect()
    }
}

/// Opens what the request names, with the labels that the network's classes have.
pub(super) fn open(
    request: &EvalRequest,
    description: &Description,
) -> Result<EvalImages, TrainError> {
    let folder = Path::new(&request.data);
    // A folder, or the name of a set that needs none.
    let set = if folder.is_dir() {
        OpenRequest::new(&request.data_set, Some(folder))
    } else if folder.components().count() > 1 {
        return Err(TrainError::Data(format!("there is no folder {}", request.data)));
    } else {
        OpenRequest::new(&request.data, None)
    };
    let mut set = bitsweep_data::open_validation(&set).map_err(data_error)?;
    let classes = description.model.classes as usize;
    if let Some(path) = &request.class_index {
        let mut names = class_index::read(path)?;
        if names.len() > classes {
            return Err(TrainError::Data(format!(
                "class index {} has classes up to {}, the network has {classes}",
                path.display(),
                names.len() - 1
            )));
        }
        names.resize(classes, String::new());
        set = set.with_classes(&names).map_err(data_error)?;
    } else if set.classes() != classes {
        return Err(TrainError::Data(format!(
            "{} has {} classes, the network {classes}: give a class index, a file of lines with a class and a \
             folder's name",
            request.data,
            set.classes()
        )));
    }
    if set.channels() != description.model.in_channels as usize {
        return Err(TrainError::Data(format!(
            "{} has images of {} channels, the network reads {}",
            request.data,
            set.channels(),
            description.model.in_channels
        )));
    }
    // An export is compared with what was recorded on the same images.
    let same_set = description.data.as_ref() == Some(&request.data);
    let recorded = description.validation_images.filter(|_| same_set);
    let images = request.images.or_else(|| usize::try_from(recorded?).ok());
    if let Some(count) = images.filter(|count| *count < set.len()) {
        set = set.balanced_subset(count);
    }
    let resolution = description.resolution.unwrap_or_default();
    let options = LoaderOptions {
        batch_size: request.batch_size,
        resolution: resolution as usize,
        transform: transform(description.resize),
        normalization: description.normalization.clone().ok_or_else(|| TrainError::Engine {
            doing: "preparing images",
            message: "no normalization was chosen".to_owned(),
        })?,
        corrupt_images: if request.skip_corrupt {
            CorruptImages::Skip
        } else {
            CorruptImages::Fail
        },
        seed: 0,
        shuffle: false,
        drop_last: false,
        threads: request.threads,
        prefetch: PREFETCH,
    };
    let images = set.len() as u64;
    let loader = Loader::new(Arc::new(set), options).map_err(data_error)?;
    Ok(EvalImages { loader, images })
}

/// Resized and cropped, or as they are.
fn transform(resize: Option<u32>) -> Transform {
    match resize {
        Some(resize) => {
            let geometry = Geometry::CenterCrop { resize: resize as usize };
            Transform { geometry, ..Transform::padded() }
        }
        None => Transform::padded(),
    }
}
