"""How often an answer of a given confidence is right, on rendered plates that are hard to read:

    python -m benchmarks.accuracy.field.plate_calibration [--count 300] [--seed 7]

The cases are those of `benchmarks.accuracy.field.plates`, made small, blurred and noisy. The threshold below which
nothing is answered comes from this table: an answer should be right more often than wrong.
"""

from __future__ import annotations

import argparse
from itertools import pairwise

import cv2
import numpy as np

from benchmarks.accuracy.field.plates import GENERATORS, cases
from inkgate.engines.plate import candidates, pipeline
from inkgate.engines.registry import open_plate_reader
from inkgate.engines.types import Image

_HARD_KINDS = ("bright", "dirt", "tilt", "large", "crop")
_EDGES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7, 0.9, 1.01)


def degraded(image: Image, rng: np.random.Generator, plate_share: float) -> Image:
    """The image resized so that a plate of `plate_share` of its width is 28 to 70 pixels wide, blurred and noisy."""
    scale = rng.uniform(28, 70) / (plate_share * image.shape[1])
    size = (max(33, round(image.shape[1] * scale)), max(33, round(image.shape[0] * scale)))
    small = cv2.GaussianBlur(cv2.resize(image, size, interpolation=cv2.INTER_AREA), (0, 0), rng.uniform(0.3, 1.1))
    noisy = small + rng.normal(0, rng.uniform(2, 14), small.shape)
    _, data = cv2.imencode(".jpg", np.clip(noisy, 0, 255).astype(np.uint8), (cv2.IMWRITE_JPEG_QUALITY, 60))
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    for module in (candidates, pipeline):  # measured without the threshold that is to be found
        module.MIN_ANSWER_CONFIDENCE = 0.0
    reader = open_plate_reader()
    rng = np.random.default_rng(options.seed)
    answers: list[tuple[float, bool]] = []
    shares = {"bright": 0.19, "dirt": 0.19, "tilt": 0.19, "large": 0.6, "crop": 0.95}
    for kind in _HARD_KINDS:
        assert kind in GENERATORS
        for case in cases(kind, options.count // len(_HARD_KINDS), options.seed):
            image = degraded(case.image, rng, shares[kind])
            expected = {text for text, _ in case.plates}
            answers += [(plate.confidence, plate.text in expected) for plate in reader.read(image)]
    for low, high in pairwise(_EDGES):
        inside = [right for confidence, right in answers if low <= confidence < high]
        print(f"{low:.2f}-{min(high, 1.0):.2f}  answers {len(inside):4d}  right {sum(inside):4d}")


if __name__ == "__main__":
    main()
