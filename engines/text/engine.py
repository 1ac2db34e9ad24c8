"""A page read: find lines, cut them out, read them, order them; turn the page and read again when it stands wrong."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from engines.text.crop import crop
from engines.text.detect import Detector
from engines.text.order import reading_order
from engines.text.orient import Orienter, turn, turn_back
from engines.text.recognise import Recogniser
from engines.types import EngineInfo, Image, Line, Page, Quad

_DOUBT = 0.85  # mean score of a page below which its orientation is looked at: upright pages score 0.93 and more
_LEAST_SCORE = 0.5  # lines below it are noise, not text


class LineEngine:
    """The `TextEngine` over any runtime's detector, recogniser and orienter. One thread at a time."""

    def __init__(self, info: EngineInfo, detector: Detector, recogniser: Recogniser, orienter: Orienter) -> None:
        self._info = info
        self._detector = detector
        self._recogniser = recogniser
        self._orienter = orienter

    @property
    def info(self) -> EngineInfo:
        return self._info

    def warmup(self) -> None:
        """Run each network on the shapes that are commonest, so that arenas are grown before the first call."""
        page = np.full((736, 736, 3), 255, np.uint8)
        self.detect(page)
        self.orient(page)
        for width in (160, 320, 640):
            self.recognise([page[:48, :width]])

    def detect(self, image: Image, *, limit_side: int | None = None) -> list[Quad]:
        return self._detector(image, limit_side)

    def recognise(self, crops: Sequence[Image]) -> list[tuple[str, float]]:
        return self._recogniser(crops)

    def orient(self, image: Image) -> int:
        return self._orienter(image)

    def read(self, image: Image) -> Page:
        height, width = image.shape[:2]
        stages: dict[str, float] = {}
        lines = self._lines(image, stages)
        angle = 0
        if lines and _mean_score(lines) < _DOUBT:
            angle = self.orient(image)
            if angle:
                turned = self._lines(turn(image, angle), stages)
                if turned and _mean_score(turned) > _mean_score(lines):
                    lines = [Line(turn_back(one.quad, angle, width, height), one.text, one.score) for one in turned]
                else:
                    angle = 0
        return Page(tuple(lines), width, height, angle, stages)

    def _lines(self, image: Image, stages: dict[str, float]) -> list[Line]:
        """Lines of an upright picture in reading order; seconds are added to `stages`."""
        began = time.perf_counter()
        quads = self.detect(image)
        found = time.perf_counter()
        readings = self.recognise([crop(image, quad) for quad in quads])
        read = time.perf_counter()
        stages["detect"] = stages.get("detect", 0.0) + found - began
        stages["recognise"] = stages.get("recognise", 0.0) + read - found
        lines = [
            Line(quad, text, score)
            for quad, (text, score) in zip(quads, readings, strict=True)
            if text.strip() and score >= _LEAST_SCORE
        ]
        return reading_order(lines)

    def close(self) -> None:
        del self._detector, self._recogniser, self._orienter


def _mean_score(lines: Sequence[Line]) -> float:
    """The mean score of the characters of a page."""
    characters = sum(len(line.text) for line in lines)
    return sum(line.score * len(line.text) for line in lines) / characters
