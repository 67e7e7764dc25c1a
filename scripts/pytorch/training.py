"""The optimizer of a trial: SGD with momentum, and what keeps intervals valid after each step."""

import torch
from torch import Tensor, nn

import qil

MOMENTUM = 0.9


def quantizer_parts(model: nn.Module) -> list[nn.Module]:
    """Every weight and activation quantizer."""
    return [part for part in model.modules() if hasattr(part, "half_width")]


def parameter_groups(
    model: nn.Module, weight_decay: float, quantizer_rate: float, learned_gamma: bool
) -> list[dict]:
    """Weights of layers decay; batch-norm, biases and quantizers do not. Quantizers have their own rate."""
    weights, others, quantizers = [], [], []
    for name, parameter in model.named_parameters():
        if name.endswith(".gamma") and not learned_gamma:
            continue
        if "_quantizer." in name:
            quantizers.append(parameter)
        else:
            (weights if parameter.dim() > 1 else others).append(parameter)
    groups = [
        {"params": weights, "weight_decay": weight_decay},
        {"params": others},
        {"params": quantizers, "lr": quantizer_rate},
    ]
    return [group for group in groups if group["params"]]


class Optimizer:
    """SGD, and the projection of intervals after it."""

    def __init__(
        self,
        model: nn.Module,
        learning_rate: float,
        weight_decay: float,
        quantizer_scale: float,
        learned_gamma: bool,
    ) -> None:
        self.parts = quantizer_parts(model)
        self.initial = [part.half_width.detach().clone() for part in self.parts]
        groups = parameter_groups(
            model, weight_decay, learning_rate * quantizer_scale, learned_gamma
        )
        self.sgd = torch.optim.SGD(groups, lr=learning_rate, momentum=MOMENTUM)

    def step(self) -> None:
        """One step with the gradients that the parameters have."""
        before = [
            (part.center.detach().clone(), part.half_width.detach().clone()) for part in self.parts
        ]
        self.sgd.step()
        for part, (center, half_width), initial in zip(self.parts, before, self.initial):
            project(part, center, half_width, initial)


@torch.no_grad()
def project(part: nn.Module, center: Tensor, half_width: Tensor, initial: Tensor) -> None:
    """No step of c or d beyond 5 %, d at least 1 % of its first value, c at least d, gamma bounded."""

    def limited(value: Tensor, before: Tensor) -> Tensor:
        room = qil.LARGEST_STEP * before.abs()
        return before + (value - before).clamp(-room, room)

    part.half_width.copy_(
        torch.maximum(limited(part.half_width, half_width), qil.SMALLEST_HALF_WIDTH * initial)
    )
    part.center.copy_(torch.maximum(limited(part.center, center), part.half_width))
    if hasattr(part, "gamma"):
        part.gamma.clamp_(*qil.GAMMA_RANGE)
