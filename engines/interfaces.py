"""The two faces of the engine room.

`TextEngine` reads lines; card, plate and licence flows are built on it. `Reader` is what a worker holds: one object
that answers any capability for one picture's bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from inkgate.engines.types import Choices, EngineInfo, IdCard, Image, Licence, Page, Plate, Quad


class TextEngine(Protocol):
    """Detection and recognition over some runtime. Not thread-safe unless an implementation says so."""

    @property
    def info(self) -> EngineInfo: ...

    def warmup(self) -> None:
        """Run every shape class once, so that the first call costs what the thousandth costs."""

    def detect(self, image: Image, *, limit_side: int | None = None) -> list[Quad]:
        """Quadrilaterals of text lines in source pixels. `limit_side` caps the longer side seen by the network."""

    def recognise(self, crops: Sequence[Image]) -> list[tuple[str, float]]:
        """Text and mean score of each upright line crop (BGR uint8, any height and width)."""

    def skim(self, crops: Sequence[Image]) -> list[tuple[str, float]]:
        """As `recognise`, by the quickest network: enough to tell a printed label from other text."""

    def candidates(self, crops: Sequence[Image]) -> list[Choices]:
        """For each character of each crop what it may be, with probabilities, best first; a runtime that tells no more
        than the best gives that one."""

    def orient(self, image: Image) -> int:
        """Clockwise degrees (0, 90, 180, 270) by which the picture must be turned to stand upright."""

    def read(self, image: Image) -> Page:
        """Detect, crop, recognise, put in reading order; turned pages are set upright and read again."""

    def close(self) -> None:
        """Release sessions. The engine cannot be used afterwards."""


class Reader(Protocol):
    """All four capabilities over one picture's bytes (JPEG, PNG or BMP). One per worker process.

    Every method raises DecodeError or PictureTooLarge for a picture that cannot be read.
    """

    @property
    def info(self) -> EngineInfo: ...

    def warmup(self) -> None: ...

    def general(self, data: bytes) -> Page: ...

    def idcard(self, data: bytes, *, extras: bool = False) -> IdCard: ...

    def plate(self, data: bytes, *, extras: bool = False) -> list[Plate]:
        """Plates left to right, top to bottom; those out of the manual's scope only when `extras` is set."""

    def licence(self, data: bytes, *, extras: bool = False) -> Licence: ...

    def close(self) -> None: ...
