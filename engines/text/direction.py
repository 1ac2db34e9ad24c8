"""Direction of single lines: a line that reads upwards or upside down on a page that stands upright.

Titles of axes, book spines and the far side of table tents have another direction than their page. The crop of such a
line is upside down: either recogniser gives it less than 0.87, and the turned crop 0.98 or more (drawn lines of both
scripts, `benchmarks/accuracy/field`). So lines of low confidence are read a second time, turned by 180 degrees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from inkgate.engines.text.crop import is_tall
from inkgate.engines.text.machine_zone import is_zone_line
from inkgate.engines.text.marks import vertical_marks
from inkgate.engines.types import Image, Line, Quad

RecogniseCrops = Callable[[Sequence[Image]], list[tuple[str, float]]]

_MAX_SUSPECT_SCORE = 0.87  # mean score of a line below which it may be upside down
_MIN_DRAFT_SCORE = 0.85  # of the draft recogniser for the turned crop, before it is read for the answer
_MIN_TURNED_SCORE = 0.9  # of the turned reading that replaces the other one
_MIN_CHARACTERS = 2  # a single character says too little about its direction
_MIN_CHARACTERS_PER_HEIGHT = 0.5  # of the crop's width in heights; below it characters may have been lost


def turn_upside_down_lines(
    quads: Sequence[Quad],
    crops: Sequence[Image],
    readings: Sequence[tuple[str, float]],
    draft: RecogniseCrops,
    read: RecogniseCrops,
) -> list[Line]:
    """The lines of a page, one per quadrilateral, with upside-down ones read turned.

    `crops` (BGR uint8) and `readings` belong to `quads`. `draft` decides whether the turned crop is worth
    reading with `read`. The corners of a turned line start at the top left of its text.
    """
    lines = [
        Line(quad, vertical_marks(text) if is_tall(quad) else text, score)
        for quad, (text, score) in zip(quads, readings, strict=True)
    ]
    suspects = [
        at
        for at, (line, crop) in enumerate(zip(lines, crops, strict=True))
        if (line.score < _MAX_SUSPECT_SCORE or _is_sparse(line.text, crop)) and not is_zone_line(line.text)
    ]
    turned = [np.ascontiguousarray(crops[at][::-1, ::-1]) for at in suspects]
    likely = [
        (at, crop)
        for at, crop, (text, score) in zip(suspects, turned, draft(turned), strict=True)
        if score >= _MIN_DRAFT_SCORE and len(text.strip()) >= _MIN_CHARACTERS and _is_better(text, score, lines[at])
    ]
    for (at, _), (text, score) in zip(likely, read([crop for _, crop in likely]), strict=True):
        if score >= _MIN_TURNED_SCORE:
            lines[at] = Line(_turned_quad(quads[at]), text, score)
    return lines


def _is_sparse(text: str, crop: Image) -> bool:
    """Whether a crop holds fewer characters than its length leads to expect, as upside-down ones do."""
    height, width = crop.shape[:2]
    return bool(len(text) < _MIN_CHARACTERS_PER_HEIGHT * width / height)


def _is_better(text: str, score: float, line: Line) -> bool:
    return score > line.score or (len(text) > 2 * len(line.text) and score >= _MIN_TURNED_SCORE)


def _turned_quad(quad: Quad) -> Quad:
    """The corners from the top left of a text that is upside down in its crop (see `crop.crop_line`)."""
    a, b, c, d = quad
    return (d, a, b, c) if is_tall(quad) else (c, d, a, b)
