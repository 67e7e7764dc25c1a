"""A training step, ten steps and evaluation logits of small ResNet-18 networks."""

import copy
import pathlib
from dataclasses import dataclass

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from distances import Nearest, layers_of, settle, weight_distances
from networks import network, reference_quantizers
from training import Optimizer

CLASSES, CHANNELS, SIZE, BATCH, STEPS = 10, 3, 16, 8, 10
CURVE_SIZE = 8
"""Of the images of the ten steps: fewer values, of which none may come near a step."""
LEARNING_RATE, WEIGHT_DECAY, QUANTIZER_SCALE = 0.02, 0.01, 0.1
"""Of the ten steps; the last two larger than usual, so that they show in the losses."""
BATCHES = 30
"""Batches to choose each of the ten steps' from."""


@dataclass(frozen=True)
class Case:
    """A network whose step is recorded."""

    name: str
    bits: int
    width: float
    learned_gamma: bool = False
    tables: tuple[float, float] = (0.0, 0.0)
    """Upper end of the intervals over the root mean square of weights and of positive inputs."""


CASES = [
    Case("resnet18-32bit", 32, 0.0625),
    Case("resnet18-4bit", 4, 0.125, tables=(2.45, 2.9)),
    Case("resnet18-2bit", 2, 0.0625, learned_gamma=True, tables=(1.2, 1.95)),
]


def pixels(seed: int, count: int, size: int = SIZE) -> Tensor:
    """Images `[n, c, h, w]` as bytes."""
    generator = torch.Generator().manual_seed(seed)
    shape = (count, CHANNELS, size, size)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def images(bytes_: Tensor) -> Tensor:
    """(b - 128) / 64, which every float type holds exactly."""
    return (bytes_.to(torch.float64) - 128) / 64


def labels(count: int) -> Tensor:
    return torch.arange(count) % CLASSES


@torch.no_grad()
def build(case: Case) -> nn.Module:
    """The network in f64, all of whose values f32 holds exactly."""
    torch.manual_seed(7)
    model = network(
        "resnet18", case.width, True, CHANNELS, CLASSES, reference_quantizers(case.bits, case.bits)
    ).double()
    for part in model.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out")
        elif isinstance(part, nn.BatchNorm2d):
            part.weight.uniform_(0.6, 1.4)
            part.bias.uniform_(-0.2, 0.4)

    for index, layer in enumerate(layers_of(model)):
        # Every other interval starts above zero.
        stretch = 1.0 if index % 2 else 1.06
        quantizer = layer.weight_quantizer
        half = layer.weight.pow(2).mean().sqrt() * case.tables[0] / 2
        quantizer.center.fill_(half * stretch)
        quantizer.half_width.fill_(half)
        if case.learned_gamma:
            quantizer.gamma.uniform_(0.7, 1.4)

        def set_interval(part: nn.Module, inputs: tuple[Tensor], stretch: float = stretch) -> None:
            values = inputs[0]
            half = values[values > 0].pow(2).mean().sqrt() * case.tables[1] / 2
            part.center.fill_((half * stretch).float())
            part.half_width.fill_(half.float())

        layer.activation_quantizer.handle = layer.activation_quantizer.register_forward_pre_hook(
            set_interval
        )
    model.float().double()
    for layer in layers_of(model):
        layer.weight[weight_distances(layer) < 1e-4] = 0
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = None  # the mean over batches
    model.train()(images(pixels(1, 64)))
    for layer in layers_of(model):
        layer.activation_quantizer.handle.remove()
        del layer.activation_quantizer.handle
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = 0.1
    return model.float().double()


def gradient_sums(model: nn.Module) -> dict[str, Tensor]:
    """Sums of magnitudes of what each interval's gradient adds up, a bound for its rounding error.

    The terms of c are those of the quantizer's input gradient, those of d are at most as large, and
    those of gamma at most 2 d / (e gamma) times as large. Filled by the backward pass.
    """
    sums: dict[str, Tensor] = {}
    for name, layer in model.named_modules():
        if not hasattr(layer, "activation_quantizer"):
            continue

        def add(part: nn.Module, inputs: tuple, outputs: tuple, name: str = name) -> None:
            sums[f"{name}.activation_quantizer"] = inputs[0].abs().sum().reshape(1)

        layer.activation_quantizer.register_full_backward_hook(add)
        layer.weight.register_hook(
            lambda gradient, name=name: sums.update(
                {f"{name}.weight_quantizer": gradient.abs().sum().reshape(1)}
            )
        )
    return sums


def state(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and running statistics in f32, which holds them exactly."""
    tensors = model.state_dict()
    return {n: t.float() for n, t in tensors.items() if not n.endswith("num_batches_tracked")}


def one_step(model: nn.Module, batch: Tensor, dtype: torch.dtype) -> dict[str, dict[str, Tensor]]:
    """Loss, logits and gradients of a batch, and running statistics after it."""
    model = copy.deepcopy(model).to(dtype).train()
    sums = gradient_sums(model)
    logits = model(batch.to(dtype))
    loss = functional.cross_entropy(logits, labels(len(batch)))
    loss.backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    running = {name: tensor for name, tensor in model.named_buffers() if "running_" in name}
    values = {"loss": loss.detach().reshape(1), "logits": logits.detach()}
    return {"gradient": gradients, "terms": sums, "after": running, "values": values}


def optimizer_of(model: nn.Module, case: Case) -> Optimizer:
    return Optimizer(
        model,
        LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        quantizer_scale=QUANTIZER_SCALE,
        learned_gamma=case.learned_gamma,
    )


def losses(model: nn.Module, case: Case, batches: list[Tensor], dtype: torch.dtype) -> Tensor:
    """The loss before each of the steps that these batches make."""
    model = copy.deepcopy(model).to(dtype).train()
    optimizer = optimizer_of(model, case)
    return torch.stack([train(model, optimizer, batch.to(dtype)) for batch in batches])


def train(model: nn.Module, optimizer: Optimizer, batch: Tensor) -> Tensor:
    """One step; the loss before it."""
    model.zero_grad()
    loss = functional.cross_entropy(model(batch), labels(len(batch)))
    loss.backward()
    optimizer.step()
    return loss.detach()


def choose_batches(model: nn.Module, case: Case) -> tuple[list[Tensor], float, float]:
    """For each step the batch that keeps activations in it, and weights after it, away from steps.

    Returns the smallest distances left, of activations and of weights.
    """
    model = copy.deepcopy(model).train()
    optimizer = optimizer_of(model, case)
    chosen, left = [], [torch.inf, torch.inf]
    for step in range(STEPS):
        best = (0.0, None)
        for attempt in range(BATCHES):
            batch = pixels(1000 * (step + 1) + attempt, BATCH, CURVE_SIZE)
            tried, trying = copy.deepcopy((model, optimizer))
            with Nearest(tried) as nearest:
                train(tried, trying, images(batch))
            weights = [weight_distances(layer).min().item() for layer in layers_of(tried)]
            distances = (nearest.smallest, min(weights, default=torch.inf))
            # f32's weights err by a third of what its activations do.
            score = min(distances[0], 3 * distances[1])
            if score > best[0]:
                best = (score, batch, distances)
        chosen.append(best[1])
        left = [min(pair) for pair in zip(left, best[2])]
        train(model, optimizer, images(best[1]))
    return chosen, *left


def errors(found: dict, expected: dict) -> dict[str, Tensor]:
    """PyTorch's own f32 error: the largest of any tensor's gradient, relative to its norm, and the
    largest of any interval's, relative to the magnitudes that it adds up."""
    tensors, intervals = [0.0], [0.0]
    for name, gradient in expected["gradient"].items():
        error = (found["gradient"][name].double() - gradient).norm()
        if "_quantizer." in name:
            intervals.append((error / expected["terms"][name.rsplit(".", 1)[0]]).item())
        else:
            tensors.append((error / gradient.norm()).item())
    return {"tensors": torch.tensor([max(tensors)]), "intervals": torch.tensor([max(intervals)])}


@torch.no_grad()
def evaluate(model: nn.Module, batch: Tensor, dtype: torch.dtype) -> Tensor:
    return copy.deepcopy(model).to(dtype).eval()(batch.to(dtype))


def write(path: pathlib.Path, tensors: dict[str, Tensor]) -> None:
    """One file, f64 kept only where it is asked for by the name."""
    made_by = f"scripts/pytorch/make_fixtures.py, PyTorch {torch.__version__}"
    kept = {
        name: (tensor if name.startswith(("f64.", "images")) else tensor.float()).clone()
        for name, tensor in tensors.items()
    }
    save_file(kept, path, metadata={"made_by": made_by})
    print(f"{path.name}: {path.stat().st_size} bytes")


def write_networks(folder: pathlib.Path) -> None:
    """Writes two files a case: `<case>-state`, what the program starts from, and `<case>-results`.

    Results: `f32.` and `f64.{loss, logits, evaluation, losses}`, `gradient.<parameter>` from f64,
    `terms.<quantizer>` (the sum of magnitudes behind its gradients), `after.<running statistic>`, and
    `f32_error.{tensors, intervals}`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for case in CASES:
        model = build(case)
        step, evaluation = pixels(2, BATCH), pixels(3, 4)
        with torch.no_grad():
            left = settle(model, images(step), images(evaluation))
        steps, *curve_left = choose_batches(model, case)
        results: dict[str, Tensor] = {}
        recorded = {}
        for label, dtype in (("f32", torch.float32), ("f64", torch.float64)):
            recorded[label] = one_step(model, images(step), dtype)
            results |= {f"{label}.{n}": t for n, t in recorded[label]["values"].items()}
            results[f"{label}.evaluation"] = evaluate(model, images(evaluation), dtype)
            results[f"{label}.losses"] = losses(
                model, case, [images(batch) for batch in steps], dtype
            )
        for kind in ("gradient", "terms", "after"):
            results |= {f"{kind}.{n}": t for n, t in recorded["f64"][kind].items()}
        own = errors(recorded["f32"], recorded["f64"])
        results |= {f"f32_error.{name}": value for name, value in own.items()}
        curve = (results["f32.losses"] / results["f64.losses"] - 1).abs()
        print(
            f"{case.name}: no value within {left:.1e} of a step; PyTorch's f32 errs by "
            f"{own['tensors'].item():.1e} (gradients), {own['intervals'].item():.1e} (intervals), "
            f"{curve.max().item():.1e} (ten losses, no activation within {curve_left[0]:.1e} and no "
            f"weight within {curve_left[1]:.1e} of a step)"
        )
        inputs = {"images.step": step, "images.evaluation": evaluation, "images.steps": torch.stack(steps)}
        write(folder / f"{case.name}-state.safetensors", state(model) | inputs)
        write(folder / f"{case.name}-results.safetensors", results)
