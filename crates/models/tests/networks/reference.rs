//! The same networks rebuilt from their saved state with burn's own layers, NCHW, as a reader of the
//! state who knows torchvision would do it.

use bitsweep_models::{Architecture, Mode, NamedTensor, State};
use burn::tensor::activation::relu;
use burn::tensor::module::{conv2d, max_pool2d};
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, TensorData};

use crate::fixtures::{calibrate, images, small, trainable, values};

struct Reference {
    state: State,
    bits: u8,
}

impl Reference {
    fn tensor<const D: usize>(&self, name: &str) -> Tensor<D> {
        let NamedTensor { shape, values } = self.state[name].clone();
        Tensor::from_data(TensorData::new(values, shape), &Device::flex())
    }

    fn scalar(&self, name: &str) -> f64 {
        f64::from(self.state[name].values[0])
    }

    /// clamp((v − lower) / (2 d), 0, 1) and rounding, by plain operations.
    fn quantize<const D: usize>(&self, v: Tensor<D>, quantizer: &str, levels: f64) -> Tensor<D> {
        let center = self.scalar(&format!("{quantizer}.center"));
        let half_width = self.scalar(&format!("{quantizer}.half_width"));
        let t = ((v - (center - half_width)) / (2.0 * half_width)).clamp(0.0, 1.0);
        (t * levels).round() / levels
    }

    fn quantized<const D: usize>(&self, x: Tensor<D>, layer: &str) -> (Tensor<D>, Tensor<D>) {
        let w: Tensor<D> = self.tensor(&format!("{layer}.weight"));
        if !self.state.contains_key(&format!("{layer}.weight_quantizer.center")) {
            return (x, w);
        }
        let (weight, activation) = (1_u32 << (self.bits - 1), 1_u32 << self.bits);
        let levels = f64::from(activation - 1);
        let x = self.quantize(x, &format!("{layer}.activation_quantizer"), levels);
        let levels = f64::from(weight - 1);
        let magnitude =
            self.quantize(w.clone().abs(), &format!("{layer}.weight_quantizer"), levels);
        (x, magnitude * w.sign())
    }

    fn convolution(&self, x: Tensor<4>, layer: &str, stride: usize, padding: usize) -> Tensor<4> {
        let (x, w) = self.quantized(x, layer);
        conv2d(x, w, None, ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1))
    }

    fn linear(&self, x: Tensor<2>, layer: &str) -> Tensor<2> {
        let (x, w) = self.quantized(x, layer);
        x.matmul(w.transpose())
    }

    fn norm<const D: usize>(&self, x: Tensor<D>, layer: &str) -> Tensor<D> {
        let mut shape = [1; D];
        shape[1] = x.dims()[1];
        let part = |name: &str| self.tensor::<1>(&format!("{layer}.{name}")).reshape(shape);
        let deviation = (part("running_var") + 1e-5).sqrt();
        (x - part("running_mean")) / deviation * part("weight") + part("bias")
    }

    fn resnet(&self, images: Tensor<4>, stages: [usize; 4]) -> Tensor<2> {
        let mut x = relu(self.norm(self.convolution(images, "conv1", 1, 1), "bn1"));
        for (stage, blocks) in stages.into_iter().enumerate() {
            for block in 0..blocks {
                let name = |part: &str| format!("layer{}.{block}.{part}", stage + 1);
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                let y = self.convolution(x.clone(), &name("conv1"), stride, 1);
                let y = relu(self.norm(y, &name("bn1")));
                let y = self.norm(self.convolution(y, &name("conv2"), 1, 1), &name("bn2"));
                if stride == 2 {
                    x = self.convolution(x, &name("downsample.0"), 2, 0);
                    x = self.norm(x, &name("downsample.1"));
                }
                x = relu(y + x);
            }
        }
        let x: Tensor<2> = x.mean_dim(3).mean_dim(2).flatten(1, 3);
        self.linear(x, "fc") + self.tensor::<1>("fc.bias").unsqueeze()
    }

    fn alexnet(&self, images: Tensor<4>) -> Tensor<2> {
        let mut x = images;
        for (index, padding, pool) in
            [(0, 1, true), (3, 2, true), (6, 1, false), (8, 1, false), (10, 1, true)]
        {
            let layer = format!("features.{index}");
            x = self.convolution(x, &layer, 1, padding);
            x = relu(self.norm(x, &format!("{layer}.bn")));
            if pool {
                x = max_pool2d(x, MaxPoolOptions::new([2, 2]).with_stride([2, 2]));
            }
        }
        let mut x: Tensor<2> = x.flatten(1, 3);
        for index in [1, 4] {
            let layer = format!("classifier.{index}");
            x = relu(self.norm(self.linear(x, &layer), &format!("{layer}.bn")));
        }
        self.linear(x, "classifier.6") + self.tensor::<1>("classifier.6.bias").unsqueeze()
    }
}

/// Relative root-mean-square difference of the logits of a calibrated network and its reference.
fn difference(architecture: Architecture, bits: u8) -> f64 {
    let mut model = trainable(&small(architecture, bits));
    let batch = images(3, [8, 28, 28, 1]);
    calibrate(&mut model, architecture, &batch);
    let found = values(model.frozen().forward(batch.clone(), Mode::Evaluate));
    let reference = Reference { state: model.state(), bits };
    let batch = batch.permute([0, 3, 1, 2]);
    let expected = values(match architecture {
        Architecture::ResNet18 => reference.resnet(batch, [2, 2, 2, 2]),
        Architecture::ResNet34 => reference.resnet(batch, [3, 4, 6, 3]),
        Architecture::AlexNet => reference.alexnet(batch),
    });
    let square = |values: &mut dyn Iterator<Item = f32>| -> f64 {
        values.map(|v| f64::from(v).powi(2)).sum()
    };
    let error = square(&mut found.iter().zip(&expected).map(|(a, b)| a - b));
    (error / square(&mut expected.iter().copied())).sqrt()
}

#[test]
fn full_precision_networks_compute_what_their_state_says() {
    for architecture in [Architecture::ResNet18, Architecture::ResNet34, Architecture::AlexNet] {
        let difference = difference(architecture, 32);
        assert!(difference < 1e-5, "{architecture:?}: {difference}");
    }
}

#[test]
fn quantized_networks_compute_what_their_state_says() {
    // Another order of additions moves a value across a rounding step now and then.
    for architecture in [Architecture::ResNet18, Architecture::ResNet34, Architecture::AlexNet] {
        let difference = difference(architecture, 8);
        assert!(difference < 0.02, "{architecture:?}: {difference}");
    }
}
