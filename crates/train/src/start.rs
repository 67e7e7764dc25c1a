//! Where a trial starts: from nothing, from its parent, or where it was left.

use std::path::Path;

use bitsweep_models::{Model, QuantizersInState};
use bitsweep_sweep::{Bits, Level, TrialSpec};
use burn::tensor::Device;

use crate::calibration;
use crate::checkpoint::{self, Checkpoint, EpochSums, Position};
use crate::error::TrainError;
use crate::events::Events;
use crate::images::Images;
use crate::network;
use crate::optimizer::Optimizer;
use crate::request::TrialRequest;

/// Prefixes of the optimizer's tensors in a checkpoint.
pub(crate) const MOMENTUM: &str = "optimizer.momentum.";
/// See [`MOMENTUM`].
pub(crate) const INITIAL: &str = "quantizer.initial.";

/// All that changes while a trial runs.
pub(crate) struct Progressing {
    pub model: Model,
    pub optimizer: Optimizer,
    pub position: Position,
    pub sums: EpochSums,
    /// The trial had ended when its checkpoint was written.
    pub over: bool,
}

/// What a trial starts from.
pub(crate) enum Source {
    /// Initial values from the seed.
    Scratch,
    /// Another trial's final checkpoint.
    Parent(Checkpoint),
    /// Its own checkpoint.
    Resume(Checkpoint),
}

impl Source {
    /// Reads what the request names and checks that it belongs to the trial.
    pub(crate) fn read(request: &TrialRequest) -> Result<Self, TrainError> {
        let spec = &request.spec;
        if let Some(path) = &request.resume_checkpoint {
            let checkpoint = checkpoint::load(path)?;
            check_own(&checkpoint, spec, path)?;
            return Ok(Self::Resume(checkpoint));
        }
        match (&request.parent_checkpoint, &spec.parent) {
            (Some(path), _) => {
                let checkpoint = checkpoint::load(path)?;
                check_parent(&checkpoint, spec, path)?;
                Ok(Self::Parent(checkpoint))
            }
            (None, Some(parent)) => Err(TrainError::Spec(format!(
                "trial {} starts from {parent}, whose final checkpoint was not given",
                spec.name
            ))),
            (None, None) => Ok(Self::Scratch),
        }
    }

    /// Steps already done.
    pub(crate) fn steps_done(&self) -> u64 {
        match self {
            Self::Resume(checkpoint) => checkpoint.header.position.step,
            Self::Scratch | Self::Parent(_) => 0,
        }
    }
}

fn check_own(checkpoint: &Checkpoint, spec: &TrialSpec, path: &Path) -> Result<(), TrainError> {
    let header = &checkpoint.header;
    if let Some(difference) = network::difference(&header.model, &spec.model) {
        return Err(TrainError::checkpoint(path, format!("of another network: {difference}")));
    }
    if header.spec_hash != spec.hash() {
        let problem = format!(
            "of another specification than {}'s; start the trial without it to train anew",
            spec.name
        );
        return Err(TrainError::checkpoint(path, problem));
    }
    Ok(())
}

fn check_parent(checkpoint: &Checkpoint, spec: &TrialSpec, path: &Path) -> Result<(), TrainError> {
    let header = &checkpoint.header;
    if let Some(difference) = network::difference(&header.model, &spec.model) {
        let problem = format!("cannot be the parent of trial {}: {difference}", spec.name);
        return Err(TrainError::checkpoint(path, problem));
    }
    if !header.is_final {
        let problem = format!(
            "cannot be the parent of trial {}: it was saved before its training had ended",
            spec.name
        );
        return Err(TrainError::checkpoint(path, problem));
    }
    Ok(())
}

/// Brings `model`, new from its seed, to where `source` says.
pub(crate) fn start(
    mut model: Model,
    source: Source,
    request: &TrialRequest,
    images: &Images,
    device: &Device,
    events: &mut Events<'_, '_>,
) -> Result<Progressing, TrainError> {
    let spec = &request.spec;
    let mut optimizer = Optimizer::new(&spec.train);
    let fresh = Position::default();
    match source {
        Source::Resume(checkpoint) => {
            let path = request.resume_checkpoint.as_deref().unwrap_or(Path::new(""));
            network::load(&mut model, &checkpoint, path, QuantizersInState::Required)?;
            optimizer.restore(checkpoint.group(MOMENTUM), checkpoint.group(INITIAL));
            let header = checkpoint.header;
            let message = format!("continues after step {}", header.position.step);
            events.log(Level::Info, message)?;
            let (position, sums, over) = (header.position, header.sums(), header.is_final);
            return Ok(Progressing { model, optimizer, position, sums, over });
        }
        Source::Parent(checkpoint) => {
            let path = request.parent_checkpoint.as_deref().unwrap_or(Path::new(""));
            network::load(&mut model, &checkpoint, path, QuantizersInState::Optional)?;
            let bits = checkpoint.header.bits;
            if !spec.bits.is_full() {
                let mut parent = network::build(&spec.model, bits, spec.seed, device)?;
                network::load(&mut parent, &checkpoint, path, QuantizersInState::Required)?;
                calibration::set_intervals(&mut model, &parent, spec, images, || events.tick())?;
            }
            if bits != spec.bits {
                calibration::recompute_batch_norm(&mut model, spec, images);
            }
        }
        Source::Scratch if spec.bits.is_full() => {}
        Source::Scratch => {
            // Initial values go by name and seed: this is the same network without quantizers.
            let mut parent = network::build(&spec.model, Bits::FULL, spec.seed, device)?;
            calibration::recompute_batch_norm(&mut parent, spec, images);
            calibration::set_intervals(&mut model, &parent, spec, images, || events.tick())?;
            calibration::recompute_batch_norm(&mut model, spec, images);
        }
    }
    optimizer.start_from(&mut model);
    let has_parent = request.parent_checkpoint.is_some();
    let position = Position { evaluation_due: has_parent, ..fresh };
    Ok(Progressing { model, optimizer, position, sums: EpochSums::default(), over: false })
}
