"""The interfaces of the engines.

`TextEngine` reads lines; card, plate and licence flows are built on it. `CapabilityReader` reads decoded images for one
capability. `Reader` is what a worker holds: one object that answers any capability for the bytes of one image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from inkgate.engines.types import CharacterCandidates, EngineInfo, Image, Page, Quad


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

    def recognise_draft(self, crops: Sequence[Image]) -> list[tuple[str, float]]:
        """As `recognise`, by the draft recogniser; sufficient to distinguish printed labels from other text."""

    def candidates(self, crops: Sequence[Image]) -> list[CharacterCandidates]:
        """For each character of each crop what it may be, with probabilities, best first; a runtime that gives no more
        than the best gives that one."""

    def orient(self, image: Image) -> int:
        """Clockwise degrees (0, 90, 180, 270) by which the image must be turned to stand upright."""

    def read(self, image: Image) -> Page:
        """Detect, crop, recognise, put in reading order; turned pages are set upright and read again."""

    def close(self) -> None:
        """Release sessions. The engine cannot be used afterwards."""


class IdleCores(Protocol):
    """Idle cores that one image may use besides its own. Thread-safe."""

    @property
    def most(self) -> int:
        """The largest number that one image may borrow; 0 where each image has one core."""

    @property
    def needed(self) -> bool:
        """Whether others need a core that is lent: who has borrowed one gives it back at the next opportunity."""

    def borrow(self, wanted: int) -> int:
        """Borrow up to `wanted` idle cores. Returns how many, 0 when none is idle."""

    def give_back(self, count: int) -> None:
        """Return `count` borrowed cores."""


class CapabilityReader(Protocol):
    """Reads images for one capability. May also have `warmup()`, called once before the first image; `close()`, after
    the last; and `models`, a mapping of its model files by role to their sha256.

    On a CPU one thread calls it; on a GPU several may at once.
    """

    def read(self, image: Image, *, extras: bool) -> Any:
        """What is in a BGR uint8 image of shape (height, width, 3), as the capability's `element` takes it. With
        `extras` also what only the further keys of an answer need."""


class Reader(Protocol):
    """Every capability over the file of one image (JPEG, PNG or BMP). One per worker process."""

    @property
    def info(self) -> EngineInfo: ...

    @property
    def names(self) -> frozenset[str]:
        """The capabilities that can be read."""

    def warmup(self) -> None: ...

    def read(self, name: str, data: bytes, *, extras: bool = False) -> Any:
        """What the reader of the capability `name` finds in an image file.

        Raises DecodeError or ImageTooLarge for an image that cannot be decoded, KeyError for a capability that has
        no reader.
        """

    def close(self) -> None: ...
