"""Key figures of a page: a value, its change against the period before, and a sparkline; top lists with bars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from inkgate.service.console.scope import Period
from inkgate.service.db.clock import hour_of
from inkgate.service.usage.repository import UsageTotals

TOP = 5
"""Rows of a top list."""

SPARK_WIDTH, SPARK_HEIGHT = 120.0, 28.0
"""The view box of a sparkline, in its own units."""

WARNING_SHARE, FULL_SHARE = 0.8, 1.0
"""Used share of a balance above which its bar warns, and from which it is full."""


@dataclass(frozen=True, slots=True)
class Change:
    """The change of a figure against the period before. `text` is "" when there is nothing to compare with."""

    text: str = ""
    rises: bool = False
    is_bad: bool | None = None  # None: neither good nor bad


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a top list: `share` of the whole, and `width` in percent of the longest bar."""

    name: str
    value: int
    share: float
    width: float


def period_before(span: Period, now: datetime) -> Period:
    """The same stretch of the period before: both end at the same time of the day, to half an hour.

    The last step of a period is unfinished; a comparison with a whole period would always show a decline.
    """
    length = timedelta(days=span.days)
    until = hour_of(now + timedelta(minutes=30))
    return Period(span.days, span.since - length, max(until, span.since + timedelta(hours=1)) - length)


def change(now: float | None, before: float | None, *, less_is_better: bool | None = None) -> Change:
    """The relative change in percent."""
    if now is None or not before:
        return Change()
    return _change(now - before, f"{abs(now - before) / before * 100:,.1f}%", less_is_better)


def point_change(now: float | None, before: float | None, unit: str) -> Change:
    """The change of a share of which less is better, in percentage points."""
    if now is None or before is None:
        return Change()
    return _change(now - before, f"{abs(now - before) * 100:.2f} {unit}", True)


def _change(difference: float, text: str, less_is_better: bool | None) -> Change:
    if not any(digit in text for digit in "123456789"):
        return Change(text)
    rises = difference > 0
    return Change(text, rises, None if less_is_better is None else rises is less_is_better)


def error_share(rows: Iterable[UsageTotals], code: int) -> float | None:
    """Share of the requests that were refused or answered with a code; None without requests.

    `code` is the position of the code in the keys of `rows`.
    """
    requests = errors = 0
    for row in rows:
        requests += row.requests
        errors += row.requests if row.key[code] else row.refused
    return errors / requests if requests else None


def sparkline(values: Sequence[float | None]) -> str:
    """The points of an SVG polyline in a box of SPARK_WIDTH × SPARK_HEIGHT; "" for fewer than two values.

    A missing value is drawn as the one before.
    """
    if len(values) < 2 or not any(values):
        return ""
    top = max(value or 0.0 for value in values)
    points, last = [], 0.0
    for index, value in enumerate(values):
        last = last if value is None else value
        x = SPARK_WIDTH * index / (len(values) - 1)
        points.append(f"{x:.1f},{1 + (SPARK_HEIGHT - 2) * (1 - last / top):.1f}")
    return " ".join(points)


def bars(parts: Iterable[tuple[str, int]], other: str, limit: int = TOP) -> list[Bar]:
    """The largest parts, and the rest as one row named `other`."""
    ranked = sorted((each for each in parts if each[1]), key=lambda each: -each[1])
    shown = ranked[:limit]
    if len(ranked) > limit:
        shown = [*shown, (other, sum(value for _, value in ranked[limit:]))]
    whole, longest = sum(value for _, value in ranked), max((value for _, value in shown), default=1)
    return [Bar(name, value, value / whole, 100 * value / longest) for name, value in shown]


def usage_state(used: int, total: int) -> str:
    """The state of a usage bar: "", "warn" above WARNING_SHARE, "full" from FULL_SHARE on."""
    share = used / total if total else 0.0
    return "full" if share >= FULL_SHARE else "warn" if share > WARNING_SHARE else ""
