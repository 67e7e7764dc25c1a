//! AlexNet (Krizhevsky 2014) in torchvision's shape, with batch-norm behind every hidden layer.
//!
//! QIL's AlexNet has batch-norm and neither local response normalization nor dropout. Hidden layers have
//! no bias: batch-norm subtracts it again, and behind a quantized layer it would be off by the interval's
//! scale. `<layer>.bn` is the batch-norm behind `<layer>`.

use bitsweep_qil::max_pool2d;
use burn::tensor::Tensor;

use crate::config::{ModelConfig, Stem};
use crate::init::Initializer;
use crate::layer::{BatchNorm, Convolution, ConvolutionConfig, LayerMut, Linear, Pass};
use crate::parameter::Visitor;

#[derive(Clone, Debug)]
struct Feature {
    convolution: Convolution,
    norm: BatchNorm,
    pool: bool,
}

/// AlexNet.
#[derive(Clone, Debug)]
pub(crate) struct AlexNet {
    features: Vec<Feature>,
    /// Window of the pools, stride 2.
    pool_window: usize,
    /// Side of the grid that the classifier sees.
    grid: usize,
    hidden: Vec<(Linear, BatchNorm)>,
    output: Linear,
}

impl AlexNet {
    pub(crate) fn new(config: &ModelConfig, init: &Initializer<'_>) -> Self {
        let (first, pool_window, grid) = match config.stem {
            Stem::ImageNet => ((11, 4, 2), 3, 6),
            Stem::Small => ((3, 1, 1), 2, 3),
        };
        // torchvision's index, channels, kernel, stride, padding, pool behind.
        let stages = [
            (0, 64, first, true),
            (3, 192, (5, 1, 2), true),
            (6, 384, (3, 1, 1), false),
            (8, 256, (3, 1, 1), false),
            (10, 256, (3, 1, 1), true),
        ];
        let mut features = Vec::new();
        let mut inputs = config.in_channels;
        for (index, channels, (kernel, stride, padding), pool) in stages {
            let outputs = config.channels(channels);
            let name = format!("features.{index}");
            let quantization = (index != 0).then(|| config.quantization());
            let shape =
                ConvolutionConfig { inputs, outputs, kernel, stride, padding, quantization };
            features.push(Feature {
                convolution: Convolution::new(&name, shape, init),
                norm: BatchNorm::new(&format!("{name}.bn"), outputs, init.device),
                pool,
            });
            inputs = outputs;
        }
        let wide = config.channels(4096);
        let quantization = Some(config.quantization());
        let norm = |index| BatchNorm::new(&format!("classifier.{index}.bn"), wide, init.device);
        let pixels = grid * grid;
        let fc6 = Linear::new("classifier.1", inputs * pixels, wide, false, quantization, init);
        let fc7 = Linear::new("classifier.4", wide, wide, false, quantization, init);
        Self {
            features,
            pool_window,
            grid,
            hidden: vec![(fc6.after_image(pixels), norm(1)), (fc7, norm(4))],
            output: Linear::new("classifier.6", wide, config.classes, true, None, init),
        }
    }

    /// Logits `[n, classes]` of images `[n, h, w, c]`.
    pub(crate) fn forward(&mut self, images: Tensor<4>, pass: &mut Pass<'_>) -> Tensor<2> {
        let mut output = images;
        for feature in &mut self.features {
            output = feature.convolution.forward(output, pass);
            output = feature.norm.forward(output, None, true, pass);
            if feature.pool {
                output = max_pool2d(output, self.pool_window, 2, 0);
            }
        }
        let mut output: Tensor<2> = resize_grid(output, self.grid).flatten(1, 3);
        for (linear, norm) in &mut self.hidden {
            let [batch, _] = output.dims();
            output = linear.forward(output, pass);
            let width = output.dims()[1];
            let image = output.reshape([batch, 1, 1, width]);
            output = norm.forward(image, None, true, pass).reshape([batch, width]);
        }
        self.output.forward(output, pass)
    }

    pub(crate) fn visit(&mut self, visitor: &mut impl Visitor) {
        for feature in &mut self.features {
            feature.convolution.visit(visitor);
            feature.norm.visit(visitor);
        }
        for (linear, norm) in &mut self.hidden {
            linear.visit(visitor);
            norm.visit(visitor);
        }
        self.output.visit(visitor);
    }

    /// Layers with quantizers, in network order.
    pub(crate) fn quantized(&mut self) -> Vec<LayerMut<'_>> {
        let features = self.features.iter_mut().filter_map(|f| f.convolution.quantized());
        let hidden = self.hidden.iter_mut().filter_map(|(linear, _)| linear.quantized());
        features.chain(hidden).collect()
    }
}

/// Brings `[n, h, w, c]` to a square grid as torchvision's adaptive average pool does.
fn resize_grid(input: Tensor<4>, grid: usize) -> Tensor<4> {
    let [_, height, width, _] = input.dims();
    if height == grid && width == grid {
        return input;
    }
    let pooled =
        burn::tensor::module::adaptive_avg_pool2d(input.permute([0, 3, 1, 2]), [grid, grid]);
    pooled.permute([0, 2, 3, 1])
}
