"""Input and result types of the engines: frozen dataclasses.

Images are BGR uint8 arrays of shape (height, width, 3). Quadrilaterals are four (x, y) corners in pixels of the
source image as it stood in the request, in the order top-left, top-right, bottom-right, bottom-left *of the text*.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Point = tuple[float, float]
Quad = tuple[Point, Point, Point, Point]
CharacterCandidates = list[
    list[tuple[str, float]]
]  # of a line: for each character the most likely ones with their probabilities


@dataclass(frozen=True, slots=True)
class Line:
    """A text line: its quadrilateral in source pixels, the text as read, and the mean character score in 0..1."""

    quad: Quad
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class Page:
    """All lines of one image in reading order.

    `angle` is the clockwise turn in degrees (0, 90, 180, 270) that brought the image upright before reading;
    `width` and `height` are the source image's, in pixels; `stages` holds seconds spent per stage.
    """

    lines: tuple[Line, ...]
    width: int
    height: int
    angle: int = 0
    stages: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IdCard:
    """One image of an ID card. `note` is "front" (emblem side), "back" (portrait side) or "" (no card found).

    The names of the sides follow the manual (6.3.2), which is the reverse of other vendors.
    Every field is a string, "" where the face does not carry it.
    """

    note: str = ""
    name: str = ""
    sex: str = ""
    nation: str = ""
    birthday: str = ""
    idn: str = ""
    addr: str = ""
    org: str = ""
    validperiod: str = ""
    extras: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plate:
    """One number plate. `kind` is a key of the plate table ("blue", "yellow", "green", …); `rows` is 1 or 2."""

    quad: Quad
    kind: str
    text: str
    confidence: float
    rows: int = 1
    in_scope: bool = True
    char_scores: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Licence:
    """One business licence (manual 6.3.4). `real_capital` is None on one-column forms, which do not carry the key."""

    is_licence: bool = False
    union_id: str = ""
    regist_no: str = ""
    name: str = ""
    type: str = ""
    addr: str = ""
    legal_rep: str = ""
    regist_capital: str = ""
    establish_date: str = ""
    operation_period: str = ""
    real_capital: str | None = None
    extras: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MemoryGrowth:
    """Memory in MiB that an engine will still take in the background: resident, and private writable memory, of which
    generated code leaves most untouched."""

    resident_mib: int = 0
    data_mib: int = 0


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine is: its name and version, the model files by role with their sha256, device and threads.

    `growth` is the memory that it will still take, 0 once it has what it needs.
    """

    name: str
    version: str
    device: str
    threads: int
    models: Mapping[str, str] = field(default_factory=dict)
    growth: MemoryGrowth = field(default_factory=MemoryGrowth)
