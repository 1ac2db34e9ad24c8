"""The first recogniser: the trunk of PP-OCRv6 tiny recognition with one time step per 4 pixels and new heads.

The trunk's weights (Apache-2.0, PaddlePaddle authors) are the initial weights; all of them are fine-tuned.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import Tensor, nn

from inkgate.engines.plate.alphabet import CHARACTERS, COLOURS
from inkgate.engines.plate.training.onnx_import import OnnxModule

_TRUNK_END, _NECK_END = "p2o.pd_op.add.39.0", "p2o.pd_op.add.40.0"


def _finer(kind: str, out: str, attributes: dict[str, object]) -> None:
    """Pool rows only, so that 160 pixels give 40 time steps instead of 20."""
    if kind == "AveragePool":
        attributes["kernel_shape"], attributes["strides"] = [3, 1], [3, 1]


class PlateReader(nn.Module):
    """BGR float (n, 3, 48, 160) in -1..1 -> logits of characters (n, 40, 1 + len(CHARACTERS)), of the background
    colour (n, len(COLOURS)) and of "has two rows" (n, 1).
    """

    def __init__(self, trunk: str, dictionary: Sequence[str]) -> None:
        """`trunk`: the ONNX file; `dictionary`: its characters, class 1 first."""
        super().__init__()
        self.trunk = OnnxModule(trunk, [_TRUNK_END, _NECK_END], _finer)
        weights = {i.name: numpy_helper.to_array(i) for i in onnx.load(trunk).graph.initializer}
        matrix = next(w for w in weights.values() if w.ndim == 2 and w.shape[0] == 80 and w.shape[1] > 1000)
        bias = next(w for w in weights.values() if w.ndim == 1 and w.shape[0] == matrix.shape[1])
        rows = [0] + [dictionary.index(c) + 1 for c in CHARACTERS]
        self.head = nn.Linear(80, len(rows))
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(matrix[:, rows].T.copy()))
            self.head.bias.copy_(torch.from_numpy(bias[rows].copy()))
        self.kind = nn.Sequential(nn.Linear(160 + 36, 64), nn.Hardswish(), nn.Linear(64, len(COLOURS) + 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features, neck = self.trunk(x)
        tints = F.avg_pool2d(x, (24, 26)).flatten(1)
        kind = self.kind(torch.cat([features.mean((2, 3)), tints], 1))
        return self.head(neck), kind[:, :-1], kind[:, -1:]
