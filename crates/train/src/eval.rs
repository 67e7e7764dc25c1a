//! Accuracy of a weights file on images: weights of others, and exports of this program.

mod class_index;
mod images;
mod infer;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bitsweep_models::{Model, ModelConfig, QuantizersInState};
use bitsweep_sweep::{Network, TrainSettings};

use crate::device;
use crate::error::TrainError;
use crate::evaluation::evaluate;
use crate::export::Description;
use crate::import;
use crate::network;

/// What to evaluate, on what.
#[derive(Clone, Debug)]
pub struct EvalRequest {
    /// Weights: `.pth`, `.safetensors`, or an export of this program.
    pub weights: PathBuf,
    /// The network; `None`: the one that an export names.
    pub network: Option<Network>,
    /// A folder of images, or the name of a data set that needs none.
    pub data: String,
    /// What lies in the folder: `image-folder`, `packed`, `cifar10` or `fashion-mnist`.
    pub data_set: String,
    /// File of lines with a class and a folder's name, where the folder does not hold all classes.
    pub class_index: Option<PathBuf>,
    /// Images to use, balanced over the classes; `None`: as many as an export was measured with on a set of
    /// that name, otherwise all.
    pub images: Option<usize>,
    /// Side of the network's images; `None`: that of an export, otherwise 224.
    pub resolution: Option<u32>,
    /// Shorter side before the centre crop; `None`: that of an export, otherwise 8/7 of the resolution.
    pub resize: Option<u32>,
    /// Mean and deviation of each channel; `None`: that of an export, otherwise ImageNet's.
    pub normalization: Option<(Vec<f32>, Vec<f32>)>,
    /// What becomes of images that cannot be decoded: named, with the next one in their place, or an error.
    pub skip_corrupt: bool,
    /// Images a batch.
    pub batch_size: usize,
    /// What computes.
    pub device: String,
    /// Threads. The process has one pool: the first request decides.
    pub threads: usize,
}

/// What an evaluation came to.
#[derive(Clone, Debug)]
pub struct EvalReport {
    /// The network and how its images were prepared.
    pub description: Description,
    /// What was not taken from the file as it stood.
    pub notes: Vec<String>,
    /// Images evaluated.
    pub images: u64,
    /// Percent.
    pub top1: f64,
    /// Percent.
    pub top5: f64,
    /// Mean cross-entropy.
    pub loss: f64,
    /// Time of the evaluation, without reading the weights.
    pub time: Duration,
    /// Top-1 that the file says it had when it was exported.
    pub recorded_top1: Option<f64>,
    /// Files that could not be decoded, with the reason; another image was evaluated in their place.
    pub skipped: Vec<(String, String)>,
}

/// Evaluates a weights file, telling `progress` how many of how many images are done.
///
/// # Errors
/// When weights or images cannot be used, or do not belong together.
pub fn eval(
    request: &EvalRequest,
    mut progress: impl FnMut(u64, u64),
) -> Result<EvalReport, TrainError> {
    // Refused where the process has a pool already: then that one serves.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(request.threads).build_global();
    let device = device::open(&request.device, request.threads)?.inner();
    let weights = import::read(&request.weights)?;
    let description = infer::describe(request, &weights)?;
    let settings =
        TrainSettings { convolution: description.convolution, ..TrainSettings::default() };
    let convolution = network::convolution(&settings);
    let Description { model, bits, output_scale, .. } = &description;
    let config = ModelConfig { convolution, ..network::config(model, *bits, *output_scale) };
    let mut model = Model::new(&config, 0, &device)
        .map_err(|error| TrainError::Data(format!("{}: {error}", request.weights.display())))?;
    model
        .load_state(&weights.state, QuantizersInState::Required)
        .map_err(|error| import::misfit(&request.weights, &error, &weights.state, &config))?;
    let smallest = config.smallest_image();
    if let Some(side) = description.resolution
        && (side as usize) < smallest
    {
        return Err(TrainError::Data(format!(
            "images of {side} pixels are too small for {}; it needs {smallest}",
            description.model.network
        )));
    }

    let loader = images::open(request, &description)?;
    let total = loader.images;
    let (started, mut batches) = (Instant::now(), 0);
    let metrics = evaluate(&model, &loader.loader, || {
        progress((batches * request.batch_size as u64).min(total), total);
        batches += 1;
        Ok(true)
    })?;
    let time = started.elapsed();
    progress(total, total);
    let metrics = metrics.ok_or(TrainError::Engine {
        doing: "evaluating",
        message: "it stopped by itself".to_owned(),
    })?;
    Ok(EvalReport {
        recorded_top1: weights.metadata.get("bitsweep.top1").and_then(|text| text.parse().ok()),
        notes: weights.notes,
        images: metrics.images(),
        top1: metrics.top1(),
        top5: metrics.top5(),
        loss: metrics.loss(),
        time,
        skipped: loader.skipped(),
        description,
    })
}
