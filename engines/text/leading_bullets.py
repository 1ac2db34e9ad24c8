"""Bullets directly before a line that the detector left outside it.

A detector trained on words leaves out a bullet that stands half a character or more before its line. It is found by its
outline: one piece of ink about as wide as high, at the height of the line, with nothing else beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from inkgate.engines.text.crop import crop_line, quad_size
from inkgate.engines.types import Image, Quad

# Lengths are in heights of the line.
_MIN_LINE_WIDTH = 1.2
_REACH = 2.0  # before the line, where a bullet is looked for
_INSIDE = 0.3  # of the line, into which the bullet may reach
_KNOWN = 0.1  # before the line, that is part of its crop already
_MIN_BULLET, _MAX_BULLET = 0.3, 0.95  # height
_MIN_ASPECT, _MAX_ASPECT = 0.7, 1.4
_MAX_OFF_CENTRE = 0.2
_MARGIN = 0.2  # before the bullet
_SPECK = 0.1  # less than this either way is dirt
_MIN_CONTRAST = 60  # grey levels between ink and paper
_MIN_HEIGHT_PIXELS = 10


def extend_to_bullets(image: Image, quads: Sequence[Quad]) -> list[Quad]:
    """The quadrilaterals, those with a bullet before them extended to it. Lines that are not wide stay as they are."""
    return [_extended(image, quad, quads) for quad in quads]


def _extended(image: Image, quad: Quad, quads: Sequence[Quad]) -> Quad:
    width, height = quad_size(quad)
    if height < _MIN_HEIGHT_PIXELS or width < _MIN_LINE_WIDTH * height:
        return quad
    reach = _bullet_start(crop_line(image, _before(quad, _REACH, _INSIDE)))
    if reach is None:
        return quad
    middle = _before(quad, reach - _MARGIN, -reach + _MARGIN + 0.02)
    x, y = (float(value) for value in np.mean(np.asarray(middle), axis=0))
    if any(cv2.pointPolygonTest(np.asarray(other, np.float32), (x, y), False) >= 0 for other in quads if other != quad):
        return quad
    tl, _, _, bl = _before(quad, reach, 0)
    return tl, quad[1], quad[2], bl


def _before(quad: Quad, start: float, end: float) -> Quad:
    """The part of a line's row from `start` heights before its beginning to `end` heights behind it."""
    width, height = quad_size(quad)
    tl, tr, br, bl = (np.asarray(corner, np.float64) for corner in quad)
    along_top, along_bottom = (tr - tl) * height / width, (br - bl) * height / width
    corners = (
        tl - start * along_top,
        tl + end * along_top,
        bl + end * along_bottom,
        bl - start * along_bottom,
    )
    a, b, c, d = ((float(x), float(y)) for x, y in corners)
    return a, b, c, d


def _bullet_start(strip: Image) -> float | None:
    """How far before the line the crop of its bullet begins, None where none stands alone in the strip before it."""
    height = strip.shape[0]
    grey = cv2.cvtColor(strip, cv2.COLOR_BGR2GRAY)
    low, high = int(grey.min()), int(grey.max())
    if high - low < _MIN_CONTRAST:
        return None
    dark = grey < (low + high) / 2
    ink = dark if dark.mean() < 0.5 else ~dark
    _, _, found, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
    bullets = []
    for x, y, width, tall, _ in found[1:].tolist():
        if x / height > _REACH - _KNOWN or max(width, tall) < _SPECK * height:
            continue  # of the line, or dirt
        whole = x > 0 and y > 0 and y + tall < height and x + width < strip.shape[1]
        centred = abs(y + tall / 2 - height / 2) <= _MAX_OFF_CENTRE * height
        fits = _MIN_BULLET <= tall / height <= _MAX_BULLET and _MIN_ASPECT <= width / tall <= _MAX_ASPECT
        if not (whole and centred and fits):
            return None
        bullets.append(x)
    return _REACH - bullets[0] / height + _MARGIN if len(bullets) == 1 else None
