"""Seals in red ink: where they lie, and the image without their ink.

Print below a seal is visible in the red channel.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from inkgate.engines.types import Image

_MIN_RED_EXCESS = 38  # grey levels by which red stands above green and blue
_MAX_RED_SHARE = 0.3  # of an image; more is a red table or light, not ink
_SEARCH_SIDE = 800  # pixels: the longer side at which seals are searched
_MIN_REDUCED_EXCESS = 22  # as `_MIN_RED_EXCESS`, where reduction has mixed thin strokes with the paper
_MIN_INK_SHARE = 0.0008  # of the reduced image, below which no seal is searched
_MIN_SEAL_SHARE = 0.05  # of the longer side: the least side of a seal
_MIN_SEAL_PIXELS = 40  # in the reduced image
_MAX_SEAL_SHARE = 0.9  # of both sides of the image: a frame around the page is none
_MAX_ASPECT = 2.2  # of ovals; lines of red print are longer
_MAX_FILL = 0.6  # of the bounding box that ink covers; red areas fill it
_MIN_OUTLINE_SHARE = 0.8  # of the hull's outline that ink covers; letters and drawings touch theirs at few points
_OUTLINE_PIXELS = 3  # width of the outline, within the hull
_BRIDGED_PIXELS = 6  # in the reduced image: strokes of print that cut the ring
_MAX_SEALS = 8
_SEAL_MARGIN = 0.03  # of a seal's sides, cleaned around it
_MIN_HALO_EXCESS = 6  # grey levels: the red fringe that compression leaves around strokes
_HALO_PIXELS = 3  # from a reddish pixel
_INK_QUANTILE, _PAPER_QUANTILE = 0.8, 0.9  # of excess and of red level: what unmixed ink and bare paper have


def remove_red_ink(image: Image) -> Image:
    """The image (BGR uint8) with every reddish pixel made grey of its red channel, where red ink is near white."""
    blue, green, red = image[..., 0], image[..., 1], image[..., 2]
    reddish = red.astype(np.int16) - np.maximum(green, blue) > _MIN_RED_EXCESS
    if reddish.mean() > _MAX_RED_SHARE:
        return image
    out = image.copy()
    out[reddish] = red[reddish][:, None]
    return out


def find_seals(image: Image) -> NDArray[np.float32]:
    """Bounding boxes (n, 4) of seals: left, top, right, bottom in pixels of `image` (BGR uint8), at most eight.

    A seal is a connected figure of red strokes, larger than text, about as wide as high, with a frame around it: a
    ring, an oval, a rectangle.
    """
    height, width = image.shape[:2]
    scale = min(_SEARCH_SIDE / max(height, width), 1.0)
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image
    ink = cv2.subtract(small[..., 2], cv2.max(small[..., 0], small[..., 1])) > _MIN_REDUCED_EXCESS
    if not _MIN_INK_SHARE < ink.mean() < _MAX_RED_SHARE:
        return np.zeros((0, 4), np.float32)
    closed = cv2.dilate(ink.astype(np.uint8), np.ones((_BRIDGED_PIXELS + 1,) * 2, np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(closed)
    side = max(_MIN_SEAL_SHARE * max(small.shape[:2]), _MIN_SEAL_PIXELS)
    boxes = [
        (left, top, left + across, top + down)
        for label, (left, top, across, down, area) in enumerate(stats[1:], 1)
        if min(across, down) >= side
        and max(across, down) <= _MAX_ASPECT * min(across, down)
        and area <= _MAX_FILL * across * down
        and (across < _MAX_SEAL_SHARE * small.shape[1] or down < _MAX_SEAL_SHARE * small.shape[0])
        and _outline_share(labels[top : top + down, left : left + across] == label) >= _MIN_OUTLINE_SHARE
    ]
    boxes.sort(key=lambda box: -(box[2] - box[0]) * (box[3] - box[1]))
    return np.asarray(boxes[:_MAX_SEALS], np.float32).reshape(-1, 4) / np.float32(scale)


def _outline_share(figure: NDArray[np.bool_]) -> float:
    """The share of the outline of the figure's convex hull that has ink: of a ring or frame nearly all."""
    points = np.argwhere(figure)[:, ::-1].astype(np.int32)
    hull, outline = cv2.convexHull(points), np.zeros(figure.shape, np.uint8)
    cv2.polylines(outline, [hull], True, 1, 2 * _OUTLINE_PIXELS - 1)
    inside = np.zeros(figure.shape, np.uint8)
    cv2.fillConvexPoly(inside, hull, 1)
    return float(figure[(outline & inside) > 0].mean())


def remove_seals(image: Image, seals: NDArray[np.float32]) -> Image:
    """The image (BGR uint8) without the ink of `seals` (n, 4), which `find_seals` gave; the rest is unchanged.

    A pixel of ink on paper is a mixture. Its share of ink is its excess of red over that of unmixed ink; what the ink
    took from the red channel is added again. Dark print below the ink has little excess and stays dark.
    """
    out = image.copy()
    for left, top, right, bottom in seals:
        margin = _SEAL_MARGIN * max(right - left, bottom - top)
        rows = slice(max(int(top - margin), 0), int(bottom + margin) + 1)
        columns = slice(max(int(left - margin), 0), int(right + margin) + 1)
        out[rows, columns] = _unmixed(out[rows, columns])
    return out


def _unmixed(patch: Image) -> Image:
    red = patch[..., 2].astype(np.float32)
    excess = red - np.maximum(patch[..., 0], patch[..., 1])
    reddish = excess > _MIN_RED_EXCESS
    if not reddish.any() or reddish.all():
        return patch
    ink_excess = float(np.quantile(excess[reddish], _INK_QUANTILE))
    ink_red = float(np.median(red[reddish & (excess >= _INK_QUANTILE * ink_excess)]))
    paper_red = float(np.quantile(red[~reddish], _PAPER_QUANTILE))
    kernel = np.ones((2 * _HALO_PIXELS + 1,) * 2, np.uint8)
    halo = (cv2.dilate(reddish.astype(np.uint8), kernel) > 0) & (excess > _MIN_HALO_EXCESS)
    share = np.clip(excess / ink_excess, 0, 1)
    clean = np.clip(red + share * max(paper_red - ink_red, 0), 0, paper_red).astype(np.uint8)
    out = patch.copy()
    out[halo] = clean[halo][:, None]
    return out
