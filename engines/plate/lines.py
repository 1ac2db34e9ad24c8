"""Plates among the lines of general reading: what a general engine alone would answer, kept to compare with."""

from __future__ import annotations

from inkgate.engines.interfaces import TextEngine
from inkgate.engines.plate.colour import background_colour
from inkgate.engines.plate.order import left_to_right
from inkgate.engines.plate.rectify import rectified_strip
from inkgate.engines.plate.syntax import IN_SCOPE, normalise_plate_text, pattern_of, plate_kind
from inkgate.engines.types import Image, Plate


class TextLinePlateReader:
    """Reads the whole image as text and keeps the lines that follow a plate's syntax."""

    def __init__(self, text: TextEngine) -> None:
        self._text = text

    @property
    def models(self) -> dict[str, str]:
        """None of its own: the text engine reports its models itself."""
        return {}

    def warmup(self) -> None:
        """The text engine warms itself."""

    def read(self, image: Image, *, extras: bool = False) -> list[Plate]:
        """Plates of a BGR uint8 image, left to right, top to bottom; kinds beyond the manual's with `extras`."""
        plates = []
        for line in self._text.read(image).lines:
            text = normalise_plate_text(line.text)
            if pattern_of(text) is None:
                continue
            kind = plate_kind(text, background_colour(rectified_strip(image, line.quad)), 1)
            plates.append(Plate(line.quad, kind, text, line.score, in_scope=kind in IN_SCOPE))
        return left_to_right([plate for plate in plates if extras or plate.in_scope])

    def close(self) -> None:
        """The text engine is its owner's to close."""
