//! The state of every quantized layer, for the report of an epoch.

use bitsweep_models::Model;
use bitsweep_sweep::LayerState;

/// Every quantized layer in network order; what a width of 32 leaves out is zero, its γ one.
pub(crate) fn layer_states(model: &mut Model) -> Vec<LayerState> {
    let all = model.layer_statistics().into_iter();
    all.map(|(quantizers, statistics)| {
        let weights = quantizers.weights;
        let activations = quantizers.activations;
        let of_weights = |value: fn(&bitsweep_models::WeightQuantizer) -> f32, otherwise: f64| {
            weights.as_ref().map_or(otherwise, |weights| f64::from(value(weights)))
        };
        let fraction = |value: fn(&bitsweep_models::WeightStatistics) -> f64| {
            statistics.as_ref().map_or(0.0, value)
        };
        LayerState {
            name: quantizers.layer,
            weight_center: of_weights(|weights| weights.interval.center, 0.0),
            weight_half_width: of_weights(|weights| weights.interval.half_width, 0.0),
            gamma: of_weights(|weights| weights.gamma, 1.0),
            activation_center: activations.map_or(0.0, |a| f64::from(a.center)),
            activation_half_width: activations.map_or(0.0, |a| f64::from(a.half_width)),
            below_interval: fraction(|statistics| statistics.below_interval),
            zero: fraction(|statistics| statistics.zero),
            clipped: fraction(|statistics| statistics.clipped),
            histogram_max: fraction(|statistics| statistics.histogram_max),
            histogram: statistics.map_or_else(Vec::new, |statistics| statistics.histogram),
        }
    })
    .collect()
}
