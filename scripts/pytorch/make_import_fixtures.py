#!/usr/bin/env python3
"""Writes the weights files that `crates/models/tests/import` reads: tiny networks in the ways of torch.save.

Usage: make_import_fixtures.py [FOLDER]   (default: crates/models/tests/import/fixtures)
"""

import argparse
import os
import pathlib
import pickle
import zipfile

import torch
from safetensors.torch import save_file
from torch import nn

from networks import full_precision, network

FOLDER = pathlib.Path(__file__).parents[2] / "crates/models/tests/import/fixtures"


def resnet() -> dict[str, torch.Tensor]:
    """ResNet-18 of 1, 2, 4 and 8 channels with running statistics of its own."""
    torch.manual_seed(1)
    model = network("resnet18", 1 / 64, True, 3, 10, full_precision)
    model.train()
    for _ in range(3):
        model(torch.randn(8, 3, 16, 16))
    return model.state_dict()


def alexnet() -> nn.Module:
    """torchvision's AlexNet, a 256th as wide: biases, no batch-norm."""
    torch.manual_seed(2)
    model = nn.Module()
    model.features = nn.Sequential(
        nn.Conv2d(3, 1, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(1, 1, 5, 1, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(1, 2, 3, 1, 1), nn.ReLU(),
        nn.Conv2d(2, 1, 3, 1, 1), nn.ReLU(),
        nn.Conv2d(1, 1, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(3, 2),
    )
    model.classifier = nn.Sequential(
        nn.Dropout(), nn.Linear(36, 16), nn.ReLU(),
        nn.Dropout(), nn.Linear(16, 16), nn.ReLU(),
        nn.Linear(16, 10),
    )
    with torch.no_grad():
        for index in (0, 3, 6, 8, 10):
            # Without it, so few channels are soon all zero.
            model.features[index].weight.abs_()
            model.features[index].bias.abs_()
        for index in (1, 4):
            model.classifier[index].bias.abs_()
    return model.eval()


def images() -> torch.Tensor:
    """Two images that are easy to make anywhere: pixel i of the NHWC batch is sin(i / 10)."""
    count = 2 * 227 * 227 * 3
    values = torch.sin(torch.arange(count, dtype=torch.float64) / 10).float()
    return values.reshape(2, 227, 227, 3).permute(0, 3, 1, 2)


def alexnet_logits(model: nn.Module) -> torch.Tensor:
    """In 64 bits."""
    model = model.double()
    with torch.no_grad():
        values = model.features(images().double())
        values = nn.functional.adaptive_avg_pool2d(values, 6)
        return model.classifier(values.flatten(1)).float()


class Touch:
    """A pickle that would make a file when loaded by Python."""

    def __reduce__(self):
        return os.system, ("touch hostile-pickle-was-executed",)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=pathlib.Path, default=FOLDER)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    state = resnet()
    save_file(state, folder / "resnet18.safetensors")
    torch.save(state, folder / "resnet18-legacy.pth", _use_new_zipfile_serialization=False)
    momentum = {index: {"momentum_buffer": torch.zeros(2)} for index in range(3)}
    training = {
        "epoch": 3,
        "best_prec1": torch.tensor(12.5, dtype=torch.float64),
        "state_dict": {f"module.{name}": value for name, value in state.items()},
        "optimizer": {"state": momentum, "param_groups": [{"lr": 0.1}]},
    }
    torch.save(training, folder / "resnet18-training.pth")
    model = alexnet()
    torch.save(model.state_dict(), folder / "alexnet.pth")
    save_file({"logits": alexnet_logits(model)}, folder / "alexnet-logits.safetensors")
    with zipfile.ZipFile(folder / "hostile.pth", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"conv1.weight": Touch()}, protocol=2))
        archive.writestr("archive/version", "3\n")
    (folder / "hostile.pkl").write_bytes(pickle.dumps(Touch(), protocol=2))


if __name__ == "__main__":
    main()
