//! The network that a new trial starts from, at its own widths and ready to be evaluated.

use std::path::Path;

use bitsweep_models::{Model, QuantizersInState, State};
use bitsweep_sweep::{BatchNormStatistics, Bits, Level, OutputScale, TrialSpec};
use burn::tensor::Device;

use crate::calibration;
use crate::checkpoint::MODEL;
use crate::error::TrainError;
use crate::events::Events;
use crate::images::Images;
use crate::import;
use crate::network;
use crate::request::TrialRequest;
use crate::source::Source;
use crate::teacher::Teacher;

/// A network whose weights a trial starts with.
pub(crate) struct Origin {
    pub(crate) model: Model,
    pub(crate) bits: Bits,
    pub(crate) output_scale: OutputScale,
}

impl Origin {
    /// Builds the network of `source`, which is no checkpoint of the trial itself.
    pub(crate) fn open(
        source: Source,
        request: &TrialRequest,
        images: &Images,
        device: &Device,
        events: &mut Events<'_, '_>,
    ) -> Result<Self, TrainError> {
        let spec = &request.spec;
        let (bits, output_scale) = source.quantization();
        let mut model = network::build(spec, bits, output_scale, device)?;
        match source {
            Source::Parent(checkpoint) | Source::Resume(checkpoint) => {
                let path = request.parent_checkpoint.as_deref().unwrap_or(Path::new(""));
                network::load(&mut model, &checkpoint, MODEL, path)?;
            }
            Source::Weights(path, weights) => {
                model.load_state(&weights.state, QuantizersInState::Required).map_err(|error| {
                    let config = network::config(&spec.model, bits, output_scale);
                    import::misfit(&path, &error, &weights.state, &config)
                })?;
                for note in &weights.notes {
                    events.log(Level::Info, format!("{}: {note}", path.display()))?;
                }
                if weights.batch_norm_added {
                    calibration::make_batch_norm_identity(&mut model, spec, images)?;
                }
            }
            // A network that nobody evaluates needs no statistics.
            Source::Scratch if spec.bits.is_full() => {}
            // Initial values go by name and seed: this is the same network without quantizers.
            Source::Scratch => calibration::recompute_batch_norm(&mut model, spec, images)?,
        }
        Ok(Self { model, bits, output_scale })
    }

    /// The same weights in full precision, with the statistics that suit them; `state` is this network's.
    pub(crate) fn teacher(
        &self,
        state: &State,
        spec: &TrialSpec,
        images: &Images,
        device: &Device,
    ) -> Result<Teacher, TrainError> {
        let mut teacher = Teacher::new(spec, state, device)?;
        let kept = spec.train.batch_norm_statistics == BatchNormStatistics::Parent;
        if !self.bits.is_full() && !kept {
            // The statistics are those behind quantized layers.
            calibration::recompute_batch_norm(teacher.model(), spec, images)?;
        }
        Ok(teacher)
    }
}
