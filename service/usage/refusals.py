"""Counts calls that were refused before the ledger: in memory, written periodically.

Calls never wait: counting is an addition, a background task writes. The counts of at most one interval are lost when
a process dies; they are statistics, not units.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from inkgate.service.accounts import repository as accounts
from inkgate.service.background import Background
from inkgate.service.db import clock as clocks
from inkgate.service.db.clock import Clock, database_clock, hour_of
from inkgate.service.errors import ClockSuspect
from inkgate.service.usage import repository
from inkgate.service.usage.models import UNKNOWN_ID

WRITE_INTERVAL_SECONDS = 30.0
MAX_KEYS = 5000
"""Maximum number of distinct refusals per interval; further ones are counted for an unknown caller."""

log = logging.getLogger(__name__)


class RefusedCall(NamedTuple):
    """A refused call: the account that owns the key, app, capability ("" where unknown), and code."""

    account_id: str
    app_id: str
    capability: str
    code: int


class Refusals:
    """The counts of one process since the last `drain`. For one event loop."""

    def __init__(self) -> None:
        self._counts: dict[RefusedCall, int] = {}

    def count(self, refusal: RefusedCall, calls: int = 1) -> None:
        """Count refused calls. Never raises, never waits."""
        if refusal not in self._counts and len(self._counts) >= MAX_KEYS:
            refusal = RefusedCall("", "", "", refusal.code)
        self._counts[refusal] = self._counts.get(refusal, 0) + calls

    def drain(self) -> Mapping[RefusedCall, int]:
        """Return all counts and reset them."""
        taken, self._counts = self._counts, {}
        return taken


class RefusalWriter:
    """Adds the counts to the table every `seconds`, and once more when it is closed."""

    def __init__(
        self,
        engine: AsyncEngine,
        refusals: Refusals,
        *,
        seconds: float = WRITE_INTERVAL_SECONDS,
        clock: Clock = database_clock,
        background: Background | None = None,
    ) -> None:
        self._engine, self._refusals, self._seconds, self._clock = engine, refusals, seconds, clock
        self._ending = asyncio.Event()
        self._task = (background or Background()).task("refusal-statistics", self._run)

    async def start(self) -> None:
        """Start the background task; the first write is after `seconds`."""
        self._task.start()

    async def close(self) -> None:
        """Stop after one last write; errors of the database are logged."""
        self._task.expect_exit()
        self._ending.set()
        await self._task.wait()
        await self._write_or_log()

    async def _run(self) -> None:
        while not self._ending.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), self._seconds)
            await self._write_or_log()

    async def _write_or_log(self) -> None:
        try:
            await self.write()
        except (SQLAlchemyError, OSError, TimeoutError, ClockSuspect) as error:
            log.warning("statistics of refused calls wait for the database: %s", type(error).__name__)

    async def write(self) -> None:
        """Add the counts to the table; after an error they are kept for the next round. Raises SQLAlchemyError.

        If the connection is lost during the commit, the counts may be added twice.
        """
        taken = self._refusals.drain()
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
    hour = hour_of(await clocks.now(connection, clock))
    payers = await accounts.paying_accounts(connection, {each.account_id for each in counts} - {""})
    rows = [
        {
            "hour": hour,
            "app_id": each.app_id or UNKNOWN_ID,
            "capability": each.capability,
            "code": each.code,
            "calls": calls,
            "account_id": payers.get(each.account_id, UNKNOWN_ID),
        }
        for each, calls in counts.items()
    ]
    await repository.add_refusals(connection, rows)
