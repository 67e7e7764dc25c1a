//! The state of every quantized layer, for the report of an epoch.

use std::collections::BTreeMap;

use bitsweep_models::{Interval, LayerQuantizers, Model, WeightQuantizer, WeightStatistics};
use bitsweep_qil::{ActivationStatistics, activation_levels, activation_statistics};
use bitsweep_sweep::{Collapse, LayerState};

use crate::calibration::for_each_input;
use crate::error::TrainError;
use crate::images::Images;
use crate::optimizer::{ACTIVATIONS, Optimizer, WEIGHTS};
use crate::projection::half_width_floor;

/// Every quantized layer in network order; what a width of 32 leaves out is zero, its γ one.
///
/// Activations are those of one batch of calibration images.
pub(crate) fn layer_states(
    model: &mut Model,
    optimizer: &Optimizer,
    activation_bits: u8,
    images: &Images,
) -> Result<Vec<LayerState>, TrainError> {
    let mut inputs = BTreeMap::new();
    if activation_bits < 32 {
        let quantizers = model.quantizers();
        let intervals: BTreeMap<&str, Interval> = quantizers
            .iter()
            .filter_map(|layer| Some((layer.layer.as_str(), layer.activations?)))
            .collect();
        let levels = activation_levels(activation_bits);
        for_each_input(model, images, |layer, values, _| {
            if let Some(&interval) = intervals.get(layer) {
                let statistics = activation_statistics(&values, interval, levels);
                inputs.insert(layer.to_owned(), statistics);
            }
        })?;
    }
    let states = model.layer_statistics().into_iter().map(|(quantizers, statistics)| {
        let inputs = inputs.get(&quantizers.layer).copied();
        let floored = is_floored(&quantizers, optimizer);
        layer_state(quantizers, statistics, inputs, floored)
    });
    Ok(states.collect())
}

/// Whether a half-width has nowhere to shrink to.
fn is_floored(layer: &LayerQuantizers, optimizer: &Optimizer) -> bool {
    let at_floor = |which: &str, interval: Interval| {
        optimizer
            .initial_half_width(&layer.layer, which)
            .is_some_and(|initial| interval.half_width <= half_width_floor(initial))
    };
    layer.weights.is_some_and(|weights| at_floor(WEIGHTS, weights.interval))
        || layer.activations.is_some_and(|interval| at_floor(ACTIVATIONS, interval))
}

fn layer_state(
    quantizers: LayerQuantizers,
    statistics: Option<WeightStatistics>,
    inputs: Option<ActivationStatistics>,
    floored: bool,
) -> LayerState {
    let collapse = collapse(statistics.as_ref(), inputs, floored);
    let weights = quantizers.weights;
    let activations = quantizers.activations;
    let of_weights = |value: fn(&WeightQuantizer) -> f32, otherwise: f64| {
        weights.as_ref().map_or(otherwise, |weights| f64::from(value(weights)))
    };
    let fraction = |value: fn(&WeightStatistics) -> f64| statistics.as_ref().map_or(0.0, value);
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
        activation_zero: inputs.map(|inputs| inputs.zero),
        activation_clipped: inputs.map(|inputs| inputs.clipped),
        collapse,
    }
}

/// How a layer stopped computing, the gravest way first.
fn collapse(
    statistics: Option<&WeightStatistics>,
    inputs: Option<ActivationStatistics>,
    floored: bool,
) -> Option<Collapse> {
    // Fractions of counts: what is not all of them is less than 1 by more than this.
    let all = 1.0 - 1e-9;
    let pruned = statistics.is_some_and(|s| s.zero >= all) || inputs.is_some_and(|s| s.zero >= all);
    let nothing_inside =
        |inputs: ActivationStatistics| inputs.clipped > 0.0 && inputs.zero + inputs.clipped >= all;
    let clipped =
        statistics.is_some_and(|s| s.clipped >= all) || inputs.is_some_and(nothing_inside);
    if pruned {
        Some(Collapse::Pruned)
    } else if clipped {
        Some(Collapse::Clipped)
    } else {
        floored.then_some(Collapse::HalfWidth)
    }
}

/// One line that names every collapsed layer of an epoch, if there is any.
pub(crate) fn collapse_warning(epoch: u32, layers: &[LayerState]) -> Option<String> {
    let collapsed: Vec<String> = layers
        .iter()
        .filter_map(|layer| {
            let how = match layer.collapse? {
                Collapse::Pruned => "everything quantizes to zero",
                Collapse::Clipped => "everything lies above its interval",
                Collapse::HalfWidth => "a half-width is at its floor",
            };
            Some(format!("{} ({how})", layer.name))
        })
        .collect();
    (!collapsed.is_empty()).then(|| {
        format!(
            "epoch {epoch}: collapsed: {}; a lower quantizer-learning-rate-scale may help",
            collapsed.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitsweep_qil::weight_statistics;

    const INTERVAL: Interval = Interval { center: 0.5, half_width: 0.25 };

    fn state(weights: &[f32], inputs: &[f32], floored: bool) -> LayerState {
        let quantizers = LayerQuantizers {
            layer: "layer1.0.conv1".to_owned(),
            weights: Some(WeightQuantizer { interval: INTERVAL, gamma: 1.0, levels: 3 }),
            activations: Some(INTERVAL),
        };
        let statistics = weight_statistics(weights, INTERVAL, 1.0, 3);
        let inputs = activation_statistics(inputs, INTERVAL, 3);
        layer_state(quantizers, Some(statistics), Some(inputs), floored)
    }

    #[test]
    fn inputs_are_counted_as_the_quantizer_takes_them() {
        // Zero up to 0.25 + 0.5/6, clipped above 0.75.
        let found = state(&[0.5], &[0.0, 0.3, 0.34, 0.5, 0.75, 0.8, 2.0, 0.1], false);
        assert_eq!(found.activation_zero, Some(3.0 / 8.0));
        assert_eq!(found.activation_clipped, Some(2.0 / 8.0));
        assert_eq!(found.collapse, None);
    }

    #[test]
    fn a_layer_collapses_when_everything_is_pruned_or_clipped_or_its_half_width_is_at_the_floor() {
        let inputs = [0.0, 0.5];
        assert_eq!(state(&[0.1, -0.2], &inputs, false).collapse, Some(Collapse::Pruned));
        assert_eq!(state(&[0.9, -0.8], &inputs, false).collapse, Some(Collapse::Clipped));
        assert_eq!(state(&[0.5], &[0.0, 0.1], false).collapse, Some(Collapse::Pruned));
        assert_eq!(state(&[0.5], &[0.0, 0.9], false).collapse, Some(Collapse::Clipped));
        assert_eq!(state(&[0.5], &inputs, true).collapse, Some(Collapse::HalfWidth));
        assert_eq!(state(&[0.5, 0.1], &[], false).collapse, None, "unknown is not collapsed");
        assert_eq!(state(&[0.5, 0.1, 0.9], &[0.0, 0.5, 0.9], false).collapse, None);
    }

    #[test]
    fn the_warning_names_epoch_and_layers() {
        let sound = state(&[0.5], &[0.5], false);
        let pruned = state(&[0.1], &[0.5], false);
        assert_eq!(collapse_warning(3, std::slice::from_ref(&sound)), None);
        let warning = collapse_warning(3, &[sound, pruned]).unwrap_or_default();
        assert!(warning.starts_with("epoch 3: collapsed: layer1.0.conv1 (everything"), "{warning}");
    }
}
