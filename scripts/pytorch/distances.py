"""How far values lie from where rounding and ReLU make a step, and networks that keep them far."""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

import qil

TRIES = 100
"""Shifts of batch-norm to choose the one that keeps values farthest from steps from."""


def layers_of(model: nn.Module) -> list[nn.Module]:
    return [part for part in model.modules() if hasattr(part, "activation_quantizer")]


def weight_distances(layer: nn.Module) -> Tensor:
    """Distance of every weight to the next step of its quantizer, in levels."""
    quantizer = layer.weight_quantizer
    t = qil.position(layer.weight.abs(), quantizer.center, quantizer.half_width)
    level = t.clamp(0, 1) ** quantizer.gamma * quantizer.levels
    ends = torch.minimum(t.abs(), (t - 1).abs()) * quantizer.levels
    nearest = torch.minimum(((level - level.floor()) - 0.5).abs(), ends)
    return torch.where(layer.weight == 0, torch.inf, nearest)  # zero stays zero in any precision


def settle(model: nn.Module, training: Tensor, evaluation: Tensor) -> float:
    """Chooses every shift before a ReLU so that no value of either pass comes near a step.

    A shift moves one channel, so each is chosen by itself, in the order of the layers. Returns the
    smallest distance left, relative to the root mean square of the channel's values.
    """
    smallest = torch.inf

    def normalized(norm: nn.BatchNorm2d, values: list[Tensor]) -> list[Tensor]:
        """Of the pass that trains and of the one that evaluates, without the shift."""
        batch, running = values
        zero = torch.zeros_like(norm.bias)
        return [
            functional.batch_norm(batch, None, None, norm.weight, zero, True),
            functional.batch_norm(running, norm.running_mean, norm.running_var, norm.weight, zero),
        ]

    def shifted(norm: nn.BatchNorm2d, values: list[Tensor], layers: list[nn.Module]) -> list[Tensor]:
        """Behind the best shift and ReLU; `layers` read the result."""
        nonlocal smallest
        best, shift = torch.zeros_like(norm.bias), norm.bias.clone()
        for _ in range(TRIES):
            tried = (norm.bias + 0.1 * torch.randn_like(norm.bias)).float().double()
            distances = torch.stack([
                distance(value + tried[:, None, None], layers) for value in values
            ]).amin(0)
            shift = torch.where(distances > best, tried, shift)
            best = torch.maximum(distances, best)
        smallest = min(smallest, best.min().item())
        norm.bias.copy_(shift)
        return [(value + shift[:, None, None]).relu() for value in values]

    values = [model.conv1(batch) for batch in (training, evaluation)]
    blocks = [block for index in range(1, 5) for block in getattr(model, f"layer{index}")]

    def first_layers(block: nn.Module) -> list[nn.Module]:
        return [block.conv1] + ([block.downsample[0]] if block.downsample else [])

    values = shifted(model.bn1, normalized(model.bn1, values), first_layers(blocks[0]))
    for block, following in zip(blocks, [*blocks[1:], None]):
        inner = normalized(block.bn1, [block.conv1(value) for value in values])
        inner = shifted(block.bn1, inner, [block.conv2])
        inner = normalized(block.bn2, [block.conv2(value) for value in inner])
        if block.downsample:
            convolution, norm = block.downsample
            values = normalized(norm, [convolution(value) for value in values])
            values = [value + norm.bias[:, None, None] for value in values]
        inner = [left + right for left, right in zip(inner, values)]
        values = shifted(block.bn2, inner, first_layers(following) if following else [])
    return smallest


def distance(values: Tensor, layers: list[nn.Module], spread: Tensor | None = None) -> Tensor:
    """Smallest distance of each channel's values to zero, where ReLU has its step, and to the steps
    of the layers' activation quantizers, over their root mean square or `spread`."""
    nearest = values.abs()
    for layer in layers:
        part = getattr(layer, "activation_quantizer", None)
        if part is None:
            continue
        t = qil.position(values, part.center, part.half_width)
        level = t * part.levels
        middle = ((level - level.floor()) - 0.5).abs() / part.levels
        middle = torch.where((t > 0) & (t < 1), middle, torch.inf)
        steps = torch.minimum(torch.minimum(t.abs(), (t - 1).abs()), middle)
        nearest = torch.minimum(nearest, steps * 2 * part.half_width)
    spread = values.pow(2).mean((0, 2, 3)).sqrt() if spread is None else spread
    return nearest.amin((0, 2, 3)) / spread


class Nearest(TorchFunctionMode):
    """Smallest `distance` of anything that passes a ReLU or an activation quantizer."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.smallest = torch.inf
        for layer in layers_of(model):
            layer.activation_quantizer.register_forward_pre_hook(
                lambda part, inputs, layer=layer: self.add(inputs[0], [layer])
            )

    def add(self, values: Tensor, layers: list[nn.Module]) -> None:
        # What ReLU made zero is exactly zero.
        values = torch.where(values == 0, torch.inf if layers else values, values)
        found = distance(values, layers, values[values.isfinite()].pow(2).mean().sqrt())
        self.smallest = min(self.smallest, found.min().item())

    def __torch_function__(self, function, types, arguments=(), options=None):
        if function is functional.relu:
            self.add(arguments[0], [])
        return function(*arguments, **(options or {}))
