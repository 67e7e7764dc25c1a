//! A network with what trains, saves and quantizes it.

use burn::tensor::{Device, Tensor};

use crate::alexnet::AlexNet;
use crate::config::{Architecture, ModelConfig};
use crate::init::Initializer;
use crate::layer::{LayerMut, Pass, Statistics};
use crate::parameter::{Layout, ParameterGroup, Visitor};
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

#[derive(Clone, Debug)]
pub(crate) enum Network {
    ResNet(Box<ResNet>),
    AlexNet(Box<AlexNet>),
}

impl Network {
    pub(crate) fn forward(&mut self, images: Tensor<4>, pass: &mut Pass<'_>) -> Tensor<2> {
        match self {
            Self::ResNet(network) => network.forward(images, pass),
            Self::AlexNet(network) => network.forward(images, pass),
        }
    }

    pub(crate) fn visit(&mut self, visitor: &mut impl Visitor) {
        match self {
            Self::ResNet(network) => network.visit(visitor),
            Self::AlexNet(network) => network.visit(visitor),
        }
    }

    pub(crate) fn quantized(&mut self) -> Vec<LayerMut<'_>> {
        match self {
            Self::ResNet(network) => network.quantized(),
            Self::AlexNet(network) => network.quantized(),
        }
    }
}

/// A network. Its parameters take gradients if its device does.
#[derive(Clone, Debug)]
pub struct Model {
    pub(crate) network: Network,
    pub(crate) device: Device,
}

impl Model {
    /// A network with initial values from `seed`, on `device`: one with gradients
    /// (`Device::flex().autodiff()`) to train it.
    ///
    /// # Errors
    /// When the configuration is no network.
    pub fn new(config: &ModelConfig, seed: u64, device: &Device) -> Result<Self, ModelError> {
        config.check().map_err(ModelError)?;
        let init = Initializer { seed, device, convolution: config.convolution };
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
}
