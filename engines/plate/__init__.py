"""Number plates: found, set level, read and checked (manual 6.3.3)."""

from __future__ import annotations

from typing import Protocol

from engines.interfaces import TextEngine
from engines.plate.lines import LinePlateReader
from engines.types import Image, Plate

__all__ = ["PlateReader", "open_plate_reader"]


class PlateReader(Protocol):
    """Finds and reads plates. `models` holds the sha256 of its networks by role."""

    @property
    def models(self) -> dict[str, str]: ...

    def warmup(self) -> None: ...

    def read(self, image: Image, *, extras: bool = False) -> list[Plate]:
        """Plates of a BGR uint8 picture, left to right, top to bottom; others than the manual's with `extras`."""

    def close(self) -> None: ...


def open_plate_reader(text: TextEngine, threads: int = 1) -> PlateReader:
    """The plate reader of one worker; `text` is the engine that reads general lines."""
    return LinePlateReader(text)
