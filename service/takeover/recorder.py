"""Takes observations of mirrored calls, compares the answers and adds the figures to the database, in the background.

A call only puts its observation into a bounded queue. One background task compares (in a thread) and writes batches;
figures that are lost when a process dies are those of at most one interval. Images are never here, bodies never stored.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from datetime import timedelta
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.background import Background
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db import clock as clocks
from inkgate.service.db.clock import Clock, database_clock
from inkgate.service.db.engine import reading_connection
from inkgate.service.errors import ClockSuspect
from inkgate.service.takeover import observation_repository as repository
from inkgate.service.takeover.compare import Comparison, compare
from inkgate.service.takeover.measures import measures
from inkgate.service.takeover.observation import Observation
from inkgate.service.takeover.tally import Keeping, Tally
from inkgate.service.usage.rollup import day_of

WRITE_INTERVAL_SECONDS = 5.0
RETENTION_INTERVAL_SECONDS = 3600.0
MAX_QUEUED = 1000
"""Observations that wait to be compared."""
MAX_QUEUED_BYTES = 32 * 1024 * 1024
"""Bytes of their bodies."""
CLOSE_SECONDS = 5.0
"""Time to compare what waits when the process ends."""
FIGURE_DAYS = 400
"""Days for which sums are kept."""

log = logging.getLogger(__name__)

_DATABASE_ERRORS = (SQLAlchemyError, OSError, TimeoutError, ClockSuspect)


class RecorderMetrics(Protocol):
    """The part of `inkgate.service.telemetry.metrics.Metrics` that a recorder uses."""

    def takeover_observed(self, result: str) -> None: ...

    def takeover_dropped(self, reason: str, count: int = 1) -> None: ...


class ObservationRecorder:
    """An `Observer` that keeps figures. One per gateway process, for one event loop.

    `difference_days` is the retention of differing values; when `keeping` excludes personal ones, those that were
    stored under another setting are deleted.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        metrics: RecorderMetrics,
        keeping: Keeping,
        *,
        difference_days: int = 30,
        seconds: float = WRITE_INTERVAL_SECONDS,
        clock: Clock = database_clock,
        background: Background | None = None,
    ) -> None:
        self._engine, self._metrics, self._keeping, self._clock = engine, metrics, keeping, clock
        self._difference_days, self._seconds = difference_days, seconds
        self._queue: deque[Observation] = deque()
        self._queued_bytes = 0
        self._tally = Tally(keeping)
        self._arrived, self._ending = asyncio.Event(), asyncio.Event()
        self._task = (background or Background()).task("takeover-figures", self._run)

    async def start(self) -> None:
        """Start the background task."""
        self._task.start()

    async def close(self) -> None:
        """Compare what waits, for at most CLOSE_SECONDS, and write once more; errors of the database are logged."""
        self._task.expect_exit()
        self._ending.set()
        self._arrived.set()
        if not await self._task.wait(CLOSE_SECONDS):
            await self._task.close()
        await self._write_or_log()

    async def record(self, observation: Observation) -> None:
        """Put an observation into the queue. Never raises and never waits; what has no room is dropped and counted."""
        size = _size(observation)
        if len(self._queue) >= MAX_QUEUED or self._queued_bytes + size > MAX_QUEUED_BYTES:
            self._metrics.takeover_dropped("queue")
            return
        self._queue.append(observation)
        self._queued_bytes += size
        self._arrived.set()

    async def write(self) -> None:
        """Add the figures to the database; after an error they are kept for the next time. Raises SQLAlchemyError.

        If the connection is lost during the commit, they may be added twice.
        """
        taken = self._tally.take()
        self._report_dropped()
        if not taken:
            return
        try:
            async with self._engine.begin() as connection:
                if taken.figures:
                    await repository.add_figures(connection, taken.figure_rows())
                if taken.differences:
                    await repository.add_differences(connection, taken.difference_rows())
        except BaseException:
            self._tally.give_back(taken)
            raise

    async def apply_retention(self) -> None:
        """Delete what is older than its retention. Raises SQLAlchemyError and ClockSuspect."""
        async with reading_connection(self._engine) as connection:
            today = day_of(await clocks.now(connection, self._clock))
        async with self._engine.begin() as connection:
            figures, differences = (today - timedelta(days=days) for days in (FIGURE_DAYS, self._difference_days))
            await repository.remove_before(connection, figures, differences)
            if not self._keeping.personal_values:
                await repository.remove_personal(connection)

    async def _run(self) -> None:
        written, cleaned = time.monotonic(), -RETENTION_INTERVAL_SECONDS
        while not (self._ending.is_set() and not self._queue):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), self._seconds)
            await self._compare_waiting()
            if time.monotonic() - written >= self._seconds:
                written = time.monotonic()
                await self._write_or_log()
            if time.monotonic() - cleaned >= RETENTION_INTERVAL_SECONDS and not self._ending.is_set():
                cleaned = time.monotonic()
                await self._clean_or_log()

    async def _compare_waiting(self) -> None:
        """Compare what waits, until the next write is due."""
        until = time.monotonic() + self._seconds
        while self._queue and time.monotonic() < until:
            observation = self._queue.popleft()
            self._queued_bytes -= _size(observation)
            await self._add(observation)
        if not self._queue and not self._ending.is_set():
            self._arrived.clear()

    async def _add(self, observation: Observation) -> None:
        capability = CAPABILITIES.get(observation.capability)
        if capability is None:
            return
        try:
            comparison = await asyncio.to_thread(_compared, observation)
            counts = measures(capability, observation, comparison)
            self._tally.add(observation, counts, comparison.differences if comparison else ())
        except Exception:  # an answer that breaks the comparison must not end the task; the comparison is at fault
            log.exception("an observation could not be compared")
            self._metrics.takeover_dropped("error")
            return
        self._metrics.takeover_observed(_result(observation, comparison))

    async def _write_or_log(self) -> None:
        try:
            await self.write()
        except _DATABASE_ERRORS as error:
            log.warning("figures of mirrored calls wait for the database: %s", type(error).__name__)

    async def _clean_or_log(self) -> None:
        try:
            await self.apply_retention()
        except _DATABASE_ERRORS as error:
            log.warning("old figures of mirrored calls are not deleted yet: %s", type(error).__name__)

    def _report_dropped(self) -> None:
        if self._tally.dropped:
            self._metrics.takeover_dropped("figures", self._tally.dropped)
            self._tally.dropped = 0


def _compared(observation: Observation) -> Comparison | None:
    """The comparison of two answers with status 200; None unless there are both, with bodies."""
    cloud, local = observation.cloud, observation.local
    if cloud is None or local is None or cloud.body is None or local.body is None:
        return None
    if cloud.status != 200 or local.status != 200:
        return None
    return compare(CAPABILITIES[observation.capability], cloud.body, local.body)


def _result(observation: Observation, comparison: Comparison | None) -> str:
    if comparison is not None:
        return "compared" if comparison.readable else "unreadable"
    return "skipped" if observation.local is None else "failed"


def _size(observation: Observation) -> int:
    answers = (observation.cloud, observation.local)
    return sum(len(each.body) for each in answers if each is not None and each.body is not None)
