"""Train the detector:  python -m inkgate.engines.plate.training.train_detector --trunk DET.onnx --work DIR

Checkpoints and the learning curve (curve.jsonl) are written to DIR; the same command resumes the run.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import IterableDataset, get_worker_info

from inkgate.engines.plate.detect import local_maxima, normalise
from inkgate.engines.plate.training import loop
from inkgate.engines.plate.training.detector_net import STRIDE, PlateDetector
from inkgate.engines.plate.training.scenes import HEIGHT, WIDTH, Scene, Scenes

ROWS, COLUMNS = HEIGHT // STRIDE, WIDTH // STRIDE


def targets(scene: Scene) -> NDArray[np.float32]:
    """(11, ROWS, COLUMNS): heat map of plate centres in 0..1 (-1 is ignored), weight of the corner loss, log width, and
    corners relative to the centre of the cell, in plate widths."""
    ys, xs = np.mgrid[0:ROWS, 0:COLUMNS].astype(np.float32)
    middle = np.stack([xs, ys], 2) * STRIDE + STRIDE / 2
    heat = np.zeros((ROWS, COLUMNS), np.float32)
    value = np.zeros((9, ROWS, COLUMNS), np.float32)
    unit = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float32)
    for corners in scene.plates:
        move = cv2.getPerspectiveTransform(corners.astype(np.float32), unit)
        place = cv2.perspectiveTransform(middle.reshape(1, -1, 2), move).reshape(ROWS, COLUMNS, 2) - 0.5
        inside = np.abs(place).max(2) < 0.6
        near = np.exp(-((place / (0.17, 0.26)) ** 2).sum(2) / 2) * inside
        centre = corners.mean(0)
        row = int(np.clip(centre[1] // STRIDE, 0, ROWS - 1))
        column = int(np.clip(centre[0] // STRIDE, 0, COLUMNS - 1))
        near[row, column] = 1.0
        width = max(float(np.hypot(*(corners[1] - corners[0])) + np.hypot(*(corners[2] - corners[3]))) / 2, 4.0)
        own = near > heat
        heat[own] = near[own]
        offsets = (corners[None, None] - middle[:, :, None]) / width
        value[0][own] = np.log(width)
        value[1:, own] = offsets.reshape(ROWS, COLUMNS, 8)[own].T
    weight = np.where(heat > 0.25, heat, 0).astype(np.float32)
    for corners in scene.unclear:
        shape = np.zeros((ROWS, COLUMNS), np.uint8)
        cv2.fillConvexPoly(shape, np.round(corners / STRIDE).astype(np.int32), 1)
        heat[(shape > 0) & (heat == 0)] = -1
    return np.concatenate([heat[None], weight[None], value])


class Stream(IterableDataset[tuple[Tensor, Tensor]]):
    """Endless batches of images and targets."""

    def __init__(self, seed: int, start: int, batch: int) -> None:
        self.seed, self.start, self.batch = seed, start, batch

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        worker = get_worker_info()
        source = Scenes(hash((self.seed, self.start, worker.id if worker else 0)) % (1 << 31))
        while True:
            scenes = [source.draw() for _ in range(self.batch)]
            images = np.stack([normalise(s.image)[0] for s in scenes])
            yield torch.from_numpy(images), torch.from_numpy(np.stack([targets(s) for s in scenes]))


def losses(out: Tensor, target: Tensor) -> tuple[Tensor, dict[str, float]]:
    """Focal loss of the centres (Zhou et al., Objects as Points, 2019) and L1 of widths and corners."""
    heat, weight = target[:, 0], target[:, 1]
    p = torch.sigmoid(out[:, 0]).clamp(1e-5, 1 - 1e-5)
    positive = (heat > 0.95).float()
    judged = (heat >= 0).float()
    gain = (
        positive * (1 - p) ** 2 * p.log()
        + (1 - positive) * judged * (1 - heat.clamp(min=0)) ** 4 * p**2 * (1 - p).log()
    )
    count = positive.sum().clamp(min=1)
    centre = -gain.sum() / count
    total = weight.sum().clamp(min=1)
    width = (F.smooth_l1_loss(out[:, 1], target[:, 2], reduction="none", beta=0.05) * weight).sum() / total
    relative = (F.smooth_l1_loss(out[:, 2:], target[:, 3:], reduction="none", beta=0.02).mean(1) * weight).sum() / total
    ratio = torch.exp((out[:, 1] - target[:, 2]).clamp(-1.5, 1.5))[:, None]
    full = (
        F.smooth_l1_loss(out[:, 2:] * ratio, target[:, 3:], reduction="none", beta=0.02).mean(1) * weight
    ).sum() / total
    loss = centre + width + 10 * relative + 10 * full
    return loss, {"centre": centre.item(), "width": width.item(), "corners": full.item()}


@torch.no_grad()
def measure(net: nn.Module, scenes: list[Scene]) -> dict[str, float]:
    """Recall and precision at 0.3 on synthetic scenes that training does not see, and the median corner error in %
    of the width."""
    found = plates = claims = 0
    errors = []
    for scene in scenes:
        out = net(torch.from_numpy(normalise(scene.image))).numpy()[0]
        quads = [quad for quad, _ in local_maxima(out, 0.3)]
        claims += len(quads)
        for corners in scene.plates:
            plates += 1
            width = float(np.hypot(*(corners[1] - corners[0])))
            off = [float(np.hypot(*(q - corners).T).mean()) / width for q in quads]
            if off and min(off) < 0.25:
                found += 1
                errors.append(min(off))
    return {
        "recall": found / plates,
        "precision": found / max(claims, 1),
        "corner_%": 100 * float(np.median(errors or [1])),
    }


def main() -> None:
    options = loop.parser(__doc__, batch=24, rate=2e-3, seed=2).parse_args()
    loop.prepare(options)
    net = PlateDetector(options.trunk)
    judge = Scenes(987_654)
    checks = [judge.draw() for _ in range(80)]

    def loss(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, dict[str, float]]:
        images, target = batch
        return losses(net(images), target)

    loop.train(
        net,
        options,
        lambda step: Stream(options.seed, step, options.batch),
        loss,
        lambda averaged: measure(averaged, checks),
    )


if __name__ == "__main__":
    main()
