//! ResNet-18 and ResNet-34 (He et al. 2016) with torchvision's structure and names.

use super::{Layer, LayerKind, output_side, scaled};
use crate::trial::{ModelSpec, Stem};

pub(super) fn layers(
    model: &ModelSpec,
    resolution: u32,
    blocks: [u32; 4],
) -> Result<Vec<Layer>, String> {
    let too_small = || format!("images of {resolution} pixels are too small for this network");
    let stem_channels = scaled(64, model.width);
    let (kernel, stride, padding) = match model.stem {
        Stem::ImageNet => (7, 2, 3),
        Stem::Small => (3, 1, 1),
    };
    let mut side =
        output_side(u64::from(resolution), kernel, stride, padding).ok_or_else(too_small)?;
    let mut layers = Vec::new();
    let conv =
        |name: String, kernel: u64, inputs: u64, outputs: u64, side: u64, quantized: bool| Layer {
            name,
            kind: LayerKind::Convolution { kernel: kernel as u32 },
            inputs,
            outputs,
            bias: false,
            pixels: side * side,
            quantized,
        };
    let norm = |name: String, channels: u64| Layer {
        name,
        kind: LayerKind::BatchNorm,
        inputs: channels,
        outputs: channels,
        bias: true,
        pixels: 0,
        quantized: false,
    };
    let in_channels = u64::from(model.in_channels);
    layers.push(conv("conv1".into(), kernel, in_channels, stem_channels, side, false));
    layers.push(norm("bn1".into(), stem_channels));
    if model.stem == Stem::ImageNet {
        side = output_side(side, 3, 2, 1).ok_or_else(too_small)?;
    }
    let mut inputs = stem_channels;
    for (stage, count) in blocks.into_iter().enumerate() {
        let outputs = scaled(64 << stage, model.width);
        for block in 0..count {
            let stride = if block == 0 && stage > 0 { 2 } else { 1 };
            let prefix = format!("layer{}.{block}", stage + 1);
            side = output_side(side, 3, stride, 1).ok_or_else(too_small)?;
            layers.push(conv(format!("{prefix}.conv1"), 3, inputs, outputs, side, true));
            layers.push(norm(format!("{prefix}.bn1"), outputs));
            layers.push(conv(format!("{prefix}.conv2"), 3, outputs, outputs, side, true));
            layers.push(norm(format!("{prefix}.bn2"), outputs));
            if stride != 1 || inputs != outputs {
                layers.push(conv(format!("{prefix}.downsample.0"), 1, inputs, outputs, side, true));
                layers.push(norm(format!("{prefix}.downsample.1"), outputs));
            }
            inputs = outputs;
        }
    }
    layers.push(Layer {
        name: "fc".into(),
        kind: LayerKind::Linear,
        inputs,
        outputs: u64::from(model.classes),
        bias: true,
        pixels: 1,
        quantized: false,
    });
    Ok(layers)
}
