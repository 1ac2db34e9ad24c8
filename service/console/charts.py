"""What the charts show, as plain data; `console.js` draws it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from service.console.repository import Sums
from service.console.scope import Span

Chart = dict[str, Any]


def over_time(
    span: Span, rows: Iterable[Sums], value: Callable[[Sums], float | None], *, name: Callable[[Any], str],
    unit: str = "", kind: str = "line", stack: bool = False, whole: bool = False,
) -> Chart:
    """A series for each second key of `rows` (grouped by hour, then one more). Steps without calls are 0, or a gap
    where there is no value, as with a mean."""
    steps = span.steps()
    place = {step: index for index, step in enumerate(steps)}
    merged: dict[Any, list[list[Sums]]] = {}
    for row in rows:
        index = place.get(span.step_of(row.key[0]))
        if index is not None:
            merged.setdefault(row.key[1], [[] for _ in steps])[index].append(row)
    series = [
        {"name": name(key), "data": [_value(cell, value) for cell in cells]} for key, cells in sorted(merged.items())
    ]
    return {"kind": kind, "names": [span.label(step) for step in steps], "series": series, "unit": unit,
            "stack": "all" if stack else None, "whole": whole}


def _value(rows: Sequence[Sums], value: Callable[[Sums], float | None]) -> float | None:
    found = value(total(rows))
    return round(found, 1) if found is not None else None


def total(rows: Iterable[Sums]) -> Sums:
    """All rows in one."""
    calls = images = failed = units = body = duration = 0
    for row in rows:
        calls += row.calls
        images += row.images
        failed += row.failed_images
        units += row.units
        body += row.body_bytes
        duration += row.duration_ms
    return Sums((), calls, images, failed, units, body, duration)


def pie(parts: Mapping[str, int]) -> Chart:
    """Shares of a whole, largest first."""
    data = [{"name": name, "value": value} for name, value in sorted(parts.items(), key=lambda each: -each[1])]
    return {"kind": "pie", "data": data}


def ranking(parts: Sequence[tuple[str, int]], unit: str, limit: int = 10) -> Chart:
    """Bars that lie, most first."""
    top = sorted(parts, key=lambda each: -each[1])[:limit]
    return {"kind": "ranking", "names": [name for name, _ in top], "unit": unit, "whole": True, "stack": None,
            "series": [{"name": unit, "data": [value for _, value in top]}]}


def by_step(span: Span, rows: Iterable[Sums]) -> list[tuple[datetime, Sums]]:
    """The same as a table: steps that had calls, latest first."""
    found: dict[datetime, list[Sums]] = {}
    for row in rows:
        found.setdefault(span.step_of(row.key[0]), []).append(row)
    return [(step, total(cell)) for step, cell in sorted(found.items(), reverse=True)]
