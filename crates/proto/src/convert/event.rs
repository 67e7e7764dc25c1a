//! Trial events.

use std::path::PathBuf;

use bitsweep_sweep as domain;

use super::{ConvertError, checked_fields, enums, read_enum, required, same_fields};
use crate::v1;
use v1::trial_event::Event;

enums! {
    domain::Metric as v1::Metric => "metric" {
        StepLoss = StepLoss, LearningRate = LearningRate, ImagesPerSecond = ImagesPerSecond,
        DataWaitSeconds = DataWaitSeconds, TrainLoss = TrainLoss, ValidationLoss = ValidationLoss,
        Top1 = Top1, Top5 = Top5,
    }
    domain::Level as v1::Level => "level" { Debug = Debug, Info = Info, Warn = Warn, Error = Error }
    domain::Phase as v1::Phase => "phase" {
        LoadingData = LoadingData, Calibrating = Calibrating, Training = Training,
        Evaluating = Evaluating, Saving = Saving,
    }
    domain::Collapse as v1::Collapse => "collapse" {
        HalfWidth = HalfWidth, Pruned = Pruned, Clipped = Clipped,
    }
    domain::AttemptEnd as v1::AttemptEnd => "reason" {
        Finished = Finished, Diverged = Diverged, Crashed = Crashed, OutOfMemory = OutOfMemory,
        Preempted = Preempted, Cancelled = Cancelled, Lost = Lost, Drained = Drained, BadInput = BadInput,
    }
}

same_fields! {
    EpochSummary { epoch, step, train_loss, validation_loss, top1, top5, images_per_second, seconds }
    Provenance {
        program_version, spec_hash, data_fingerprint, train_images, validation_images, device,
        threads, seed, host,
    }
    FinalResult { top1, top5, validation_loss, epochs, steps, correct }
}

checked_fields! {
    LogLine at "log" { message, time_ms; enums level: Level }
    Progress at "progress" {
        step, total_steps, epoch, total_epochs, images_per_second, loss;
        enums phase: Phase
    }
    Started at "started" {
        parameters, steps_per_epoch, total_steps, from_step;
        messages provenance
    }
}

impl From<domain::PointBatch> for v1::PointBatch {
    fn from(batch: domain::PointBatch) -> Self {
        Self {
            metric: v1::Metric::from(batch.metric).into(),
            steps: batch.steps,
            values: batch.values,
        }
    }
}

impl TryFrom<v1::PointBatch> for domain::PointBatch {
    type Error = ConvertError;

    fn try_from(batch: v1::PointBatch) -> Result<Self, ConvertError> {
        if batch.steps.len() != batch.values.len() {
            let problem = format!("{} steps for {} values", batch.steps.len(), batch.values.len());
            return Err(ConvertError::new("points", problem));
        }
        Ok(Self {
            metric: read_enum::<v1::Metric, _>("points.metric", batch.metric)?,
            steps: batch.steps,
            values: batch.values,
        })
    }
}

impl From<domain::LayerState> for v1::LayerState {
    fn from(layer: domain::LayerState) -> Self {
        Self {
            name: layer.name,
            weight_center: layer.weight_center,
            weight_half_width: layer.weight_half_width,
            gamma: layer.gamma,
            activation_center: layer.activation_center,
            activation_half_width: layer.activation_half_width,
            below_interval: layer.below_interval,
            zero: layer.zero,
            clipped: layer.clipped,
            histogram: layer.histogram,
            histogram_max: layer.histogram_max,
            activation_zero: layer.activation_zero,
            activation_clipped: layer.activation_clipped,
            collapse: layer.collapse.map(|collapse| v1::Collapse::from(collapse).into()),
        }
    }
}

impl TryFrom<v1::LayerState> for domain::LayerState {
    type Error = ConvertError;

    /// Takes NaN and infinity: a training that diverged has such intervals.
    fn try_from(layer: v1::LayerState) -> Result<Self, ConvertError> {
        Ok(Self {
            name: layer.name,
            weight_center: layer.weight_center,
            weight_half_width: layer.weight_half_width,
            gamma: layer.gamma,
            activation_center: layer.activation_center,
            activation_half_width: layer.activation_half_width,
            below_interval: layer.below_interval,
            zero: layer.zero,
            clipped: layer.clipped,
            histogram: layer.histogram,
            histogram_max: layer.histogram_max,
            activation_zero: layer.activation_zero,
            activation_clipped: layer.activation_clipped,
            collapse: layer
                .collapse
                .map(|collapse| read_enum::<v1::Collapse, _>("layers.collapse", collapse))
                .transpose()?,
        })
    }
}

impl From<domain::LayerReport> for v1::LayerReport {
    fn from(report: domain::LayerReport) -> Self {
        Self {
            epoch: report.epoch,
            step: report.step,
            layers: report.layers.into_iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<v1::LayerReport> for domain::LayerReport {
    type Error = ConvertError;

    fn try_from(report: v1::LayerReport) -> Result<Self, ConvertError> {
        Ok(Self {
            epoch: report.epoch,
            step: report.step,
            layers: report.layers.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
        })
    }
}

impl From<domain::Failure> for v1::Failed {
    fn from(failure: domain::Failure) -> Self {
        Self { reason: v1::AttemptEnd::from(failure.reason).into(), message: failure.message }
    }
}

impl TryFrom<v1::Failed> for domain::Failure {
    type Error = ConvertError;

    fn try_from(failed: v1::Failed) -> Result<Self, ConvertError> {
        Ok(Self {
            reason: read_enum::<v1::AttemptEnd, _>("failed.reason", failed.reason)?,
            message: failed.message,
        })
    }
}

impl From<domain::CheckpointSaved> for v1::CheckpointSaved {
    /// The form on the pipe: with a path, without an artifact.
    fn from(checkpoint: domain::CheckpointSaved) -> Self {
        Self {
            epoch: checkpoint.epoch,
            step: checkpoint.step,
            r#final: checkpoint.is_final,
            path: Some(checkpoint.path.to_string_lossy().into_owned()),
            artifact: None,
        }
    }
}

impl From<domain::TrialEvent> for v1::TrialEvent {
    fn from(event: domain::TrialEvent) -> Self {
        let event = match event {
            domain::TrialEvent::Started(started) => Event::Started(started.into()),
            domain::TrialEvent::Progress(progress) => Event::Progress(progress.into()),
            domain::TrialEvent::Points(points) => Event::Points(points.into()),
            domain::TrialEvent::Epoch(epoch) => Event::Epoch(epoch.into()),
            domain::TrialEvent::Layers(layers) => Event::Layers(layers.into()),
            domain::TrialEvent::Log(line) => Event::Log(line.into()),
            domain::TrialEvent::Checkpoint(checkpoint) => Event::Checkpoint(checkpoint.into()),
            domain::TrialEvent::Finished(result) => Event::Finished(result.into()),
            domain::TrialEvent::Failed(failure) => Event::Failed(failure.into()),
            domain::TrialEvent::Stopped => Event::Stopped(v1::Stopped {}),
        };
        Self { event: Some(event) }
    }
}

impl TryFrom<v1::TrialEvent> for domain::TrialEvent {
    type Error = ConvertError;

    /// Reads the form on the pipe: a checkpoint must have its path.
    fn try_from(message: v1::TrialEvent) -> Result<Self, ConvertError> {
        Ok(match required("event", message.event)? {
            Event::Started(started) => Self::Started(started.try_into()?),
            Event::Progress(progress) => Self::Progress(progress.try_into()?),
            Event::Points(points) => Self::Points(points.try_into()?),
            Event::Epoch(epoch) => Self::Epoch(epoch.into()),
            Event::Layers(layers) => Self::Layers(layers.try_into()?),
            Event::Log(line) => Self::Log(line.try_into()?),
            Event::Checkpoint(checkpoint) => Self::Checkpoint(domain::CheckpointSaved {
                epoch: checkpoint.epoch,
                step: checkpoint.step,
                is_final: checkpoint.r#final,
                path: PathBuf::from(required("checkpoint.path", checkpoint.path)?),
            }),
            Event::Finished(result) => Self::Finished(result.into()),
            Event::Failed(failed) => Self::Failed(failed.try_into()?),
            Event::Stopped(_) => Self::Stopped,
        })
    }
}
