"""Export a checkpoint to ONNX.

    python -m inkgate.engines.plate.training.export reader --trunk FILE --state STATE --to FILE

Exports the averaged weights with the outputs that `engines.plate` expects, and compares one run of the file with torch.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from inkgate.engines.plate.training.detector_net import PlateDetector
from inkgate.engines.plate.training.reader_net import PlateReader
from inkgate.engines.plate.training.refine_net import CornerRefiner
from inkgate.engines.plate.training.second_net import SecondReader


class _ReaderOut(nn.Module):
    """The first recogniser with one output (n, 41, 74): 40 time steps of character probabilities, then one row with the
    probabilities of the background colours (alphabet.COLOURS), the probability of two rows, and zeros."""

    def __init__(self, net: PlateReader) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        characters, colour, double = self.net(x)
        last = torch.cat([torch.softmax(colour, 1), torch.sigmoid(double)], 1)
        last = torch.nn.functional.pad(last, (0, characters.shape[2] - last.shape[1]))
        return torch.cat([torch.softmax(characters, 2), last[:, None]], 1)


class _SecondOut(nn.Module):
    """The second recogniser with probabilities (n, 48, 74) as its output."""

    def __init__(self, net: SecondReader) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(self.net(x), 2)


def weights_of(path: Path) -> dict[str, Tensor]:
    """Weights of an exported file by parameter name, to initialise a new training."""
    graph = onnx.load(str(path)).graph
    return {
        i.name.removeprefix("net.").removeprefix("0."): torch.from_numpy(numpy_helper.to_array(i).copy())
        for i in graph.initializer
    }


def load_average(net: nn.Module, state: Path) -> int:
    """Load the averaged weights of a checkpoint into `net`. Returns its step."""
    saved = torch.load(state, map_location="cpu")
    weights = {k.removeprefix("module."): v for k, v in saved["average"].items() if k.startswith("module.")}
    net.load_state_dict(weights)
    return int(saved["step"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=("reader", "second", "detector", "corners"))
    parser.add_argument("--trunk", required=True)
    parser.add_argument("--dictionary", help="the trunk's characters; needed by both recognisers")
    parser.add_argument("--state", type=Path)
    parser.add_argument("--weights", type=Path, help="an exported file to export again, instead of a checkpoint")
    parser.add_argument("--to", type=Path, required=True)
    options = parser.parse_args()
    if options.network == "reader":
        net = PlateReader(options.trunk, Path(options.dictionary).read_text("utf8").rstrip("\n").split("\n"))
        example, output, name = torch.randn(2, 3, 48, 160), "read", "strip"
        axes = {"strip": {0: "n"}, "read": {0: "n"}}
    elif options.network == "second":
        net = SecondReader(options.trunk, Path(options.dictionary).read_text("utf8").split())
        example, output, name = torch.randn(2, 3, 32, 104), "read", "strip"
        axes = {"strip": {0: "n"}, "read": {0: "n"}}
    elif options.network == "corners":
        net = CornerRefiner(options.trunk)
        example, output, name = torch.randn(1, 3, 64, 160), "away", "view"
        axes = {"view": {0: "n"}, "away": {0: "n"}}
    else:
        net = PlateDetector(options.trunk)
        example, output, name = torch.randn(1, 3, 96, 160), "cells", "image"
        axes = {"image": {2: "height", 3: "width"}, "cells": {2: "rows", 3: "columns"}}
    step = load_average(net, options.state) if options.state else 0
    if options.weights:
        net.load_state_dict(weights_of(options.weights))
    whole = {"reader": _ReaderOut, "second": _SecondOut}.get(options.network, nn.Sequential)(net).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            whole,
            (example,),
            str(options.to),
            input_names=[name],
            output_names=[output],
            dynamic_axes=axes,
            opset_version=17,
            do_constant_folding=False,  # keeps the parameter names that `weights_of` needs
            training=torch.onnx.TrainingMode.PRESERVE,
            dynamo=False,
        )
    model = onnx.load(str(options.to))
    onnx.checker.check_model(model)
    given = ort.InferenceSession(str(options.to)).run(None, {name: example.numpy()})[0]
    worst = float(np.abs(given - whole(example).detach().numpy()).max())
    print(f"step {step}: {options.to} {options.to.stat().st_size / 1e6:.2f} MB, largest difference {worst:.1e}")


if __name__ == "__main__":
    main()
