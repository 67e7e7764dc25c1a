//! AlexNet (Krizhevsky 2014) in torchvision's shape, with batch-norm behind every hidden layer.

use super::{Layer, LayerKind, output_side, scaled};
use crate::trial::{ModelSpec, Stem};

/// A convolution: torchvision's index, channels, kernel, stride, padding, and the pool behind it.
struct Stage {
    index: u32,
    channels: u32,
    kernel: u64,
    stride: u64,
    padding: u64,
    pool: bool,
}

pub(super) fn layers(model: &ModelSpec, resolution: u32) -> Result<Vec<Layer>, String> {
    let too_small = || format!("images of {resolution} pixels are too small for this network");
    let (first, pool_kernel, grid) = match model.stem {
        Stem::ImageNet => ((11, 4, 2), 3, 6),
        Stem::Small => ((3, 1, 1), 2, 3),
    };
    let stages = [
        Stage {
            index: 0,
            channels: 64,
            kernel: first.0,
            stride: first.1,
            padding: first.2,
            pool: true,
        },
        Stage { index: 3, channels: 192, kernel: 5, stride: 1, padding: 2, pool: true },
        Stage { index: 6, channels: 384, kernel: 3, stride: 1, padding: 1, pool: false },
        Stage { index: 8, channels: 256, kernel: 3, stride: 1, padding: 1, pool: false },
        Stage { index: 10, channels: 256, kernel: 3, stride: 1, padding: 1, pool: true },
    ];
    let mut layers = Vec::new();
    let mut side = u64::from(resolution);
    let mut inputs = u64::from(model.in_channels);
    for stage in stages {
        side =
            output_side(side, stage.kernel, stage.stride, stage.padding).ok_or_else(too_small)?;
        let outputs = scaled(stage.channels, model.width);
        let name = format!("features.{}", stage.index);
        layers.push(Layer {
            name: name.clone(),
            kind: LayerKind::Convolution { kernel: stage.kernel as u32 },
            inputs,
            outputs,
            bias: false,
            pixels: side * side,
            quantized: stage.index != 0,
        });
        layers.push(norm(&name, outputs));
        if stage.pool {
            side = output_side(side, pool_kernel, 2, 0).filter(|s| *s > 0).ok_or_else(too_small)?;
        }
        inputs = outputs;
    }
    inputs *= grid * grid;
    for index in [1, 4] {
        let outputs = scaled(4096, model.width);
        let name = format!("classifier.{index}");
        layers.push(Layer {
            name: name.clone(),
            kind: LayerKind::Linear,
            inputs,
            outputs,
            bias: false,
            pixels: 1,
            quantized: true,
        });
        layers.push(norm(&name, outputs));
        inputs = outputs;
    }
    layers.push(Layer {
        name: "classifier.6".into(),
        kind: LayerKind::Linear,
        inputs,
        outputs: u64::from(model.classes),
        bias: true,
        pixels: 1,
        quantized: false,
    });
    Ok(layers)
}

fn norm(layer: &str, channels: u64) -> Layer {
    Layer {
        name: format!("{layer}.bn"),
        kind: LayerKind::BatchNorm,
        inputs: channels,
        outputs: channels,
        bias: true,
        pixels: 0,
        quantized: false,
    }
}
