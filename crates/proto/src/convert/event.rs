//! Trial events.

use std::path::PathBuf;

use bitsweep_sweep as domain;

use super::{ConvertError, enums, read_enum, required};
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
    domain::AttemptEnd as v1::AttemptEnd => "reason" {
        Finished = Finished, Diverged = Diverged, Crashed = Crashed, OutOfMemory = OutOfMemory,
        Preempted = Preempted, Cancelled = Cancelled, Lost = Lost, Drained = Drained, BadInput = BadInput,
    }
}

/// Messages whose fields are the domain's, name for name.
macro_rules! same_fields {
    ($($name:ident { $($field:ident),+ $(,)? })+) => {$(
        impl From<domain::$name> for v1::$name {
            fn from(value: domain::$name) -> Self {
                Self { $($field: value.$field),+ }
            }
        }

        impl From<v1::$name> for domain::$name {
            fn from(value: v1::$name) -> Self {
                Self { $($field: value.$field),+ }
            }
        }
    )+};
}

same_fields! {
    EpochSummary { epoch, step, train_loss, validation_loss, top1, top5, images_per_second, seconds }
    Provenance {
        program_version, spec_hash, data_fingerprint, train_images, validation_images, device,
        threads, seed, host,
    }
    LayerState {
        name, weight_center, weight_half_width, gamma, activation_center, activation_half_width,
        below_interval, zero, clipped, histogram, histogram_max,
    }
    FinalResult { top1, top5, validation_loss, epochs, steps, correct }
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

impl From<domain::LayerReport> for v1::LayerReport {
    fn from(report: domain::LayerReport) -> Self {
        Self {
            epoch: report.epoch,
            step: report.step,
            layers: report.layers.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<v1::LayerReport> for domain::LayerReport {
    fn from(report: v1::LayerReport) -> Self {
        Self {
            epoch: report.epoch,
            step: report.step,
            layers: report.layers.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<domain::LogLine> for v1::LogLine {
    fn from(line: domain::LogLine) -> Self {
        Self {
            level: v1::Level::from(line.level).into(),
            message: line.message,
            time_ms: line.time_ms,
        }
    }
}

impl TryFrom<v1::LogLine> for domain::LogLine {
    type Error = ConvertError;

    fn try_from(line: v1::LogLine) -> Result<Self, ConvertError> {
        Ok(Self {
            level: read_enum::<v1::Level, _>("log.level", line.level)?,
            message: line.message,
            time_ms: line.time_ms,
        })
    }
}

impl From<domain::Progress> for v1::Progress {
    fn from(progress: domain::Progress) -> Self {
        Self {
            phase: v1::Phase::from(progress.phase).into(),
            step: progress.step,
            total_steps: progress.total_steps,
            epoch: progress.epoch,
            total_epochs: progress.total_epochs,
            images_per_second: progress.images_per_second,
            loss: progress.loss,
        }
    }
}

impl TryFrom<v1::Progress> for domain::Progress {
    type Error = ConvertError;

    fn try_from(progress: v1::Progress) -> Result<Self, ConvertError> {
        Ok(Self {
            phase: read_enum::<v1::Phase, _>("progress.phase", progress.phase)?,
            step: progress.step,
            total_steps: progress.total_steps,
            epoch: progress.epoch,
            total_epochs: progress.total_epochs,
            images_per_second: progress.images_per_second,
            loss: progress.loss,
        })
    }
}

impl From<domain::Started> for v1::Started {
    fn from(started: domain::Started) -> Self {
        Self {
            provenance: Some(started.provenance.into()),
            parameters: started.parameters,
            steps_per_epoch: started.steps_per_epoch,
            total_steps: started.total_steps,
            from_step: started.from_step,
        }
    }
}

impl TryFrom<v1::Started> for domain::Started {
    type Error = ConvertError;

    fn try_from(started: v1::Started) -> Result<Self, ConvertError> {
        Ok(Self {
            provenance: required("started.provenance", started.provenance)?.into(),
            parameters: started.parameters,
            steps_per_epoch: started.steps_per_epoch,
            total_steps: started.total_steps,
            from_step: started.from_step,
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
            Event::Layers(layers) => Self::Layers(layers.into()),
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
