//! What a trial costs, in multiply-accumulates.

use crate::file::DatasetSection;
use crate::trial::{BatchNormStatistics, Loss, TrialSpec};

/// Training and validation images a class that costs rest on where nobody has counted them: ImageNet's, rounded.
pub const ASSUMED_IMAGES_PER_CLASS: SplitCounts = SplitCounts { train: 1_000, validation: 50 };

/// Images of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SplitCounts {
    /// Training images.
    pub train: u64,
    /// Validation images.
    pub validation: u64,
}

/// What has been counted of a sweep's folders of images; `None`: not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImageCounts {
    /// Of `[dataset]`.
    pub data: Option<SplitCounts>,
    /// Of `[training-dataset]`.
    pub training_data: Option<SplitCounts>,
}

/// The images of `section` that are used.
pub(super) fn images(section: &DatasetSection, counted: Option<SplitCounts>) -> SplitCounts {
    let known = section.counts.map(|[train, validation]| SplitCounts {
        train: train.into(),
        validation: validation.into(),
    });
    let classes = u64::from(section.classes.unwrap_or(1));
    let all = known.or(counted).unwrap_or(SplitCounts {
        train: ASSUMED_IMAGES_PER_CLASS.train * classes,
        validation: ASSUMED_IMAGES_PER_CLASS.validation * classes,
    });
    SplitCounts {
        train: section.train_images.map_or(all.train, u64::from),
        validation: section.validation_images.map_or(all.validation, u64::from),
    }
}

/// Multiply-accumulates of a trial whose network takes `forward` for one image.
pub(super) fn cost(spec: &TrialSpec, forward: f64, train: u64, validation: u64) -> f64 {
    let settings = &spec.train;
    let epochs = f64::from(settings.epochs);
    // A training step costs about three forward passes: the input's and the weights' gradients.
    let passes = 3.0 + if settings.loss == Loss::Distillation { 1.0 } else { 0.0 };
    let starts_trained = spec.parent.is_some() || spec.initial_weights.is_some();
    let evaluations = epochs + if starts_trained { 1.0 } else { 0.0 };
    let recomputations = match settings.batch_norm_statistics {
        _ if spec.bits.is_full() => 0.0,
        BatchNormStatistics::Recomputed => evaluations,
        BatchNormStatistics::Running | BatchNormStatistics::Parent => 1.0,
    };
    let calibration = f64::from(settings.calibration_images).min(train as f64);
    let images = passes * epochs * train as f64
        + evaluations * validation as f64
        + recomputations * calibration;
    forward * images
}
