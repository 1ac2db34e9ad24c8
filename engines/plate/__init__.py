"""Number plates: found, set level, read and checked (manual 6.3.3)."""

from __future__ import annotations

from typing import Protocol

from engines.types import Image, Plate


class PlateReader(Protocol):
    """Finds and reads plates. `models` holds the sha256 of its networks by role."""

    @property
    def models(self) -> dict[str, str]: ...

    def warmup(self) -> None: ...

    def read(self, image: Image, *, extras: bool = False) -> list[Plate]:
        """Plates of a BGR uint8 picture, left to right, top to bottom; others than the manual's with `extras`."""


class _NoPlates:
    """Finds nothing: the networks are not there yet."""

    models: dict[str, str] = {}  # noqa: RUF012

    def warmup(self) -> None: ...

    def read(self, image: Image, *, extras: bool = False) -> list[Plate]:
        return []


def open_plate_reader(threads: int = 1) -> PlateReader:
    """Load the plate networks for one worker of `threads` threads."""
    return _NoPlates()
