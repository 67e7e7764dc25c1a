//! How gradients change a network.

use bitsweep_qil::{change_values, read_values};
use burn::tensor::{Gradients, Tensor};

use crate::model::Model;
use crate::parameter::{Layout, ParameterGroup, Visitor, replace};

/// How a parameter is changed by its gradient.
pub trait UpdateRule {
    /// Told every gradient, in network order, before anything changes.
    fn gradient(&mut self, _group: ParameterGroup, _gradient: &[f32]) {}

    /// Changes `value` in place; both slices are in this program's layout, element for element. The gradient
    /// is used up: it may be scratch memory.
    fn update(
        &mut self,
        name: &str,
        group: ParameterGroup,
        value: &mut [f32],
        gradient: &mut [f32],
    );
}

impl Model {
    /// Chooses the parameters that are trained; the others get no gradient and cost none.
    pub fn set_trained(&mut self, trained: impl Fn(ParameterGroup) -> bool) {
        struct Choose<F>(F);
        impl<F: Fn(ParameterGroup) -> bool> Visitor for Choose<F> {
            fn parameter<const D: usize>(
                &mut self,
                _: &str,
                group: ParameterGroup,
                _: Layout,
                tensor: &mut Tensor<D>,
            ) {
                *tensor = tensor.clone().set_require_grad(self.0(group));
            }
        }
        if self.device.is_autodiff() {
            self.network.visit(&mut Choose(trained));
        }
    }

    /// Changes every parameter that has a gradient, in network order.
    pub fn update(&mut self, gradients: &mut Gradients, rule: &mut impl UpdateRule) {
        let mut all = Collect { gradients, rule: &mut *rule, kept: Vec::new() };
        self.network.visit(&mut all);
        let gradients = all.kept.into_iter();
        self.network.visit(&mut Apply { gradients, rule });
    }

    /// Moves every value, running statistics included, towards `other`'s: to `keep` times the own and
    /// `1 − keep` times the other. Both are networks of one configuration.
    pub fn blend(&mut self, other: &Model, keep: f64) {
        let mut others = Flat(Vec::new());
        other.frozen().network.visit(&mut others);
        self.network.visit(&mut Blend { others: others.0.into_iter(), keep });
    }
}

/// Takes every gradient out of the graph, tells it, and keeps it.
struct Collect<'a, R> {
    gradients: &'a mut Gradients,
    rule: &'a mut R,
    /// In network order, flat; `None` for what has no gradient.
    kept: Vec<Option<Tensor<1>>>,
}

impl<R: UpdateRule> Visitor for Collect<'_, R> {
    fn parameter<const D: usize>(
        &mut self,
        _: &str,
        group: ParameterGroup,
        _: Layout,
        tensor: &mut Tensor<D>,
    ) {
        let gradient = tensor.grad_remove(self.gradients).map(|gradient| gradient.reshape([-1]));
        if let Some(gradient) = &gradient {
            read_values(gradient, |gradient| self.rule.gradient(group, gradient));
        }
        self.kept.push(gradient);
    }
}

struct Apply<'a, R> {
    gradients: std::vec::IntoIter<Option<Tensor<1>>>,
    rule: &'a mut R,
}

impl<R: UpdateRule> Visitor for Apply<'_, R> {
    fn parameter<const D: usize>(
        &mut self,
        name: &str,
        group: ParameterGroup,
        _: Layout,
        tensor: &mut Tensor<D>,
    ) {
        let Some(gradient) = self.gradients.next().flatten() else { return };
        // Taken, not cloned: the only owner's memory is changed where it is.
        let old = std::mem::replace(tensor, Tensor::empty([0; D], &gradient.device()));
        *tensor = change_values(old, |value| {
            change_values(gradient, |gradient| self.rule.update(name, group, value, gradient));
        });
    }
}

/// Every tensor in network order, flat.
struct Flat(Vec<Tensor<1>>);

impl Visitor for Flat {
    fn parameter<const D: usize>(
        &mut self,
        _: &str,
        _: ParameterGroup,
        _: Layout,
        tensor: &mut Tensor<D>,
    ) {
        self.0.push(tensor.clone().reshape([-1]));
    }

    fn buffer(&mut self, _: &str, tensor: &mut Tensor<1>) {
        self.0.push(tensor.clone());
    }
}

struct Blend {
    others: std::vec::IntoIter<Tensor<1>>,
    keep: f64,
}

impl Blend {
    fn blend<const D: usize>(&mut self, tensor: &mut Tensor<D>) {
        if let Some(other) = self.others.next() {
            let (device, shape) = (tensor.device(), tensor.dims());
            let own = if device.is_autodiff() { tensor.clone().inner() } else { tensor.clone() };
            // In this form equal values stay as they are, to the last bit.
            let blended = own.clone() + (other.reshape(shape) - own) * (1.0 - self.keep);
            let new = if device.is_autodiff() { Tensor::from_inner(blended) } else { blended };
            replace(tensor, new);
        }
    }
}

impl Visitor for Blend {
    fn parameter<const D: usize>(
        &mut self,
        _: &str,
        _: ParameterGroup,
        _: Layout,
        tensor: &mut Tensor<D>,
    ) {
        self.blend(tensor);
    }

    fn buffer(&mut self, _: &str, tensor: &mut Tensor<1>) {
        self.blend(tensor);
    }
}
