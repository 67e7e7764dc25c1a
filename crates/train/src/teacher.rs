//! The full-precision network whose outputs a distilled one learns.

use bitsweep_models::{Mode, Model, QuantizersInState, State};
use bitsweep_sweep::{Bits, OutputScale, TrialSpec};
use burn::tensor::{Device, Tensor};

use crate::error::TrainError;
use crate::network;

/// A network that is evaluated and never changes.
#[derive(Debug)]
pub(crate) struct Teacher {
    model: Model,
}

impl Teacher {
    /// The trial's network in full precision with the weights and statistics of `state`; intervals in it are
    /// passed over.
    pub(crate) fn new(
        spec: &TrialSpec,
        state: &State,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let device = device.clone().inner();
        let mut model = network::build(spec, Bits::FULL, OutputScale::None, &device)?;
        model
            .load_state(state, QuantizersInState::Optional)
            .map_err(|error| TrainError::Spec(format!("the teacher of {}: {error}", spec.name)))?;
        Ok(Self { model })
    }

    /// Logits in evaluation mode, as constants, for images on the student's device.
    pub(crate) fn logits(&mut self, images: &Tensor<4>) -> Tensor<2> {
        let student = images.device();
        let logits = self.model.forward(images.clone().inner(), Mode::Evaluate);
        if student.is_autodiff() { Tensor::from_inner(logits) } else { logits }
    }

    /// The network, to take statistics on its own images.
    pub(crate) fn model(&mut self) -> &mut Model {
        &mut self.model
    }
}
