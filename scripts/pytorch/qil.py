"""QIL's quantizers, from their equations.

Jung et al., Learning to Quantize Deep Networks by Optimizing Quantization Intervals with Task
Loss, CVPR 2019. Written for clarity and for any float dtype: what tests compare with.
"""

import torch
from torch import Tensor, nn

SMALLEST_T = 1e-3
"""Below it, t^(gamma-1) and ln t in the backward pass are those of this t."""

GAMMA_RANGE = (0.25, 4.0)
SMALLEST_HALF_WIDTH = 0.01
LARGEST_STEP = 0.05


def weight_levels(bits: int) -> int:
    """Positive levels of signed weights (Eq. 2)."""
    return 2 ** (bits - 1) - 1


def activation_levels(bits: int) -> int:
    """Positive levels of activations (Eq. 2)."""
    return 2**bits - 1


def discretize(value: Tensor, levels: int) -> Tensor:
    """Eq. 2: round(v q) / q, halves to even as IEEE 754 and torch.round do."""
    return torch.round(value * levels) / levels


def position(magnitude: Tensor, center: Tensor, half_width: Tensor) -> Tensor:
    """t: 0 at the interval's lower end, 1 at its upper end. Not clamped."""
    return (magnitude - (center - half_width)) / (2 * half_width)


class QuantizeWeights(torch.autograd.Function):
    """Eq. 3 and 2: sign(w) round(q clamp(t, 0, 1)^gamma) / q.

    Rounding passes gradients straight through. The ends of the interval take none: with c = d
    every zero lies on the lower end.
    """

    @staticmethod
    def forward(ctx, weights, center, half_width, gamma, levels):
        ctx.save_for_backward(weights, center, half_width, gamma)
        t = position(weights.abs(), center, half_width).clamp(0, 1)
        transformed = t if gamma.item() == 1 else t**gamma
        return discretize(transformed, levels) * weights.sign()

    @staticmethod
    def backward(ctx, upstream):
        weights, center, half_width, gamma = ctx.saved_tensors
        t = position(weights.abs(), center, half_width)
        outside = (t <= 0) | (t >= 1)  # not of NaN, which has to be seen
        guarded = t.clamp(SMALLEST_T, 1)
        slope = torch.ones_like(t) if gamma.item() == 1 else gamma * guarded ** (gamma - 1)
        zero = torch.zeros_like(t)
        to_input = torch.where(outside, zero, upstream * slope / (2 * half_width))
        signed = weights.sign() * to_input
        power = t.clamp(0, 1) ** gamma * guarded.log()
        to_gamma = torch.where(outside, zero, upstream * weights.sign() * power)
        return (
            to_input,
            -signed.sum().reshape(center.shape),
            (signed * (1 - 2 * t)).sum().reshape(half_width.shape),
            to_gamma.sum().reshape(gamma.shape),
            None,
        )


class QuantizeActivations(torch.autograd.Function):
    """Eq. 5 and 2: round(q clamp(t, 0, 1)) / q, with the same estimator and open ends."""

    @staticmethod
    def forward(ctx, values, center, half_width, levels):
        ctx.save_for_backward(values, center, half_width)
        return discretize(position(values, center, half_width).clamp(0, 1), levels)

    @staticmethod
    def backward(ctx, upstream):
        values, center, half_width = ctx.saved_tensors
        t = position(values, center, half_width)
        outside = (t <= 0) | (t >= 1)
        to_input = torch.where(outside, torch.zeros_like(t), upstream / (2 * half_width))
        return (
            to_input,
            -to_input.sum().reshape(center.shape),
            (to_input * (1 - 2 * t)).sum().reshape(half_width.shape),
            None,
        )


class WeightQuantizer(nn.Module):
    """c, d and gamma of one layer's weights."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.levels = weight_levels(bits)
        self.center = nn.Parameter(torch.tensor([0.05]))
        self.half_width = nn.Parameter(torch.tensor([0.05]))
        self.gamma = nn.Parameter(torch.tensor([1.0]))

    def forward(self, weights: Tensor) -> Tensor:
        return QuantizeWeights.apply(
            weights, self.center, self.half_width, self.gamma, self.levels
        )


class ActivationQuantizer(nn.Module):
    """c and d of one layer's input."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.levels = activation_levels(bits)
        self.center = nn.Parameter(torch.tensor([1.0]))
        self.half_width = nn.Parameter(torch.tensor([1.0]))

    def forward(self, values: Tensor) -> Tensor:
        return QuantizeActivations.apply(values, self.center, self.half_width, self.levels)
