#!/usr/bin/env python3
"""Writes what tests compare with: quantizers, a training step, ten steps, evaluation logits.

    python scripts/pytorch/make_fixtures.py            write all files
    python scripts/pytorch/make_fixtures.py quantizers only one of quantizers, networks

The reference is `qil.py` and `networks.py` in f64. PyTorch's own f32 error stands beside it, as a
measure of what f32 can be asked for. Rounding and ReLU make steps: where a value lies within f32's
error of one, f32 may fall on the other side and differ by far more. Inputs are chosen so that no
value comes near a step.
"""

import argparse
import pathlib

import torch

from network_fixtures import write_networks
from quantizer_fixtures import write_quantizers

CRATES = pathlib.Path(__file__).resolve().parents[2] / "crates"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("which", nargs="?", choices=["quantizers", "networks"])
    torch.set_num_threads(1)  # the same sums on every machine
    which = parser.parse_args().which
    if which in (None, "quantizers"):
        write_quantizers(CRATES / "qil" / "tests" / "fixtures")
    if which in (None, "networks"):
        write_networks(CRATES / "models" / "tests" / "fixtures")


if __name__ == "__main__":
    main()
