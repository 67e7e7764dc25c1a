//! SGD with momentum as PyTorch defines it, a rate and a decay for every kind of parameter.

use std::collections::BTreeMap;

use bitsweep_kernels::sgd::SgdStep;
use bitsweep_models::{
    Interval, LayerQuantizers, Model, NamedTensor, ParameterGroup, State, UpdateRule,
};
use bitsweep_qil::{activation_levels, project_gamma};
use bitsweep_sweep::{Gamma, QuantizerLearningRate, TrainSettings};
use burn::tensor::Gradients;

use crate::clipping::{self, Clipping};
use crate::projection::project;

/// Momentum buffers and the rule that moves every parameter.
#[derive(Debug)]
pub(crate) struct Optimizer {
    settings: TrainSettings,
    velocities: BTreeMap<String, Vec<f32>>,
    /// Half-widths that training started from, `<layer>.<which>`: their share is the floor of d.
    initial: BTreeMap<String, f32>,
    /// Learning rates of quantizers relative to the weights', `<layer>.<which>`, where layers differ.
    rates: BTreeMap<String, f64>,
}

/// What the guards did in one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Guards {
    /// Intervals whose step was cut to the limit.
    pub cut_intervals: u64,
    /// Whether the gradients were clipped.
    pub clipped: bool,
}

impl Optimizer {
    /// An optimizer at rest.
    pub(crate) fn new(settings: &TrainSettings) -> Self {
        Self {
            settings: settings.clone(),
            velocities: BTreeMap::new(),
            initial: BTreeMap::new(),
            rates: BTreeMap::new(),
        }
    }

    /// Takes the model's half-widths as those that training starts from.
    pub(crate) fn start_from(&mut self, model: &mut Model) {
        self.initial = half_widths(&model.quantizers()).collect();
    }

    /// Sets each layer's own learning rate, 1/√(n·q): n counts the layer's
    /// weights or the values of its input for one image, q the positive levels (Esser et al. 2020, *Learned
    /// step size quantization*, section 2.2: N_W weights, N_F features). `inputs` gives a layer's n.
    pub(crate) fn set_layer_rates(
        &mut self,
        model: &mut Model,
        activation_bits: u8,
        inputs: &BTreeMap<String, usize>,
    ) {
        let rate = |count: usize, levels: u32| 1.0 / (count as f64 * f64::from(levels)).sqrt();
        let mut weights = BTreeMap::new();
        model.quantized_weights(|layer, values| {
            weights.insert(layer.to_owned(), values.len());
        });
        for LayerQuantizers { layer, weights: quantizer, activations } in model.quantizers() {
            if let (Some(quantizer), Some(&count)) = (quantizer, weights.get(&layer)) {
                self.rates.insert(format!("{layer}.{WEIGHTS}"), rate(count, quantizer.levels));
            }
            if let (Some(_), Some(&count)) = (activations, inputs.get(&layer)) {
                let rate = rate(count, activation_levels(activation_bits));
                self.rates.insert(format!("{layer}.{ACTIVATIONS}"), rate);
            }
        }
    }

    /// One step: clipped gradients, updated parameters, valid intervals.
    pub(crate) fn step(
        &mut self,
        model: &mut Model,
        gradients: &mut Gradients,
        learning_rate: f64,
    ) -> Guards {
        let before = model.quantizers();
        let clipping = self.settings.gradient_clip_norm.map(Clipping::new);
        let mut step = Step { optimizer: &mut *self, learning_rate, clipping };
        model.update(gradients, &mut step);
        let clipped = step.clipping.is_some_and(|clipping| clipping.factor().is_some());
        Guards { cut_intervals: self.make_valid(model, &before), clipped }
    }

    /// Projects the intervals after a step that started at `before`; counts those that were cut.
    fn make_valid(&self, model: &mut Model, before: &[LayerQuantizers]) -> u64 {
        if before.is_empty() {
            return 0;
        }
        let limit = self.settings.interval_step_limit as f32;
        let mut cuts = 0;
        let mut after = model.quantizers();
        for (layer, before) in after.iter_mut().zip(before) {
            let name = &layer.layer;
            let mut make_valid = |which: &str, interval: &mut Interval, before: Interval| {
                let initial = self.initial_half_width(name, which).unwrap_or(before.half_width);
                let (projected, cut) = project(*interval, before, initial, limit);
                *interval = projected;
                cuts += u64::from(cut);
            };
            if let (Some(weights), Some(before)) = (&mut layer.weights, &before.weights) {
                make_valid(WEIGHTS, &mut weights.interval, before.interval);
                weights.gamma = project_gamma(weights.gamma);
            }
            if let (Some(activations), Some(before)) = (&mut layer.activations, before.activations)
            {
                make_valid(ACTIVATIONS, activations, before);
            }
        }
        model.set_quantizers(&after);
        cuts
    }

    /// The half-width that a layer's interval started from: `which` is [`WEIGHTS`] or [`ACTIVATIONS`].
    pub(crate) fn initial_half_width(&self, layer: &str, which: &str) -> Option<f32> {
        self.initial.get(&format!("{layer}.{which}")).copied()
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

    /// Learning rate relative to the weights', and weight decay; `None` for what is not trained.
    fn rate_and_decay(&self, name: &str, group: ParameterGroup) -> Option<(f64, f64)> {
        let settings = &self.settings;
        Some(match group {
            ParameterGroup::Weight => (1.0, settings.weight_decay),
            ParameterGroup::BatchNorm => {
                (settings.batch_norm.learning_rate_scale, settings.batch_norm.weight_decay)
            }
            ParameterGroup::Bias => (settings.bias.learning_rate_scale, settings.bias.weight_decay),
            ParameterGroup::Interval => {
                (self.quantizer_rate(name), settings.quantizer_weight_decay)
            }
            ParameterGroup::Gamma => match settings.gamma {
                Gamma::Fixed => return None,
                Gamma::Learned => {
                    let rate = self.quantizer_rate(name) * settings.gamma_learning_rate_scale;
                    (rate, settings.quantizer_weight_decay)
                }
            },
        })
    }

    /// `name` is a parameter's: `<layer>.weight_quantizer.center` and the like.
    fn quantizer_rate(&self, name: &str) -> f64 {
        match self.settings.quantizer_learning_rate {
            QuantizerLearningRate::Scale(scale) => scale,
            QuantizerLearningRate::PerLayer => {
                let (quantizer, _) = name.rsplit_once('.').unwrap_or((name, ""));
                let (layer, which) = quantizer.rsplit_once('.').unwrap_or(("", quantizer));
                let which = if which == "weight_quantizer" { WEIGHTS } else { ACTIVATIONS };
                self.rates.get(&format!("{layer}.{which}")).copied().unwrap_or(0.0)
            }
        }
    }
}

/// The quantizer of a layer's weights.
pub(crate) const WEIGHTS: &str = "weights";
/// The quantizer of a layer's input.
pub(crate) const ACTIVATIONS: &str = "activations";

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
    clipping: Option<Clipping>,
}

impl UpdateRule for Step<'_> {
    fn gradient(&mut self, group: ParameterGroup, gradient: &[f32]) {
        if let Some(clipping) = &mut self.clipping {
            clipping.add(group, gradient);
        }
    }

    fn update(
        &mut self,
        name: &str,
        group: ParameterGroup,
        value: &mut [f32],
        gradient: &mut [f32],
    ) {
        let Some((rate, weight_decay)) = self.optimizer.rate_and_decay(name, group) else { return };
        let step = SgdStep {
            learning_rate: (self.learning_rate * rate) as f32,
            momentum: self.optimizer.settings.momentum as f32,
            weight_decay: weight_decay as f32,
            nesterov: self.optimizer.settings.nesterov,
        };
        if Clipping::concerns(group)
            && let Some(factor) = self.clipping.and_then(|clipping| clipping.factor())
        {
            clipping::scale(gradient, factor);
        }
        let velocities = &mut self.optimizer.velocities;
        if !velocities.contains_key(name) {
            velocities.insert(name.to_owned(), vec![0.0; value.len()]);
        }
        if let Some(velocity) = velocities.get_mut(name) {
            step.run(value, gradient, velocity);
        }
    }
}

#[cfg(test)]
mod tests;
