"""ResNet and AlexNet with torchvision's names, whose inner layers a quantizer can precede.

He et al., Deep Residual Learning for Image Recognition, CVPR 2016; Krizhevsky, One weird trick for
parallelizing convolutional neural networks, 2014, with batch-norm behind every hidden layer. First
and last layers stay in full precision, 1x1 shortcuts are quantized, each layer by its own quantizers.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from qil import ActivationQuantizer, WeightQuantizer

Quantizers = Callable[[nn.Module], None]
"""Gives a layer its `weight_quantizer` and `activation_quantizer`."""


def full_precision(layer: nn.Module) -> None:
    """Leaves a layer as it is: 32 bits."""


def reference_quantizers(weight_bits: int, activation_bits: int) -> Quantizers:
    """The quantizers of `qil`; 32 bits is none."""

    def add(layer: nn.Module) -> None:
        if weight_bits != 32:
            layer.weight_quantizer = WeightQuantizer(weight_bits)
        if activation_bits != 32:
            layer.activation_quantizer = ActivationQuantizer(activation_bits)

    return add


def scaled_quantizers(weight_bits: int, activation_bits: int) -> Quantizers:
    """Those of `reference_quantizers`, with the output scale `interval`."""
    add = reference_quantizers(weight_bits, activation_bits)

    def add_scaled(layer: nn.Module) -> None:
        add(layer)
        layer.scales_output = True

    return add_scaled


def quantized(layer: nn.Module, values: Tensor) -> tuple[Tensor, Tensor]:
    """What the layer multiplies: its input and its weights, quantized if it has quantizers."""
    weights = layer.weight
    quantizers = []
    if hasattr(layer, "weight_quantizer"):
        weights = layer.weight_quantizer(weights)
        quantizers.append(layer.weight_quantizer)
    if hasattr(layer, "activation_quantizer"):
        values = layer.activation_quantizer(values)
        quantizers.append(layer.activation_quantizer)
    if quantizers and hasattr(layer, "scales_output"):
        # The upper ends c + d, as constants; the layer is linear, so they may go on the weights.
        ends = [(part.center + part.half_width).detach() for part in quantizers]
        weights = weights * math.prod(ends[1:], start=ends[0])
    return values, weights


class Convolution(nn.Conv2d):
    """Convolution without bias."""

    def __init__(self, inputs, outputs, kernel, stride, padding, quantizers=full_precision):
        super().__init__(inputs, outputs, kernel, stride, padding, bias=False)
        quantizers(self)

    def forward(self, values: Tensor) -> Tensor:
        values, weights = quantized(self, values)
        return functional.conv2d(values, weights, None, self.stride, self.padding)


class Linear(nn.Linear):
    """Fully connected layer without bias: batch-norm follows."""

    def __init__(self, inputs: int, outputs: int, quantizers: Quantizers) -> None:
        super().__init__(inputs, outputs, bias=False)
        self.bn = nn.BatchNorm1d(outputs)
        quantizers(self)

    def forward(self, values: Tensor) -> Tensor:
        values, weights = quantized(self, values)
        return functional.linear(values, weights)


class Block(nn.Module):
    """Basic block: two 3x3 convolutions and a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int, quantizers: Quantizers) -> None:
        super().__init__()
        self.conv1 = Convolution(inputs, outputs, 3, stride, 1, quantizers)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = Convolution(outputs, outputs, 3, 1, 1, quantizers)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            shortcut = Convolution(inputs, outputs, 1, stride, 0, quantizers)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(outputs))

    def forward(self, values: Tensor) -> Tensor:
        inner = functional.relu(self.bn1(self.conv1(values)), inplace=True)
        inner = self.bn2(self.conv2(inner))
        shortcut = values if self.downsample is None else self.downsample(values)
        return functional.relu(inner.add_(shortcut), inplace=True)


class ResNet(nn.Module):
    """A ResNet of basic blocks. `small`: a 3x3 stem without max-pool, for images of about 32 pixels."""

    def __init__(self, blocks, width, small, channels, classes, quantizers):
        super().__init__()
        base = max(1, round(64 * width))
        kernel, stride, padding = (3, 1, 1) if small else (7, 2, 3)
        self.conv1 = Convolution(channels, base, kernel, stride, padding)
        self.bn1 = nn.BatchNorm2d(base)
        self.small = small
        inputs = base
        for stage, count in enumerate(blocks):
            outputs = max(1, round((64 << stage) * width))
            layers = []
            for block in range(count):
                stride = 2 if block == 0 and stage > 0 else 1
                layers.append(Block(inputs, outputs, stride, quantizers))
                inputs = outputs
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
        self.fc = nn.Linear(inputs, classes)

    def forward(self, images: Tensor) -> Tensor:
        values = functional.relu(self.bn1(self.conv1(images)), inplace=True)
        if not self.small:
            values = functional.max_pool2d(values, 3, 2, 1)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            values = stage(values)
        return self.fc(values.mean((2, 3)))


class AlexNet(nn.Module):
    """AlexNet in torchvision's shape; `<layer>.bn` is the batch-norm behind `<layer>`.

    `small`: a 3x3 first layer, pools of 2 and a classifier on 3x3 pixels.
    """

    def __init__(self, width, small, channels, classes, quantizers):
        super().__init__()
        first = (64, 3, 1, 1) if small else (64, 11, 4, 2)
        self.window, self.grid = (2, 3) if small else (3, 6)
        shapes = {0: first, 3: (192, 5, 1, 2), 6: (384, 3, 1, 1), 8: (256, 3, 1, 1)}
        shapes[10] = (256, 3, 1, 1)
        self.pooled = (0, 3, 10)
        self.features = nn.ModuleDict()
        inputs = channels
        for index, (outputs, kernel, stride, padding) in shapes.items():
            outputs = max(1, round(outputs * width))
            add = full_precision if index == 0 else quantizers
            layer = Convolution(inputs, outputs, kernel, stride, padding, add)
            layer.bn = nn.BatchNorm2d(outputs)
            self.features[str(index)] = layer
            inputs = outputs
        wide = max(1, round(4096 * width))
        self.classifier = nn.ModuleDict({
            "1": Linear(inputs * self.grid**2, wide, quantizers),
            "4": Linear(wide, wide, quantizers),
            "6": nn.Linear(wide, classes),
        })

    def forward(self, images: Tensor) -> Tensor:
        values = images
        for index, layer in self.features.items():
            values = functional.relu(layer.bn(layer(values)), inplace=True)
            if int(index) in self.pooled:
                values = functional.max_pool2d(values, self.window, 2)
        if values.shape[2:] != (self.grid, self.grid):
            values = functional.adaptive_avg_pool2d(values, self.grid)
        values = torch.flatten(values, 1)
        for layer in (self.classifier["1"], self.classifier["4"]):
            values = functional.relu(layer.bn(layer(values)), inplace=True)
        return self.classifier["6"](values)


def network(
    name: str, width: float, small: bool, channels: int, classes: int, quantizers: Quantizers
) -> nn.Module:
    """resnet18, resnet34 or alexnet."""
    if name == "alexnet":
        return AlexNet(width, small, channels, classes, quantizers)
    blocks = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}[name]
    return ResNet(blocks, width, small, channels, classes, quantizers)
