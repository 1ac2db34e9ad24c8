"""Cards and licences of the kinds that users report; drawn by `benchmarks.accuracy.documents_field`."""

from __future__ import annotations

import dataclasses
from functools import cache, partial
from random import Random
from typing import Any

import cv2

from benchmarks.accuracy.documents_field.__main__ import GROUPS, differences
from benchmarks.accuracy.documents_field.drawing import Case as Drawn
from benchmarks.accuracy.field.cases import Case, Kind
from inkgate.engines.types import IdCard, Licence

_VARIANTS = 5  # of each kind in CI; `python -m benchmarks.accuracy.documents_field` reads all of them


@cache
def _drawn(group: str) -> tuple[Drawn, ...]:
    return tuple(GROUPS[group]())


def _draw(group: str, random: Random) -> Case:
    case = random.choice(_drawn(group))
    _, data = cv2.imencode(".png", case.image)

    def fault(result: Any) -> str:
        if not isinstance(result, IdCard | Licence):
            return repr(result)
        wrong = differences(case, dataclasses.asdict(result))
        return f"{case.variant}: {wrong}" if wrong else ""

    return Case(case.capability, data.tobytes(), fault)


# The recogniser reads a geometric circle as an ideographic zero more often than not.
_FLOORS = {"round zeros": 0.4}
KINDS = [
    Kind(f"documents: {group}", partial(_draw, group), variants=_VARIANTS, floor=_FLOORS.get(group, 0.8))
    for group in GROUPS
]
