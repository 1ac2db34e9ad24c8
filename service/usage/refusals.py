"""Calls that were answered with a code and never reached the ledger: counted in memory, written down in between.

Nothing here is in the way of a call: counting is an addition, writing happens on a timer aside. What a process has
counted since its last round is lost when it dies, which is half a minute of statistics and never a unit.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from inkgate.service.accounts.models import Account
from inkgate.service.background import Background
from inkgate.service.db import clock as clocks
from inkgate.service.db.clock import Clock, database_clock
from inkgate.service.errors import ClockSuspect
from inkgate.service.usage.models import NOBODY, RefusalRow

SECONDS = 30.0
KEYS = 5000
"""How many different refusals are told apart between two rounds; what comes beyond counts as nobody's."""

log = logging.getLogger(__name__)


class RefusedCall(NamedTuple):
    """What was refused: the account that owns the key, app, capability, each "" when it could not be told, and code."""

    account_id: str
    app_id: str
    capability: str
    code: int


class Refusals:
    """The counts of one process since they were taken last. For one event loop."""

    def __init__(self) -> None:
        self._counts: dict[RefusedCall, int] = {}

    def count(self, refusal: RefusedCall, calls: int = 1) -> None:
        """More calls that were refused. Never raises, never waits."""
        if refusal not in self._counts and len(self._counts) >= KEYS:
            refusal = RefusedCall("", "", "", refusal.code)
        self._counts[refusal] = self._counts.get(refusal, 0) + calls

    def take(self) -> Mapping[RefusedCall, int]:
        """All counts; they begin at nothing again."""
        taken, self._counts = self._counts, {}
        return taken


class RefusalWriter:
    """Adds the counts to the table every `seconds`, and once more when it is closed."""

    def __init__(
        self,
        engine: AsyncEngine,
        refusals: Refusals,
        *,
        seconds: float = SECONDS,
        clock: Clock = database_clock,
        background: Background | None = None,
    ) -> None:
        self._engine, self._refusals, self._seconds, self._clock = engine, refusals, seconds, clock
        self._ending = asyncio.Event()
        self._task = (background or Background()).task("refusal-statistics", self._run)

    async def start(self) -> None:
        """Begin; nothing is written before the first `seconds` are over."""
        self._task.start()

    async def close(self) -> None:
        """Stop, after writing what is left if the database takes it."""
        self._task.ending()
        self._ending.set()
        await self._task.wait()
        await self._try()

    async def _run(self) -> None:
        while not self._ending.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), self._seconds)
            await self._try()

    async def _try(self) -> None:
        try:
            await self.write()
        except (SQLAlchemyError, OSError, TimeoutError, ClockSuspect) as error:
            log.warning("statistics of refused calls wait for the database: %s", type(error).__name__)

    async def write(self) -> None:
        """Add what was counted to the table; what fails is tried again in the next round. Raises SQLAlchemyError.

        Should the connection break while the commit is on its way, the counts may be added twice.
        """
        taken = self._refusals.take()
        if not taken:
            return
        try:
            async with self._engine.begin() as connection:
                await _add(connection, taken, self._clock)
        except BaseException:
            for refusal, calls in taken.items():
                self._refusals.count(refusal, calls)
            raise


async def _add(connection: AsyncConnection, counts: Mapping[RefusedCall, int], clock: Clock) -> None:
    hour = (await clocks.now(connection, clock)).replace(minute=0, second=0, microsecond=0)
    payers = await _payers(connection, {each.account_id for each in counts} - {""})
    rows = [
        {
            "hour": hour,
            "app_id": each.app_id or NOBODY,
            "capability": each.capability,
            "code": each.code,
            "calls": calls,
            "account_id": payers.get(each.account_id, NOBODY),
        }
        for each, calls in counts.items()
    ]
    table: Any = RefusalRow.__table__
    statement = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)
    key = ["account_id", "hour", "app_id", "capability", "code"]
    rows.sort(key=lambda row: [str(row[name]) for name in key])  # one order, so that two gateways never deadlock
    add = {"calls": table.c.calls + statement.excluded.calls}
    await connection.execute(statement.on_conflict_do_update(index_elements=key, set_=add), rows)


async def _payers(connection: AsyncConnection, account_ids: set[str]) -> dict[str, str]:
    """Account id → the main account that pays for it."""
    query, found = select(Account.id, func.coalesce(Account.parent_id, Account.id)), dict[str, str]()
    wanted = sorted(account_ids)
    for start in range(0, len(wanted), 500):  # SQLite bounds the number of parameters
        rows = await connection.execute(query.where(Account.id.in_(wanted[start : start + 500])))
        found |= {str(account_id): str(payer) for account_id, payer in rows}
    return found
