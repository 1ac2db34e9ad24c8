"""The ledger on the database: one queue per (main account, capability), batched without a timer.

While one transaction of a meter runs, the next batch fills: a single call has no added latency, and under load calls
share commits. After a lost connection the batch is repeated with the same call ids; recorded ones are skipped.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.accounts import repository
from inkgate.service.db import clock as clocks
from inkgate.service.db import work
from inkgate.service.db.cache import TtlCache
from inkgate.service.db.clock import Clock, database_clock
from inkgate.service.db.engine import is_stale_plan, reading_connection, retry_stale_plan
from inkgate.service.errors import (
    ClockSuspect,
    DatabaseDown,
    LedgerBusy,
    PayerUnknown,
    Refused,
    SettlementUnconfirmed,
)
from inkgate.service.metering.interface import Settlement
from inkgate.service.metering.packs import FREE_CAPABILITIES, Pack, refusal_code
from inkgate.service.metering.settle import SettleOutcome, admission_meter, normalised, read_packs, settle_batch
from inkgate.service.telemetry.metrics import Metrics

MAX_BATCH = 256
MAX_PENDING = 20_000
MAX_PARALLEL_TRANSACTIONS = 4
SETTLE_TIMEOUT_SECONDS = 10.0  # of one settlement, retries included
# Connection lost, rolled back by a conflict, out of resources, locked, shutting down, system error (Postgres, app. A).
TRANSIENT_STATES = ("08", "40", "53", "55", "57", "58")
BACKOFF_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.5)
METER_CACHE_SIZE = 10_000
APP_CACHE_SIZE = 10_000
APP_TTL_SECONDS = 300.0  # an app never changes its account, nor an account its parent

Key = tuple[str, str]  # main account, capability
Waiting = tuple[Settlement, "asyncio.Future[bool]"]


@dataclass(slots=True)
class Balance:
    """The packs of a meter as read at `read_at` (ledger time), which is `read_monotonic` on this machine."""

    packs: list[Pack]
    read_at: datetime
    read_monotonic: float

    def now(self) -> datetime:
        """The ledger time now, extrapolated with the monotonic clock."""
        return self.read_at + timedelta(seconds=time.monotonic() - self.read_monotonic)


@dataclass(slots=True)
class SettleQueue:
    """Settlements waiting for the next transaction of one meter, and the task that runs its transactions."""

    waiting: deque[Waiting] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None


class SqlLedger:
    """`inkgate.service.metering.interface.Ledger` on SQLite and Postgres. For one event loop.

    `balance_ttl` is the maximum age in seconds of the balance used for admission; settlement does not use it. `timeout`
    limits one settlement, in seconds.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        balance_ttl: float = 1.0,
        timeout: float = SETTLE_TIMEOUT_SECONDS,
        batch: int = MAX_BATCH,
        clock: Clock = database_clock,
        metrics: Metrics | None = None,
    ) -> None:
        self._metrics = metrics
        self._engine, self._timeout, self._batch, self._clock = engine, timeout, batch, clock
        self._balances: TtlCache[Key, Balance] = TtlCache(self._read_balance, balance_ttl, METER_CACHE_SIZE)
        self._payers: TtlCache[str, str] = TtlCache(self._read_payer, APP_TTL_SECONDS, APP_CACHE_SIZE)
        self._queues: dict[Key, SettleQueue] = {}
        self._pending = 0
        self._transaction_slots = asyncio.Semaphore(MAX_PARALLEL_TRANSACTIONS)
        self._closed = False

    async def start(self) -> None:
        """Connect once, so that a wrong address is reported at start. Raises DatabaseDown."""
        try:
            async with self._engine.connect() as connection:
                await clocks.now(connection)
        except (SQLAlchemyError, OSError) as error:
            raise DatabaseDown(f"the database cannot be reached: {error}") from error

    async def close(self) -> None:
        """Refuse new settlements and wait for running transactions, at most `timeout` seconds."""
        self._closed = True
        tasks = [queue.task for queue in self._queues.values() if queue.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=self._timeout)

    async def admit(self, account_id: str, app_id: str, capability: str, units: int) -> None:
        """See the interface. The balance may be `balance_ttl` seconds old; settlement is authoritative."""
        try:
            payer = await self._payers.get(app_id)
            balance = await self._balances.get((payer, capability))
        except ClockSuspect as error:
            if self._metrics is not None:
                self._metrics.clock_refused(error.reason)
            raise
        except (SQLAlchemyError, OSError) as error:
            raise DatabaseDown(f"the balance cannot be read: {type(error).__name__}") from error
        if capability in FREE_CAPABILITIES:  # after the clock check: no image is read that could not be settled
            return
        code = refusal_code(balance.packs, app_id, units, balance.now())
        if code is not None:
            raise Refused(code)

    async def settle(self, settlement: Settlement) -> bool:
        """See the interface. True when the call was recorded now, False when it had been recorded before.

        After SettlementUnconfirmed, settle the same call id again to learn the outcome.
        """
        if self._closed or self._pending >= MAX_PENDING:
            raise LedgerBusy("closed" if self._closed else "too many settlements wait")
        self._pending += 1
        try:
            async with asyncio.timeout(self._timeout):
                payer = await self._payers.get(settlement.app_id)
                return await self._enqueue((payer, settlement.capability), normalised(settlement))
        except TimeoutError:
            raise SettlementUnconfirmed(f"no commit within {self._timeout:g} s") from None
        except (SQLAlchemyError, OSError) as error:  # from reading the payer; later errors come through the future
            raise DatabaseDown(f"the ledger cannot be written: {type(error).__name__}") from error
        finally:
            self._pending -= 1

    def _enqueue(self, key: Key, settlement: Settlement) -> asyncio.Future[bool]:
        queue = self._queues.setdefault(key, SettleQueue())
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        queue.waiting.append((settlement, future))
        if queue.task is None:
            queue.task = asyncio.ensure_future(self._run_batches(key, queue))
        return future

    async def _run_batches(self, key: Key, queue: SettleQueue) -> None:
        try:
            while queue.waiting:
                async with self._transaction_slots:
                    batch = self._next_batch(queue)
                    if batch:
                        await self._settle(key, batch)
        finally:
            self._queues.pop(key, None)

    def _next_batch(self, queue: SettleQueue) -> list[Waiting]:
        batch: list[Waiting] = []
        while queue.waiting and len(batch) < self._batch:
            waiting = queue.waiting.popleft()
            if not waiting[1].done():  # the caller was cancelled: not charged
                batch.append(waiting)
        return batch

    async def _settle(self, key: Key, batch: list[Waiting]) -> None:
        try:
            outcomes = await self._commit_with_retry(key, [settlement for settlement, _ in batch])
        except Exception as error:  # is set on every future; the queue continues
            if isinstance(error, ClockSuspect):
                self._refuse_by_clock(batch, error)
                return
            if len(batch) > 1 and not _is_transient(error):
                for waiting in batch:  # one invalid settlement must not fail the others
                    await self._settle(key, [waiting])
                return
            for _, future in batch:
                if not future.done():
                    text = f"the ledger cannot be written: {type(error).__name__}: {error}"
                    future.set_exception(SettlementUnconfirmed(text))
            return
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if future.done():
                continue
            if isinstance(outcome, SettleOutcome):
                future.set_result(outcome is SettleOutcome.RECORDED)
            else:
                future.set_exception(Refused(outcome))

    def _refuse_by_clock(self, batch: list[Waiting], error: ClockSuspect) -> None:
        for _, future in batch:
            if self._metrics is not None:
                self._metrics.clock_refused(error.reason)
            if not future.done():
                future.set_exception(ClockSuspect(error.reason, str(error)))

    async def _commit_with_retry(self, key: Key, settlements: Sequence[Settlement]) -> list[SettleOutcome | int]:
        """Run one transaction; retry it after transient errors until the timeout."""
        end = time.monotonic() + self._timeout
        attempt = 0
        while True:
            started = time.monotonic()
            try:
                async with self._engine.begin() as connection:
                    settled = await settle_batch(connection, *key, settlements, self._clock)
                self._count(settlements, settled.outcomes, time.monotonic() - started)
                self._balances.refresh(key, partial(_apply_usage, settled.used))
                return settled.outcomes
            except Exception as error:
                if self._metrics is not None:
                    self._metrics.settle_failed(_failure_reason(error))
                pause = BACKOFF_SECONDS[min(attempt, len(BACKOFF_SECONDS) - 1)]
                attempt += 1
                if not _is_transient(error) or time.monotonic() + pause >= end:
                    raise
                await asyncio.sleep(pause)

    def _count(
        self, settlements: Sequence[Settlement], outcomes: Sequence[SettleOutcome | int], seconds: float
    ) -> None:
        """Record the metrics of one committed transaction."""
        if self._metrics is None:
            return
        self._metrics.settle_batch(len(settlements), seconds)
        for settlement, outcome in zip(settlements, outcomes, strict=True):
            if outcome is SettleOutcome.RECORDED:
                self._metrics.settled(settlement.capability, settlement.units)
            elif not isinstance(outcome, SettleOutcome):
                self._metrics.settle_failed("pack")

    async def _read_balance(self, key: Key) -> Balance:
        return await retry_stale_plan(lambda: self._query_balance(key))

    async def _query_balance(self, key: Key) -> Balance:
        async with reading_connection(self._engine) as connection:
            moment = time.monotonic()
            meter = await admission_meter(connection, *key, self._clock)
            return Balance(await read_packs(connection, meter, usable=False), meter.now, moment)

    async def _read_payer(self, app_id: str) -> str:
        row = await work.read(self._engine, lambda session: repository.paying_account(session, app_id))
        if row is None:
            raise PayerUnknown(f"no app {app_id}")
        return row[1]


def _apply_usage(used: dict[str, int], balance: Balance) -> None:
    for pack in balance.packs:
        pack.used = max(pack.used, used.get(pack.id, 0))


def _failure_reason(error: Exception) -> str:
    if isinstance(error, ClockSuspect):
        return "clock"
    return "connection" if _is_transient(error) else "error"


def _is_transient(error: Exception) -> bool:
    """Whether a retry of the same transaction may succeed."""
    if isinstance(error, DBAPIError):
        state = str(getattr(error.orig, "sqlstate", None) or "")
        lost = error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)
        return lost or state.startswith(TRANSIENT_STATES) or is_stale_plan(error)
    return isinstance(error, OSError | PoolTimeout)
