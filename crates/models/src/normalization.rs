//! Batch-norm statistics of a whole network, taken from images.

use burn::tensor::Tensor;

use crate::layer::{EPSILON, Pass, Statistics, values};
use crate::model::Model;
use crate::parameter::Visitor;
use crate::state::{QuantizersInState, StateError};

impl Model {
    /// Replaces running statistics by the mean over `batches` (PyTorch's `momentum=None`). Images are on
    /// the device of [`frozen`](Self::frozen). Without batches nothing changes.
    pub fn recompute_batch_norm(&mut self, batches: impl Iterator<Item = Tensor<4>>) {
        self.average_statistics(batches, |momentum| Statistics::Batch { momentum });
    }

    /// Makes every batch-norm the identity plus its shift on `batches`: statistics from them, then scale σ
    /// and shift μ + the old shift. For weights that were trained without batch-norm, whose biases are the
    /// shifts. Images are on the device of [`frozen`](Self::frozen).
    ///
    /// # Errors
    /// Never, unless the network's state does not fit itself.
    pub fn make_batch_norm_identity(
        &mut self,
        batches: impl Iterator<Item = Tensor<4>>,
    ) -> Result<(), StateError> {
        self.average_statistics(batches, |momentum| Statistics::Identity { momentum });
        let mut state = self.state();
        let norms: Vec<String> = state
            .keys()
            .filter_map(|name| name.strip_suffix(".running_mean"))
            .map(str::to_owned)
            .collect();
        for norm in norms {
            let of = |part: &str| state.get(&format!("{norm}.{part}")).map(|t| t.values.clone());
            let (Some(mean), Some(variance)) = (of("running_mean"), of("running_var")) else {
                continue;
            };
            if let Some(scale) = state.get_mut(&format!("{norm}.weight")) {
                scale.values = variance.iter().map(|v| (v + EPSILON).sqrt()).collect();
            }
            if let Some(shift) = state.get_mut(&format!("{norm}.bias")) {
                shift.values.iter_mut().zip(mean).for_each(|(shift, mean)| *shift += mean);
            }
        }
        self.load_state(&state, QuantizersInState::Required)
    }

    /// Runs the network on `batches` and sets the running statistics to their means over them.
    fn average_statistics(
        &mut self,
        batches: impl Iterator<Item = Tensor<4>>,
        statistics: impl Fn(f64) -> Statistics,
    ) {
        let mut frozen = self.frozen();
        for (index, images) in batches.enumerate() {
            let statistics = statistics(1.0 / (index as f64 + 1.0));
            let mut pass = Pass { statistics, full_precision: false, capture: None };
            frozen.network.forward(images, &mut pass);
        }
        let mut buffers = Buffers(Vec::new());
        frozen.network.visit(&mut buffers);
        self.network.visit(&mut SetBuffers(buffers.0.into_iter()));
    }
}

struct Buffers(Vec<Vec<f32>>);

impl Visitor for Buffers {
    fn buffer(&mut self, _: &str, tensor: &mut Tensor<1>) {
        self.0.push(values(tensor));
    }
}

struct SetBuffers(std::vec::IntoIter<Vec<f32>>);

impl Visitor for SetBuffers {
    fn buffer(&mut self, _: &str, tensor: &mut Tensor<1>) {
        if let Some(values) = self.0.next() {
            *tensor = Tensor::from_floats(values.as_slice(), &tensor.device());
        }
    }
}
