"""The corner network: the detector's trunk on a rectified plate, and a heat map for each corner.

A corner is the mean of its heat map (soft-argmax), which is equivariant to shifts and converges in hundreds of steps.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from inkgate.engines.plate.detect import STRIDE
from inkgate.engines.plate.refine import HEIGHT, WIDTH, canonical_corners
from inkgate.engines.plate.training.detector_net import FEATURES, block
from inkgate.engines.plate.training.onnx_import import OnnxModule

ROWS, COLUMNS = HEIGHT // STRIDE, WIDTH // STRIDE
_SPREAD = 3.0  # standard deviation in cells of the initial heat map around the expected corner


class CornerRefiner(nn.Module):
    """Normalised BGR (n, 3, HEIGHT, WIDTH) -> (n, 8): offsets of TL TR BR BL (x, y) in pixels of the view.

    `detector` is a published or exported ONNX file with the trunk, which is frozen.
    """

    def __init__(self, detector: str) -> None:
        super().__init__()
        self.trunk = OnnxModule(detector, [FEATURES])
        for weight in self.trunk.parameters():
            weight.requires_grad_(False)
        self.head = nn.Sequential(block(64, 48, 3), block(48, 48, 5), block(48, 48, 5), nn.Conv2d(48, 4, 1))
        ys, xs = torch.meshgrid(torch.arange(ROWS), torch.arange(COLUMNS), indexing="ij")
        cells = torch.stack([xs, ys], 2).reshape(-1, 2) * STRIDE + STRIDE / 2
        places = torch.from_numpy(canonical_corners())
        away = ((cells[None] - places[:, None]) / (_SPREAD * STRIDE)).square().sum(2)
        self.favour = nn.Parameter(-away / 2)
        self.register_buffer("cells", cells)
        self.register_buffer("places", places)

    def forward(self, x: Tensor) -> Tensor:
        return self.read(self.trunk(x)[0])

    def read(self, features: Tensor) -> Tensor:
        """Features of the trunk (n, 64, ROWS, COLUMNS) -> offsets (n, 8)."""
        maps = torch.softmax(self.head(features).flatten(2) + self.favour, 2)
        return (maps @ self.cells - self.places).flatten(1)
