"""Keeps the chain: adopts rows of an older release, signs checkpoints, applies the retention."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from inkgate.service.audit import chain, checkpoints, repository
from inkgate.service.audit.signing import Sealer
from inkgate.service.background import Background, Rounds
from inkgate.service.db import work
from inkgate.service.db.clock import Clock, database_clock
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import ConfigurationError
from inkgate.service.settings import Audit

T = TypeVar("T")
Begin = Callable[[], AbstractAsyncContextManager[UnitOfWork]]
Snapshot = Callable[[], AbstractAsyncContextManager[AsyncSession]]
Step = Callable[[Begin, Snapshot], Awaitable[object]]
ACTOR = "system:audit"
MAX_STEPS = 1000  # transactions of one kind per round; the rest is for the next round
CURSOR = "stream"

log = logging.getLogger(__name__)


class AuditKeeper(Rounds):
    """Runs a round every `checkpoint_minutes`. Each step takes the lock on the end of the chain."""

    def __init__(
        self,
        engine: AsyncEngine,
        vault: Sealer,
        settings: Audit,
        *,
        clock: Clock = database_clock,
        background: Background | None = None,
        before_signing: Sequence[Step] = (),
    ) -> None:
        """`before_signing`: steps of packages above, whose events are signed too. A step is given two functions: one
        begins a unit of work, the other a session that sees one state."""
        super().__init__("audit-keeper", settings.checkpoint_minutes * 60, background)
        self._before_signing = before_signing
        self._engine, self._vault, self._settings, self._clock = engine, vault, settings, clock

    async def try_round(self) -> None:
        """See Rounds.try_round."""
        try:
            await self.run_round()
        except (SQLAlchemyError, OSError) as error:
            log.warning("keeping the audit trail failed and will be tried again: %s", error)
        except ConfigurationError as error:
            log.error("the audit trail gets no signed checkpoints: %s", error)

    async def run_round(self) -> None:
        """Run one round. Raises SQLAlchemyError, and ConfigurationError when the signing key cannot be opened."""
        await self._in_unit(lambda unit: chain.use_algorithm(unit, self._settings.hash))
        await self._repeat(checkpoints.adopt_rows)
        if self._settings.retention_days:
            await self._in_unit(self._sign_archive)
            await self._repeat(checkpoints.delete_archived)
        for step in self._before_signing:
            await step(self._begin, lambda: work.snapshot_session(self._engine))
        await self._in_unit(lambda unit: checkpoints.sign_head(unit, self._vault))

    async def _sign_archive(self, unit: UnitOfWork) -> None:
        before = await unit.now() - timedelta(days=self._settings.retention_days)
        sent = None
        if self._settings.stream != "off":
            cursor = await repository.cursor(unit.session, CURSOR)
            sent = cursor.sequence if cursor else 0
        await checkpoints.sign_archive(unit, self._vault, before, sent)

    async def _repeat(self, step: Callable[[UnitOfWork], Awaitable[int]]) -> None:
        for _ in range(MAX_STEPS):
            if not await self._in_unit(step):
                return

    def _begin(self) -> AbstractAsyncContextManager[UnitOfWork]:
        return work.unit_of_work(self._engine, ACTOR, self._clock)

    async def _in_unit(self, step: Callable[[UnitOfWork], Awaitable[T]]) -> T:
        async with self._begin() as unit:
            return await step(unit)
