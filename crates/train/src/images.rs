//! The images of a trial, ready to be loaded.

use std::path::Path;
use std::sync::Arc;

use bitsweep_data::{
    Batch, ColorJitter, CorruptImages, DataError, Dataset, DatasetPair, Geometry, Loader,
    LoaderOptions, Normalization, OpenRequest, Transform,
};
use bitsweep_models::{NamedTensor, State};
use bitsweep_sweep::{DataSpec, Loss, TrialSpec};
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
    /// Of the validation images.
    normalization: Normalization,
}

impl Images {
    /// Opens the images that a specification asks for.
    pub(crate) fn open(spec: &TrialSpec) -> Result<Self, TrainError> {
        let own = open_limited(&spec.data)?;
        check(spec, &spec.data, &own.validation, true)?;
        // Each set is normalized in its own way: mean and deviation are those of its training images.
        let own_normalization = normalization_of(&spec.data, &own.train)?;
        let (data, train, normalization) = match &spec.training_data {
            None => (&spec.data, own.train, own_normalization.clone()),
            Some(other) => {
                let train = open_limited(other)?.train;
                check(spec, other, &train, spec.train.loss == Loss::CrossEntropy)?;
                let normalization = normalization_of(other, &train)?;
                (other, train, normalization)
            }
        };
        let pair = DatasetPair { train, validation: own.validation };
        let fingerprint = pair.fingerprint().map_err(data_error)?;
        let (train, validation) = (Arc::new(pair.train), Arc::new(pair.validation));
        let training = |transform| LoaderOptions {
            batch_size: spec.train.batch_size as usize,
            resolution: data.resolution as usize,
            transform,
            normalization: normalization.clone(),
            corrupt_images: corrupt_images(data),
            seed: spec.seed,
            shuffle: true,
            drop_last: true,
            threads: 1,
            prefetch: PREFETCH,
        };
        let evaluation = LoaderOptions {
            resolution: spec.data.resolution as usize,
            normalization: own_normalization.clone(),
            corrupt_images: corrupt_images(&spec.data),
            shuffle: false,
            drop_last: false,
            ..training(validation_transform(&spec.data))
        };
        let loader =
            |set: &Arc<Dataset>, options| Loader::new(Arc::clone(set), options).map_err(data_error);
        Ok(Self {
            train: loader(&train, training(training_transform(data)))?,
            calibration: loader(&train, training(validation_transform(data)))?,
            validation: loader(&validation, evaluation)?,
            train_images: train.len() as u64,
            validation_images: validation.len() as u64,
            fingerprint,
            normalization: own_normalization,
        })
    }

    /// What a checkpoint keeps of the images: how those that are evaluated are normalized.
    pub(crate) fn state(&self) -> State {
        let Normalization { mean, deviation } = &self.normalization;
        let tensor =
            |values: &Vec<f32>| NamedTensor { shape: vec![values.len()], values: values.clone() };
        State::from([
            ("mean".to_owned(), tensor(mean)),
            ("deviation".to_owned(), tensor(deviation)),
        ])
    }

    /// Batches of about `count` training images as they are, at least one, the same for the same seed.
    pub(crate) fn calibration_batches(
        &self,
        count: u32,
    ) -> impl Iterator<Item = Result<Batch, TrainError>> {
        let size = self.calibration.batches_per_epoch();
        let images = self.train_images.max(1) as f64 / size as f64;
        // Epoch 0 is no training epoch: its order serves calibration alone.
        let wanted = (f64::from(count) / images).round().max(1.0);
        self.calibration.epoch(0, 0).take(wanted as usize).map(|batch| batch.map_err(data_error))
    }
}

/// How training images are prepared.
fn training_transform(data: &DataSpec) -> Transform {
    let mut transform = match data.random_resized_crop {
        Some(scale) => Transform {
            geometry: Geometry::RandomResizedCrop { scale, ratio: Geometry::USUAL_RATIO },
            ..Transform::padded()
        },
        None => Transform::padded_crop(data.crop_padding as usize, false),
    };
    transform.flip = data.flip;
    transform.color_jitter = data.color_jitter.map(|[brightness, contrast, saturation, hue]| {
        ColorJitter { brightness, contrast, saturation, hue }
    });
    transform
}

/// How images are prepared that nothing random happens to.
fn validation_transform(data: &DataSpec) -> Transform {
    let mut transform = Transform::padded();
    if let Some(resize) = data.validation_resize {
        transform.geometry = Geometry::CenterCrop { resize: resize as usize };
    }
    transform
}

fn corrupt_images(data: &DataSpec) -> CorruptImages {
    match data.corrupt_images {
        bitsweep_sweep::CorruptImages::Fail => CorruptImages::Fail,
        bitsweep_sweep::CorruptImages::Skip => CorruptImages::Skip,
    }
}

/// The normalization a specification asks for, `train` being the training images.
fn normalization_of(data: &DataSpec, train: &Dataset) -> Result<Normalization, TrainError> {
    match data.normalization {
        bitsweep_sweep::Normalization::Dataset => Normalization::of(train).map_err(data_error),
        bitsweep_sweep::Normalization::ImageNet => Ok(Normalization::imagenet()),
    }
}

/// The data set of a specification, limited as it says.
fn open_limited(spec: &DataSpec) -> Result<DatasetPair, TrainError> {
    let request = OpenRequest::new(&spec.name, spec.path.as_deref().map(Path::new));
    let pair = bitsweep_data::open(&request).map_err(data_error)?;
    let limited = |set: Dataset, limit: Option<u32>| match limit {
        Some(count) if (count as usize) < set.len() => set.balanced_subset(count as usize),
        _ => set,
    };
    Ok(DatasetPair {
        train: limited(pair.train, spec.train_images),
        validation: limited(pair.validation, spec.validation_images),
    })
}

/// Whether the trial's network can read the images and, where labels matter, has their classes.
fn check(
    spec: &TrialSpec,
    data: &DataSpec,
    set: &Dataset,
    labels_matter: bool,
) -> Result<(), TrainError> {
    let channels = set.channels();
    let (classes, model) = (set.classes(), &spec.model);
    if model.in_channels as usize != channels {
        return Err(TrainError::Data(format!(
            "{} has {channels} channels, the network of trial {} is for {}",
            data.name, spec.name, model.in_channels
        )));
    }
    if labels_matter && model.classes as usize != classes {
        return Err(TrainError::Data(format!(
            "{} has {classes} classes, the network of trial {} is for {}; only a trial with loss = \
             \"distillation\" can be trained on images of other classes",
            data.name, spec.name, model.classes
        )));
    }
    Ok(())
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

pub(crate) fn data_error(error: DataError) -> TrainError {
    TrainError::Data(error.to_string())
}
