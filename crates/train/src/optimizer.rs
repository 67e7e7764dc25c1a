//! SGD with momentum as PyTorch defines it, and what keeps intervals valid after each step.

use std::collections::BTreeMap;

use bitsweep_kernels::sgd::SgdStep;
use bitsweep_models::{
    Interval, LayerQuantizers, Model, NamedTensor, ParameterGroup, State, UpdateRule,
};
use bitsweep_qil::project_gamma;
use bitsweep_sweep::{Gamma, TrainSettings};
use burn::tensor::Gradients;

/// Momentum buffers and the rule that moves every parameter.
#[derive(Debug)]
pub(crate) struct Optimizer {
    momentum: f32,
    nesterov: bool,
    weight_decay: f64,
    quantizer_scale: f64,
    gamma: Gamma,
    velocities: BTreeMap<String, Vec<f32>>,
    /// Half-widths that training started from, `<layer>.<which>`: their share is the floor of d.
    initial: BTreeMap<String, f32>,
}

impl Optimizer {
    /// An optimizer at rest.
    pub(crate) fn new(settings: &TrainSettings) -> Self {
        Self {
            momentum: settings.momentum as f32,
            nesterov: settings.nesterov,
            weight_decay: settings.weight_decay,
            quantizer_scale: settings.quantizer_learning_rate_scale,
            gamma: settings.gamma,
            velocities: BTreeMap::new(),
            initial: BTreeMap::new(),
        }
    }

    /// Takes the model's half-widths as those that training starts from.
    pub(crate) fn start_from(&mut self, model: &mut Model) {
        self.initial = half_widths(&model.quantizers()).collect();
    }

    /// One step; returns how many interval steps the guard of 5 % cut.
    pub(crate) fn step(
        &mut self,
        model: &mut Model,
        gradients: &mut Gradients,
        learning_rate: f64,
    ) -> u64 {
        let before = model.quantizers();
        model.update(gradients, &mut Step { optimizer: self, learning_rate });
        if before.is_empty() {
            return 0;
        }
        let mut cuts = 0;
        let mut after = model.quantizers();
        for (layer, before) in after.iter_mut().zip(&before) {
            let name = &layer.layer;
            let mut project = |which: &str, interval: &mut Interval, before: Interval| {
                let initial = self.initial.get(&format!("{name}.{which}"));
                let initial = initial.copied().unwrap_or(before.half_width);
                let (projected, cut) = interval.project(before, initial);
                *interval = projected;
                cuts += u64::from(cut);
            };
            if let (Some(weights), Some(before)) = (&mut layer.weights, &before.weights) {
                project(WEIGHTS, &mut weights.interval, before.interval);
                weights.gamma = project_gamma(weights.gamma);
            }
            if let (Some(activations), Some(before)) = (&mut layer.activations, before.activations)
            {
                project(ACTIVATIONS, activations, before);
            }
        }
        model.set_quantizers(&after);
        cuts
    }

    /// Momentum buffers by parameter name.
    pub(crate) fn velocities(&self) -> State {
        let flat =
            |values: &Vec<f32>| NamedTensor { shape: vec![values.len()], values: values.clone() };
        self.velocities.iter().map(|(name, values)| (name.clone(), flat(values))).collect()
    }

    /// Half-widths that training started from.
    pub(crate) fn initial_half_widths(&self) -> State {
        let scalar = |value: f32| NamedTensor { shape: vec![1], values: vec![value] };
        self.initial.iter().map(|(name, &value)| (name.clone(), scalar(value))).collect()
    }

    /// Continues from what [`velocities`](Self::velocities) and
    /// [`initial_half_widths`](Self::initial_half_widths) gave.
    pub(crate) fn restore(&mut self, velocities: State, initial: State) {
        self.velocities =
            velocities.into_iter().map(|(name, tensor)| (name, tensor.values)).collect();
        let first = |tensor: NamedTensor| tensor.values.first().copied();
        self.initial =
            initial.into_iter().filter_map(|(name, tensor)| Some((name, first(tensor)?))).collect();
    }
}

const WEIGHTS: &str = "weights";
const ACTIVATIONS: &str = "activations";

fn half_widths(layers: &[LayerQuantizers]) -> impl Iterator<Item = (String, f32)> {
    layers.iter().flat_map(|layer| {
        let of = |which: &str, interval: Interval| {
            (format!("{}.{which}", layer.layer), interval.half_width)
        };
        let weights = layer.weights.map(|weights| of(WEIGHTS, weights.interval));
        weights.into_iter().chain(layer.activations.map(|interval| of(ACTIVATIONS, interval)))
    })
}

struct Step<'a> {
    optimizer: &'a mut Optimizer,
    learning_rate: f64,
}

impl UpdateRule for Step<'_> {
    fn update(&mut self, name: &str, group: ParameterGroup, value: &mut [f32], gradient: &[f32]) {
        let optimizer = &mut *self.optimizer;
        let (scale, weight_decay) = match group {
            ParameterGroup::Weight => (1.0, optimizer.weight_decay),
            ParameterGroup::BatchNorm | ParameterGroup::Bias => (1.0, 0.0),
            ParameterGroup::Interval => (optimizer.quantizer_scale, 0.0),
            ParameterGroup::Gamma => match optimizer.gamma {
                Gamma::Fixed => return,
                Gamma::Learned => (optimizer.quantizer_scale, 0.0),
            },
        };
        let step = SgdStep {
            learning_rate: (self.learning_rate * scale) as f32,
            momentum: optimizer.momentum,
            weight_decay: weight_decay as f32,
            nesterov: optimizer.nesterov,
        };
        if !optimizer.velocities.contains_key(name) {
            optimizer.velocities.insert(name.to_owned(), vec![0.0; value.len()]);
        }
        if let Some(velocity) = optimizer.velocities.get_mut(name) {
            step.run(value, gradient, velocity);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::settings;

    fn updated(settings: &TrainSettings, group: ParameterGroup, gradient: f32) -> (f32, f32) {
        let mut optimizer = Optimizer::new(settings);
        let mut value = [2.0];
        for _ in 0..2 {
            Step { optimizer: &mut optimizer, learning_rate: 0.1 }.update(
                "x",
                group,
                &mut value,
                &[gradient],
            );
        }
        (value[0], optimizer.velocities.get("x").map_or(0.0, |velocity| velocity[0]))
    }

    #[test]
    fn weight_decay_moves_weights_and_nothing_else() {
        let mut settings = settings();
        settings.weight_decay = 0.5;
        settings.gamma = Gamma::Learned;
        assert!(updated(&settings, ParameterGroup::Weight, 0.0).0 < 2.0);
        for group in [
            ParameterGroup::BatchNorm,
            ParameterGroup::Bias,
            ParameterGroup::Interval,
            ParameterGroup::Gamma,
        ] {
            assert_eq!(updated(&settings, group, 0.0).0, 2.0, "{group:?}");
        }
    }

    #[test]
    fn two_steps_follow_pytorchs_recurrence_with_and_without_nesterov() {
        let mut settings = settings();
        settings.weight_decay = 0.0;
        settings.momentum = 0.5;
        // v = 1, then 1.5; p = 2 − 0.1 · (1 + 1.5)
        let (value, velocity) = updated(&settings, ParameterGroup::Weight, 1.0);
        assert_eq!(velocity, 1.5);
        assert!((value - 1.75).abs() < 1e-6);
        // directions 1 + 0.5 · 1 and 1 + 0.5 · 1.5
        settings.nesterov = true;
        let (value, _) = updated(&settings, ParameterGroup::Weight, 1.0);
        assert!((value - (2.0 - 0.1 * (1.5 + 1.75))).abs() < 1e-6);
    }

    #[test]
    fn quantizers_have_their_own_learning_rate_and_gamma_moves_only_if_learned() {
        let mut settings = settings();
        settings.weight_decay = 0.0;
        settings.quantizer_learning_rate_scale = 0.1;
        let moved = |settings: &TrainSettings, group| 2.0 - updated(settings, group, 1.0).0;
        let weight = moved(&settings, ParameterGroup::Weight);
        let interval = moved(&settings, ParameterGroup::Interval);
        assert!((interval - 0.1 * weight).abs() < 1e-6, "{interval} {weight}");
        assert_eq!(moved(&settings, ParameterGroup::Gamma), 0.0);
        settings.gamma = Gamma::Learned;
        assert!(moved(&settings, ParameterGroup::Gamma) > 0.0);
    }
}
