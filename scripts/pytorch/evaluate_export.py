#!/usr/bin/env python3
"""Rebuilds a network that `bitsweep export` wrote, in PyTorch, and evaluates its top-1.

Knows the file from docs/weights.md alone. Evaluates on a folder of one folder a class, or on the test images
of Fashion-MNIST that come with bitsweep; exits with 1 when the top-1 is not the one in the file.
"""

import argparse
import gzip
import json
import pathlib
import sys

import numpy
import torch
from PIL import Image
from safetensors import safe_open
from torch import Tensor, nn

from networks import full_precision, network, reference_quantizers, scaled_quantizers

EMBEDDED = pathlib.Path(__file__).parents[2] / "sweeps/data/fashion-mnist-mini"


def rebuild(path: str) -> tuple[nn.Module, dict[str, str]]:
    """The network of an export, and what the file says of it."""
    with safe_open(path, framework="pt") as file:
        entries = file.metadata() or {}
        state = {name: file.get_tensor(name) for name in file.keys()}
    about = {
        name.removeprefix("bitsweep."): value
        for name, value in entries.items()
        if name.startswith("bitsweep.")
    }
    if about.get("format") != "1":
        sys.exit(f"{path} is no export of bitsweep in format 1")
    widths = int(about["weight_bits"]), int(about["activation_bits"])
    if widths == (32, 32):
        quantizers = full_precision
    elif about["output_scale"] == "interval":
        quantizers = scaled_quantizers(*widths)
    else:
        quantizers = reference_quantizers(*widths)
    model = network(
        about["network"],
        float(about["width_multiplier"]),
        about["stem"] == "small",
        int(about["in_channels"]),
        int(about["classes"]),
        quantizers,
    )
    expected = {name for name in model.state_dict() if not name.endswith("num_batches_tracked")}
    if expected != state.keys():
        sys.exit(f"{path}: names differ: {sorted(expected ^ state.keys())}")
    model.load_state_dict(state, strict=False)
    return model.eval(), about


def embedded() -> tuple[list[numpy.ndarray], numpy.ndarray]:
    """The test images of fashion-mnist-mini, bytes [28, 28, 1], and their labels."""
    def read(name: str, header: int) -> numpy.ndarray:
        data = gzip.decompress((EMBEDDED / name).read_bytes())
        return numpy.frombuffer(data, numpy.uint8, offset=header)

    images = read("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28, 1)
    return list(images), read("t10k-labels-idx1-ubyte.gz", 8)


def folder(path: pathlib.Path, index: pathlib.Path | None) -> tuple[list[pathlib.Path], numpy.ndarray]:
    """Image files of one folder a class, and their classes: places in the sorted list, or of a file."""
    names = sorted(entry.name for entry in path.iterdir() if entry.is_dir())
    classes = {name: place for place, name in enumerate(names)}
    if index:
        rows = (line.split("\t") for line in index.read_text().splitlines())
        classes = {row[1]: int(row[0]) for row in rows}
    files = [(file, classes[name]) for name in names for file in sorted((path / name).iterdir())]
    return [file for file, _ in files], numpy.array([label for _, label in files])


def balanced(images: list, labels: numpy.ndarray, count: int) -> tuple[list, numpy.ndarray]:
    """The first images of each class, so that they are `count`."""
    classes = int(labels.max()) + 1
    rank = numpy.zeros(len(labels), numpy.int64)
    for number in range(classes):
        rank[labels == number] = numpy.arange((labels == number).sum())
    chosen = numpy.flatnonzero(rank < count // classes + (labels < count % classes))
    return [images[place] for place in chosen], labels[chosen]


def pixels(image: numpy.ndarray | pathlib.Path, about: dict[str, str]) -> numpy.ndarray:
    """Bytes [resolution, resolution, channels]."""
    side = int(about["resolution"])
    if isinstance(image, numpy.ndarray):
        top, left = ((side - size) // 2 for size in image.shape[:2])
        square = numpy.zeros((side, side, image.shape[2]), numpy.uint8)
        square[top : top + image.shape[0], left : left + image.shape[1]] = image
        return square
    opened = Image.open(image).convert("RGB" if about["in_channels"] == "3" else "L")
    if "resize" in about:
        shorter = int(about["resize"])
        width, height = opened.size
        # As torchvision: the longer side is rounded down.
        size = (
            (shorter, int(shorter * height / width))
            if width <= height
            else (int(shorter * width / height), shorter)
        )
        opened = opened.resize(size, Image.Resampling.BILINEAR)
    left, top = (round((size - side) / 2) for size in opened.size)
    cropped = numpy.asarray(opened.crop((left, top, left + side, top + side)))
    return cropped.reshape(side, side, -1)


def prepare(images: list, about: dict[str, str]) -> Tensor:
    """Numbers that the network sees, [n, channels, height, width]."""
    def numbers(name: str) -> Tensor:
        values = [float(text) for text in about[name].split()]
        return torch.tensor(values).reshape(1, -1, 1, 1)

    batch = numpy.stack([pixels(image, about) for image in images])
    batch = torch.from_numpy(batch).permute(0, 3, 1, 2).float() / 255
    return (batch - numbers("normalization_mean")) / numbers("normalization_deviation")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("export", help="file that `bitsweep export --format safetensors` wrote")
    parser.add_argument("--data", type=pathlib.Path, help="folder of one folder a class [default: embedded]")
    parser.add_argument("--class-index", type=pathlib.Path, help="lines of class, tab, folder name")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--device", default="cpu")
    chosen = parser.parse_args()
    model, about = rebuild(chosen.export)
    model.to(chosen.device)
    images, labels = folder(chosen.data, chosen.class_index) if chosen.data else embedded()
    if not chosen.data and "validation_images" in about:
        images, labels = balanced(images, labels, int(about["validation_images"]))
    correct = 0
    with torch.no_grad():
        for start in range(0, len(images), chosen.batch_size):
            end = start + chosen.batch_size
            logits = model(prepare(images[start:end], about).to(chosen.device))
            found = logits.argmax(1).cpu()
            correct += int((found == torch.from_numpy(labels[start:end].astype(numpy.int64))).sum())
    top1 = 100 * correct / len(images)
    recorded = float(about["top1"]) if "top1" in about else None
    print(json.dumps({"images": len(images), "correct": correct, "top1": top1, "recorded": recorded}))
    if recorded is not None and abs(top1 - recorded) > 1e-9:
        sys.exit(1)


if __name__ == "__main__":
    main()
