"""The detector: the trunk of PP-OCRv6 tiny text detection with a head for plate centres and their four corners.

The trunk's weights (Apache-2.0, PaddlePaddle authors) were trained on photographs, ours are rendered images: its first
stages are frozen, the rest is fine-tuned.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from inkgate.engines.plate.training.onnx_import import OnnxModule, _safe

STRIDE = 4
FEATURES, _FROZEN_UNTIL = "Concat.3", "Add.33"


def block(inputs: int, outputs: int, size: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, size, padding=size // 2, groups=inputs), nn.Conv2d(inputs, outputs, 1), nn.Hardswish()
    )


class PlateDetector(nn.Module):
    """Normalised BGR (n, 3, h, w), sides multiples of 32 -> (n, 10, h / 4, w / 4): logit of the plate centre,
    logarithm of the width in pixels, and corners TL TR BR BL (x, y) from the centre of the cell, in plate widths."""

    def __init__(self, trunk: str) -> None:
        super().__init__()
        self.trunk = OnnxModule(trunk, [FEATURES])
        for _, inputs, out, _ in self.trunk.nodes:
            for name in inputs:
                if isinstance(getattr(self.trunk, _safe(name), None), nn.Parameter):
                    getattr(self.trunk, _safe(name)).requires_grad_(False)
            if out == _FROZEN_UNTIL:
                break
        self.head = nn.Sequential(block(64, 48, 3), block(48, 48, 5), nn.Conv2d(48, 10, 1))
        with torch.no_grad():
            last = self.head[-1]
            last.weight.mul_(0.1)
            flat = torch.tensor([-0.5, -0.16, 0.5, -0.16, 0.5, 0.16, -0.5, 0.16])
            last.bias.copy_(torch.cat([torch.tensor([-4.0, 4.0]), flat]))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.trunk(x)[0])
