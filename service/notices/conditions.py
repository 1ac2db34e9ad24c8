"""Which conditions hold now. Reads the database; the checks that are not in it are passed in as functions."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from inkgate.service.db import clock as clocks
from inkgate.service.db import work
from inkgate.service.db.clock import BEIJING, Clock
from inkgate.service.metering import anchors
from inkgate.service.notices import repository
from inkgate.service.notices.kinds import Condition, Found, Kind, Thresholds, Value
from inkgate.service.notices.models import ThresholdRow
from inkgate.service.settings import Notices
from inkgate.service.usage import repository as usage

RATE_DAYS = 7
"""The present rate is the mean of so many days, or of those since the first pack began."""

RECOVERY = 1.25
"""A low balance has recovered above its threshold times this: a rate that varies must not announce it daily."""

log = logging.getLogger(__name__)

Check = Callable[[], Awaitable[Sequence[Condition] | None]]
"""Conditions of one kind that hold; None when that is unknown now. It may raise."""


@dataclass(frozen=True, slots=True)
class Balance:
    """Units of a capability that an account may use now; `rate` is in units per day."""

    account_id: str
    capability: str
    left: int
    total: int
    rate: float

    @property
    def days(self) -> float | None:
        """Days that the units last at the present rate; None without use."""
        return self.left / self.rate if self.rate > 0 else None

    def is_low(self, bounds: Thresholds, factor: float = 1.0) -> bool:
        """Whether the balance is at or below one of the thresholds times `factor`."""
        if bounds.low_percent and self.left * 100 <= self.total * bounds.low_percent * factor:
            return True
        return bool(bounds.low_days) and self.days is not None and self.days <= bounds.low_days * factor


async def find(
    engine: AsyncEngine, settings: Notices, checks: Mapping[Kind, Check], open_keys: Iterable[str], clock: Clock
) -> Found:
    """Everything that holds. `open_keys` are the conditions of the last round. Raises ClockSuspect."""
    held = frozenset(open_keys)
    async with work.read_session(engine) as session:
        now = await clocks.now(session, clock)
        own = {str(row.account_id): row for row in await repository.thresholds(session)}
        bounds = _Bounds(settings, own)
        balances = await _balances(session, now)
        conditions = [*_low(balances, bounds, held), *await _expiring(session, now, bounds)]
        conditions += await _waiting(session, now - timedelta(minutes=settings.waiting_minutes))
        conditions += await _of_heads(session)
        drift = await repository.ledger_drift(session)
        if drift:
            conditions.append(Condition("ledger_failed", Kind.LEDGER_FAILED, None, {"units": drift}))
        accounts = sorted({each.account_id for each in conditions if each.account_id})
        names = await repository.account_names(session, accounts)
    kinds = {Kind.LOW_BALANCE, Kind.PACK_EXPIRING, Kind.ORDER_WAITING, Kind.REFUND_WAITING, Kind.LEDGER_FAILED}
    kinds |= {Kind.HEADS_FAILED, Kind.HEADS_WAITING}
    conditions = [replace(each, params=_named(each, names)) for each in conditions]
    for kind, check in checks.items():
        found = await _checked(kind, check)
        if found is not None:
            kinds.add(kind)
            conditions += found
    return Found(tuple(conditions), frozenset(kinds), now)


async def _of_heads(session: AsyncSession) -> list[Condition]:
    """What the last event on the ends of the ledger's chains says."""
    last = await anchors.last_event(session)
    if last is None:
        return []
    found = []
    if last.result == "failed":
        problem = f"event {last.sequence}: {last.detail.get('first', '')}"
        found.append(Condition("heads_failed", Kind.HEADS_FAILED, None, {"problem": problem}))
    if waiting := last.detail.get("waiting"):
        params: dict[str, Value] = {"waiting": waiting, "meters": last.detail["meters"]}
        found.append(Condition("heads_waiting", Kind.HEADS_WAITING, None, params))
    return found


class _Bounds:
    """The thresholds of each account."""

    def __init__(self, settings: Notices, own: Mapping[str, ThresholdRow]) -> None:
        self._default = thresholds(settings, None)
        self._own = {account_id: thresholds(settings, row) for account_id, row in own.items()}

    def of(self, account_id: str) -> Thresholds:
        return self._own.get(account_id, self._default)

    @property
    def longest_expiry(self) -> int:
        """Days of the earliest announcement of any account."""
        return max(each.expiry_days for each in (self._default, *self._own.values()))


def thresholds(settings: Notices, row: ThresholdRow | None) -> Thresholds:
    """The thresholds of an account's row; what it leaves open, and everything without a row, as the settings say."""
    names = ("low_percent", "low_days", "expiry_days")
    own = {name: getattr(row, name) for name in names if row is not None}
    return Thresholds(**{name: getattr(settings, name) if own.get(name) is None else own[name] for name in names})


async def _balances(session: AsyncSession, now: datetime) -> list[Balance]:
    found = await repository.balances(session, now)
    scope = usage.Scope(now - timedelta(days=RATE_DAYS), now)
    used = {
        each.key: each.units for each in await usage.totals(session, scope, ["account", "capability"], only=["units"])
    }
    return [
        Balance(account_id, capability, left, total, used.get((account_id, capability), 0) / _days_since(start, now))
        for account_id, capability, left, total, start in found
    ]


def _days_since(start: datetime, now: datetime) -> float:
    """Days over which the use is averaged: at least one, so that the first hours of a pack are no rate."""
    return min(float(RATE_DAYS), max(1.0, (now - start) / timedelta(days=1)))


def _low(balances: Sequence[Balance], bounds: _Bounds, held: frozenset[str]) -> list[Condition]:
    conditions = []
    for each in balances:
        key = f"low_balance:{each.account_id}:{each.capability}"
        if each.is_low(bounds.of(each.account_id), RECOVERY if key in held else 1.0):
            days = None if each.days is None else round(each.days, 1)
            params: dict[str, Value] = {
                "capability": each.capability,
                "left": each.left,
                "total": each.total,
                "rate": round(each.rate, 1),
                "days": days,
            }
            conditions.append(Condition(key, Kind.LOW_BALANCE, each.account_id, params))
    return conditions


async def _expiring(session: AsyncSession, now: datetime, bounds: _Bounds) -> list[Condition]:
    """One condition for all packs of an account and capability that end on one day."""
    if not bounds.longest_expiry:
        return []
    days: dict[tuple[str, str, str], list[tuple[datetime, int]]] = {}
    for account_id, capability, ends_at, left in await repository.ending_packs(
        session, now, now + timedelta(days=bounds.longest_expiry)
    ):
        if ends_at - now <= timedelta(days=bounds.of(account_id).expiry_days):
            day = ends_at.astimezone(BEIJING).strftime("%Y-%m-%d")
            days.setdefault((account_id, capability, day), []).append((ends_at, left))
    return [
        Condition(
            f"pack_expiring:{account_id}:{capability}:{day}",
            Kind.PACK_EXPIRING,
            account_id,
            {
                "capability": capability,
                "packs": len(packs),
                "left": sum(left for _, left in packs),
                "ends_at": min(ends_at for ends_at, _ in packs).isoformat(),
            },
        )
        for (account_id, capability, day), packs in days.items()
    ]


async def _waiting(session: AsyncSession, until: datetime) -> list[Condition]:
    conditions = [
        Condition(
            f"order_waiting:{row.id}",
            Kind.ORDER_WAITING,
            str(row.account_id),
            {
                "number": row.number,
                "fen": row.amount_fen - row.discount_fen,
                "at": row.ordered_at.isoformat(),
            },
        )
        for row in await repository.waiting_orders(session, until)
    ]
    conditions += [
        Condition(
            f"refund_waiting:{row.id}",
            Kind.REFUND_WAITING,
            str(row.account_id),
            {
                "capability": pack.capability,
                "units": pack.total,
                "fen": row.amount_fen,
                "at": row.requested_at.isoformat(),
            },
        )
        for row, pack in await repository.waiting_refunds(session, until)
    ]
    return conditions


def _named(condition: Condition, names: Mapping[str, str]) -> dict[str, Value]:
    """The params of a condition with the name of its account."""
    if condition.account_id is None:
        return condition.params
    return {**condition.params, "account": names.get(condition.account_id, condition.account_id[:8])}


async def _checked(kind: Kind, check: Check) -> Sequence[Condition] | None:
    try:
        return await check()
    except Exception as error:  # one check that cannot be made must not hide the other conditions
        log.warning("a condition cannot be checked", extra={"kind": kind.value, "error": type(error).__name__})
        return None
