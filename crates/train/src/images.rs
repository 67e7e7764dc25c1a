//! The images of a trial, ready to be loaded.

use std::path::Path;
use std::sync::Arc;

use bitsweep_data::{
    Augmentation, Batch, DataError, Dataset, DatasetPair, Loader, LoaderOptions, Normalization,
};
use bitsweep_sweep::TrialSpec;
use burn::tensor::{Device, Tensor, TensorData};

use crate::error::TrainError;

/// Batches prepared ahead.
const PREFETCH: usize = 3;

/// Loaders of one trial and what identifies its images.
pub(crate) struct Images {
    /// Shuffled and augmented; an epoch's last, smaller batch is left out.
    pub train: Loader,
    /// Training images in a fixed random order, as they are.
    pub calibration: Loader,
    /// All validation images in file order.
    pub validation: Loader,
    /// Training images used.
    pub train_images: u64,
    /// Validation images used.
    pub validation_images: u64,
    /// blake3 over the images used.
    pub fingerprint: String,
}

impl Images {
    /// Opens the images that a specification asks for.
    pub(crate) fn open(spec: &TrialSpec) -> Result<Self, TrainError> {
        let pair = bitsweep_data::open(&spec.data.name, spec.data.path.as_deref().map(Path::new))
            .map_err(data_error)?;
        let limited = |set: Dataset, limit: Option<u32>| match limit {
            Some(count) if (count as usize) < set.len() => set.balanced_subset(count as usize),
            _ => set,
        };
        let pair = DatasetPair {
            train: limited(pair.train, spec.data.train_images),
            validation: limited(pair.validation, spec.data.validation_images),
        };
        let [_, _, channels] = pair.train.image_shape();
        let (classes, model) = (pair.train.classes(), &spec.model);
        if (model.in_channels as usize, model.classes as usize) != (channels, classes) {
            return Err(TrainError::Data(format!(
                "{} has {channels} channels and {classes} classes, the network of trial {} is for {} \
                 channels and {} classes",
                spec.data.name, spec.name, model.in_channels, model.classes
            )));
        }
        let fingerprint = pair.fingerprint();
        let (train, validation) = (Arc::new(pair.train), Arc::new(pair.validation));
        let normalization = Normalization::of(&train);
        let augmentation =
            Augmentation { flip: spec.data.flip, crop_padding: spec.data.crop_padding as usize };
        let options = |shuffle: bool, drop_last: bool, augmentation| LoaderOptions {
            batch_size: spec.train.batch_size as usize,
            resolution: spec.data.resolution as usize,
            normalization: normalization.clone(),
            augmentation,
            seed: spec.seed,
            shuffle,
            drop_last,
            threads: 1,
            prefetch: PREFETCH,
        };
        let loader =
            |set: &Arc<Dataset>, options| Loader::new(Arc::clone(set), options).map_err(data_error);
        Ok(Self {
            train: loader(&train, options(true, true, Some(augmentation)))?,
            calibration: loader(&train, options(true, true, None))?,
            validation: loader(&validation, options(false, false, None))?,
            train_images: train.len() as u64,
            validation_images: validation.len() as u64,
            fingerprint,
        })
    }

    /// Batches of about `count` training images as they are, at least one, the same for the same seed.
    pub(crate) fn calibration_batches(&self, count: u32) -> impl Iterator<Item = Batch> {
        let size = self.calibration.batches_per_epoch();
        let images = self.train_images.max(1) as f64 / size as f64;
        // Epoch 0 is no training epoch: its order serves calibration alone.
        let wanted = (f64::from(count) / images).round().max(1.0);
        self.calibration.epoch(0, 0).take(wanted as usize)
    }
}

/// A batch's images on a device, `[n, height, width, channels]`.
pub(crate) fn tensor(
    images: Vec<f32>,
    count: usize,
    loader: &Loader,
    device: &Device,
) -> Tensor<4> {
    let [height, width, channels] = loader.image_shape();
    Tensor::from_data(TensorData::new(images, [count, height, width, channels]), device)
}

fn data_error(error: DataError) -> TrainError {
    TrainError::Data(error.to_string())
}
