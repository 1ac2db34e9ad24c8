"""A page read: set it upright, find lines, cut them out, read them, order them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from inkgate.engines.text.crop import crop, size, with_ends
from inkgate.engines.text.detect import is_field
from inkgate.engines.text.order import reading_order
from inkgate.engines.text.orient import turn, turn_back
from inkgate.engines.types import Choices, EngineInfo, Image, Line, Page, Quad

_READABLE = 0.85  # mean score of lines that stand upright: they reach 0.9 and more, upside down they stay below 0.7
_CLEARLY_BETTER = 0.1
_TRIAL_LINES = 5
_TRIAL_ASPECT = 8  # a trial reads no more of a line than this times its height
_LEAST_SCORE = 0.5  # lines below it are noise, not text

FindLines = Callable[[Image, int | None], list[Quad]]
ReadCrops = Callable[[Sequence[Image]], list[tuple[str, float]]]


@dataclass(frozen=True, slots=True)
class Parts:
    """What an engine is made of. `detector` and `read` serve whole pages; the careful pair serves cards and forms.

    Detectors take a picture and the longer side that the network may see (None: the profile's). `trial` reads a few
    lines to tell whether they stand upright. `candidates` tells what else each character of a line may be.
    `fields_on_demand` says that the careful recogniser is opened by the first card or form: warming it up would cost
    memory that a worker of pages never needs. `beyond_ends` says that lines are cut out a little further than they were
    found: it pays with PP-OCRv6; older networks read something into the margin.
    """

    detector: FindLines
    read: ReadCrops
    trial: ReadCrops
    careful_detector: FindLines
    careful_recogniser: ReadCrops
    orienter: Callable[[Image], int]
    candidates: Callable[[Sequence[Image]], list[Choices]] | None = None
    fields_on_demand: bool = False
    beyond_ends: bool = True


class LineEngine:
    """The `TextEngine` over any runtime's networks. `release` is called once at the end.

    It keeps no state between calls: threads may share it as far as the runtime's networks may be shared.
    """

    def __init__(self, info: EngineInfo, parts: Parts, release: Callable[[], None] = lambda: None) -> None:
        self._info = info
        self._parts = parts
        self._release = release

    @property
    def info(self) -> EngineInfo:
        """Runtime, device, threads and the sha256 of every model file."""
        return self._info

    def warmup(self) -> None:
        """Run each network on the commonest shapes, so that arenas are grown before the first call."""
        page = np.full((736, 736, 3), 255, np.uint8)
        self._parts.detector(page, None)
        self.detect(page)
        self.orient(page)
        for width in (160, 320, 640):
            self._parts.read([page[:48, :width]])
            if not self._parts.fields_on_demand:
                self.recognise([page[:48, :width]])

    def detect(self, image: Image, *, limit_side: int | None = None) -> list[Quad]:
        """Quadrilaterals of lines in pixels of `image` (BGR uint8), by the careful detector, unordered."""
        return self._parts.careful_detector(image, limit_side)

    def recognise(self, crops: Sequence[Image]) -> list[tuple[str, float]]:
        """Text and mean score 0..1 of each upright crop (BGR uint8), by the careful recogniser."""
        return self._parts.careful_recogniser(crops)

    def skim(self, crops: Sequence[Image]) -> list[tuple[str, float]]:
        """As `recognise`, by the recogniser of trials."""
        return self._parts.trial(crops)

    def candidates(self, crops: Sequence[Image]) -> list[Choices]:
        """What each character of each crop may be, best first; the reading alone where the runtime tells no more."""
        if self._parts.candidates is not None:
            return self._parts.candidates(crops)
        return [[[(sign, score)] for sign in text] for text, score in self.recognise(crops)]

    def orient(self, image: Image) -> int:
        """Clockwise degrees (0, 90, 180, 270) by which the image must be turned to stand upright."""
        return self._parts.orienter(image)

    def read(self, image: Image) -> Page:
        """All lines of a BGR uint8 image in reading order, quadrilaterals in its own pixels however it was turned.

        A page that reads badly as it stands is tried in the three other orientations.
        """
        height, width = image.shape[:2]
        clock = _Clock()
        angle, quads = self._upright(image, clock)
        lines = self._lines(turn(image, angle), quads, clock)
        if angle == 0 and lines and _mean_score(lines) < _READABLE - _CLEARLY_BETTER:
            better, quads = self._second_thought(image, _mean_score(lines), clock)
            if better:
                angle, lines = better, self._lines(turn(image, better), quads, clock)
        if angle:
            lines = [Line(turn_back(line.quad, angle, width, height), line.text, line.score) for line in lines]
        return Page(tuple(lines), width, height, angle, clock.stages)

    def _upright(self, image: Image, clock: _Clock) -> tuple[int, list[Quad]]:
        """The turn that sets the page upright, and the lines found in the turned picture.

        The classifier proposes; a turn is taken when lines read well after it, or better than before it. It was trained
        on pages: a field that reads well as it was sent stays so, since many words are words upside down (77, OH).
        """
        proposed = self.orient(image)
        clock.lap("orient")
        if proposed == 0:
            quads = self._parts.detector(image, None)
            clock.lap("detect")
            return 0, quads
        field = is_field(image)
        turned, quads = self._trial(image, proposed, clock)
        if turned >= _READABLE and not field:
            return proposed, quads
        as_sent, own_quads = self._trial(image, 0, clock)
        if as_sent >= _READABLE and field:
            return 0, own_quads
        return (proposed, quads) if turned > as_sent else (0, own_quads)

    def _second_thought(self, image: Image, score: float, clock: _Clock) -> tuple[int, list[Quad]]:
        """The turn under which a page that reads badly reads clearly better, or 0."""
        trials = [(*self._trial(image, angle, clock), angle) for angle in (180, 90, 270)]
        best, quads, angle = max(trials, key=lambda trial: trial[0])
        return (angle, quads) if best > score + _CLEARLY_BETTER else (0, [])

    def _trial(self, image: Image, angle: int, clock: _Clock) -> tuple[float, list[Quad]]:
        """Mean score of a few lines of the turned picture, and where all its lines are."""
        upright = turn(image, angle)
        quads = self._parts.detector(upright, None)
        clock.lap("detect")
        longest = sorted(quads, key=lambda quad: -max(size(quad)))[:_TRIAL_LINES]
        crops = [crop(upright, quad) for quad in longest]
        readings = self._parts.trial([cut[:, : _TRIAL_ASPECT * cut.shape[0]] for cut in crops])
        clock.lap("orient")
        return (float(np.mean([score for _, score in readings])) if readings else 0.0), quads

    def _lines(self, image: Image, quads: Sequence[Quad], clock: _Clock) -> list[Line]:
        """Lines of an upright picture in reading order."""
        crops = [crop(image, with_ends(quad) if self._parts.beyond_ends else quad) for quad in quads]
        readings = self._parts.read(crops)
        clock.lap("recognise")
        lines = [
            Line(quad, text, score)
            for quad, (text, score) in zip(quads, readings, strict=True)
            if text.strip() and score >= _LEAST_SCORE
        ]
        return reading_order(lines)

    def close(self) -> None:
        """Release the networks and what else the runtime holds. The engine cannot be used afterwards."""
        del self._parts
        self._release()


class _Clock:
    """Seconds per stage: each lap goes to the stage named."""

    def __init__(self) -> None:
        self.stages: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.stages[stage] = self.stages.get(stage, 0.0) + now - self._last
        self._last = now


def _mean_score(lines: Sequence[Line]) -> float:
    """The mean score of the characters of a page."""
    characters = sum(len(line.text) for line in lines)
    return sum(line.score * len(line.text) for line in lines) / characters
