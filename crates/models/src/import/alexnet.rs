//! torchvision's AlexNet, which has biases where this program's has batch-norm.
//!
//! Behind a layer of bias b, batch-norm with running mean μ, variance σ², scale √(σ² + ε) and shift μ + b
//! adds b and changes nothing else, whatever μ and σ² are. So the file's network is evaluated exactly with
//! any μ and σ²; to be trained, where batch-norm uses the batch's own, it needs those of its images.
//! Here μ = 0 and σ² = 1.

use crate::layer::EPSILON;
use crate::state::{NamedTensor, State};

/// Layers with batch-norm, in network order.
const LAYERS: [&str; 7] = [
    "features.0",
    "features.3",
    "features.6",
    "features.8",
    "features.10",
    "classifier.1",
    "classifier.4",
];

const PARTS: [&str; 4] = ["weight", "bias", "running_mean", "running_var"];

/// Gives an AlexNet without batch-norm one that adds the layers' biases; `false` where `state` is none.
pub(super) fn add_batch_norm(state: &mut State) -> bool {
    let names = LAYERS.map(|layer| format!("{layer}.bias"));
    let has_norm = state.keys().any(|name| name.ends_with(".bn.weight"));
    if has_norm || !names.iter().all(|name| state.contains_key(name)) {
        return false;
    }
    for (layer, name) in LAYERS.into_iter().zip(names) {
        let Some(bias) = state.remove(&name) else { continue };
        let constant = |value: f32| NamedTensor {
            shape: bias.shape.clone(),
            values: vec![value; bias.values.len()],
        };
        let scale = constant((1.0 + EPSILON).sqrt());
        let norm = [scale, bias.clone(), constant(0.0), constant(1.0)];
        for (part, tensor) in PARTS.into_iter().zip(norm) {
            state.insert(format!("{layer}.bn.{part}"), tensor);
        }
    }
    true
}
