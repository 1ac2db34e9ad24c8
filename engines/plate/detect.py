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
_SIDE = 32  # the network's sides are multiples of it
_CLEAR = 48.0  # pixels of width from which on a plate is seen as well as it will ever be
_FAINT = 0.1  # score from which on a close look counts
_SAME_PLATE = 0.33  # share of the smaller bounding box from which on two candidates show one plate
_STILL_THERE = 0.3  # the same, between a candidate and what a close look finds of it
_MEAN = np.array([123.675, 116.28, 103.53], np.float32)
_DEVIATION = np.array([58.395, 57.12, 57.375], np.float32)
_NORMAL = ((np.arange(256, dtype=np.float32)[:, None] - _MEAN) / _DEVIATION).T.copy()
"""What the network takes for each value of each channel (3, 256): looked up six times as fast as computed."""

Corners = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Options:
    """Detector options. Lengths are pixels of the longer side of the network input."""

    sizes: tuple[int, ...] = (736, 256)  # the larger first
    threshold: float = 0.3
    tile_from: int = 2000  # images with a longer side than this are also looked at in tiles
    tile_size: int = 1376  # length to which such an image is brought before it is cut
    tile: int = 736  # longest side of a tile
    overlap: int = 96
    most: int = 20  # candidates of one image
    close: tuple[int, int] = (256, 192)  # width and height at which a candidate is looked at closely
    share: float = 0.5  # of which the plate takes this share of the width


@dataclass(frozen=True, slots=True)
class Candidate:
    """Corners (4, 2) TL TR BR BL in source pixels, how sure the detector is, 0..1, and the width in pixels it saw."""

    corners: Corners
    score: float
    seen: float = _CLEAR

    @property
    def rank(self) -> float:
        """Its worth beside others of the same plate: corners of what was seen small are less exact."""
        return self.score * min(1.0, self.seen / _CLEAR)


def normalise(picture: Image) -> NDArray[np.float32]:
    """BGR uint8 (h, w, 3) -> float32 (1, 3, h, w) as the network's trunk was taught."""
    made = np.empty((1, 3, *picture.shape[:2]), np.float32)
    for channel, table in enumerate(_NORMAL):
        made[0, channel] = cv2.LUT(picture[:, :, channel], table)
    return made


def peaks(out: NDArray[np.float32], threshold: float) -> list[tuple[Corners, float]]:
    """Corners (4, 2) TL TR BR BL in pixels of the network's input, and the score, of every local maximum of an output
    (10, h, w). Corners are the mean of what the cells around the maximum say, weighted by their scores."""
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
        away = out[2:, rows, columns].transpose(1, 2, 0).reshape(*weight.shape, 4, 2)
        corners = middle + away * np.exp(np.clip(out[1, rows, columns], 0, 7))[:, :, None, None]
        mean = (corners * weight[:, :, None, None]).sum((0, 1)) / weight.sum()
        found.append((mean.astype(np.float32), float(heat[row, column])))
    return found


class Finder:
    """Finds plates in an image of any size. Holds no state but its network."""

    def __init__(self, network: RunNetwork, options: Options | None = None) -> None:
        self._network = network
        self.options = options or Options()

    def __call__(self, image: Image) -> list[Candidate]:
        """Candidates, the best first; of those that cover each other only the best."""
        longest = max(image.shape[:2])
        tiled = longest > self.options.tile_from  # tiles see all that the larger copies show, and better
        sizes = self.options.sizes[-1:] if tiled else self.options.sizes
        found = [one for size in sizes for one in self.look(image, min(size, _up(longest)))]
        if tiled:
            found += self._tiles(image)
        return distinct(found)[: self.options.most]

    def look(self, image: Image, longest: int) -> list[Candidate]:
        """Candidates in a copy whose longer side is `longest`."""
        height, width = image.shape[:2]
        scale = longest / max(height, width)
        small = _scaled(image, scale)
        out = self._network(normalise(_padded(small)))[0]
        ratio = np.array([width / small.shape[1], height / small.shape[0]], np.float32)
        return [
            Candidate(corners * ratio, score, float(np.hypot(*(corners[1] - corners[0]))))
            for corners, score in peaks(out, self.options.threshold)
        ]

    def closer(self, image: Image, one: Candidate) -> Candidate:
        """The candidate after a close look: corners again, at a size that suits the network best. Where the close look
        sees nothing the candidate comes back as it was, with half its score."""
        width, height = self.options.close
        wide = max(float(np.hypot(*(one.corners[1] - one.corners[0]))), float(np.ptp(one.corners[:, 0])), 4.0)
        scale = self.options.share * width / wide
        middle = one.corners.mean(0)
        shift = np.array([width, height]) / 2 - middle * scale
        move = np.array([(scale, 0, shift[0]), (0, scale, shift[1])])
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        part = cv2.warpAffine(image, move, (width, height), flags=how, borderMode=cv2.BORDER_REPLICATE)
        near = [
            Candidate(np.asarray((corners - shift) / scale, np.float32), score)
            for corners, score in peaks(self._network(normalise(np.asarray(part, np.uint8)))[0], _FAINT)
        ]
        near = [other for other in near if overlaps(np.stack([other.corners, one.corners]))[0, 1] > _STILL_THERE]
        if not near:
            return Candidate(one.corners, one.score / 2, one.seen)
        return max(near, key=lambda other: other.score)

    def _tiles(self, image: Image) -> list[Candidate]:
        option = self.options
        scale = min(option.tile_size / max(image.shape[:2]), 1.0)
        copy = _scaled(image, scale)
        found = []
        tops, tall = _starts(copy.shape[0], option.tile, option.overlap)
        lefts, wide = _starts(copy.shape[1], option.tile, option.overlap)
        for top in tops:
            for left in lefts:
                part = np.ascontiguousarray(copy[top : top + tall, left : left + wide])
                for one in self.look(part, max(part.shape[:2])):
                    found.append(
                        Candidate((one.corners + np.array([left, top], np.float32)) / scale, one.score, one.seen)
                    )
        return found


def distinct(found: list[Candidate]) -> list[Candidate]:
    """The candidates without those that cover a better one by a third, the best first."""
    return [found[at] for at in without_duplicates([one.corners for one in found], [one.rank for one in found])]


def without_duplicates(corners: Sequence[Corners], scores: Sequence[float]) -> list[int]:
    """Indices of quadrilaterals, each (4, 2), that do not show the plate of one with a higher score, best first."""
    if not corners:
        return []
    return suppress(scores, overlaps(np.stack(corners)) >= _SAME_PLATE, chained=False)


def _starts(length: int, most: int, overlap: int) -> tuple[list[int], int]:
    """Where the fewest tiles of at most `most` pixels begin that cover the length and share `overlap` pixels, and how
    long they are."""
    count = max(1, int(np.ceil((length - overlap) / (most - overlap))))
    tile = int(np.ceil((length + (count - 1) * overlap) / count))
    return [k * (length - tile) // max(count - 1, 1) for k in range(count)], tile


def _up(side: int) -> int:
    return max(-(-side // _SIDE) * _SIDE, 2 * _SIDE)


def _scaled(image: Image, scale: float) -> Image:
    height, width = image.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if size == (width, height):
        return image
    return np.asarray(
        cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR), np.uint8
    )


def _padded(image: Image) -> Image:
    """The image with its sides brought up to multiples of 32 by repeating the border."""
    height, width = image.shape[:2]
    bottom, right = _up(height) - height, _up(width) - width
    return np.asarray(cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REPLICATE), np.uint8)
