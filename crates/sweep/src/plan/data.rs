//! The images of a sweep, with full paths.

use std::path::Path;

use crate::file::{DatasetSection, FileError, SweepFile};
use crate::trial::{DataSpec, Network};

/// What the trials of a sweep read from disk.
pub(super) struct Datasets<'a> {
    pub(super) data: DataSpec,
    /// What quantized trials are trained on, where it is not `data`.
    pub(super) training: Option<(DataSpec, &'a DatasetSection)>,
    /// Weights files of baselines.
    weights: Vec<(Network, String)>,
}

impl<'a> Datasets<'a> {
    pub(super) fn new(file: &'a SweepFile, base: Option<&Path>) -> Result<Self, FileError> {
        let full = |key: &str, path: &str| {
            full_path(key, path, base).map_err(|message| FileError {
                file: file.file.clone(),
                line: 0,
                column: 0,
                message,
            })
        };
        let data = |section: &DatasetSection, key| -> Result<DataSpec, FileError> {
            let path = section.path.as_ref().map(|path| full(key, path)).transpose()?;
            Ok(data_spec(section, path))
        };
        let training = match &file.training_dataset {
            Some(section) => Some((data(section, "training-dataset.path")?, section)),
            None => None,
        };
        let weights = file
            .init
            .iter()
            .map(|(network, path)| Ok((*network, full(&format!("init.{network}"), path)?)))
            .collect::<Result<_, FileError>>()?;
        Ok(Self { data: data(&file.dataset, "dataset.path")?, training, weights })
    }

    /// The file that the baselines of `network` start from.
    pub(super) fn weights(&self, network: Network) -> Option<&String> {
        self.weights.iter().find(|(of, _)| *of == network).map(|(_, path)| path)
    }
}

fn full_path(key: &str, path: &str, base: Option<&Path>) -> Result<String, String> {
    if !Path::new(path).is_relative() {
        return Ok(path.to_owned());
    }
    let base = base.ok_or_else(|| {
        format!(
            "{key} = \"{path}\" is relative and there is no folder to take it from; give a full path"
        )
    })?;
    Ok(base.join(path).to_string_lossy().into_owned())
}

fn data_spec(section: &DatasetSection, path: Option<String>) -> DataSpec {
    DataSpec {
        name: section.name.clone(),
        path,
        resolution: section.resolution,
        train_images: section.train_images,
        validation_images: section.validation_images,
        flip: section.flip,
        crop_padding: section.crop_padding,
        random_resized_crop: section.random_resized_crop,
        color_jitter: section.color_jitter,
        validation_resize: section.validation_resize,
        normalization: section.normalization,
        corrupt_images: section.corrupt_images,
    }
}
