//! Where a trial starts: from nothing, from given weights, from its parent, or where it was left.

use std::path::Path;

use bitsweep_models::{Model, ParameterGroup, QuantizersInState};
use bitsweep_sweep::{
    BatchNormStatistics, Gamma, Level, Loss, QuantizerLearningRate, TrainedParameters, TrialSpec,
};
use burn::tensor::Device;

use crate::calibration;
use crate::checkpoint::{
    Checkpoint, EpochSums, INITIAL, MODEL, MOMENTUM, Position, TEACHER, TRAINED,
};
use crate::error::TrainError;
use crate::events::Events;
use crate::images::Images;
use crate::network;
use crate::optimizer::Optimizer;
use crate::origin::Origin;
use crate::request::TrialRequest;
use crate::source::Source;
use crate::teacher::Teacher;

/// All that changes while a trial runs.
pub(crate) struct Progressing {
    pub model: Model,
    pub optimizer: Optimizer,
    /// The average of the model over steps, without gradients, where evaluations use one.
    pub average: Option<Model>,
    /// What a distilled trial learns from; it never changes.
    pub teacher: Option<Teacher>,
    pub position: Position,
    pub sums: EpochSums,
    /// The trial had ended when its checkpoint was written.
    pub over: bool,
}

impl Progressing {
    /// The network that evaluations, children and exports get.
    pub(crate) fn evaluated(&mut self) -> &mut Model {
        self.average.as_mut().unwrap_or(&mut self.model)
    }

    /// Adds everything that changes to a checkpoint, and the teacher, without which it cannot go on.
    pub(crate) fn write(&mut self, checkpoint: &mut Checkpoint) {
        checkpoint.insert_group(MODEL, self.evaluated().state());
        if self.average.is_some() {
            checkpoint.insert_group(TRAINED, self.model.state());
        }
        if let Some(teacher) = &mut self.teacher
            && !checkpoint.header.is_final
        {
            checkpoint.insert_group(TEACHER, teacher.model().state());
        }
        checkpoint.insert_group(MOMENTUM, self.optimizer.velocities());
        checkpoint.insert_group(INITIAL, self.optimizer.initial_half_widths());
    }
}

/// Brings a new model to where `source` says.
pub(crate) fn start(
    model: Model,
    source: Source,
    request: &TrialRequest,
    images: &Images,
    device: &Device,
    events: &mut Events<'_, '_>,
) -> Result<Progressing, TrainError> {
    let spec = &request.spec;
    let mut state = match source {
        Source::Resume(checkpoint) => {
            let path = request.resume_checkpoint.as_deref().unwrap_or(Path::new(""));
            resume(model, &checkpoint, path, spec, device, events)?
        }
        source => fresh(model, source, request, images, device, events)?,
    };
    state.model.set_trained(|group| is_trained(spec, group));
    if spec.train.quantizer_learning_rate == QuantizerLearningRate::PerLayer {
        let inputs = calibration::input_sizes(&state.model, images)?;
        state.optimizer.set_layer_rates(&mut state.model, spec.bits.activations, &inputs);
    }
    Ok(state)
}

fn is_trained(spec: &TrialSpec, group: ParameterGroup) -> bool {
    match group {
        ParameterGroup::Weight | ParameterGroup::BatchNorm | ParameterGroup::Bias => {
            spec.train.parameters == TrainedParameters::Joint
        }
        ParameterGroup::Interval => true,
        ParameterGroup::Gamma => spec.train.gamma == Gamma::Learned,
    }
}

fn resume(
    mut model: Model,
    checkpoint: &Checkpoint,
    path: &Path,
    spec: &TrialSpec,
    device: &Device,
    events: &mut Events<'_, '_>,
) -> Result<Progressing, TrainError> {
    let mut average = None;
    if spec.train.ema_decay.is_some() {
        network::load(&mut model, checkpoint, MODEL, path)?;
        average = Some(model.frozen());
        network::load(&mut model, checkpoint, TRAINED, path)?;
    } else {
        network::load(&mut model, checkpoint, MODEL, path)?;
    }
    let over = checkpoint.header.is_final;
    let teacher = (spec.train.loss == Loss::Distillation && !over)
        .then(|| Teacher::new(spec, &checkpoint.group(TEACHER), device))
        .transpose()
        .map_err(|error| TrainError::checkpoint(path, error.to_string()))?;
    let mut optimizer = Optimizer::new(&spec.train);
    optimizer.restore(checkpoint.group(MOMENTUM), checkpoint.group(INITIAL));
    let (position, sums) = (checkpoint.header.position, checkpoint.header.sums());
    events.log(Level::Info, format!("continues after step {}", position.step))?;
    Ok(Progressing { model, optimizer, average, teacher, position, sums, over })
}

fn fresh(
    mut model: Model,
    source: Source,
    request: &TrialRequest,
    images: &Images,
    device: &Device,
    events: &mut Events<'_, '_>,
) -> Result<Progressing, TrainError> {
    let spec = &request.spec;
    let from_scratch = matches!(source, Source::Scratch);
    let mut origin = Origin::open(source, request, images, device, events)?;
    let state = origin.model.state();
    model
        .load_state(&state, QuantizersInState::Optional)
        .map_err(|error| TrainError::Spec(format!("trial {}: {error}", spec.name)))?;
    if !spec.bits.is_full() {
        calibration::set_intervals(&mut model, &origin.model, spec, images, || events.tick())?;
    }
    let rescaled = !spec.bits.is_full() && origin.output_scale != spec.train.output_scale;
    let changed = origin.bits != spec.bits || rescaled;
    if changed && spec.train.batch_norm_statistics != BatchNormStatistics::Parent {
        calibration::recompute_batch_norm(&mut model, spec, images)?;
    }
    let teacher = (spec.train.loss == Loss::Distillation)
        .then(|| origin.teacher(&state, spec, images, device))
        .transpose()?;
    let mut optimizer = Optimizer::new(&spec.train);
    optimizer.start_from(&mut model);
    let average = spec.train.ema_decay.map(|_| model.frozen());
    let position =
        Position { evaluation_due: !from_scratch || spec.train.epochs == 0, ..Position::default() };
    let sums = EpochSums::default();
    Ok(Progressing { model, optimizer, average, teacher, position, sums, over: false })
}
