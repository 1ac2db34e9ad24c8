"""All kinds, by module."""

from __future__ import annotations

from types import ModuleType

from benchmarks.accuracy.field import codes, documents, fields, files, layout, orientation, seals, symbols
from benchmarks.accuracy.field.cases import Kind

MODULES: tuple[ModuleType, ...] = (fields, orientation, layout, files, seals, symbols, codes, documents)


def kinds() -> list[Kind]:
    """Every kind, in the order of `MODULES`. Raises ValueError for two of one name."""
    found: list[Kind] = [kind for module in MODULES for kind in module.KINDS]
    if len({kind.name for kind in found}) < len(found):
        raise ValueError("two kinds have one name")
    return found
