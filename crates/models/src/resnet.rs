//! ResNet-18 and ResNet-34 (He et al. 2016) with torchvision's structure and names.

use bitsweep_qil::{global_average_pool, max_pool2d};
use burn::tensor::Tensor;

use crate::config::{ModelConfig, Stem};
use crate::init::Initializer;
use crate::layer::{BatchNorm, Convolution, ConvolutionConfig, LayerMut, Linear, Pass};
use crate::parameter::Visitor;
use crate::quantizers::Quantization;

#[derive(Clone, Debug)]
struct Block {
    conv1: Convolution,
    bn1: BatchNorm,
    conv2: Convolution,
    bn2: BatchNorm,
    downsample: Option<(Convolution, BatchNorm)>,
}

impl Block {
    fn new(
        name: &str,
        inputs: usize,
        outputs: usize,
        stride: usize,
        quantization: Quantization,
        init: &Initializer<'_>,
    ) -> Self {
        let convolution = |part: &str, inputs, kernel, stride| {
            let padding = kernel / 2;
            let quantization = Some(quantization);
            let config =
                ConvolutionConfig { inputs, outputs, kernel, stride, padding, quantization };
            Convolution::new(&format!("{name}.{part}"), config, init)
        };
        let norm = |part: &str| BatchNorm::new(&format!("{name}.{part}"), outputs, init.device);
        Self {
            conv1: convolution("conv1", inputs, 3, stride),
            bn1: norm("bn1"),
            conv2: convolution("conv2", outputs, 3, 1),
            bn2: norm("bn2"),
            downsample: (stride != 1 || inputs != outputs)
                .then(|| (convolution("downsample.0", inputs, 1, stride), norm("downsample.1"))),
        }
    }

    fn forward(&mut self, input: Tensor<4>, pass: &mut Pass<'_>) -> Tensor<4> {
        let output = self.conv1.forward(input.clone(), pass);
        let output = self.bn1.forward(output, None, true, pass);
        let output = self.conv2.forward(output, pass);
        let residual = match &mut self.downsample {
            Some((convolution, norm)) => {
                let shortcut = convolution.forward(input, pass);
                norm.forward(shortcut, None, false, pass)
            }
            None => input,
        };
        self.bn2.forward(output, Some(residual), true, pass)
    }

    fn visit(&mut self, visitor: &mut impl Visitor) {
        self.conv1.visit(visitor);
        self.bn1.visit(visitor);
        self.conv2.visit(visitor);
        self.bn2.visit(visitor);
        if let Some((convolution, norm)) = &mut self.downsample {
            convolution.visit(visitor);
            norm.visit(visitor);
        }
    }
}

/// A ResNet of basic blocks.
#[derive(Clone, Debug)]
pub(crate) struct ResNet {
    conv1: Convolution,
    bn1: BatchNorm,
    pool: bool,
    blocks: Vec<Block>,
    fc: Linear,
}

impl ResNet {
    pub(crate) fn new(config: &ModelConfig, stages: [usize; 4], init: &Initializer<'_>) -> Self {
        let channels = config.channels(64);
        let (kernel, stride, padding) = match config.stem {
            Stem::ImageNet => (7, 2, 3),
            Stem::Small => (3, 1, 1),
        };
        let stem = ConvolutionConfig {
            inputs: config.in_channels,
            outputs: channels,
            kernel,
            stride,
            padding,
            quantization: None,
        };
        let mut blocks = Vec::new();
        let mut inputs = channels;
        for (stage, count) in stages.into_iter().enumerate() {
            let outputs = config.channels(64 << stage);
            for block in 0..count {
                let stride = if block == 0 && stage > 0 { 2 } else { 1 };
                let name = format!("layer{}.{block}", stage + 1);
                blocks.push(Block::new(
                    &name,
                    inputs,
                    outputs,
                    stride,
                    config.quantization(),
                    init,
                ));
                inputs = outputs;
            }
        }
        Self {
            conv1: Convolution::new("conv1", stem, init),
            bn1: BatchNorm::new("bn1", channels, init.device),
            pool: config.stem == Stem::ImageNet,
            blocks,
            fc: Linear::new("fc", inputs, config.classes, true, None, init),
        }
    }

    /// Logits `[n, classes]` of images `[n, h, w, c]`.
    pub(crate) fn forward(&mut self, images: Tensor<4>, pass: &mut Pass<'_>) -> Tensor<2> {
        let output = self.conv1.forward(images, pass);
        let mut output = self.bn1.forward(output, None, true, pass);
        if self.pool {
            output = max_pool2d(output, 3, 2, 1);
        }
        for block in &mut self.blocks {
            output = block.forward(output, pass);
        }
        self.fc.forward(global_average_pool(output), pass)
    }

    pub(crate) fn visit(&mut self, visitor: &mut impl Visitor) {
        self.conv1.visit(visitor);
        self.bn1.visit(visitor);
        for block in &mut self.blocks {
            block.visit(visitor);
        }
        self.fc.visit(visitor);
    }

    /// Layers with quantizers, in network order.
    pub(crate) fn quantized(&mut self) -> Vec<LayerMut<'_>> {
        let blocks = self.blocks.iter_mut().flat_map(|block| {
            let downsample = block.downsample.as_mut().map(|(convolution, _)| convolution);
            [Some(&mut block.conv1), Some(&mut block.conv2), downsample].into_iter().flatten()
        });
        blocks.filter_map(Convolution::quantized).collect()
    }
}
