"""The results of the four capabilities. The order of corners is top-left, top-right, bottom-right, bottom-left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Corner(NamedTuple):
    """A point in pixels, with the origin at the top left of the image."""

    x: float
    y: float


Box = tuple[Corner, Corner, Corner, Corner]


@dataclass(frozen=True, slots=True)
class Failure:
    """The error of one image of a batch; the other images of the batch are not affected."""

    code: int
    message: str


@dataclass(frozen=True, slots=True)
class Line:
    text: str
    box: Box


@dataclass(frozen=True, slots=True)
class Page:
    """All lines of one image in reading order."""

    lines: tuple[Line, ...]

    @property
    def text(self) -> str:
        return "\n".join(line.text for line in self.lines)


@dataclass(frozen=True, slots=True)
class IdCard:
    """An identity card. `note` is "front" (emblem side), "back" (portrait side) or "" (no card). Absent fields: ""."""

    note: str
    name: str
    sex: str
    nation: str
    birthday: str
    idn: str
    addr: str
    org: str
    validperiod: str


@dataclass(frozen=True, slots=True)
class Plate:
    """A licence plate. `kind` is the plate_type of the answer; `confidence` is between 0 and 1."""

    number: str
    kind: str
    confidence: float
    box: Box


@dataclass(frozen=True, slots=True)
class Licence:
    """A business licence. `real_capital` is None on forms without that field; other absent fields are "".

    `raw` is the returned object.
    """

    is_licence: bool
    union_id: str
    regist_no: str
    name: str
    type: str
    addr: str
    legal_rep: str
    regist_capital: str
    establish_date: str
    operation_period: str
    real_capital: str | None
    raw: Mapping[str, Any] = field(repr=False, compare=False)


_LICENCE_TEXTS = (
    "union_id",
    "regist_no",
    "name",
    "type",
    "addr",
    "legal_rep",
    "regist_capital",
    "establish_date",
    "operation_period",
)


def page(element: Mapping[str, Any]) -> Page:
    return Page(tuple(Line(line["text"], _box_of_numbers(line["box"])) for line in element["detail"]))


def id_card(element: Mapping[str, Any]) -> IdCard:
    names = ("name", "sex", "nation", "birthday", "idn", "addr", "org", "validperiod")
    return IdCard(element["note"], *(element["detail"][name] for name in names))


def plates(element: Mapping[str, Any]) -> tuple[Plate, ...]:
    return tuple(
        Plate(plate["platelicense"], plate["plate_type"], float(plate["confidence"]), _box_of_pairs(plate["box"]))
        for plate in element["detail"]
    )


def licence(answer: Mapping[str, Any]) -> Licence:
    detail = answer["detail"]
    return Licence(
        is_licence=answer["license_type"] == "Business License",
        real_capital=detail.get("real_capital"),
        raw=answer,
        **{name: detail[name] for name in _LICENCE_TEXTS},
    )


def _box_of_numbers(numbers: Sequence[float]) -> Box:
    a, b, c, d = (Corner(numbers[n], numbers[n + 1]) for n in (0, 2, 4, 6))
    return a, b, c, d


def _box_of_pairs(pairs: Sequence[Sequence[float]]) -> Box:
    a, b, c, d = (Corner(x, y) for x, y in pairs)
    return a, b, c, d
