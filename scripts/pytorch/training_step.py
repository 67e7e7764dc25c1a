#!/usr/bin/env python3
"""Images a second of PyTorch's training step: the peer that `scripts/bench-engine` compares with.

The step is the one that bitsweep trains with: forward with batch statistics, cross-entropy, backward,
SGD with momentum (weight decay on weights alone, a hundredth of the learning rate for intervals), and
the projection of intervals. Reads a number of steps a line from standard input and answers each with
one line of JSON.
"""

import argparse
import contextlib
import json
import resource
import sys
import time

import torch
from torch import Tensor, nn
from torch.nn import functional

import fast_qil
import qil
from networks import full_precision, network
from training import MOMENTUM, parameter_groups

LEARNING_RATE, WEIGHT_DECAY, QUANTIZER_SCALE = 0.01, 1e-4, 0.01


def add_quantizers(bits: int, learned_gamma: bool, compiled: bool):
    """Gives a layer the quantizers that suit the way it is run."""
    weight = fast_qil.FusibleWeightQuantizer if compiled else fast_qil.FastWeightQuantizer
    activation = (
        fast_qil.FusibleActivationQuantizer if compiled else fast_qil.FastActivationQuantizer
    )

    def add(layer: nn.Module) -> None:
        layer.weight_quantizer = weight(bits, learned_gamma)
        layer.activation_quantizer = activation(bits)
        # 2.45 times the root mean square holds the Gaussian weights of 4 bits best.
        half = layer.weight.detach().pow(2).mean().sqrt() * 2.45 / 2
        layer.weight_quantizer.center.data.fill_(half)
        layer.weight_quantizer.half_width.data.fill_(half)

    return full_precision if bits == 32 else add


class Intervals:
    """c and d of all quantizers in one tensor each, so that the projection is a few operations."""

    def __init__(self, model: nn.Module) -> None:
        owners = [part for part in model.modules() if hasattr(part, "half_width")]
        self.gammas = [part.gamma for part in owners if hasattr(part, "gamma")]
        self.values = torch.stack([
            torch.cat([part.center.data for part in owners]),
            torch.cat([part.half_width.data for part in owners]),
        ]) if owners else torch.empty(2, 0)
        for index, part in enumerate(owners):
            part.center.data = self.values[0, index : index + 1]
            part.half_width.data = self.values[1, index : index + 1]
        self.floor = qil.SMALLEST_HALF_WIDTH * self.values[1].clone()
        self.before = self.values.clone()

    @torch.no_grad()
    def remember(self) -> None:
        """Keeps what the step starts from."""
        self.before.copy_(self.values)

    @torch.no_grad()
    def project(self) -> None:
        """No step beyond 5 %, d not below 1 % of its first value, c not below d."""
        room = qil.LARGEST_STEP * self.before.abs()
        self.values.copy_(self.before + (self.values - self.before).clamp(-room, room))
        center, half_width = self.values
        torch.maximum(half_width, self.floor, out=half_width)
        torch.maximum(center, half_width, out=center)
        if self.gammas:
            torch._foreach_clamp_min_(self.gammas, qil.GAMMA_RANGE[0])
            torch._foreach_clamp_max_(self.gammas, qil.GAMMA_RANGE[1])


class Step:
    """One network with its batch and its optimizer."""

    def __init__(self, options: argparse.Namespace) -> None:
        torch.manual_seed(0)
        self.device = torch.device(options.device)
        self.amp = options.amp
        compiled = options.mode == "compile"
        add = add_quantizers(options.bits, options.gamma == "learned", compiled)
        model = network(
            options.network, options.width, options.small, options.channels, options.classes, add
        )
        model = model.to(self.device).to(memory_format=torch.channels_last).train()
        shape = (options.batch, options.channels, options.size, options.size)
        images = torch.randn(shape, device=self.device)
        self.images = images.contiguous(memory_format=torch.channels_last)
        self.labels = torch.arange(options.batch, device=self.device) % options.classes
        self.intervals = Intervals(model)
        learned_gamma = options.gamma == "learned"
        groups = parameter_groups(
            model, WEIGHT_DECAY, LEARNING_RATE * QUANTIZER_SCALE, learned_gamma
        )
        self.optimizer = torch.optim.SGD(
            groups, lr=LEARNING_RATE, momentum=MOMENTUM, **{options.optimizer: True}
        )

        def loss(images: Tensor, labels: Tensor) -> Tensor:
            return functional.cross_entropy(model(images), labels)

        self.loss = torch.compile(loss) if compiled else loss

    def run(self) -> float:
        """One step; its loss."""
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type) if self.amp else contextlib.nullcontext():
            loss = self.loss(self.images, self.labels)
        loss.backward()
        self.intervals.remember()
        self.optimizer.step()
        self.intervals.project()
        return loss.item()


def peak_bytes() -> int:
    """Largest resident set so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def difference(found: Tensor, expected: Tensor) -> float:
    """Largest difference, relative to the largest value."""
    return ((found - expected).abs().max() / expected.abs().max()).item()


def check() -> None:
    """Compares the fast quantizers with the plain ones on values that are no multiples of a step."""
    torch.manual_seed(1)
    scalars = [torch.tensor([0.5]), torch.tensor([0.45])]
    values = torch.randn(64, 32, 9, 9).contiguous(memory_format=torch.channels_last)
    upstream = torch.randn_like(values)
    one = torch.ones(1)
    cases = [
        ("weights", fast_qil.FastQuantizeWeights, qil.QuantizeWeights, values, [7], [one, 7]),
        ("weights, fusible", fast_qil.FusibleQuantizeWeights, qil.QuantizeWeights, values,
         [one, 7], [one, 7]),
        ("activations", fast_qil.FastQuantizeActivations, qil.QuantizeActivations, values.relu(),
         [15], [15]),
    ]
    for name, fast, plain, values, fast_rest, plain_rest in cases:
        results = []
        for function, rest in ((fast, fast_rest), (plain, plain_rest)):
            leaves = [tensor.clone().requires_grad_() for tensor in (values, *scalars)]
            output = function.apply(*leaves, *rest)
            output.backward(upstream)
            results.append([output.detach(), *(leaf.grad for leaf in leaves)])
        for what, found, expected in zip(("output", "input", "c", "d"), *results):
            error = difference(found, expected)
            # A value near the middle of two levels may round to either of them.
            allowed = 0.15 if what == "output" else 1e-4
            wrong = (found - expected).abs().gt(1e-5).float().mean().item()
            print(f"{name}: {what}: largest difference {error:.1e}, {wrong:.1e} of the values differ")
            if error > allowed or (what == "output" and wrong > 1e-4):
                sys.exit(f"{name}: {what} differs from the plain quantizer")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--network", default="resnet18")
    parser.add_argument("--size", type=int, default=64, help="height and width of the images")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--bits", type=int, default=32)
    parser.add_argument("--gamma", choices=["fixed", "learned"], default="fixed")
    parser.add_argument("--width", type=float, default=1.0, help="channel multiplier")
    parser.add_argument("--small", action="store_true", help="the stem for images of about 32 pixels")
    parser.add_argument("--channels", type=int, default=3, help="of the images")
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--mode", choices=["eager", "compile"], default="eager")
    parser.add_argument("--optimizer", choices=["foreach", "fused"], default="fused")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--amp", action="store_true", help="mixed precision")
    parser.add_argument("--check", action="store_true", help="only compare the quantizers")
    return parser.parse_args()


def main() -> None:
    chosen = options()
    torch.set_flush_denormal(True)
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    if chosen.check:
        check()
        return
    step = Step(chosen)
    loss = [step.run() for _ in range(3)][-1]
    print(json.dumps({"ready": True, "loss": loss}), flush=True)
    for line in sys.stdin:
        count = int(line)
        start, used = time.perf_counter(), time.process_time()
        for _ in range(count):
            loss = step.run()
        seconds, used = time.perf_counter() - start, time.process_time() - used
        answer = {
            "images_per_second": count * chosen.batch / seconds,
            "images_per_cpu_second": count * chosen.batch / used,
            "peak_bytes": peak_bytes(),
            "loss": loss,
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
