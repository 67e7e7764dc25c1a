//! What a training says of itself while it runs.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::attempt::AttemptEnd;

/// One event of one attempt. Events are ordered.
#[derive(Clone, Debug, PartialEq)]
pub enum TrialEvent {
    /// First event: what runs.
    Started(Started),
    /// Where it stands; the newest replaces all earlier ones.
    Progress(Progress),
    /// Measured points.
    Points(PointBatch),
    /// An epoch and its evaluation are done.
    Epoch(EpochSummary),
    /// Quantizers at the end of an epoch.
    Layers(LayerReport),
    /// A line for the log.
    Log(LogLine),
    /// A checkpoint file is complete on disk.
    Checkpoint(CheckpointSaved),
    /// Last event of a trial that ran to its end; its final checkpoint came before.
    Finished(FinalResult),
    /// Last event of a trial that cannot go on.
    Failed(Failure),
    /// Last event after a request to stop; a checkpoint came before.
    Stopped,
}

/// What runs, and from where.
#[derive(Clone, Debug, PartialEq)]
pub struct Started {
    /// What the numbers that follow need to be believed.
    pub provenance: Provenance,
    /// Trainable parameters, quantizers included.
    pub parameters: u64,
    /// Optimizer steps an epoch.
    pub steps_per_epoch: u64,
    /// Optimizer steps of the whole trial.
    pub total_steps: u64,
    /// Steps already done by the checkpoint it resumed from; 0: from the beginning.
    pub from_step: u64,
}

/// What a number needs to be believed and remade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// bitsweep's version.
    pub program_version: String,
    /// [`crate::TrialSpec::hash`].
    pub spec_hash: String,
    /// blake3 of decoded images and labels.
    pub data_fingerprint: String,
    /// Training images used.
    pub train_images: u64,
    /// Validation images used.
    pub validation_images: u64,
    /// Backend and processor.
    pub device: String,
    /// Threads of the training step.
    pub threads: u32,
    /// Seed.
    pub seed: u64,
    /// Host name.
    pub host: String,
}

/// What a trial process is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Reading and decoding images.
    LoadingData,
    /// Searching intervals, recomputing batch-norm statistics.
    Calibrating,
    /// Optimizer steps.
    Training,
    /// Validation images.
    Evaluating,
    /// Writing a checkpoint.
    Saving,
}

/// Where a trial stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// What it is doing.
    pub phase: Phase,
    /// Optimizer steps done.
    pub step: u64,
    /// Optimizer steps of the whole trial.
    pub total_steps: u64,
    /// The epoch being worked on, from 1; 0 before training.
    pub epoch: u32,
    /// Epochs of the whole trial.
    pub total_epochs: u32,
    /// Training throughput, recent; 0 before the first step.
    pub images_per_second: f64,
    /// Mean training loss since the last progress; `None` outside training.
    pub loss: Option<f64>,
}

/// A measured quantity. Loss in nats, accuracies in percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Mean training loss of one step.
    StepLoss,
    /// Learning rate of the weights.
    LearningRate,
    /// Training throughput.
    ImagesPerSecond,
    /// Seconds a step waited for data.
    DataWaitSeconds,
    /// Mean training loss of an epoch.
    TrainLoss,
    /// Loss on the validation images.
    ValidationLoss,
    /// Percent of validation images whose label has the highest score.
    Top1,
    /// Percent of validation images whose label is among the five highest scores.
    Top5,
}

impl Metric {
    /// All metrics.
    pub const ALL: [Self; 8] = [
        Self::StepLoss,
        Self::LearningRate,
        Self::ImagesPerSecond,
        Self::DataWaitSeconds,
        Self::TrainLoss,
        Self::ValidationLoss,
        Self::Top1,
        Self::Top5,
    ];

    /// The name in exports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StepLoss => "step-loss",
            Self::LearningRate => "learning-rate",
            Self::ImagesPerSecond => "images-per-second",
            Self::DataWaitSeconds => "data-wait-seconds",
            Self::TrainLoss => "train-loss",
            Self::ValidationLoss => "validation-loss",
            Self::Top1 => "top1",
            Self::Top5 => "top5",
        }
    }
}

/// Points of one metric; `steps` ascend and are as many as `values`.
#[derive(Clone, Debug, PartialEq)]
pub struct PointBatch {
    /// What was measured.
    pub metric: Metric,
    /// Optimizer steps done when it was measured, over the whole trial; the first is 1.
    pub steps: Vec<u64>,
    /// The values.
    pub values: Vec<f64>,
}

/// What one epoch came to. Epoch 0 is the evaluation before any training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochSummary {
    /// From 1; 0 for the evaluation after initialisation from a parent.
    pub epoch: u32,
    /// Optimizer steps done.
    pub step: u64,
    /// Mean over the epoch's training images; `None` for epoch 0.
    pub train_loss: Option<f64>,
    /// Mean over the validation images.
    pub validation_loss: f64,
    /// Percent.
    pub top1: f64,
    /// Percent.
    pub top5: f64,
    /// Training throughput without evaluation; `None` for epoch 0.
    pub images_per_second: Option<f64>,
    /// Wall-clock seconds of training and evaluation.
    pub seconds: f64,
}

impl EpochSummary {
    /// The summary as points at its step, in the order of [`Metric`].
    pub fn points(&self) -> Vec<(Metric, u64, f64)> {
        let mut points = Vec::with_capacity(4);
        if let Some(loss) = self.train_loss {
            points.push((Metric::TrainLoss, self.step, loss));
        }
        points.push((Metric::ValidationLoss, self.step, self.validation_loss));
        points.push((Metric::Top1, self.step, self.top1));
        points.push((Metric::Top5, self.step, self.top5));
        points
    }
}

/// In what way a layer does not compute any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Collapse {
    /// A half-width d is at its floor.
    HalfWidth,
    /// Every weight, or every activation, quantizes to zero.
    Pruned,
    /// Every weight, or every positive activation, lies above its interval.
    Clipped,
}

/// One quantized layer at the end of one epoch (QIL, Jung et al. 2019, Eq. 3 and 5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerState {
    /// torchvision's name of the layer.
    pub name: String,
    /// c of the weights.
    pub weight_center: f64,
    /// d of the weights.
    pub weight_half_width: f64,
    /// γ of the weights.
    pub gamma: f64,
    /// c of the activations.
    pub activation_center: f64,
    /// d of the activations.
    pub activation_half_width: f64,
    /// Fraction of weights with |w| < c − d.
    pub below_interval: f64,
    /// Fraction of weights that quantize to zero.
    pub zero: f64,
    /// Fraction of weights with |w| > c + d.
    pub clipped: f64,
    /// Counts of |w| in equal bins over `[0, histogram_max]`.
    pub histogram: Vec<u64>,
    /// Upper end of the last bin.
    pub histogram_max: f64,
    /// Fraction of the layer's inputs, on calibration images, that quantize to zero; `None` where unknown.
    pub activation_zero: Option<f64>,
    /// Fraction of the layer's inputs, on calibration images, above c + d; `None` where unknown.
    pub activation_clipped: Option<f64>,
    /// How the layer collapsed, if it did.
    pub collapse: Option<Collapse>,
}

/// All quantized layers at the end of one epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerReport {
    /// The epoch; 0 right after initialisation.
    pub epoch: u32,
    /// Optimizer steps done.
    pub step: u64,
    /// In network order.
    pub layers: Vec<LayerState>,
}

/// Weight of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// For developers.
    Debug,
    /// What happened.
    Info,
    /// What may need attention.
    Warn,
    /// What went wrong.
    Error,
}

/// A line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Weight.
    pub level: Level,
    /// One line.
    pub message: String,
    /// Unix milliseconds by the writer's clock.
    pub time_ms: i64,
}

/// A checkpoint file, complete on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointSaved {
    /// Epochs done.
    pub epoch: u32,
    /// Optimizer steps done.
    pub step: u64,
    /// Whether children start from it.
    pub is_final: bool,
    /// The file.
    pub path: PathBuf,
}

/// The end of a whole trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FinalResult {
    /// Percent.
    pub top1: f64,
    /// Percent.
    pub top5: f64,
    /// Nats.
    pub validation_loss: f64,
    /// Epochs trained.
    pub epochs: u32,
    /// Optimizer steps.
    pub steps: u64,
    /// One bit per validation image in file order, least significant bit first: 1 where top-1 was right.
    pub correct: Vec<u8>,
}

/// Why a trial cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kind.
    pub reason: AttemptEnd,
    /// One line: what happened and what to do.
    pub message: String,
}
