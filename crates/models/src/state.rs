//! A model as named tensors in torchvision's layout.

use std::collections::BTreeMap;

use burn::tensor::{Tensor, TensorData};

use crate::layer::values;
use crate::parameter::{Layout, ParameterGroup, Visitor, replace};

/// A tensor outside a backend.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    /// Sizes of the axes, outermost first.
    pub shape: Vec<usize>,
    /// Row-major values.
    pub values: Vec<f32>,
}

/// Parameters, buffers and quantizer scalars by name.
pub type State = BTreeMap<String, NamedTensor>;

/// Marks names that only quantized networks have.
pub(crate) const QUANTIZER: &str = "_quantizer.";

/// Whether the state must have exactly this network's quantizers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuantizersInState {
    /// Exactly those of this network.
    Required,
    /// Missing ones keep their values, others are ignored: for a parent of another width.
    Optional,
}

/// A state that does not fit the network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the weights do not fit the network: {}", report(self))]
pub struct StateError {
    /// Names the network has and the state has not.
    pub missing: Vec<String>,
    /// Names the state has and the network has not.
    pub unexpected: Vec<String>,
    /// Names with the shapes found and expected.
    pub mis_shaped: Vec<(String, Vec<usize>, Vec<usize>)>,
}

fn report(error: &StateError) -> String {
    let mut parts = Vec::new();
    if !error.missing.is_empty() {
        parts.push(format!("missing {}", error.missing.join(", ")));
    }
    if !error.unexpected.is_empty() {
        parts.push(format!("unexpected {}", error.unexpected.join(", ")));
    }
    for (name, found, expected) in &error.mis_shaped {
        parts.push(format!("{name} is {found:?} where {expected:?} is expected"));
    }
    parts.join("; ")
}

/// Collects a state.
#[derive(Default)]
pub(crate) struct Reader {
    pub(crate) state: State,
}

impl Visitor for Reader {
    fn parameter<const D: usize>(
        &mut self,
        name: &str,
        _: ParameterGroup,
        layout: Layout,
        tensor: &mut Tensor<D>,
    ) {
        let here = NamedTensor { shape: tensor.dims().to_vec(), values: values(tensor) };
        self.state.insert(name.to_owned(), layout.outward(&here));
    }

    fn buffer(&mut self, name: &str, tensor: &mut Tensor<1>) {
        let here = NamedTensor { shape: tensor.dims().to_vec(), values: values(tensor) };
        self.state.insert(name.to_owned(), here);
    }
}

/// Compares a state with a network, then writes it.
pub(crate) struct Writer<'a> {
    state: &'a State,
    quantizers: QuantizersInState,
    /// First only compares: a state that does not fit changes nothing.
    pub(crate) write: bool,
    seen: Vec<String>,
    error: StateError,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(state: &'a State, quantizers: QuantizersInState) -> Self {
        let error =
            StateError { missing: Vec::new(), unexpected: Vec::new(), mis_shaped: Vec::new() };
        Self { state, quantizers, write: false, seen: Vec::new(), error }
    }

    /// What is wrong after a first visit.
    pub(crate) fn compared(&mut self) -> Result<(), StateError> {
        let unknown = self.state.keys().filter(|name| !self.seen.contains(name));
        let optional = self.quantizers == QuantizersInState::Optional;
        self.error.unexpected =
            unknown.filter(|name| !(optional && name.contains(QUANTIZER))).cloned().collect();
        let StateError { missing, unexpected, mis_shaped } = &self.error;
        if missing.is_empty() && unexpected.is_empty() && mis_shaped.is_empty() {
            Ok(())
        } else {
            Err(self.error.clone())
        }
    }

    fn take(&mut self, name: &str, layout: Layout, shape: &[usize]) -> Option<NamedTensor> {
        self.seen.push(name.to_owned());
        let Some(given) = self.state.get(name) else {
            if !(self.quantizers == QuantizersInState::Optional && name.contains(QUANTIZER)) {
                self.error.missing.push(name.to_owned());
            }
            return None;
        };
        let expected = layout.outward_shape(shape);
        if given.shape != expected {
            self.error.mis_shaped.push((name.to_owned(), given.shape.clone(), expected));
            return None;
        }
        self.write.then(|| layout.inward(given, shape))
    }
}

impl Visitor for Writer<'_> {
    fn parameter<const D: usize>(
        &mut self,
        name: &str,
        _: ParameterGroup,
        layout: Layout,
        tensor: &mut Tensor<D>,
    ) {
        if let Some(new) = self.take(name, layout, &tensor.dims()) {
            let data = TensorData::new(new.values, new.shape);
            let new = Tensor::from_data(data, &tensor.device());
            replace(tensor, new);
        }
    }

    fn buffer(&mut self, name: &str, tensor: &mut Tensor<1>) {
        if let Some(new) = self.take(name, Layout::Same, &tensor.dims()) {
            *tensor = Tensor::from_data(TensorData::new(new.values, new.shape), &tensor.device());
        }
    }
}

impl Layout {
    /// The shape in torchvision's order.
    fn outward_shape(self, shape: &[usize]) -> Vec<usize> {
        match (self, shape) {
            (Self::Convolution, &[height, width, inputs, outputs]) => {
                vec![outputs, inputs, height, width]
            }
            (Self::Linear | Self::LinearAfterImage { .. }, &[inputs, outputs]) => {
                vec![outputs, inputs]
            }
            _ => shape.to_vec(),
        }
    }

    /// From here to torchvision's order.
    fn outward(self, tensor: &NamedTensor) -> NamedTensor {
        let mut values = vec![0.0; tensor.values.len()];
        self.pairs(&tensor.shape, |here, there| values[there] = tensor.values[here]);
        NamedTensor { shape: self.outward_shape(&tensor.shape), values }
    }

    /// From torchvision's order to here; `shape` is the shape here.
    fn inward(self, tensor: &NamedTensor, shape: &[usize]) -> NamedTensor {
        let mut values = vec![0.0; tensor.values.len()];
        self.pairs(shape, |here, there| values[here] = tensor.values[there]);
        NamedTensor { shape: shape.to_vec(), values }
    }

    /// Tells for every element where it lies here and in torchvision's order.
    fn pairs(self, shape: &[usize], mut pair: impl FnMut(usize, usize)) {
        match (self, shape) {
            (Self::Convolution, &[height, width, inputs, outputs]) => {
                for pixel in 0..height * width {
                    for input in 0..inputs {
                        for output in 0..outputs {
                            let here = (pixel * inputs + input) * outputs + output;
                            pair(here, (output * inputs + input) * height * width + pixel);
                        }
                    }
                }
            }
            (Self::Linear, &[inputs, outputs]) => {
                for input in 0..inputs {
                    for output in 0..outputs {
                        pair(input * outputs + output, output * inputs + input);
                    }
                }
            }
            (Self::LinearAfterImage { pixels }, &[inputs, outputs]) => {
                let channels = inputs / pixels;
                for pixel in 0..pixels {
                    for channel in 0..channels {
                        for output in 0..outputs {
                            let here = (pixel * channels + channel) * outputs + output;
                            pair(here, output * inputs + channel * pixels + pixel);
                        }
                    }
                }
            }
            _ => (0..shape.iter().product()).for_each(|at| pair(at, at)),
        }
    }
}
