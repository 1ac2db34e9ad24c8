"""What the four capabilities answer, one dataclass each. Corners run top-left, top-right, bottom-right, bottom-left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Corner(NamedTuple):
    """A point in pixels of the picture, from its top-left."""

    x: float
    y: float


Box = tuple[Corner, Corner, Corner, Corner]


@dataclass(frozen=True, slots=True)
class Failure:
    """One picture of a batch that could not be read; its neighbours are not affected."""

    code: int
    message: str


@dataclass(frozen=True, slots=True)
class Line:
    text: str
    box: Box


@dataclass(frozen=True, slots=True)
class Page:
    """All lines of one picture in reading order."""

    lines: tuple[Line, ...]

    @property
    def text(self) -> str:
        return "\n".join(line.text for line in self.lines)


@dataclass(frozen=True, slots=True)
class IdCard:
    """`note` is "front" (the emblem's side), "back" (the portrait's side) or "" (no card). Absent fields are ""."""

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
    """`kind` is the service's word for the plate's colour; `confidence` runs from 0 to 1."""

    number: str
    kind: str
    confidence: float
    box: Box


@dataclass(frozen=True, slots=True)
class Licence:
    """A business licence. `real_capital` is None on forms that do not carry it; other absent fields are ""."""

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
        Plate(one["platelicense"], one["plate_type"], float(one["confidence"]), _box_of_pairs(one["box"]))
        for one in element["detail"]
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
