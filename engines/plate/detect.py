"""Plate detection: candidates with four corners, at several scales and in tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inkgate.engines.boxes import overlaps, suppress
from inkgate.engines.runtimes.interface import RunNetwork
from inkgate.engines.types import Image

STRIDE = 4  # pixels of the network's input per cell of its output
_HALVE_ABOVE = 4  # times the wanted size from which on an image is halved before it is resized
_SIDE = 32  # the network's sides are multiples of it
_SUFFICIENT_WIDTH = 48.0  # pixels of plate width above which detection does not improve
_MIN_REFINE_SCORE = 0.1  # minimum score of a refined candidate
_SAME_PLATE = 0.33  # overlap, as a share of the smaller box, at which two candidates are one plate
_STILL_THERE = 0.3  # the same, between a candidate and its refinement
_MEAN = np.array([123.675, 116.28, 103.53], np.float32)
_DEVIATION = np.array([58.395, 57.12, 57.375], np.float32)
_NORMAL = ((np.arange(256, dtype=np.float32)[:, None] - _MEAN) / _DEVIATION).T.copy()
"""Normalised value for each channel and pixel value (3, 256): six times faster than computing it."""

Corners = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class DetectorOptions:
    """Detector options. Lengths are pixels of the network input.

    An image is detected in copies of two sizes. What is not found there may be found in a small copy with a black
    frame: without it a plate that reaches the border is not detected, and a steep one only up to about 120 pixels.
    """

    sizes: tuple[int, ...] = (736, 256)  # longer side of the copies, the larger first
    framed_size: int = 128  # longer side of the copy with a frame, without the frame
    frame: int = 32  # least width of the frame
    threshold: float = 0.3
    tile_above_pixels: int = 2000  # longer side above which tiles replace the larger copies
    small_above_pixels: int = 1000  # the same for an image in which nothing else was read
    tile_size: int = 1376  # longer side to which such an image is resized before it is cut
    tile: int = 736  # longest side of a tile
    overlap: int = 96
    max_candidates: int = 20  # candidates of one image
    refine_size: tuple[int, int] = (256, 192)  # width and height of the crop in which a candidate is detected again
    refine_plate_share: float = 0.5  # of which the plate takes this share of the width


@dataclass(frozen=True, slots=True)
class Candidate:
    """Corners (4, 2) TL TR BR BL in source pixels, score 0..1, and the plate's width in pixels of the network input."""

    corners: Corners
    score: float
    detected_width: float = _SUFFICIENT_WIDTH

    @property
    def rank(self) -> float:
        """Sort key among candidates of one plate: corners of plates detected at a small width are less exact."""
        return self.score * min(1.0, self.detected_width / _SUFFICIENT_WIDTH)


def normalise(image: Image) -> NDArray[np.float32]:
    """BGR uint8 (h, w, 3) -> float32 (1, 3, h, w) normalised as in training."""
    made = np.empty((1, 3, *image.shape[:2]), np.float32)
    for channel, table in enumerate(_NORMAL):
        made[0, channel] = cv2.LUT(image[:, :, channel], table)
    return made


def local_maxima(out: NDArray[np.float32], threshold: float) -> list[tuple[Corners, float]]:
    """Corners (4, 2) TL TR BR BL in pixels of the network's input, and the score, of every local maximum of an output
    (10, h, w). Corners are the mean over the cells around the maximum, weighted by squared scores."""
    heat = 1 / (1 + np.exp(-out[0]))
    top = (heat >= threshold) & (heat >= cv2.dilate(heat, np.ones((3, 5), np.uint8)))
    height, width = heat.shape
    found = []
    for row, column in zip(*np.nonzero(top), strict=True):
        rows = slice(max(row - 1, 0), min(row + 2, height))
        columns = slice(max(column - 1, 0), min(column + 2, width))
        weight = heat[rows, columns] ** 2
        ys, xs = np.mgrid[rows, columns]
        middle = np.stack([xs, ys], 2)[:, :, None] * STRIDE + STRIDE / 2
        offsets = out[2:, rows, columns].transpose(1, 2, 0).reshape(*weight.shape, 4, 2)
        corners = middle + offsets * np.exp(np.clip(out[1, rows, columns], 0, 7))[:, :, None, None]
        mean = (corners * weight[:, :, None, None]).sum((0, 1)) / weight.sum()
        found.append((mean.astype(np.float32), float(heat[row, column])))
    return found


class PlateDetector:
    """Detects plates in an image of any size. Stateless apart from its network."""

    def __init__(self, network: RunNetwork, options: DetectorOptions | None = None) -> None:
        self._network = network
        self.options = options or DetectorOptions()

    def __call__(self, image: Image) -> list[Candidate]:
        """Candidates after non-maximum suppression, best first."""
        option, longest = self.options, max(image.shape[:2])
        tiled = longest > option.tile_above_pixels
        sizes = option.sizes[-1:] if tiled else option.sizes
        found = [one for size in sizes for one in self.detect_at_scale(image, min(size, _round_up(longest)))]
        if tiled:
            found += self._detect_in_tiles(image, option.tile_size)
        return suppress_overlaps(found)[: option.max_candidates]

    def detect_at_scale(self, image: Image, longest: int, *, framed: bool = False) -> list[Candidate]:
        """Candidates in a copy whose longer side is `longest` pixels; `framed` adds the black frame."""
        height, width = image.shape[:2]
        small = _scaled(image, longest / max(height, width))
        ratio = np.array([width / small.shape[1], height / small.shape[0]], np.float32)
        padded, offset = _framed(small, self.options.frame) if framed else (_padded(small), np.float32(0))
        out = self._network(normalise(padded))[0]
        return [
            Candidate((corners - offset) * ratio, score, float(np.hypot(*(corners[1] - corners[0]))))
            for corners, score in local_maxima(out, self.options.threshold)
        ]

    def detect_close_up(self, image: Image) -> list[Candidate]:
        """Candidates that fill most of the image, or reach its border: in a small copy with a frame."""
        return suppress_overlaps(self.detect_at_scale(image, self.options.framed_size, framed=True))

    def detect_small(self, image: Image) -> list[Candidate]:
        """Candidates in tiles of an image that is larger than its copies and too small to have been cut into tiles at
        first."""
        option, longest = self.options, max(image.shape[:2])
        if not option.small_above_pixels < longest <= option.tile_above_pixels:
            return []
        return suppress_overlaps(self._detect_in_tiles(image, longest))[: option.max_candidates]

    def detect_rotated(self, image: Image, longest: int, degrees: float) -> list[Candidate]:
        """Candidates in a framed copy whose longer side is `longest`, rotated clockwise about its middle. Of what the
        rotation moves out of sight, nothing is detected."""
        height, width = image.shape[:2]
        scale = longest / max(height, width)
        small = _scaled(image, scale)
        padded, _ = _framed(small, self.options.frame)
        middle = (np.array(padded.shape[1::-1]) / 2).tolist()
        move = cv2.getRotationMatrix2D(middle, -degrees, 1.0)
        padded = np.asarray(cv2.warpAffine(padded, move, padded.shape[1::-1]), np.uint8)
        offset = np.array(middle) - np.array(small.shape[1::-1]) / 2
        ratio = np.array([width / small.shape[1], height / small.shape[0]])
        back = cv2.invertAffineTransform(move)
        found = []
        for corners, score in local_maxima(self._network(normalise(padded))[0], self.options.threshold):
            upright = (cv2.transform(corners[None], back)[0] - offset) * ratio
            found.append(Candidate(np.asarray(upright, np.float32), score, float(np.hypot(*(corners[1] - corners[0])))))
        return found

    def refine_candidate(self, image: Image, candidate: Candidate) -> Candidate:
        """The candidate detected again in a crop at the network's best size. Where nothing is detected there, the
        candidate is returned with half its score.
        """
        width, height = self.options.refine_size
        wide = max(
            float(np.hypot(*(candidate.corners[1] - candidate.corners[0]))), float(np.ptp(candidate.corners[:, 0])), 4.0
        )
        scale = self.options.refine_plate_share * width / wide
        middle = candidate.corners.mean(0)
        shift = np.array([width, height]) / 2 - middle * scale
        move = np.array([(scale, 0, shift[0]), (0, scale, shift[1])])
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        part = cv2.warpAffine(image, move, (width, height), flags=how, borderMode=cv2.BORDER_REPLICATE)
        near = [
            Candidate(np.asarray((corners - shift) / scale, np.float32), score)
            for corners, score in local_maxima(
                self._network(normalise(np.asarray(part, np.uint8)))[0], _MIN_REFINE_SCORE
            )
        ]
        near = [other for other in near if overlaps(np.stack([other.corners, candidate.corners]))[0, 1] > _STILL_THERE]
        if not near:
            return Candidate(candidate.corners, candidate.score / 2, candidate.detected_width)
        return max(near, key=lambda other: other.score)

    def _detect_in_tiles(self, image: Image, size: int) -> list[Candidate]:
        """Candidates in tiles of a copy whose longer side is at most `size` pixels."""
        option = self.options
        scale = min(size / max(image.shape[:2]), 1.0)
        copy = _scaled(image, scale)
        found = []
        tops, tall = _tile_positions(copy.shape[0], option.tile, option.overlap)
        lefts, wide = _tile_positions(copy.shape[1], option.tile, option.overlap)
        for top in tops:
            for left in lefts:
                part = np.ascontiguousarray(copy[top : top + tall, left : left + wide])
                for candidate in self.detect_at_scale(part, max(part.shape[:2])):
                    found.append(
                        Candidate(
                            (candidate.corners + np.array([left, top], np.float32)) / scale,
                            candidate.score,
                            candidate.detected_width,
                        )
                    )
        return found


def suppress_overlaps(found: list[Candidate]) -> list[Candidate]:
    """Non-maximum suppression of candidates, best first."""
    return [
        found[at]
        for at in without_duplicates(
            [candidate.corners for candidate in found], [candidate.rank for candidate in found]
        )
    ]


def without_duplicates(corners: Sequence[Corners], scores: Sequence[float]) -> list[int]:
    """Indices of quadrilaterals, each (4, 2), that do not show the plate of one with a higher score, best first."""
    if not corners:
        return []
    return suppress(scores, overlaps(np.stack(corners)) >= _SAME_PLATE, chained=False)


def _tile_positions(length: int, max_candidates: int, overlap: int) -> tuple[list[int], int]:
    """Where the fewest tiles of at most `max_candidates` pixels begin that cover the length and share `overlap` pixels,
    and how long they are.
    """
    count = max(1, int(np.ceil((length - overlap) / (max_candidates - overlap))))
    tile = int(np.ceil((length + (count - 1) * overlap) / count))
    return [k * (length - tile) // max(count - 1, 1) for k in range(count)], tile


def _round_up(side: int) -> int:
    return max(-(-side // _SIDE) * _SIDE, 2 * _SIDE)


def _scaled(image: Image, scale: float) -> Image:
    """The image resized. It is halved first as long as it is more than four times too large: that is faster than the
    exact mean of large areas, from which the result differs little."""
    height, width = image.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    while max(image.shape[:2]) > _HALVE_ABOVE * max(size) and not any(side % 2 for side in image.shape[:2]):
        half = (image.shape[1] // 2, image.shape[0] // 2)
        image = np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), np.uint8)
    if size == image.shape[1::-1]:
        return image
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)


def _framed(image: Image, frame: int) -> tuple[Image, NDArray[np.float32]]:
    """The image in the middle of a black frame of at least `frame` pixels, its sides multiples of 32, and the place
    (x, y) of its top left corner."""
    height, width = image.shape[:2]
    across, down = _round_up(width + 2 * frame) - width, _round_up(height + 2 * frame) - height
    left, top = across // 2, down // 2
    made = cv2.copyMakeBorder(image, top, down - top, left, across - left, cv2.BORDER_CONSTANT, value=(0, 0, 0))
    return np.asarray(made, np.uint8), np.array([left, top], np.float32)


def _padded(image: Image) -> Image:
    """The image with its sides padded to multiples of 32 by repeating the border."""
    height, width = image.shape[:2]
    bottom, right = _round_up(height) - height, _round_up(width) - width
    return np.asarray(cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REPLICATE), np.uint8)
