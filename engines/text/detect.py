"""Text detection by differentiable binarisation (DB, Liao et al. 2020, arXiv 1911.08947).

The network gives, for each pixel, the probability of lying in the shrunken core of a text line. The map is
binarised, each contour gets its minimum-area rectangle, and the rectangle is unclipped by the area-to-perimeter rule of
the paper.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inkgate.engines.boxes import as_quad, shared_bounds, suppress
from inkgate.engines.runtimes.interface import RunNetwork
from inkgate.engines.types import Image, Quad

# ImageNet statistics in the network's BGR order of channels, folded into one multiply and one add on 0..255.
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_STD = np.array([0.229, 0.224, 0.225], np.float32)
_SCALE = (1 / (255 * _STD)).astype(np.float32)
_SHIFT = (-_MEAN / _STD).astype(np.float32)
_PAGE_ASPECT = 0.75  # short side by long side of a page
_STRIP_ASPECT = 8  # longer than this times its other side
_MIN_PAGE_SIDE_PIXELS = 100  # below it an image is a crop of a field, or an icon
_FIELD_MARGIN_SHARE = 0.5  # of its shorter side, added to a field on all sides
MAX_ENLARGEMENT = 3.5  # times; lines of a field enlarged further exceed the text heights of the training data
_MIN_CONTAINED_SHARE = 0.6  # share of a box's area inside a larger one from which it may be a part of the same line
_MIN_HEIGHT_RATIO = 0.4  # of the larger box's height that a part of the same line has at least
_LINE_ASPECT = 3  # longer than this times its other side, a box is a line, and that side its height
_STRIDE = 32  # the network halves the image five times


@dataclass(frozen=True, slots=True)
class DetectOptions:
    """Sizes in pixels, thresholds as probabilities; defaults are the published ones of PP-OCRv6 small.

    Images whose short side is below `short_side` are enlarged to it, as far as `long_side` and `MAX_ENLARGEMENT`
    allow; those whose long side is above `long_side` are reduced.
    """

    short_side: int = 736
    long_side: int = 2000
    pixel_threshold: float = 0.2
    box_threshold: float = 0.45
    unclip_ratio: float = 1.4
    max_candidates: int = 3000
    min_side: float = 3.0


class Detector:
    """Detects text lines. Stateless apart from its network."""

    def __init__(self, network: RunNetwork, options: DetectOptions | None = None) -> None:
        self._network = network
        self.options = options or DetectOptions()

    def __call__(self, image: Image, limit_side: int | None = None) -> list[Quad]:
        """Quadrilaterals of lines in pixels of `image`, unordered. `limit_side` caps the longer side."""
        padded, margin = pad_with_edge_colour(image)
        height, width = padded.shape[:2]
        size = self._network_size(width, height, limit_side)
        probability = self._network(_tensor(np.asarray(cv2.resize(padded, size), np.uint8)))[0, 0]
        scale = np.array([width / size[0], height / size[1]], np.float32)
        limit = np.array([image.shape[1] - 1, image.shape[0] - 1], np.float32)
        return [as_quad(np.clip(box * scale - margin, 0, limit)) for box in self._boxes(probability)]

    def _network_size(self, width: int, height: int, limit_side: int | None) -> tuple[int, int]:
        """Width and height of the network input: small images are enlarged, large ones reduced.

        Large ones are reduced to the area of a page whose long side is the option's, not to that side: a strip a
        hundred times longer than high would lose its letters.
        """
        option = self.options
        short, long = min(width, height), max(width, height)
        if limit_side is not None:
            ratio = min(max(option.short_side / short, 1.0), limit_side / long, MAX_ENLARGEMENT)
        elif long < option.long_side:
            ratio = min(max(option.short_side / short, 1.0), option.long_side / long, MAX_ENLARGEMENT)
        else:
            ratio = min(option.long_side * math.sqrt(_PAGE_ASPECT / (width * height)), 1.0)
        return _round_to_stride(width * ratio), _round_to_stride(height * ratio)

    def _boxes(self, probability: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Unclipped boxes of shape (4, 2) in pixels of the probability map."""
        option = self.options
        core = (probability > option.pixel_threshold).astype(np.uint8)
        contours, _ = cv2.findContours(core, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        boxes = []
        for contour in contours[: option.max_candidates]:
            centre, size, angle = cv2.minAreaRect(contour)
            if min(size) < option.min_side:
                continue
            box = np.asarray(cv2.boxPoints((centre, size, angle)), np.float32)
            if _box_score(probability, box) < option.box_threshold:
                continue
            grow = 2 * size[0] * size[1] * option.unclip_ratio / (2 * (size[0] + size[1]))
            grown = (size[0] + grow, size[1] + grow)
            if min(grown) < option.min_side + 2:
                continue
            boxes.append(_order_corners(np.asarray(cv2.boxPoints((centre, grown, angle)), np.float32)))
        return _suppress_contained(boxes)


def _suppress_contained(boxes: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """Suppresses boxes, each (4, 2) in pixels, that lie within a larger box of the same line.

    The core of a line may be split into two, of which the larger one, grown, covers the smaller one. Without
    suppression its text would be read twice.
    """
    if len(boxes) < 2:
        return boxes
    corners = np.stack(boxes)
    sides = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)[:, :2]  # of each box, its height and width
    area = sides.prod(axis=1)
    part = np.zeros((len(boxes), len(boxes)), bool)
    near = (shared_bounds(corners) > _MIN_CONTAINED_SHARE * area[:, None]) & (area[:, None] < area)
    for small, large in np.argwhere(near):
        short, long = sorted(sides[small])
        height = short if long >= _LINE_ASPECT * short else long
        if height >= _MIN_HEIGHT_RATIO * sides[large].min():
            shared, _ = cv2.intersectConvexConvex(corners[small], corners[large])
            part[small, large] = shared >= _MIN_CONTAINED_SHARE * area[small]
    return [boxes[at] for at in sorted(suppress(area, part, chained=True))]


def is_field(image: Image) -> bool:
    """Whether an image is a crop of a field or an icon, by its shorter side, and not a page."""
    return bool(min(image.shape[:2]) < _MIN_PAGE_SIDE_PIXELS)


def pad_with_edge_colour(image: Image) -> tuple[Image, NDArray[np.float32]]:
    """Pads a strip or field image with its edge colour and returns it with the offset (x, y). Others are unchanged.

    The network does not detect a line that fills its image from edge to edge.
    """
    height, width = image.shape[:2]
    if max(height, width) >= _STRIP_ASPECT * min(height, width):
        across, along = (height, 0) if height < width else (0, width)
    elif is_field(image):
        across = along = round(_FIELD_MARGIN_SHARE * min(height, width))
    else:
        return image, np.zeros(2, np.float32)
    edges = np.concatenate((image[[0, -1]].reshape(-1, 3), image[:, [0, -1]].reshape(-1, 3)))
    colour = [float(level) for level in np.median(edges, axis=0)]
    padded = cv2.copyMakeBorder(image, across, across, along, along, cv2.BORDER_CONSTANT, value=colour)
    return np.asarray(padded, np.uint8), np.array([along, across], np.float32)


def _round_to_stride(side: float) -> int:
    return max(round(side / _STRIDE) * _STRIDE, _STRIDE)


def _tensor(image: Image) -> NDArray[np.float32]:
    """The image as (1, 3, height, width). Planar conversion is three times as fast as interleaved."""
    planes = np.empty((1, 3, *image.shape[:2]), np.float32)
    for plane, channel, scale, shift in zip(planes[0], cv2.split(image), _SCALE, _SHIFT, strict=True):
        np.multiply(channel, scale, out=plane)
        plane += shift
    return planes


def _box_score(probability: NDArray[np.float32], box: NDArray[np.float32]) -> float:
    """The mean probability inside a box."""
    height, width = probability.shape
    left, top = np.clip(np.floor(box.min(axis=0)), 0, [width - 1, height - 1]).astype(int)
    right, bottom = np.clip(np.ceil(box.max(axis=0)), 0, [width - 1, height - 1]).astype(int)
    mask = np.zeros((bottom - top + 1, right - left + 1), np.uint8)
    cv2.fillPoly(mask, [np.round(box - [left, top]).astype(np.int32)], 1)
    return float(cv2.mean(probability[top : bottom + 1, left : right + 1], mask)[0])


def _order_corners(box: NDArray[np.float32]) -> NDArray[np.float32]:
    """Corners as top-left, top-right, bottom-right, bottom-left."""
    left, right = np.split(box[np.argsort(box[:, 0], kind="stable")], 2)
    left, right = left[np.argsort(left[:, 1])], right[np.argsort(right[:, 1])]
    return np.array([left[0], right[0], right[1], left[1]], np.float32)
