//! The layers networks are made of.

use bitsweep_qil::{
    BatchStatistics, ConvolutionSettings, batch_norm, conv2d, read_values, scale_and_shift,
};
use burn::tensor::{Device, Tensor};

use crate::init::Initializer;
use crate::parameter::{Layout, ParameterGroup, Visitor, trained};
use crate::quantizers::{Quantization, Quantizers};

/// PyTorch's default.
pub(crate) const EPSILON: f32 = 1e-5;

/// Told the name of a layer and its input.
pub(crate) type Capture<'a> = dyn FnMut(&str, Vec<f32>) + 'a;

/// How a forward pass treats batch-norm and quantizers.
pub(crate) struct Pass<'a> {
    pub(crate) statistics: Statistics,
    /// Whether quantizers are passed by.
    pub(crate) full_precision: bool,
    /// Told every quantized layer's input, before its quantizer.
    pub(crate) capture: Option<&'a mut Capture<'a>>,
}

/// Which statistics batch-norm uses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Statistics {
    /// The batch's own; running ones move by this share (PyTorch's momentum).
    Batch {
        /// Weight of the batch in the running statistics.
        momentum: f64,
    },
    /// The running ones.
    Running,
    /// None: the input passes with the shift added, as if scale and statistics were those of the identity.
    /// Running statistics follow those of the batch.
    Identity {
        /// Weight of the batch in the running statistics.
        momentum: f64,
    },
}

/// A quantized layer: its weights and what quantizes them.
pub(crate) struct LayerMut<'a> {
    pub(crate) name: &'a str,
    pub(crate) weights: WeightsRef<'a>,
    pub(crate) quantizers: &'a mut Quantizers,
}

/// Weights of either kind of layer.
pub(crate) enum WeightsRef<'a> {
    Convolution(&'a Tensor<4>),
    Linear(&'a Tensor<2>),
}

impl WeightsRef<'_> {
    /// What `read` makes of the values, row-major.
    pub(crate) fn read<R>(&self, read: impl FnOnce(&[f32]) -> R) -> R {
        match self {
            Self::Convolution(tensor) => read_values(tensor, read),
            Self::Linear(tensor) => read_values(tensor, read),
        }
    }
}

/// Convolution without bias.
#[derive(Clone, Debug)]
pub(crate) struct Convolution {
    pub(crate) name: String,
    pub(crate) weights: Tensor<4>,
    pub(crate) quantizers: Option<Quantizers>,
    /// Whether some widths would quantize it: not the first layer.
    quantizable: bool,
    stride: usize,
    padding: usize,
    settings: ConvolutionSettings,
}

/// Shape of a convolution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConvolutionConfig {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) padding: usize,
    /// `None`: always full precision.
    pub(crate) quantization: Option<Quantization>,
}

impl Convolution {
    pub(crate) fn new(name: &str, config: ConvolutionConfig, init: &Initializer<'_>) -> Self {
        let ConvolutionConfig { inputs, outputs, kernel, stride, padding, quantization } = config;
        let fan_out = outputs * kernel * kernel;
        let weights = init.kaiming_normal(name, [kernel, kernel, inputs, outputs], fan_out);
        let quantizers =
            quantization.filter(|q| !q.is_full()).map(|q| Quantizers::new(q, init.device));
        Self {
            name: name.to_owned(),
            weights,
            quantizers,
            quantizable: quantization.is_some(),
            stride,
            padding,
            settings: init.convolution,
        }
    }

    pub(crate) fn forward(&self, input: Tensor<4>, pass: &mut Pass<'_>) -> Tensor<4> {
        let quantizers = self.quantizers.as_ref().filter(|_| !pass.full_precision);
        if self.quantizable
            && let Some(capture) = &mut pass.capture
        {
            capture(&self.name, values(&input));
        }
        let (input, weights) = match quantizers {
            Some(quantizers) => quantizers.apply(input, self.weights.clone()),
            None => (input, self.weights.clone()),
        };
        conv2d(input, weights, self.stride, self.padding, self.settings)
    }

    pub(crate) fn quantized(&mut self) -> Option<LayerMut<'_>> {
        let quantizers = self.quantizers.as_mut()?;
        Some(LayerMut {
            name: &self.name,
            weights: WeightsRef::Convolution(&self.weights),
            quantizers,
        })
    }

    pub(crate) fn visit(&mut self, visitor: &mut impl Visitor) {
        let name = format!("{}.weight", self.name);
        visitor.parameter(&name, ParameterGroup::Weight, Layout::Convolution, &mut self.weights);
        if let Some(quantizers) = &mut self.quantizers {
            quantizers.visit(&self.name, visitor);
        }
    }
}

/// The values of a tensor in row-major order.
pub(crate) fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    into_values(tensor.clone())
}

/// [`values`] without a copy where nobody else holds the tensor's memory.
pub(crate) fn into_values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec::<f32>().expect("activations and parameters are f32")
}

/// Fully connected layer behind batch-norm's own shift, or with a bias.
#[derive(Clone, Debug)]
pub(crate) struct Linear {
    pub(crate) name: String,
    /// `[in, out]`.
    pub(crate) weights: Tensor<2>,
    bias: Option<Tensor<1>>,
    pub(crate) quantizers: Option<Quantizers>,
    /// Whether some widths would quantize it: not the last layer.
    quantizable: bool,
    layout: Layout,
}

impl Linear {
    pub(crate) fn new(
        name: &str,
        inputs: usize,
        outputs: usize,
        bias: bool,
        quantization: Option<Quantization>,
        init: &Initializer<'_>,
    ) -> Self {
        let bound = 1.0 / (inputs as f64).sqrt();
        Self {
            name: name.to_owned(),
            weights: init.uniform(&format!("{name}.weight"), [inputs, outputs], bound),
            bias: bias.then(|| init.uniform(&format!("{name}.bias"), [outputs], bound)),
            quantizers: quantization
                .filter(|q| !q.is_full())
                .map(|q| Quantizers::new(q, init.device)),
            quantizable: quantization.is_some(),
            layout: Layout::Linear,
        }
    }

    /// For a layer that reads a flattened image of so many pixels.
    pub(crate) fn after_image(mut self, pixels: usize) -> Self {
        self.layout = Layout::LinearAfterImage { pixels };
        self
    }

    pub(crate) fn forward(&self, input: Tensor<2>, pass: &mut Pass<'_>) -> Tensor<2> {
        if self.quantizable
            && let Some(capture) = &mut pass.capture
        {
            capture(&self.name, values(&input));
        }
        let quantizers = self.quantizers.as_ref().filter(|_| !pass.full_precision);
        let (input, weights) = match quantizers {
            Some(quantizers) => quantizers.apply(input, self.weights.clone()),
            None => (input, self.weights.clone()),
        };
        let output = input.matmul(weights);
        match &self.bias {
            Some(bias) => output + bias.clone().unsqueeze(),
            None => output,
        }
    }

    pub(crate) fn quantized(&mut self) -> Option<LayerMut<'_>> {
        let quantizers = self.quantizers.as_mut()?;
        Some(LayerMut { name: &self.name, weights: WeightsRef::Linear(&self.weights), quantizers })
    }

    pub(crate) fn visit(&mut self, visitor: &mut impl Visitor) {
        let name = format!("{}.weight", self.name);
        visitor.parameter(&name, ParameterGroup::Weight, self.layout, &mut self.weights);
        if let Some(bias) = &mut self.bias {
            let name = format!("{}.bias", self.name);
            visitor.parameter(&name, ParameterGroup::Bias, Layout::Same, bias);
        }
        if let Some(quantizers) = &mut self.quantizers {
            quantizers.visit(&self.name, visitor);
        }
    }
}

/// Batch-norm over all but the channels.
#[derive(Clone, Debug)]
pub(crate) struct BatchNorm {
    name: String,
    scale: Tensor<1>,
    shift: Tensor<1>,
    mean: Tensor<1>,
    variance: Tensor<1>,
}

impl BatchNorm {
    pub(crate) fn new(name: &str, channels: usize, device: &Device) -> Self {
        Self {
            name: name.to_owned(),
            scale: trained(Tensor::ones([channels], device)),
            shift: trained(Tensor::zeros([channels], device)),
            mean: Tensor::zeros([channels], device),
            variance: Tensor::ones([channels], device),
        }
    }

    /// Normalizes, adds the residual if there is one, then ReLU if asked (always with a residual).
    pub(crate) fn forward(
        &mut self,
        input: Tensor<4>,
        residual: Option<Tensor<4>>,
        relu: bool,
        pass: &Pass<'_>,
    ) -> Tensor<4> {
        match pass.statistics {
            Statistics::Batch { momentum } => {
                let rows: usize = input.dims()[..3].iter().product();
                let (scale, shift) = (self.scale.clone(), self.shift.clone());
                let (output, batch) = batch_norm(input, scale, shift, residual, relu, EPSILON);
                self.follow(batch, rows, momentum);
                output
            }
            Statistics::Running => {
                let factor =
                    self.scale.clone() / (self.variance.clone() + f64::from(EPSILON)).sqrt();
                let summand = self.shift.clone() - self.mean.clone() * factor.clone();
                scale_and_shift(input, factor, summand, residual, relu)
            }
            Statistics::Identity { momentum } => {
                let rows: usize = input.dims()[..3].iter().product();
                let one = Tensor::ones_like(&self.scale);
                let zero = Tensor::zeros_like(&self.scale);
                let (_, batch) = batch_norm(input.clone(), one.clone(), zero, None, false, EPSILON);
                self.follow(batch, rows, momentum);
                scale_and_shift(input, one, self.shift.clone(), residual, relu)
            }
        }
    }

    /// Moves the running statistics by `momentum` towards the batch's, the variance unbiased as in PyTorch.
    fn follow(&mut self, batch: BatchStatistics, rows: usize, momentum: f64) {
        let unbiased = rows as f64 / (rows as f64 - 1.0).max(1.0);
        let blend = |old: Tensor<1>, new: Tensor<1>| {
            // A first batch takes the place of whatever was there, NaN too.
            if momentum == 1.0 { new } else { old * (1.0 - momentum) + new * momentum }
        };
        self.mean = blend(self.mean.clone(), batch.mean.detach()).detach();
        self.variance = blend(self.variance.clone(), batch.variance.detach() * unbiased).detach();
    }

    pub(crate) fn visit(&mut self, visitor: &mut impl Visitor) {
        let group = ParameterGroup::BatchNorm;
        let name = |part: &str| format!("{}.{part}", self.name);
        let names = ["weight", "bias", "running_mean", "running_var"].map(name);
        visitor.parameter(&names[0], group, Layout::Same, &mut self.scale);
        visitor.parameter(&names[1], group, Layout::Same, &mut self.shift);
        visitor.buffer(&names[2], &mut self.mean);
        visitor.buffer(&names[3], &mut self.variance);
    }
}
