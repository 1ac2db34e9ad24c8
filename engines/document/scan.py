"""An image as text strips in rectified coordinates, recognised on demand."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from inkgate.engines.boxes import as_quad
from inkgate.engines.document import geometry
from inkgate.engines.document.chars import normalise
from inkgate.engines.document.rectification import RectificationField
from inkgate.engines.interfaces import TextEngine
from inkgate.engines.types import CharacterCandidates, Image, Quad

MAX_TILT_DEGREES = 9.0  # between a strip and the rows
MAX_STRIPS = 300  # limits the time for a background full of text
UPRIGHT = 1.5  # height over length from which a strip is no row of text
_LONG = 1.5  # heights: a strip longer than this shows its direction

# Rectification by the rows of one document.
_DIRECTION_HEIGHTS = 2.0  # heights: label anchors longer than this determine the direction of the document
_MAX_DOCUMENT_TILT = 3.0  # degrees between document and page; above it the document is rectified in two steps
# Bounds of the document around its label anchors, in heights of the median anchor.
_LEFT_OF, _RIGHT_OF, _OVER, _UNDER = 2.0, 1.0, 3.0, 3.0  # beyond the outermost anchors and values
_VALUE_GAP = 8.0  # from a label to a value on its row, less than
_VALUE_HEIGHTS = (0.5, 2.0)  # height of a value over that of the label, between these

# Whether the orientation of an image is right.
_MIN_CHARACTERS = 13
_MIN_MEAN_SCORE = 0.85  # mean score of the characters, above this

# Text in a region where nothing was detected; grey levels 0..255.
_GAP = 1.6  # heights: a wider blank ends the text
_MIN_TEXT_WIDTH = 0.5  # heights: less is a speck
_DARKEST = 4  # percentile of a column's grey that is taken for ink
_MIN_CONTRAST = 25.0  # grey levels between ink and paper, at least
_CONTRAST_SHARE = 0.35  # of the strongest contrast in the strip, at least
_INK_MARGIN = 4  # the text keeps a margin of one height over this
_PADS = (0.1, 0.0)  # heights: margins around a region whose characters are recognised again, in this order


@dataclass(slots=True)
class Strip:
    """One detected text line. `u0`..`u1` runs along the row, `v` across the rows (centre), `h` is the height, in
    pixels of the upright image; `tilt` is the angle to the rows in degrees. `text` is normalised, None before
    recognition; `is_accurate` is False while only the draft recogniser has read it. `printed` is the recognised
    text with its blanks."""

    quad: Quad
    u0: float
    u1: float
    v: float
    h: float
    tilt: float
    text: str | None = None
    score: float = 0.0
    is_accurate: bool = False
    printed: str = ""

    @property
    def length(self) -> float:
        """Pixels along the row."""
        return self.u1 - self.u0

    @property
    def is_oblique(self) -> bool:
        """Whether it crosses the rows (a stamp, a watermark); short boxes have no reliable direction."""
        return abs(self.tilt) > MAX_TILT_DEGREES and (
            self.length > _LONG * self.h or abs(self.tilt) > 2 * MAX_TILT_DEGREES
        )


class DocumentScan:
    """One upright image, its strips, and the engine that recognises them."""

    def __init__(self, engine: TextEngine, image: Image, quads: Iterable[Quad]) -> None:
        self._engine = engine
        self.image = image
        quads = sorted(quads, key=_area, reverse=True)[:MAX_STRIPS]
        self.flat = RectificationField(quads)
        self.strips = [Strip(q, 0, 0, 0, (math.dist(q[0], q[3]) + math.dist(q[1], q[2])) / 2, 0) for q in quads]
        self._rectify()

    def _rectify(self) -> None:
        for strip in self.strips:
            a, b, c, d = (np.asarray(p) for p in strip.quad)
            (u0, _), (u1, _), (_, v) = self.flat.to_rectified(np.stack([(a + d) / 2, (b + c) / 2, (a + b + c + d) / 4]))
            strip.u0, strip.u1, strip.v = float(u0), float(u1), float(v)
            strip.tilt = self.flat.angle_to_rows(strip.quad)
        self.strips.sort(key=lambda s: (s.v, s.u0))

    def refit_rectification(self, anchors: Sequence[Strip]) -> None:
        """Fit the rectification to the document that the label anchors lie on, without the background.

        Changes `u0`, `u1`, `v` and `tilt` of every strip, and their order; existing segments keep the old coordinates.
        """
        directed = [s for s in anchors if s.length > _DIRECTION_HEIGHTS * s.h]
        if len(directed) > 1 and abs(float(np.median([s.tilt for s in directed]))) > _MAX_DOCUMENT_TILT:
            self.flat = RectificationField([s.quad for s in directed], straight=True)
            self._rectify()
        self.flat = RectificationField([s.quad for s in self.strips_near(anchors)])
        self._rectify()

    def recognise(self, wanted: Callable[[Strip], bool] | None = None) -> int:
        """Recognise the strips for which `wanted` holds with the accurate recogniser, those done before left out.

        Returns the number of strips recognised.
        """
        todo = [s for s in self.strips if not s.is_accurate and (wanted is None or wanted(s))]
        crops = [geometry.crop_quad(self.image, s.quad) for s in todo]
        for strip, (text, score) in zip(todo, self._engine.recognise(crops), strict=True):
            strip.text, strip.printed, strip.score, strip.is_accurate = normalise(text), text, score, True
        return len(todo)

    def recognise_draft(self, wanted: Callable[[Strip], bool]) -> None:
        """Recognise the strips for which `wanted` holds with the draft recogniser; `recognise` may read them again."""
        todo = [s for s in self.strips if s.text is None and wanted(s)]
        crops = [geometry.crop_quad(self.image, s.quad) for s in todo]
        for strip, (text, score) in zip(todo, self._engine.recognise_draft(crops), strict=True):
            strip.text, strip.printed, strip.score = normalise(text), text, score

    def recognise_prefix(self, strip: Strip, heights: float) -> str:
        """The draft text of the first part of a strip, `heights` times its height long; the strip is unchanged."""
        quad = geometry.sub_quad(strip.quad, 0.0, min(1.0, heights * strip.h / max(strip.length, 1.0)))
        ((text, _),) = self._engine.recognise_draft([geometry.crop_quad(self.image, quad)])
        return normalise(text)

    def candidates(self, quad: Quad) -> Iterator[CharacterCandidates]:
        """Candidates of each character in a quadrilateral, blanks left out; once with a margin and once without."""
        for pad in _PADS:
            (choices,) = self._engine.candidates([geometry.crop_quad(self.image, quad, pad)])
            yield [options for options in choices if options and normalise(options[0][0])]

    def accept_drafts(self, is_clear: Callable[[Strip], bool]) -> None:
        """Mark the strips for which `is_clear` holds as accurately recognised, and no others."""
        for strip in self.strips:
            strip.is_accurate = is_clear(strip)

    def truncate(self, strip: Strip, text: str, length: float) -> None:
        """Keep the first part of a strip, `length` pixels along the row, whose text is `text`."""
        share = min(1.0, length / max(strip.length, 1.0))
        strip.quad, strip.u1 = geometry.sub_quad(strip.quad, 0.0, share), strip.u0 + share * strip.length
        strip.text, strip.is_accurate = text, True

    def strips_near(self, anchors: Sequence[Strip]) -> list[Strip]:
        """The strips of the document that the label anchors lie on: between them, and values on their rows."""
        h = float(np.median([s.h for s in anchors]))
        left = min(s.u0 for s in anchors) - _LEFT_OF * h
        top, bottom = min(s.v for s in anchors) - _OVER * h, max(s.v for s in anchors) + _UNDER * h
        right = max(s.u1 for s in anchors)
        least, most = _VALUE_HEIGHTS
        for s in sorted(self.strips, key=lambda s: s.u0):
            beside = any(abs(s.v - a.v) < h and s.u0 - a.u1 < _VALUE_GAP * h for a in anchors)
            if beside and least < s.h / h < most:
                right = max(right, s.u1)
        right += _RIGHT_OF * h
        return [s for s in self.strips if left < s.u0 and s.u1 < right and top < s.v < bottom and not s.is_oblique]

    def remaining_rotation(self) -> tuple[int, ...]:
        """Further rotations to try, in clockwise degrees; () when the text has the right orientation."""
        wide = sum(s.length for s in self.strips if s.length > _LONG * s.h)
        tall = sum(s.h for s in self.strips if s.h > _LONG * s.length)
        if tall > wide:
            return (90, 270)
        read = [s for s in self.strips if s.text]
        characters = sum(len(s.text or "") for s in read)
        score = sum(s.score * len(s.text or "") for s in read) / max(characters, 1)
        clear = characters >= _MIN_CHARACTERS and score > _MIN_MEAN_SCORE
        return () if clear or not self.strips else (180,)

    def recognise_region(self, u0: float, u1: float, v: float, h: float, gap: float = _GAP) -> Strip:
        """Recognise a region in which nothing was detected, up to a blank of `gap` heights.

        The region spans `u0` to `u1` along the row with centre `v` and is `h` high, in rectified pixels. The strip
        returned is not added to `strips`; its text is "" and its score 0 where there is no text.
        """
        corners = np.array([[u0, v - h / 2], [u1, v - h / 2], [u1, v + h / 2], [u0, v + h / 2]])
        quad = as_quad(self.flat.to_image(corners))
        crop = geometry.crop_quad(self.image, quad)
        start, end = first_text_run(crop, gap)
        if end - start < _MIN_TEXT_WIDTH * crop.shape[0]:
            return Strip(quad, u0, u1, v, h, 0.0, "", 0.0)
        ((text, score),) = self._engine.recognise([np.ascontiguousarray(crop[:, start:end])])
        a_, b_ = start / crop.shape[1], end / crop.shape[1]
        span = (u0 + a_ * (u1 - u0), u0 + b_ * (u1 - u0))
        return Strip(geometry.sub_quad(quad, a_, b_), *span, v, h, 0.0, normalise(text), score, printed=text)


def first_text_run(crop: Image, gap: float = _GAP) -> tuple[int, int]:
    """First column of the first run of text in a crop (BGR uint8), and the column behind its end; (0, 0) for none.

    A short word in a crop with a long blank end is recognised badly, so the blank is cut off. `gap` is the blank that
    ends the run, in heights of the crop.
    """
    grey = crop.min(axis=2).astype(np.float32)
    background = float(np.median(grey))
    depth = background - np.percentile(grey, _DARKEST, axis=0)
    inked = np.flatnonzero(depth > max(_MIN_CONTRAST, _CONTRAST_SHARE * float(depth.max())))
    if not len(inked):
        return 0, 0
    h = crop.shape[0]
    gaps = np.flatnonzero(np.diff(inked) > gap * h)
    last = inked[gaps[0]] if len(gaps) else inked[-1]
    margin = h // _INK_MARGIN
    return max(0, int(inked[0]) - margin), min(crop.shape[1], int(last) + 1 + margin)


def _area(quad: Quad) -> float:
    return math.dist(quad[0], quad[1]) * math.dist(quad[1], quad[2])
