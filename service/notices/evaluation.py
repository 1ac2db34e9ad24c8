"""Conditions → rows of the outbox, each once.

Every gateway runs rounds; one writes at a time. A round reads without a lock, since that takes long, and writes only
when no other round has written meanwhile: of two concurrent rounds one is dropped. So a condition begins and ends once,
and the unique constraint of the outbox allows one notice per beginning and channel.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.db import clock as clocks
from inkgate.service.db import ids, locks, work
from inkgate.service.db.clock import Clock, database_clock
from inkgate.service.db.locks import Lock
from inkgate.service.db.work import UnitOfWork
from inkgate.service.notices import conditions, repository
from inkgate.service.notices.conditions import Check
from inkgate.service.notices.kinds import CUSTOMER_KINDS, OPERATOR_KINDS, Condition, Found, Kind, State
from inkgate.service.notices.models import ChannelRow, ConditionRow
from inkgate.service.settings import Notices

ACTOR = "system:notices"
MAX_NOTICES_PER_ROUND = 50_000

log = logging.getLogger(__name__)


class Evaluator:
    """Finds conditions and posts notices about them. `checks` are the kinds that are not read from the database."""

    def __init__(
        self,
        engine: AsyncEngine,
        settings: Notices,
        checks: Mapping[Kind, Check] | None = None,
        *,
        clock: Clock = database_clock,
    ) -> None:
        self._engine, self._settings, self._checks, self._clock = engine, settings, checks or {}, clock

    async def run_round(self) -> int | None:
        """Run a round; returns the number of notices posted, None when another process has just run one or runs one.

        Raises ClockSuspect and SQLAlchemyError.
        """
        async with work.read_session(self._engine) as session:
            number, last = await repository.round_number(session), await repository.last_round(session)
            now = await clocks.now(session, self._clock)
            if last is not None and timedelta(0) <= now - last < timedelta(seconds=self._settings.interval / 2):
                return None
            open_keys = [row.key for row in await repository.open_conditions(session)]
        found = await conditions.find(self._engine, self._settings, self._checks, open_keys, self._clock)
        async with work.unit_of_work(self._engine, ACTOR, self._clock) as unit:
            if not await locks.try_acquire(await unit.session.connection(), Lock.NOTICES):
                return None
            if await repository.round_number(unit.session) != number:
                return None
            await repository.set_round(unit.session, number + 1, found.read_at)
            return await _write(unit, found, self._settings)


async def _write(unit: UnitOfWork, found: Found, settings: Notices) -> int:
    """Begin and end conditions and post notices; the caller holds the lock."""
    session, now = unit.session, await unit.now()
    held = {row.key: row for row in await repository.open_conditions(session)}
    current = {each.key: each for each in found.conditions}
    begun = [each for key, each in current.items() if key not in held]
    ended = [key for key, row in held.items() if key not in current and row.kind in found.kinds]
    await repository.begin_conditions(session, begun, now)
    await repository.end_conditions(session, ended, now)
    channels = await repository.live_channels(session)
    rows = notices_of(begun, channels, now, now)
    unfilled = [each for each in channels if each.filled_at is None]
    if unfilled:
        lasting = [row for key, row in held.items() if key not in ended]
        for row in lasting:
            rows += notices_of([_condition(row)], unfilled, row.began_at, now)
        await repository.fill(session, [each.id for each in unfilled], now)
    if len(rows) > MAX_NOTICES_PER_ROUND:
        log.error("too many notices in one round; %d are left out", len(rows) - MAX_NOTICES_PER_ROUND)
        rows = rows[:MAX_NOTICES_PER_ROUND]
    await repository.post(session, rows)
    await repository.forget(session, now - timedelta(days=settings.kept_days))
    return len(rows)


def notices_of(
    found: Iterable[Condition], channels: Sequence[ChannelRow], began_at: datetime, now: datetime
) -> list[dict[str, Any]]:
    """Rows of the outbox: each condition on each channel that takes it."""
    return [notice_row(channel, each, began_at, now) for each in found for channel in channels if takes(channel, each)]


def takes(channel: ChannelRow, condition: Condition) -> bool:
    """Whether a condition is announced on a channel: on an account's own those of the account that customers see."""
    if channel.account_id is not None:
        if condition.account_id != str(channel.account_id) or condition.kind not in CUSTOMER_KINDS:
            return False
    elif condition.kind not in OPERATOR_KINDS:
        return False
    return not channel.kinds or condition.kind.value in channel.kinds


def notice_row(channel: ChannelRow, condition: Condition, began_at: datetime, now: datetime) -> dict[str, Any]:
    """A notice that waits, as a row of the outbox."""
    return {
        "id": ids.new(),
        "channel_id": channel.id,
        "owner_id": channel.account_id,
        "channel_name": channel.name,
        "channel_kind": channel.kind,
        "condition_key": condition.key,
        "began_at": began_at,
        "kind": condition.kind.value,
        "account_id": condition.account_id,
        "params": condition.params,
        "state": State.WAITING.value,
        "attempts": 0,
        "next_at": now,
        "created_at": now,
        "ended_at": None,
        "error": "",
    }


def _condition(row: ConditionRow) -> Condition:
    return Condition(row.key, Kind(row.kind), row.account_id, row.params)
