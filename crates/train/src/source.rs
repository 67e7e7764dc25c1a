//! What a trial starts from, read and checked before anything is computed.

use std::path::{Path, PathBuf};

use bitsweep_models::import::Weights;
use bitsweep_sweep::{Bits, OutputScale, TrialSpec};

use crate::checkpoint::{self, Checkpoint};
use crate::error::TrainError;
use crate::import;
use crate::network;
use crate::request::TrialRequest;

/// What a trial starts from.
pub(crate) enum Source {
    /// Initial values from the seed.
    Scratch,
    /// Weights that somebody else trained, and their file.
    Weights(PathBuf, Weights),
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
        match (&request.parent_checkpoint, &spec.parent, &spec.initial_weights) {
            (Some(path), ..) => {
                let checkpoint = checkpoint::load(path)?;
                check_parent(&checkpoint, spec, path)?;
                Ok(Self::Parent(checkpoint))
            }
            (None, Some(parent), _) => Err(TrainError::Spec(format!(
                "trial {} starts from {parent}, whose final checkpoint was not given",
                spec.name
            ))),
            (None, None, Some(path)) => {
                let weights = import::read(Path::new(path))?;
                Ok(Self::Weights(PathBuf::from(path), weights))
            }
            (None, None, None) => Ok(Self::Scratch),
        }
    }

    /// Steps already done.
    pub(crate) fn steps_done(&self) -> u64 {
        match self {
            Self::Resume(checkpoint) => checkpoint.header.position.step,
            Self::Scratch | Self::Weights(..) | Self::Parent(_) => 0,
        }
    }

    /// Widths and output scale of the network that it starts from.
    pub(crate) fn quantization(&self) -> (Bits, OutputScale) {
        match self {
            Self::Resume(checkpoint) | Self::Parent(checkpoint) => {
                (checkpoint.header.bits, checkpoint.header.output_scale)
            }
            Self::Scratch | Self::Weights(..) => (Bits::FULL, OutputScale::None),
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
