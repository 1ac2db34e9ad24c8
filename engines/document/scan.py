"""A picture as its text strips in flattened coordinates, read only when asked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from engines.document import geometry
from engines.document.chars import fold
from engines.document.flat import Flat
from engines.interfaces import TextEngine
from engines.types import Image, Quad

MAX_STRIPS = 300  # a desk full of print behind the document must not cost minutes


@dataclass(slots=True)
class Strip:
    """One detected text line. `u0`..`u1` runs along the row, `v` across the rows (centre), `h` is the height, pixels
    of the upright picture; `tilt` is the angle against the rows in degrees. `text` is folded, None until read."""

    quad: Quad
    u0: float
    u1: float
    v: float
    h: float
    tilt: float
    text: str | None = None
    score: float = 0.0

    @property
    def length(self) -> float:
        return self.u1 - self.u0


class Scan:
    """One upright picture, its strips, and the engine that reads them."""

    def __init__(self, engine: TextEngine, image: Image, quads: Iterable[Quad]) -> None:
        self._engine = engine
        self.image = image
        quads = sorted(quads, key=_area, reverse=True)[:MAX_STRIPS]
        self.flat = Flat(quads)
        self.strips = sorted((self._strip(q) for q in quads), key=lambda s: (s.v, s.u0))

    def _strip(self, quad: Quad) -> Strip:
        a, b, c, d = (np.asarray(p) for p in quad)
        ends = self.flat.level(np.stack([(a + d) / 2, (b + c) / 2, (a + b + c + d) / 4]))
        height = (math.dist(a, d) + math.dist(b, c)) / 2
        return Strip(quad, float(ends[0, 0]), float(ends[1, 0]), float(ends[2, 1]), height, self.flat.deviation(quad))

    def read(
        self, wanted: Callable[[Strip], bool] | None = None, clean: Callable[[Image], Image] | None = None
    ) -> None:
        """Read every strip not read yet for which `wanted` holds; `clean` works on the crop before it is read."""
        todo = [s for s in self.strips if s.text is None and (wanted is None or wanted(s))]
        crops = [geometry.strip(self.image, s.quad) for s in todo]
        if clean:
            crops = [clean(c) for c in crops]
        for strip, (text, score) in zip(todo, self._engine.recognise(crops), strict=True):
            strip.text, strip.score = fold(text), score

    def read_quad(self, quad: Quad, pad: float = 0.0) -> tuple[str, float]:
        """Read one quadrilateral of the picture; the text comes back folded."""
        ((text, score),) = self._engine.recognise([geometry.strip(self.image, quad, pad)])
        return fold(text), score


def _area(quad: Quad) -> float:
    return math.dist(quad[0], quad[1]) * math.dist(quad[1], quad[2])
