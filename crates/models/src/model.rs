//! A network with what trains, saves and quantizes it.

use bitsweep_qil::{Interval, WeightStatistics, weight_statistics};
use burn::tensor::{Device, Gradients, Tensor, TensorData};

use crate::alexnet::AlexNet;
use crate::config::{Architecture, ModelConfig};
use crate::init::Initializer;
use crate::layer::{LayerMut, Pass, Statistics, into_values, values};
use crate::parameter::{Layout, ParameterGroup, Visitor, trained};
use crate::quantizers::WeightQuantizer;
use crate::resnet::ResNet;
use crate::state::{QuantizersInState, Reader, State, StateError, Writer};

/// PyTorch's weight of a batch in the running statistics.
const MOMENTUM: f64 = 0.1;

/// A configuration that is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ModelError(String);

/// How a forward pass treats batch-norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// With the batch's statistics; running statistics follow.
    Train,
    /// With running statistics.
    Evaluate,
}

/// One quantized layer's intervals; `None` where the width is 32.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerQuantizers {
    /// torchvision's name of the layer.
    pub layer: String,
    /// Of its weights.
    pub weights: Option<WeightQuantizer>,
    /// Of its input.
    pub activations: Option<Interval>,
}

/// How a parameter is changed by its gradient.
pub trait UpdateRule {
    /// Changes `value` in place; both slices are in this program's layout, element for element.
    fn update(&mut self, name: &str, group: ParameterGroup, value: &mut [f32], gradient: &[f32]);
}

#[derive(Clone, Debug)]
enum Network {
    ResNet(Box<ResNet>),
    AlexNet(Box<AlexNet>),
}

impl Network {
    fn forward(&mut self, images: Tensor<4>, pass: &mut Pass<'_>) -> Tensor<2> {
        match self {
            Self::ResNet(network) => network.forward(images, pass),
            Self::AlexNet(network) => network.forward(images, pass),
        }
    }

    fn visit(&mut self, visitor: &mut impl Visitor) {
        match self {
            Self::ResNet(network) => network.visit(visitor),
            Self::AlexNet(network) => network.visit(visitor),
        }
    }

    fn quantized(&mut self) -> Vec<LayerMut<'_>> {
        match self {
            Self::ResNet(network) => network.quantized(),
            Self::AlexNet(network) => network.quantized(),
        }
    }
}

/// A network. Its parameters take gradients if its device does.
#[derive(Clone, Debug)]
pub struct Model {
    network: Network,
    device: Device,
}

impl Model {
    /// A network with initial values from `seed`, on `device`: one with gradients
    /// (`Device::flex().autodiff()`) to train it.
    ///
    /// # Errors
    /// When the configuration is no network.
    pub fn new(config: &ModelConfig, seed: u64, device: &Device) -> Result<Self, ModelError> {
        config.check().map_err(ModelError)?;
        let init = Initializer { seed, device };
        let network = match config.architecture {
            Architecture::ResNet18 => {
                Network::ResNet(Box::new(ResNet::new(config, [2, 2, 2, 2], &init)))
            }
            Architecture::ResNet34 => {
                Network::ResNet(Box::new(ResNet::new(config, [3, 4, 6, 3], &init)))
            }
            Architecture::AlexNet => Network::AlexNet(Box::new(AlexNet::new(config, &init))),
        };
        Ok(Self { network, device: device.clone() })
    }

    /// Where the parameters are.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Logits `[n, classes]` of images `[n, h, w, c]`.
    pub fn forward(&mut self, images: Tensor<4>, mode: Mode) -> Tensor<2> {
        let statistics = match mode {
            Mode::Train => Statistics::Batch { momentum: MOMENTUM },
            Mode::Evaluate => Statistics::Running,
        };
        let mut pass = Pass { statistics, full_precision: false, capture: None };
        self.network.forward(images, &mut pass)
    }

    /// The same network without gradients, sharing its values: for evaluation.
    pub fn frozen(&self) -> Self {
        struct Freeze;
        impl Visitor for Freeze {
            fn parameter<const D: usize>(
                &mut self,
                _: &str,
                _: ParameterGroup,
                _: Layout,
                tensor: &mut Tensor<D>,
            ) {
                *tensor = tensor.clone().inner();
            }

            fn buffer(&mut self, _: &str, tensor: &mut Tensor<1>) {
                *tensor = tensor.clone().inner();
            }
        }
        let mut frozen = self.clone();
        if self.device.is_autodiff() {
            frozen.network.visit(&mut Freeze);
            frozen.device = self.device.clone().inner();
        }
        frozen
    }

    /// Tells every quantizable layer's input for `images`, in network order, by an evaluation of this
    /// (frozen) network: at its own widths, or with quantizers passed by.
    pub fn capture_inputs(
        &mut self,
        images: Tensor<4>,
        full_precision: bool,
        mut capture: impl FnMut(&str, Vec<f32>),
    ) {
        let mut pass =
            Pass { statistics: Statistics::Running, full_precision, capture: Some(&mut capture) };
        self.network.forward(images, &mut pass);
    }

    /// Replaces running statistics by the mean over `batches` (PyTorch's `momentum=None`). Images are on
    /// the device of [`frozen`](Self::frozen). Without batches nothing changes.
    pub fn recompute_batch_norm(&mut self, batches: impl Iterator<Item = Tensor<4>>) {
        let mut frozen = self.frozen();
        for (index, images) in batches.enumerate() {
            let momentum = 1.0 / (index as f64 + 1.0);
            let statistics = Statistics::Batch { momentum };
            let mut pass = Pass { statistics, full_precision: false, capture: None };
            frozen.network.forward(images, &mut pass);
        }
        struct Buffers(Vec<Vec<f32>>);
        impl Visitor for Buffers {
            fn parameter<const D: usize>(
                &mut self,
                _: &str,
                _: ParameterGroup,
                _: Layout,
                _: &mut Tensor<D>,
            ) {
            }

            fn buffer(&mut self, _: &str, tensor: &mut Tensor<1>) {
                self.0.push(values(tensor));
            }
        }
        struct SetBuffers(std::vec::IntoIter<Vec<f32>>);
        impl Visitor for SetBuffers {
            fn parameter<const D: usize>(
                &mut self,
                _: &str,
                _: ParameterGroup,
                _: Layout,
                _: &mut Tensor<D>,
            ) {
            }

            fn buffer(&mut self, _: &str, tensor: &mut Tensor<1>) {
                if let Some(values) = self.0.next() {
                    *tensor = Tensor::from_floats(values.as_slice(), &tensor.device());
                }
            }
        }
        let mut buffers = Buffers(Vec::new());
        frozen.network.visit(&mut buffers);
        self.network.visit(&mut SetBuffers(buffers.0.into_iter()));
    }

    /// Changes every parameter that has a gradient, in network order.
    pub fn update(&mut self, gradients: &mut Gradients, rule: &mut impl UpdateRule) {
        struct Update<'a, R>(&'a mut Gradients, &'a mut R);
        impl<R: UpdateRule> Visitor for Update<'_, R> {
            fn parameter<const D: usize>(
                &mut self,
                name: &str,
                group: ParameterGroup,
                _: Layout,
                tensor: &mut Tensor<D>,
            ) {
                let Some(gradient) = tensor.grad_remove(self.0) else { return };
                let (device, shape) = (tensor.device(), tensor.dims());
                // Taken, not cloned: the only owner's memory is not copied.
                let old = std::mem::replace(tensor, Tensor::empty([0; D], &device));
                let mut value = into_values(old);
                self.1.update(name, group, &mut value, &into_values(gradient));
                *tensor = trained(Tensor::from_data(TensorData::new(value, shape), &device));
            }

            fn buffer(&mut self, _: &str, _: &mut Tensor<1>) {}
        }
        self.network.visit(&mut Update(gradients, rule));
    }

    /// Trained values, quantizers included.
    pub fn parameter_count(&mut self) -> usize {
        self.count(|_| true)
    }

    /// Trained values of the full-precision network.
    pub fn weight_count(&mut self) -> usize {
        self.count(|group| !matches!(group, ParameterGroup::Interval | ParameterGroup::Gamma))
    }

    fn count(&mut self, counted: impl Fn(ParameterGroup) -> bool) -> usize {
        struct Count<F>(usize, F);
        impl<F: Fn(ParameterGroup) -> bool> Visitor for Count<F> {
            fn parameter<const D: usize>(
                &mut self,
                _: &str,
                group: ParameterGroup,
                _: Layout,
                tensor: &mut Tensor<D>,
            ) {
                if self.1(group) {
                    self.0 += tensor.shape().num_elements();
                }
            }

            fn buffer(&mut self, _: &str, _: &mut Tensor<1>) {}
        }
        let mut count = Count(0, counted);
        self.network.visit(&mut count);
        count.0
    }

    /// Everything that makes this network what it is, in torchvision's names and layout, with
    /// `<layer>.weight_quantizer.{center, half_width, gamma}` and
    /// `<layer>.activation_quantizer.{center, half_width}` as one-element tensors.
    /// `num_batches_tracked` is absent: only PyTorch's `momentum=None` reads it.
    pub fn state(&mut self) -> State {
        let mut reader = Reader::default();
        self.network.visit(&mut reader);
        reader.state
    }

    /// Takes over a state.
    ///
    /// # Errors
    /// With every name that is missing, unexpected or of another shape; nothing is changed then.
    pub fn load_state(
        &mut self,
        state: &State,
        quantizers: QuantizersInState,
    ) -> Result<(), StateError> {
        let mut writer = Writer::new(state, quantizers);
        self.network.visit(&mut writer);
        writer.compared()?;
        writer.write = true;
        self.network.visit(&mut writer);
        Ok(())
    }

    /// Intervals of every quantized layer, in network order.
    pub fn quantizers(&mut self) -> Vec<LayerQuantizers> {
        self.network
            .quantized()
            .into_iter()
            .map(|layer| {
                let (weights, activations) = layer.quantizers.read();
                LayerQuantizers { layer: layer.name.to_owned(), weights, activations }
            })
            .collect()
    }

    /// Sets the intervals of every quantized layer, in the order of [`quantizers`](Self::quantizers);
    /// `None` leaves one as it is.
    ///
    /// # Panics
    /// If these are not this network's layers.
    pub fn set_quantizers(&mut self, all: &[LayerQuantizers]) {
        let device = self.device.clone();
        let layers = self.network.quantized();
        assert_eq!(layers.len(), all.len(), "intervals of another network");
        for (layer, new) in layers.into_iter().zip(all) {
            assert_eq!(layer.name, new.layer, "intervals of another network");
            let weights = new.weights.map(|w| (w.interval, w.gamma));
            layer.quantizers.write(weights, new.activations, &device);
        }
    }

    /// Tells the weights of every quantized layer, in network order.
    pub fn quantized_weights(&mut self, mut tell: impl FnMut(&str, &[f32])) {
        for layer in self.network.quantized() {
            tell(layer.name, &layer.weights.values());
        }
    }

    /// Every quantized layer's intervals with its weights' statistics; `None` where weights have 32 bits.
    pub fn layer_statistics(&mut self) -> Vec<(LayerQuantizers, Option<WeightStatistics>)> {
        let quantizers = self.quantizers();
        let layers = self.network.quantized();
        quantizers
            .into_iter()
            .zip(layers)
            .map(|(quantizers, layer)| {
                let statistics = quantizers.weights.map(|w| {
                    weight_statistics(&layer.weights.values(), w.interval, w.gamma, w.levels)
                });
                (quantizers, statistics)
            })
            .collect()
    }
}
