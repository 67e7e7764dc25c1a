"""Quantizer outputs and gradients for given values, intervals and upstream gradients."""

import math
import pathlib

import torch
from safetensors.torch import save_file
from torch import Tensor

import qil

COUNT = 240
"""Values of a random case."""


def noise(seed: int, count: int, scale: float) -> Tensor:
    """Normal values, f32."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, generator=generator) * scale


def near_a_step(values: Tensor, center: float, half_width: float, gamma: float, levels: int):
    """Which values f32 could round to another level or put on the other side of an end."""
    c, d, g = (torch.tensor(value).double() for value in (center, half_width, gamma))
    t = qil.position(values.double().abs(), c, d)
    at_end = torch.minimum(t.abs(), (t - 1).abs()) < 1e-4
    level = t.clamp(0, 1) ** g * levels
    return at_end | (((level - level.floor()) - 0.5).abs() < 1e-4)


def weight_cases() -> dict[str, tuple[Tensor, Tensor, list[float], int]]:
    """Name: values, upstream gradients, (c, d, gamma), levels."""
    worked = torch.tensor([-0.85, -0.55, -0.12, 0.0, 0.05, 0.3, 0.52, 0.69, 0.9])
    upstream = torch.tensor([1, -2, 0.5, 3, 1, -1, 2, 0.25, 4])
    cases = {"worked": (worked, upstream, [0.4, 0.3, 1.5], 3)}
    for seed, (bits, center, half_width, gamma) in enumerate([
        (2, 0.5, 0.5, 1.0), (2, 0.4, 0.3, 1.7), (3, 0.06, 0.06, 1.0), (3, 0.5, 0.4, 0.6),
        (4, 0.07, 0.05, 1.0), (4, 0.6, 0.55, 1.3), (4, 0.5, 0.45, 0.25), (4, 0.5, 0.45, 4.0),
        (5, 0.5, 0.02, 0.9), (8, 0.5, 0.5, 1.0), (8, 2.0, 1.0, 1.1),
    ]):
        levels = qil.weight_levels(bits)
        values = noise(seed, 4 * COUNT, center)
        values = values[~near_a_step(values, center, half_width, gamma, levels)][:COUNT]
        name = f"random, {bits} bits, c {center}, d {half_width}, gamma {gamma}"
        cases[name] = (values, noise(100 + seed, len(values), 1.0), [center, half_width, gamma], levels)
    for gamma in (1.0, 0.5, 2.0):
        # Ends, the middle and zero of an interval whose arithmetic is exact.
        ends = torch.tensor([0.25, 0.75, 0.5, 0.0, 1.0, 0.125])
        ends = torch.cat([ends, -ends])
        cases[f"ends, gamma {gamma}"] = (ends, noise(50, len(ends), 1.0), [0.5, 0.25, gamma], 3)
    ties = torch.tensor([0.5, -0.5, 0.25, -0.25, 0.75, 0.0])
    cases["ties, one level"] = (ties, noise(51, 6, 1.0), [0.5, 0.5, 1.0], 1)
    steps = torch.arange(-8.0, 9.0) / 8
    cases["ties, two levels of four"] = (steps, noise(52, 17, 1.0), [0.5, 0.5, 1.0], 4)
    # Magnitudes from the smallest number to almost the largest, on both sides of zero.
    extreme = torch.tensor([1e-45, 1e-40, 1.2e-38, 1e-30, 1e-10, 1e-6, 3e-4, 2e-3, 1e10, 1e30])
    extreme = torch.cat([extreme, -extreme])
    for gamma in (1.0, 0.25, 4.0):
        cases[f"extreme, gamma {gamma}"] = (extreme, noise(53, 20, 1.0), [0.5, 0.5, gamma], 7)
    # Behind the lower end, where the backward pass takes t for a thousandth.
    lowest = 0.5 - 0.375 + 0.75 * torch.tensor([2e-5, 1e-4, 5e-4, 9e-4, 1.1e-3, 4e-3])
    for gamma in (0.25, 0.5, 4.0):
        cases[f"small t, gamma {gamma}"] = (lowest, noise(54, 6, 1.0), [0.5, 0.375, gamma], 7)
    return cases


def activation_cases() -> dict[str, tuple[Tensor, Tensor, list[float], int]]:
    """Name: values, upstream gradients, (c, d, 1), levels."""
    worked = torch.tensor([0.0, 0.05, 0.2, 0.61, 1.0, 1.09, 1.5])
    upstream = torch.tensor([1, 1, -1, 2, 0.5, -2, 3])
    cases = {"worked": (worked, upstream, [0.6, 0.5, 1.0], 3)}
    for seed, (bits, center, half_width) in enumerate(
        [(2, 1.0, 1.0), (3, 1.2, 0.9), (4, 1.5, 1.5), (4, 2.0, 0.02), (8, 3.0, 3.0)]
    ):
        levels = qil.activation_levels(bits)
        values = noise(200 + seed, 4 * COUNT, 1.3 * center)
        near = near_a_step(values.clamp(min=1e-3), center, half_width, 1.0, levels)
        values = values[~near][:COUNT].relu()
        name = f"random, {bits} bits, c {center}, d {half_width}"
        cases[name] = (values, noise(300 + seed, len(values), 1.0), [center, half_width, 1.0], levels)
    # Zeros of ReLU on the lower end, live values, the upper end.
    zeros = torch.cat([torch.zeros(100), torch.arange(1.0, 60.0) / 64, torch.ones(3)])
    cases["zeros of ReLU"] = (zeros, torch.ones(len(zeros)), [0.5, 0.5, 1.0], 2)
    ties = torch.arange(0.0, 17.0) / 16
    cases["ties, two levels of four"] = (ties, noise(60, 17, 1.0), [0.5, 0.5, 1.0], 4)
    extreme = torch.tensor([1e-45, 1e-40, 1.2e-38, 1e-30, 1e-10, 1e-6, 3e-4, 2e-3, 1e10, 1e30])
    cases["extreme"] = (extreme, noise(61, 10, 1.0), [0.5, 0.5, 1.0], 15)
    return cases


def results(function, values, upstream, scalars, levels, dtype) -> dict[str, Tensor]:
    """Output and gradients at a precision."""
    leaves = [values.detach().clone().to(dtype).requires_grad_()]
    leaves += [torch.tensor([scalar]).to(dtype).detach().requires_grad_() for scalar in scalars]
    output = function.apply(*leaves, levels)
    output.backward(upstream.to(dtype))
    names = ["input", "center", "half_width", "gamma"]
    gradients = {f"gradient.{name}": leaf.grad for name, leaf in zip(names, leaves)}
    return {"output": output.detach(), **gradients}


def write_quantizers(folder: pathlib.Path) -> None:
    """Writes `quantizers.safetensors`: `<kind>/<case>/{input, upstream, interval, levels}` and the
    results as `f32.<name>` and `f64.<name>`."""
    tensors = {}
    kinds = {
        "weights": (qil.QuantizeWeights, weight_cases(), 3),
        "activations": (qil.QuantizeActivations, activation_cases(), 2),
    }
    for kind, (function, cases, scalars) in kinds.items():
        for name, (values, upstream, interval, levels) in cases.items():
            prefix = f"{kind}/{name}/"
            tensors[prefix + "input"] = values
            tensors[prefix + "upstream"] = upstream
            tensors[prefix + "interval"] = torch.tensor(interval)
            tensors[prefix + "levels"] = torch.tensor([levels])
            arguments = (function, values, upstream, interval[:scalars], levels)
            found = {dtype: results(*arguments, dtype) for dtype in (torch.float32, torch.float64)}
            for dtype, label in ((torch.float32, "f32"), (torch.float64, "f64")):
                for what, tensor in found[dtype].items():
                    assert not tensor.isnan().any() and math.isfinite(tensor.abs().max()), name
                    tensors[f"{prefix}{label}.{what}"] = tensor
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: tensor.clone() for name, tensor in tensors.items()},
        folder / "quantizers.safetensors",
        metadata={"made_by": f"scripts/pytorch/make_fixtures.py, PyTorch {torch.__version__}"},
    )
    print(f"{len(tensors)} tensors of quantizers")
