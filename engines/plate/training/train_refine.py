"""Train the corner network:

    python -m inkgate.engines.plate.training.train_refine --trunk det.onnx --detector models/detector.onnx --work DIR

Checkpoints and the learning curve (curve.jsonl) are written to DIR; the same command resumes the run. The trunk of
the trained detector is frozen and runs in ONNX Runtime inside the data loader worker.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import IterableDataset, get_worker_info

from inkgate.engines.plate.detect import normalise
from inkgate.engines.plate.refine import MARGIN_X, WIDTH, canonical_corners, rectified_view
from inkgate.engines.plate.training import loop
from inkgate.engines.plate.training.export import weights_of
from inkgate.engines.plate.training.reader_data import ReaderSamples
from inkgate.engines.plate.training.refine_net import CornerRefiner

CUTS = 4
"""Inexact quadrilaterals per rendered scene: rendering costs more than rectification."""
_FAR = 0.2 * WIDTH  # offset in pixels above which a corner lies outside the view; such samples are dropped

Rng = np.random.Generator
Batch = tuple[Tensor, Tensor]
"""Features of the trunk (n, 64, ROWS, COLUMNS) and true offsets of the corners (n, 8) in pixels."""
Pair = tuple[NDArray[np.uint8], NDArray[np.float32]]


def perturbed(corners: NDArray[np.float64], rng: Rng) -> NDArray[np.float32]:
    """Corners with the errors of a detector: shift, scale, shear, and independent noise of each corner."""
    wide = float(np.hypot(*(corners[1] - corners[0])))
    along, down = corners[1] - corners[0], corners[3] - corners[0]
    middle = corners.mean(0)
    how = float(rng.choice([0.4, 1.1, 2.0], p=[0.35, 0.45, 0.2]))
    directions = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) / 2
    grow = 1 + how * rng.normal(0, (0.035, 0.09))
    lean, slope = how * rng.normal(0, (0.02, 0.05))
    flat = directions * grow + np.stack([lean * directions[:, 1], slope * directions[:, 0]], 1)
    quad = middle + flat[:, :1] * along + flat[:, 1:] * down
    off = how * rng.normal(0, 0.012, (4, 2)) + how * rng.normal(0, 0.012, 2)
    bend = corners - middle - (directions[:, :1] * along + directions[:, 1:] * down)  # what is not a parallelogram
    return np.asarray(quad + bend * rng.uniform(0.3, 1.2) + off * wide, np.float32)


class Views:
    """An endless, seeded stream of (view, true offsets)."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._samples = ReaderSamples(seed + 1)

    def draw(self) -> list[Pair]:
        """All views of one rendered scene that contain the corners."""
        margin = float(self._rng.uniform(0.4, 0.7))  # wide enough that the image border gives no hint of the corners
        scene, corners, _ = self._samples.scene(rows=1, margin=margin)
        made = []
        for _ in range(CUTS):
            quad = perturbed(corners, self._rng)
            move = cv2.getPerspectiveTransform(quad, canonical_corners())
            away = cv2.perspectiveTransform(corners.astype(np.float32)[None], move)[0] - canonical_corners()
            if np.abs(away).max() < _FAR:
                made.append((rectified_view(scene, quad), away.ravel()))
        return made


class Features:
    """The trunk of an exported detector."""

    def __init__(self, detector: Path) -> None:
        model = onnx.load(str(detector))
        last = next(node.input[0] for node in model.graph.node if "0.head.0.0.weight" in node.input)
        del model.graph.output[:]
        model.graph.output.append(onnx.helper.make_tensor_value_info(last, onnx.TensorProto.FLOAT, None))
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = ort.InferenceSession(model.SerializeToString(), options)

    def __call__(self, pairs: list[Pair]) -> Batch:
        seen = [self._session.run(None, {"image": normalise(image)})[0] for image, _ in pairs]
        return torch.from_numpy(np.concatenate(seen)), torch.from_numpy(np.stack([away for _, away in pairs]))


class Stream(IterableDataset[Batch]):
    """Endless batches; the seed of a worker is (seed, start step, worker), so a resumed run sees new samples."""

    def __init__(self, detector: Path, seed: int, start: int, batch: int) -> None:
        self.detector, self.seed, self.start, self.batch = detector, seed, start, batch

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        features = Features(self.detector)
        source = Views(hash((self.seed, self.start, worker.id if worker else 0)) % (1 << 31))
        while True:
            yield features([pair for _ in range(self.batch) for pair in source.draw()])


def losses(net: CornerRefiner, batch: Batch) -> tuple[Tensor, dict[str, float]]:
    """Smooth L1 with beta 0.5 pixels, robust to the few plates that are not visible."""
    features, away = batch
    return nn.functional.smooth_l1_loss(net.read(features), away, beta=0.5), {}


@torch.no_grad()
def measure(net: nn.Module, batch: Batch) -> dict[str, float]:
    """Median corner error in % of the plate's width before and after, on rendered validation plates."""
    features, away = batch
    unit = WIDTH * (1 - 2 * MARGIN_X) / 100
    errors = (net.read(features) - away).reshape(-1, 4, 2).norm(dim=2).mean(1) / unit
    before = away.reshape(-1, 4, 2).norm(dim=2).mean(1) / unit
    return {"before_%": before.median().item(), "corner_%": errors.median().item(), "90_%": errors.quantile(0.9).item()}


def main() -> None:
    command = loop.parser(__doc__, batch=8, rate=2e-3, seed=5)
    command.add_argument("--detector", type=Path, required=True, help="exported detector with the trunk")
    options = command.parse_args()
    loop.prepare(options)
    net, judge, features = CornerRefiner(options.trunk), Views(987_654), Features(options.detector)
    held = weights_of(options.detector)
    net.trunk.load_state_dict({k.removeprefix("trunk."): v for k, v in held.items() if k.startswith("trunk.")})
    checks = features([pair for _ in range(100) for pair in judge.draw()])
    loop.train(
        net,
        options,
        lambda step: Stream(options.detector, options.seed, step, options.batch),
        lambda batch: losses(net, batch),
        lambda averaged: measure(averaged, checks),
    )


if __name__ == "__main__":
    main()
