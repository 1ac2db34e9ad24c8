"""Draw the cases of a kind and read them."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from benchmarks.accuracy.field.cases import Case, Kind
from inkgate.engines.errors import EngineError
from inkgate.engines.interfaces import Reader


def draw_cases(kind: Kind, variants: int | None = None, seed: int = 0) -> list[Case]:
    """Cases of a kind. The same name, seed and number give the same image, whatever other kinds there are."""
    return [kind.draw(Random(f"{kind.name}/{seed}/{at}")) for at in range(variants or kind.variants)]


def run(reader: Reader, cases: Sequence[Case]) -> list[str]:
    """What differs in the answer to each case, "" where nothing does."""
    faults = []
    for case in cases:
        try:
            result: object = reader.read(case.capability, case.data, extras=True)
        except EngineError as error:
            result = error
        faults.append(case.fault(result))
    return faults
