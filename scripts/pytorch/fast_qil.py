"""The quantizers of `qil` in as few passes over memory as eager PyTorch has operators for.

Values and gradients are those of `qil` up to rounding (`training_step.py --check` compares them). At
gamma = 1 the weights' backward pass takes no power and no logarithm unless gamma is learned.
"""

import torch
from torch import Tensor, nn

from qil import QuantizeActivations, QuantizeWeights, activation_levels, weight_levels

aten = torch.ops.aten


def dot(left: Tensor, right: Tensor) -> Tensor:
    """Sum of products in one pass, whatever order dense tensors have in memory."""
    if left.stride() != right.stride():
        right = right.contiguous(memory_format=torch.preserve_format)
        if left.stride() != right.stride():
            return (left * right).sum()
    flat = [tensor.as_strided((tensor.numel(),), (1,)) for tensor in (left, right)]
    return torch.dot(*flat)


class FastQuantizeActivations(torch.autograd.Function):
    """Eq. 5 and 2: four passes forward, four backward."""

    @staticmethod
    def forward(ctx, values, center, half_width, levels):
        ctx.save_for_backward(values)
        c, d = center.item(), half_width.item()
        ctx.interval = c, d
        scale = levels / (2 * d)
        output = torch.add(torch.tensor((d - c) * scale), values, alpha=scale)
        return output.clamp_(0, levels).round_().mul_(1 / levels)

    @staticmethod
    def backward(ctx, upstream):
        (values,) = ctx.saved_tensors
        c, d = ctx.interval
        # Passes the gradient between the bounds and not on them.
        gradient = aten.hardtanh_backward(upstream, values, c - d, c + d).mul_(0.5 / d)
        total, moment = gradient.sum(), dot(gradient, values)
        return gradient, -total.view(1), ((c * total - moment) / d).view(1), None


class FastQuantizeWeights(torch.autograd.Function):
    """Eq. 3 and 2 at gamma = 1: five passes forward, six backward."""

    @staticmethod
    def forward(ctx, weights, center, half_width, levels):
        ctx.save_for_backward(weights)
        c, d = center.item(), half_width.item()
        ctx.interval = c, d
        output = aten.softshrink(weights, c - d).clamp_(-2 * d, 2 * d)
        return output.mul_(levels / (2 * d)).round_().mul_(1 / levels)

    @staticmethod
    def backward(ctx, upstream):
        (weights,) = ctx.saved_tensors
        c, d = ctx.interval
        gradient = aten.hardtanh_backward(upstream, weights, -(c + d), c + d)
        gradient = aten.softshrink_backward(gradient, weights, c - d).mul_(0.5 / d)
        total, moment = dot(gradient, weights.sign()), dot(gradient, weights)
        return gradient, -total.view(1), ((c * total - moment) / d).view(1), None


class FastWeightQuantizer(nn.Module):
    """c, d and, if learned, gamma."""

    def __init__(self, bits: int, learned_gamma: bool) -> None:
        super().__init__()
        self.levels = weight_levels(bits)
        self.center = nn.Parameter(torch.tensor([0.05]))
        self.half_width = nn.Parameter(torch.tensor([0.05]))
        if learned_gamma:
            self.gamma = nn.Parameter(torch.tensor([1.0]))

    def forward(self, weights: Tensor) -> Tensor:
        if hasattr(self, "gamma"):
            return QuantizeWeights.apply(
                weights, self.center, self.half_width, self.gamma, self.levels
            )
        return FastQuantizeWeights.apply(weights, self.center, self.half_width, self.levels)


class FastActivationQuantizer(nn.Module):
    """c and d."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.levels = activation_levels(bits)
        self.center = nn.Parameter(torch.tensor([1.0]))
        self.half_width = nn.Parameter(torch.tensor([1.0]))

    def forward(self, values: Tensor) -> Tensor:
        return FastQuantizeActivations.apply(
            values, self.center, self.half_width, self.levels
        )


class FusibleWeightQuantizer(FastWeightQuantizer):
    """The same in operators that a compiler fuses into one loop; its gradient by the rules of `qil`."""

    def forward(self, weights: Tensor) -> Tensor:
        return FusibleQuantizeWeights.apply(
            weights, self.center, self.half_width, getattr(self, "gamma", None), self.levels
        )


class FusibleActivationQuantizer(FastActivationQuantizer):
    """As `FusibleWeightQuantizer`, for activations."""

    def forward(self, values: Tensor) -> Tensor:
        return QuantizeActivations.apply(values, self.center, self.half_width, self.levels)


class FusibleQuantizeWeights(torch.autograd.Function):
    """`QuantizeWeights` without a look at gamma's value, which would end the compiled graph."""

    @staticmethod
    def forward(ctx, weights, center, half_width, gamma, levels):
        ctx.save_for_backward(weights, center, half_width, gamma)
        t = ((weights.abs() - (center - half_width)) / (2 * half_width)).clamp(0, 1)
        transformed = t if gamma is None else t**gamma
        return torch.round(transformed * levels) / levels * weights.sign()

    @staticmethod
    def backward(ctx, upstream):
        weights, center, half_width, gamma = ctx.saved_tensors
        t = (weights.abs() - (center - half_width)) / (2 * half_width)
        inside = (t > 0) & (t < 1)
        slope, to_gamma = 1.0, None
        if gamma is not None:
            guarded = t.clamp(1e-3, 1)
            slope = gamma * guarded ** (gamma - 1)
            power = upstream * weights.sign() * t.clamp(0, 1) ** gamma * guarded.log()
            to_gamma = torch.where(inside, power, 0.0).sum().reshape(1)
        gradient = torch.where(inside, upstream * slope / (2 * half_width), 0.0)
        signed = weights.sign() * gradient
        to_half_width = (signed * (1 - 2 * t)).sum().reshape(1)
        return gradient, -signed.sum().reshape(1), to_half_width, to_gamma, None
