//! Where a quantized trial starts: intervals from its source, then batch-norm statistics.
//!
//! The source is the parent at its own widths, so that a layer's input is what the parent's layers
//! before it make of an image. All intervals are set from it before any of them acts.

mod reservoir;

use std::collections::BTreeMap;

use bitsweep_data::Batch;
use bitsweep_models::{LayerQuantizers, Model, WeightQuantizer};
use bitsweep_qil::{activation_levels, search_activations, search_weights, weight_levels};
use bitsweep_sweep::{IntervalInit, TrialSpec};
use burn::tensor::{Device, Tensor};

use crate::error::TrainError;
use crate::images::{Images, tensor};
use reservoir::Reservoir;

/// Positive inputs a layer that a search looks at.
const SAMPLE: usize = 16_384;

/// Sets the model's intervals from `source`, a network of the same shape.
///
/// `Inherit` keeps the source's own intervals, which `model` has loaded, and searches where the source
/// has none; γ is kept with them. `Search` starts γ at 1.
pub(crate) fn set_intervals(
    model: &mut Model,
    source: &Model,
    spec: &TrialSpec,
    images: &Images,
    tick: impl FnMut() -> Result<(), TrainError>,
) -> Result<(), TrainError> {
    let mut source = source.frozen();
    let inherited: BTreeMap<String, LayerQuantizers> = match spec.train.interval_init {
        IntervalInit::Search => BTreeMap::new(),
        IntervalInit::Inherit => {
            source.quantizers().into_iter().map(|layer| (layer.layer.clone(), layer)).collect()
        }
    };
    let inputs = sample_inputs(&mut source, spec, images, tick)?;
    let mut searched = BTreeMap::new();
    if spec.bits.weights < 32 {
        let levels = weight_levels(spec.bits.weights);
        model.quantized_weights(|layer, weights| {
            let interval = search_weights(weights, levels);
            searched.insert(layer.to_owned(), WeightQuantizer { interval, gamma: 1.0, levels });
        });
    }
    let mut layers = model.quantizers();
    for layer in &mut layers {
        let parent = inherited.get(&layer.layer);
        if let Some(weights) = &mut layer.weights {
            let own = parent.and_then(|parent| parent.weights);
            if let Some(found) = own.or_else(|| searched.get(&layer.layer).copied()) {
                *weights = WeightQuantizer { levels: weights.levels, ..found };
            }
        }
        if let Some(activations) = &mut layer.activations {
            let own = parent.and_then(|parent| parent.activations);
            let search = || {
                let values = inputs.get(&layer.layer)?.values();
                Some(search_activations(values, activation_levels(spec.bits.activations)))
            };
            if let Some(found) = own.or_else(search) {
                *activations = found;
            }
        }
    }
    model.set_quantizers(&layers);
    Ok(())
}

/// Re-estimates batch-norm statistics on the calibration images.
pub(crate) fn recompute_batch_norm(
    model: &mut Model,
    spec: &TrialSpec,
    images: &Images,
) -> Result<(), TrainError> {
    let device = model.device().clone().inner();
    let mut failure = None;
    model.recompute_batch_norm(tensors(spec, images, &device, &mut failure));
    failure.map_or(Ok(()), Err)
}

/// Makes batch-norm do nothing but add its shift, with the statistics of the calibration images.
pub(crate) fn make_batch_norm_identity(
    model: &mut Model,
    spec: &TrialSpec,
    images: &Images,
) -> Result<(), TrainError> {
    let device = model.device().clone().inner();
    let mut failure = None;
    let done = model.make_batch_norm_identity(tensors(spec, images, &device, &mut failure));
    failure.map_or(Ok(()), Err)?;
    done.map_err(|error| TrainError::Engine {
        doing: "setting up batch-norm",
        message: error.to_string(),
    })
}

/// The calibration images on a device, up to the first that cannot be loaded: that is a failure.
fn tensors(
    spec: &TrialSpec,
    images: &Images,
    device: &Device,
    failure: &mut Option<TrainError>,
) -> impl Iterator<Item = Tensor<4>> {
    let batches = images.calibration_batches(spec.train.calibration_images);
    batches.map_while(move |batch| match batch {
        Ok(Batch { images: pixels, labels, .. }) => {
            Some(tensor(pixels, labels.len(), &images.calibration, device))
        }
        Err(error) => {
            *failure = Some(error);
            None
        }
    })
}

/// How many values every quantizable layer's input has for one image.
pub(crate) fn input_sizes(
    model: &Model,
    images: &Images,
) -> Result<BTreeMap<String, usize>, TrainError> {
    let mut sizes = BTreeMap::new();
    for_each_input(model, images, |layer, values, count| {
        sizes.insert(layer.to_owned(), values.len() / count);
    })?;
    Ok(sizes)
}

/// Tells every quantizable layer's input for one batch of calibration images, with their number.
pub(crate) fn for_each_input(
    model: &Model,
    images: &Images,
    mut tell: impl FnMut(&str, Vec<f32>, usize),
) -> Result<(), TrainError> {
    let mut frozen = model.frozen();
    let device = frozen.device().clone();
    if let Some(batch) = images.calibration_batches(1).next() {
        let batch = batch?;
        let count = batch.labels.len();
        let input = tensor(batch.images, count, &images.calibration, &device);
        frozen.capture_inputs(input, false, |layer, values| tell(layer, values, count));
    }
    Ok(())
}

/// A sample of every quantizable layer's positive inputs.
fn sample_inputs(
    source: &mut Model,
    spec: &TrialSpec,
    images: &Images,
    mut tick: impl FnMut() -> Result<(), TrainError>,
) -> Result<BTreeMap<String, Reservoir>, TrainError> {
    let device = source.device().clone();
    let mut samples: BTreeMap<String, Reservoir> = BTreeMap::new();
    for batch in images.calibration_batches(spec.train.calibration_images) {
        let batch = batch?;
        let input = tensor(batch.images, batch.labels.len(), &images.calibration, &device);
        source.capture_inputs(input, false, |layer, values| {
            if !samples.contains_key(layer) {
                let seed = spec.seed.wrapping_add(samples.len() as u64);
                samples.insert(layer.to_owned(), Reservoir::new(SAMPLE, seed));
            }
            if let Some(sample) = samples.get_mut(layer) {
                values.into_iter().filter(|&value| value > 0.0).for_each(|v| sample.add(v));
            }
        });
        tick()?;
    }
    Ok(samples)
}
