//! The calls of one training step of a network.

use bitsweep_kernels::convolution::ConvolutionShape;
use bitsweep_kernels::pool::MaxPoolShape;

use crate::calls::Call;

pub(crate) fn all() -> Vec<(&'static str, Vec<Call>)> {
    vec![
        ("resnet18-64", resnet18(64, 64, 64, false, 1000)),
        ("resnet18-224", resnet18(16, 224, 64, false, 1000)),
        ("alexnet", alexnet(64)),
        ("quickstart", resnet18(64, 28, 8, true, 10)),
    ]
}

/// Adds the layers of a network one after another.
struct Builder {
    calls: Vec<Call>,
    batch: usize,
    size: usize,
    channels: usize,
    parameters: usize,
}

impl Builder {
    fn new(batch: usize, size: usize, channels: usize) -> Self {
        Self { calls: Vec::new(), batch, size, channels, parameters: 0 }
    }

    fn elements(&self) -> usize {
        self.batch * self.size * self.size * self.channels
    }

    fn convolution(&mut self, out: usize, kernel: usize, stride: usize, padding: usize) {
        let shape = ConvolutionShape {
            batch: self.batch,
            height: self.size,
            width: self.size,
            in_channels: self.channels,
            out_channels: out,
            kernel: [kernel; 2],
            stride,
            padding,
        };
        let first = self.parameters == 0;
        if !first {
            self.calls.push(Call::QuantizeActivations(self.elements()));
            self.calls.push(Call::QuantizeWeights(shape.weight_length()));
        }
        self.calls.push(Call::Convolution { shape, first });
        self.parameters += shape.weight_length();
        (self.size, self.channels) = (shape.output_size()[0], out);
    }

    fn batch_norm(&mut self, relu: bool, residual: bool) {
        let rows = self.elements() / self.channels;
        self.calls.push(Call::BatchNorm { rows, channels: self.channels, relu, residual });
        self.parameters += 2 * self.channels;
    }

    fn max_pool(&mut self, window: usize, padding: usize) {
        let shape = MaxPoolShape {
            batch: self.batch,
            height: self.size,
            width: self.size,
            channels: self.channels,
            window,
            stride: 2,
            padding,
        };
        self.calls.push(Call::MaxPool(shape));
        self.size = shape.output_size()[0];
    }

    fn linear(&mut self, inputs: usize, outputs: usize, quantized: bool) {
        if quantized {
            self.calls.push(Call::QuantizeActivations(self.batch * inputs));
            self.calls.push(Call::QuantizeWeights(inputs * outputs));
        }
        self.calls.push(Call::Linear { batch: self.batch, inputs, outputs });
        self.parameters += inputs * outputs + outputs;
    }

    fn finish(mut self) -> Vec<Call> {
        self.calls.push(Call::Sgd(self.parameters));
        self.calls
    }
}

fn resnet18(batch: usize, size: usize, width: usize, small: bool, classes: usize) -> Vec<Call> {
    let mut network = Builder::new(batch, size, if small { 1 } else { 3 });
    if small {
        network.convolution(width, 3, 1, 1);
        network.batch_norm(true, false);
    } else {
        network.convolution(width, 7, 2, 3);
        network.batch_norm(true, false);
        network.max_pool(3, 1);
    }
    for (stage, channels) in [width, 2 * width, 4 * width, 8 * width].into_iter().enumerate() {
        for block in 0..2 {
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let (size, inputs) = (network.size, network.channels);
            network.convolution(channels, 3, stride, 1);
            network.batch_norm(true, false);
            network.convolution(channels, 3, 1, 1);
            if stride == 2 {
                let after = network.size;
                (network.size, network.channels) = (size, inputs);
                network.convolution(channels, 1, 2, 0);
                network.size = after;
                network.batch_norm(false, false);
            }
            network.batch_norm(true, true);
        }
    }
    network.calls.push(Call::AveragePool {
        batch,
        pixels: network.size.pow(2),
        channels: 8 * width,
    });
    network.linear(8 * width, classes, false);
    network.finish()
}

fn alexnet(batch: usize) -> Vec<Call> {
    let mut network = Builder::new(batch, 224, 3);
    network.convolution(64, 11, 4, 2);
    network.batch_norm(true, false);
    network.max_pool(3, 0);
    network.convolution(192, 5, 1, 2);
    network.batch_norm(true, false);
    network.max_pool(3, 0);
    for channels in [384, 256, 256] {
        network.convolution(channels, 3, 1, 1);
        network.batch_norm(true, false);
    }
    network.max_pool(3, 0);
    for inputs in [9216, 4096] {
        network.linear(inputs, 4096, true);
        network.calls.push(Call::BatchNorm {
            rows: batch,
            channels: 4096,
            relu: true,
            residual: false,
        });
    }
    network.linear(4096, 1000, false);
    network.finish()
}
