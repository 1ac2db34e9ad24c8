"""Page recognition: orientation, detect, crop, recognise, reading order."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from inkgate.engines.seals import find_seals, remove_seals
from inkgate.engines.text.crop import crop_line, extend_ends, quad_size
from inkgate.engines.text.detect import is_field
from inkgate.engines.text.direction import RecogniseCrops, turn_upside_down_lines
from inkgate.engines.text.leading_bullets import extend_to_bullets
from inkgate.engines.text.machine_zone import correct_zones
from inkgate.engines.text.order import reading_order
from inkgate.engines.text.orient import rotate, rotate_back
from inkgate.engines.text.under_seals import merge, touches
from inkgate.engines.types import CharacterCandidates, EngineInfo, Image, Line, MemoryGrowth, Page, Quad

_MIN_UPRIGHT_SCORE = (
    0.85  # mean score of lines that stand upright: they reach 0.9 and more, upside down they stay below 0.7
)
_MIN_SCORE_GAIN = 0.1
_PROBE_LINES = 5
_PROBE_ASPECT = 8  # times the line height: only this much of a line is probed
_MIN_LINE_SCORE = 0.5  # lines below it are noise, not text

DetectLines = Callable[[Image, int | None], list[Quad]]


@dataclass(frozen=True, slots=True)
class EngineComponents:
    """The components of an engine. `detector` and `read` serve pages; the accurate pair serves cards and forms.

    Detectors take an image and the maximum longer side of the network input (None: the profile's). `orientation_probe`
    recognises a few lines to decide whether they are upright. `candidates` returns the candidates of each character.
    With `lazy_accurate_recogniser` the accurate recogniser is opened by the first card or form, since warming it up
    costs memory that a worker of pages never needs. With `extend_line_ends` crops extend beyond the detected lines:
    this helps PP-OCRv6; older networks read noise in the margin.
    """

    detector: DetectLines
    read: RecogniseCrops
    orientation_probe: RecogniseCrops
    accurate_detector: DetectLines
    accurate_recogniser: RecogniseCrops
    orienter: Callable[[Image], int]
    candidates: Callable[[Sequence[Image]], list[CharacterCandidates]] | None = None
    lazy_accurate_recogniser: bool = False
    extend_line_ends: bool = True


class LineEngine:
    """The `TextEngine` over any runtime's networks. `warm` is called after the warm-up, `release` once at the end;
    `growth` is the memory that the networks will still take.

    It keeps no state between calls: threads may share it as far as the runtime's networks may be shared.
    """

    def __init__(
        self,
        info: EngineInfo,
        parts: EngineComponents,
        release: Callable[[], None] = lambda: None,
        warm: Callable[[], None] = lambda: None,
        growth: Callable[[], MemoryGrowth] = MemoryGrowth,
    ) -> None:
        self._info = info
        self._parts = parts
        self._release = release
        self._warm = warm
        self._growth = growth

    @property
    def info(self) -> EngineInfo:
        """Runtime, device, threads and the sha256 of every model file."""
        return replace(self._info, growth=self._growth())

    def warmup(self) -> None:
        """Run each network on the commonest shapes, so that arenas are grown before the first call."""
        page = np.full((736, 736, 3), 255, np.uint8)
        self._parts.detector(page, None)
        self.detect(page)
        self.orient(page)
        for width in (160, 320, 640):
            self._parts.read([page[:48, :width]])
            if not self._parts.lazy_accurate_recogniser:
                self.recognise([page[:48, :width]])
        self._warm()

    def detect(self, image: Image, *, limit_side: int | None = None) -> list[Quad]:
        """Quadrilaterals of lines in pixels of `image` (BGR uint8), by the accurate detector, unordered."""
        return self._parts.accurate_detector(image, limit_side)

    def recognise(self, crops: Sequence[Image]) -> list[tuple[str, float]]:
        """Text and mean score 0..1 of each upright crop (BGR uint8), by the accurate recogniser."""
        return self._parts.accurate_recogniser(crops)

    def recognise_draft(self, crops: Sequence[Image]) -> list[tuple[str, float]]:
        """As `recognise`, by the recogniser of the orientation probe."""
        return self._parts.orientation_probe(crops)

    def candidates(self, crops: Sequence[Image]) -> list[CharacterCandidates]:
        """Candidates of each character of each crop, best first; only the reading where the runtime has no others."""
        if self._parts.candidates is not None:
            return self._parts.candidates(crops)
        return [[[(character, score)] for character in text] for text, score in self.recognise(crops)]

    def orient(self, image: Image) -> int:
        """Clockwise degrees (0, 90, 180, 270) by which the image must be turned to stand upright."""
        return self._parts.orienter(image)

    def read(self, image: Image) -> Page:
        """All lines of a BGR uint8 image in reading order, quadrilaterals in its own pixels however it was turned.

        A page of low scores is tried in the three other orientations.
        """
        height, width = image.shape[:2]
        timer = _StageTimer()
        angle, quads = self._set_upright(image, timer)
        lines = self._recognise_lines(rotate(image, angle), quads, timer)
        if angle == 0 and lines and _mean_score(lines) < _MIN_UPRIGHT_SCORE - _MIN_SCORE_GAIN:
            improved, quads = self._retry_orientations(image, _mean_score(lines), timer)
            if improved:
                angle, lines = improved, self._recognise_lines(rotate(image, improved), quads, timer)
        lines = correct_zones(reading_order(self._read_under_seals(rotate(image, angle), lines, timer)))
        if angle:
            lines = [Line(rotate_back(line.quad, angle, width, height), line.text, line.score) for line in lines]
        return Page(tuple(lines), width, height, angle, timer.stages)

    def _set_upright(self, image: Image, timer: _StageTimer) -> tuple[int, list[Quad]]:
        """The rotation that sets the page upright, and the lines detected in the rotated image.

        The classifier's rotation is taken when lines score well after it, or better than before it. It was trained on
        pages: a field that scores well as sent is not rotated, since many words are words upside down (77, OH).
        """
        proposed = self.orient(image)
        timer.lap("orient")
        if proposed == 0:
            quads = self._parts.detector(image, None)
            timer.lap("detect")
            return 0, quads
        field = is_field(image)
        turned, quads = self._probe_orientation(image, proposed, timer)
        if turned >= _MIN_UPRIGHT_SCORE and not field:
            return proposed, quads
        as_sent, upright_quads = self._probe_orientation(image, 0, timer)
        if as_sent >= _MIN_UPRIGHT_SCORE and field:
            return 0, upright_quads
        return (proposed, quads) if turned > as_sent else (0, upright_quads)

    def _retry_orientations(self, image: Image, score: float, timer: _StageTimer) -> tuple[int, list[Quad]]:
        """The rotation in degrees under which a page of low scores is read clearly better, or 0."""
        trials = [(*self._probe_orientation(image, angle, timer), angle) for angle in (180, 90, 270)]
        best, quads, angle = max(trials, key=lambda orientation_probe: orientation_probe[0])
        return (angle, quads) if best > score + _MIN_SCORE_GAIN else (0, [])

    def _probe_orientation(self, image: Image, angle: int, timer: _StageTimer) -> tuple[float, list[Quad]]:
        """Mean score of a few lines of the rotated image, and the quadrilaterals of all its lines."""
        upright = rotate(image, angle)
        quads = self._parts.detector(upright, None)
        timer.lap("detect")
        longest = sorted(quads, key=lambda quad: -max(quad_size(quad)))[:_PROBE_LINES]
        crops = [crop_line(upright, quad) for quad in longest]
        readings = self._parts.orientation_probe([cut[:, : _PROBE_ASPECT * cut.shape[0]] for cut in crops])
        timer.lap("orient")
        return (float(np.mean([score for _, score in readings])) if readings else 0.0), quads

    def _recognise_lines(self, image: Image, quads: Sequence[Quad], timer: _StageTimer) -> list[Line]:
        """Lines of an upright image, unordered."""
        quads = extend_to_bullets(image, quads)
        crops = [crop_line(image, extend_ends(quad) if self._parts.extend_line_ends else quad) for quad in quads]
        parts = self._parts
        lines = turn_upside_down_lines(quads, crops, parts.read(crops), parts.orientation_probe, parts.read)
        timer.lap("recognise")
        return [line for line in lines if line.text.strip() and line.score >= _MIN_LINE_SCORE]

    def _read_under_seals(self, image: Image, lines: list[Line], timer: _StageTimer) -> list[Line]:
        """The lines of an upright image, those that red seals touch read again without red ink."""
        seals = find_seals(image)
        if not any(touches(line.quad, seals) for line in lines):
            return lines
        cleaned = remove_seals(image, seals)
        quads = [quad for quad in self._parts.detector(cleaned, None) if touches(quad, seals)]
        timer.lap("detect")
        return merge(lines, self._recognise_lines(cleaned, quads, timer))

    def close(self) -> None:
        """Release the networks and what else the runtime holds. The engine cannot be used afterwards."""
        del self._parts
        self._release()


class _StageTimer:
    """Seconds per stage."""

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
