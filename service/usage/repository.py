"""Queries over the usage totals, for consoles and operators (manual 3.3, 4.3; M12).

Days already rolled up are read from `usage_day`, at the coarsest sufficient level, the others from the hours, so that a
quarter of a year costs about as much as a day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CompoundSelect, Select, case, func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from inkgate.service.accounts.models import AppRow
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db import ids, upsert
from inkgate.service.db.base import UtcDateTime
from inkgate.service.usage import latency
from inkgate.service.usage.models import (
    BASE_MEASURES,
    BY_APP,
    BY_APP_AND_CODE,
    BY_OWNER,
    BY_OWNER_AND_CODE,
    DayRow,
    HourRow,
    RecordRow,
    RefusalRow,
    RollupStateRow,
)
from inkgate.service.usage.rollup import DAY, day_of
from inkgate.service.usage.rollup_repository import measures

DIMENSIONS = {"app": "app_id", "capability": "capability", "code": "code", "account": "account_id"}
COUNTED = (*BASE_MEASURES, "refused")
MAX_LINES_SCANNED = 5_000
REFUSAL_KEY = ("account_id", "hour", "app_id", "capability", "code")


async def any_call(session: AsyncSession, account_id: str, sub_id: str | None = None) -> bool:
    """Whether a main account, or the apps of one of its sub-accounts, have calls in the ledger."""
    query = select(HourRow.hour).where(HourRow.account_id == account_id)
    if sub_id is None:
        return await session.scalar(query.limit(1)) is not None
    days = select(DayRow.day).where(DayRow.account_id == account_id, DayRow.level == BY_OWNER)
    if await session.scalar(days.where(DayRow.app_id == sub_id, DayRow.calls > 0).limit(1)) is not None:
        return True
    rolled: datetime | None = await session.scalar(select(RollupStateRow.until))
    if rolled is not None:  # the hours before are in the days
        query = query.where(HourRow.hour >= rolled)
    query = query.where(HourRow.app_id.in_(select(AppRow.id).where(AppRow.account_id == sub_id)))
    return await session.scalar(query.limit(1)) is not None


@dataclass(frozen=True, slots=True)
class UsageTotals:
    """Totals of a period. `key` has the values of the requested dimensions, in their order.

    `calls` are in the ledger; `refused` calls were refused before. `buckets` counts calls by response time
    (`latency.COLUMNS`); empty unless requested.
    """

    key: tuple[Any, ...]
    calls: int = 0
    images: int = 0
    failed_images: int = 0
    units: int = 0
    body_bytes: int = 0
    duration_ms: int = 0
    refused: int = 0
    buckets: tuple[int, ...] = ()

    @property
    def requests(self) -> int:
        """All answered calls, settled or refused."""
        return self.calls + self.refused

    @property
    def mean_ms(self) -> float | None:
        """Mean duration of a settled call in milliseconds, None without calls."""
        return self.duration_ms / self.calls if self.calls else None

    def percentile(self, share: float) -> float | None:
        """Milliseconds within which `share` of the calls were answered; None when no response times were kept."""
        return latency.percentile(self.buckets, share)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which calls: of a main account (None: of all), some apps or those of a sub-account, a capability, from `since`
    up to `until` exclusive."""

    since: datetime
    until: datetime
    account_id: str | None = None
    app_ids: Sequence[str] | None = None
    capability: str | None = None
    sub_id: str | None = None


async def totals(
    session: AsyncSession, scope: Scope, by: Sequence[str] = (), *, times: bool = False, only: Sequence[str] = COUNTED
) -> list[UsageTotals]:
    """Sums by dimensions ("app", "capability", "code", "account", and "hour" or "day" of Beijing), most calls first.

    Without dimensions it is one row, of zeros at worst. `times` brings the buckets of response times;
    sums that are not among `only` stay 0.
    """
    names = (*only, *(latency.COLUMNS if times else ()))
    found: dict[tuple[Any, ...], list[int]] = {} if by else {(): [0] * len(names)}
    for row in await session.execute(_combined_query(scope, by, names)):
        key = tuple(map(_key_value, by, row))
        sums = found.get(key)
        if sums is None:
            found[key] = [int(value) for value in row[len(by) :]]
            continue
        for index, value in enumerate(row[len(by) :]):
            sums[index] += int(value)
    made = [
        UsageTotals(key, buckets=tuple(values[len(only) :]), **dict(zip(only, values, strict=False)))
        for key, values in found.items()
    ]
    return sorted(made, key=lambda each: -each.requests)


async def series(session: AsyncSession, scope: Scope, step: timedelta) -> list[tuple[datetime, UsageTotals]]:
    """Sums over time in steps of whole hours from `since`; steps without calls are there, with zeros."""
    if step < timedelta(hours=1):
        raise ValueError("a step is at least an hour")
    found: dict[int, list[UsageTotals]] = {}
    for each in await totals(session, scope, ["hour"]):
        found.setdefault(int((each.key[0] - scope.since) / step), []).append(each)
    count = -int(-(scope.until - scope.since) // step)
    return [(scope.since + number * step, total(found.get(number, ()))) for number in range(count)]


def total(rows: Sequence[UsageTotals]) -> UsageTotals:
    """The sum of all rows, with an empty key."""
    if len(rows) == 1:  # the usual case
        return rows[0]
    buckets = tuple(map(sum, zip(*(row.buckets for row in rows if row.buckets), strict=True)))
    return UsageTotals((), buckets=buckets, **{name: sum(getattr(row, name) for row in rows) for name in COUNTED})


async def records(
    session: AsyncSession,
    account_id: str,
    *,
    app_id: str | None = None,
    before_seq: int | None = None,
    capability: str,
    limit: int = 100,
) -> list[RecordRow]:
    """The latest lines of one capability of a main account, newest first; `before_seq` selects the next page."""
    query = select(RecordRow).where(RecordRow.account_id == account_id, RecordRow.capability == capability)
    if app_id is not None:
        query = query.where(RecordRow.app_id == app_id)
    if before_seq is not None:
        query = query.where(RecordRow.seq < before_seq)
    return list(await session.scalars(query.order_by(RecordRow.seq.desc()).limit(limit)))


async def add_refusals(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add calls that were refused to their hours, one row per value of REFUSAL_KEY with its number of `calls`."""
    # Sorted, so that two gateways lock rows in the same order.
    ordered = sorted(rows, key=lambda row: [str(row[name]) for name in REFUSAL_KEY])
    await connection.execute(
        upsert.insert_or_add(connection.dialect.name, RefusalRow, REFUSAL_KEY, ("calls",)), ordered
    )


async def callers(session: AsyncSession, scope: Scope) -> list[tuple[str, int]]:
    """(client address, calls) of a scope, most calls first, among the latest MAX_LINES_SCANNED entries of each
    capability. The cost is independent of the number of entries.
    """
    capabilities = [scope.capability] if scope.capability else list(CAPABILITIES)
    latest = [_latest(scope, capability) for capability in capabilities]
    line = union_all(*(select(each.subquery()) for each in latest)).subquery()
    query = select(line.c.client_ip, func.count()).where(
        line.c.line == 0, line.c.settled_at >= scope.since, line.c.settled_at < scope.until
    )
    if scope.app_ids is not None:
        query = query.where(line.c.app_id.in_(scope.app_ids))
    if scope.sub_id is not None:
        query = query.where(line.c.app_id.in_(select(AppRow.id).where(AppRow.account_id == scope.sub_id)))
    rows = await session.execute(query.group_by(line.c.client_ip).order_by(func.count().desc()))
    return [(str(ip), int(calls)) for ip, calls in rows]


def _latest(scope: Scope, capability: str) -> Select[Any]:
    columns: list[Any] = [RecordRow.client_ip, RecordRow.app_id, RecordRow.settled_at, RecordRow.line]
    query = select(*columns).where(RecordRow.account_id == scope.account_id, RecordRow.capability == capability)
    # A call's id is at most days older than its settlement; the bound lets Postgres prune old partitions.
    query = query.where(RecordRow.call_id >= ids.first_id_of_day((scope.since - DAY).date()))
    return query.order_by(RecordRow.seq.desc()).limit(MAX_LINES_SCANNED)


def _combined_query(scope: Scope, by: Sequence[str], names: tuple[str, ...]) -> CompoundSelect[Any]:
    """Totals from tables that share no call. One statement, so one snapshot: the rollup may run meanwhile."""
    since, until = scope.since, scope.until
    if "hour" in by or until - since <= DAY:  # too short for complete days
        return union_all(*_hours(scope, by, names, since, until))
    first, high = day_of(since), day_of(until)  # days from `low` to `high` lie completely in the scope
    low = min(first if first == since else first + DAY, until)
    rolled = select(RollupStateRow.until).scalar_subquery()
    days = _sums(DayRow, DayRow.day, scope, by, names).where(DayRow.day >= low, DayRow.day < high, DayRow.day < rolled)
    floor, top = (literal(moment, UtcDateTime()) for moment in (low, max(low, high)))
    rolled_up_until = select(
        case((RollupStateRow.until < low, floor), (RollupStateRow.until < high, RollupStateRow.until), else_=top)
    )
    unrolled_from = func.coalesce(rolled_up_until.scalar_subquery(), floor)
    parts = [days, *_hours(scope, by, names, unrolled_from, until)]
    if since < low:
        parts += _hours(scope, by, names, since, low)
    return union_all(*parts)


def _hours(scope: Scope, by: Sequence[str], names: tuple[str, ...], since: Any, until: datetime) -> list[Select[Any]]:
    return [
        _sums(row, row.hour, scope, by, names).where(row.hour >= since, row.hour < until)
        for row in (HourRow, RefusalRow)
    ]


def _sums(row: Any, moment: Any, scope: Scope, by: Sequence[str], names: tuple[str, ...]) -> Select[Any]:
    keys = [moment if name in ("hour", "day") else getattr(row, DIMENSIONS[name]) for name in by]
    query = select(*keys, *(func.sum(column) for column in measures(row, names))).group_by(*keys)
    if not keys:
        query = query.having(func.count() > 0)
    if row is not DayRow:
        return _filtered(query, row, scope)
    level = _level(scope, by)
    return _filtered(query.where(DayRow.level == level), row, scope, owners=level in (BY_OWNER, BY_OWNER_AND_CODE))


def _level(scope: Scope, by: Sequence[str]) -> int:
    if "app" in by or scope.app_ids is not None:
        return BY_APP_AND_CODE if "code" in by else BY_APP
    return BY_OWNER_AND_CODE if "code" in by else BY_OWNER


def _filtered(query: Select[Any], row: Any, scope: Scope, *, owners: bool = False) -> Select[Any]:
    if scope.account_id is not None:
        query = query.where(row.account_id == scope.account_id)
    if scope.app_ids is not None:
        query = query.where(row.app_id.in_(scope.app_ids))
    if scope.sub_id is not None:
        its_apps = select(AppRow.id).where(AppRow.account_id == scope.sub_id)
        query = query.where(row.app_id == scope.sub_id if owners else row.app_id.in_(its_apps))
    if scope.capability is not None:
        query = query.where(row.capability == scope.capability)
    return query


def _key_value(name: str, value: Any) -> Any:
    """The value of a key column: hours are mapped to their day for the dimension "day", ids to text."""
    if name == "day":
        return day_of(value)
    return value if isinstance(value, int | datetime) else str(value)
