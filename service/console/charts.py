"""Chart data of the pages. `charts.js` draws it; a table in the next tab shows the same values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from inkgate.service.console.scope import Period
from inkgate.service.usage.repository import UsageTotals, total

Chart = dict[str, Any]
Value = Callable[[UsageTotals], float | None]

MAX_SERIES = 8
"""Number of distinguishable series; further ones are summed into one."""

REST = "*"
"""The second key of rows that are the sums of all further series; it is the last series."""


def over_time(
    span: Period,
    rows: Sequence[UsageTotals],
    value: Value,
    *,
    name: Callable[[Any], str],
    other_label: str,
    unit: str = "",
    kind: str = "line",
    stack: bool = False,
    whole: bool = False,
) -> Chart:
    """One series per second key of `rows` (grouped by step and one more dimension), most requests first; those beyond
    MAX_SERIES are summed as `other_label`. A step without calls is 0, or a gap where the value is undefined."""
    steps = span.steps()
    place = {step: index for index, step in enumerate(steps)}
    at = {moment: place.get(span.step_of(moment)) for moment in {row.key[0] for row in rows}}
    named = _leading(rows, name, other_label)
    cells: dict[str, list[list[UsageTotals]]] = {each: [[] for _ in steps] for each in named.values()}
    for row in rows:
        index = at[row.key[0]]
        if index is not None:
            cells[named[row.key[1]]][index].append(row)
    nothing = _rounded(value(total(())))
    series = [
        {"name": each, "data": [_rounded(value(total(cell))) if cell else nothing for cell in found]}
        for each, found in cells.items()
    ]
    return _chart(span, series, unit, kind=kind, stack=stack, whole=whole)


def _leading(rows: Iterable[UsageTotals], name: Callable[[Any], str], other_label: str) -> dict[Any, str]:
    """Second key → name of its series, most requests first."""
    requests: dict[Any, int] = {}
    for row in rows:
        requests[row.key[1]] = requests.get(row.key[1], 0) + row.requests
    ranked = sorted(requests, key=lambda key: (key == REST, -requests[key]))
    kept = MAX_SERIES if len(ranked) <= MAX_SERIES else MAX_SERIES - 1
    return {key: name(key) if place < kept and key != REST else other_label for place, key in enumerate(ranked)}


def with_rest(whole: Iterable[UsageTotals], leading: Iterable[UsageTotals]) -> list[UsageTotals]:
    """`leading` (grouped by step and series) and, for each step, what remains of `whole` (grouped by step) as REST."""
    shown: dict[Any, list[UsageTotals]] = {}
    for row in leading:
        shown.setdefault(row.key[0], []).append(row)
    rest = [_minus(row, total(shown.get(row.key[0], ()))) for row in whole]
    return [*(row for rows in shown.values() for row in rows), *rest]


def _minus(row: UsageTotals, part: UsageTotals) -> UsageTotals:
    left = {name: getattr(row, name) - getattr(part, name) for name in ("calls", "refused", "body_bytes")}
    return UsageTotals((row.key[0], REST), **left)


def measured(span: Period, rows: Sequence[UsageTotals], values: Mapping[str, Value], unit: str) -> Chart:
    """One line per measure of the same calls (`rows` grouped by step)."""
    sums = [total(cell) for cell in per_step(span, rows)]
    series = [{"name": name, "data": [_rounded(value(each)) for each in sums]} for name, value in values.items()]
    return _chart(span, series if rows else [], unit, kind="line")


def per_step(span: Period, rows: Iterable[UsageTotals]) -> list[list[UsageTotals]]:
    """The rows of each step of the period, in order; the first key of `rows` is an hour or a day."""
    found: dict[datetime, list[UsageTotals]] = {}
    for row in rows:
        found.setdefault(span.step_of(row.key[0]), []).append(row)
    return [found.get(step, []) for step in span.steps()]


def _chart(
    span: Period, series: list[dict[str, Any]], unit: str, *, kind: str, stack: bool = False, whole: bool = False
) -> Chart:
    names = [span.label(step) for step in span.steps()]
    return {
        "kind": kind,
        "names": names,
        "series": series,
        "unit": unit,
        "stack": "all" if stack else None,
        "whole": whole,
        "unfinished": len(names) - 1,  # a period ends with the current hour or day
    }


def _rounded(value: float | None) -> float | None:
    return round(value, 1) if value is not None else None


def by_step(span: Period, rows: Iterable[UsageTotals]) -> list[tuple[datetime, UsageTotals]]:
    """Table rows of a chart: the steps with calls, latest first."""
    found: dict[datetime, list[UsageTotals]] = {}
    for row in rows:
        found.setdefault(span.step_of(row.key[0]), []).append(row)
    return [(step, total(cell)) for step, cell in sorted(found.items(), reverse=True)]


def by_week(steps: Iterable[tuple[datetime, UsageTotals]]) -> list[tuple[datetime, UsageTotals]]:
    """The rows of `by_step` for days, summed by calendar week; the key is its Monday."""
    found: dict[datetime, list[UsageTotals]] = {}
    for day, row in steps:
        found.setdefault(day - timedelta(days=day.weekday()), []).append(row)
    return [(week, total(cell)) for week, cell in sorted(found.items(), reverse=True)]
