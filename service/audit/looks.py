"""Looks at data of others: recorded once per `chain.LOOK_INTERVAL`, so that reading does not become writing."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.audit import repository, trail
from inkgate.service.audit.chain import LOOK_INTERVAL
from inkgate.service.db import work
from inkgate.service.db.clock import Clock
from inkgate.service.db.work import Origin, UnitOfWork


@dataclass(frozen=True, slots=True)
class Look:
    """Who looked at what. `account_id` is whose data it is, None for those of all."""

    actor: str
    origin: Origin
    action: str
    subject: str
    account_id: str | None


async def record(engine: AsyncEngine, clock: Clock, look: Look) -> None:
    """Record a look unless the same one was recorded lately; then nothing is written. Raises SQLAlchemyError."""
    async with work.read_session(engine) as session:
        unit = UnitOfWork(session, look.actor, clock, look.origin)
        since = await unit.now() - LOOK_INTERVAL
        known = (look.actor, look.action, look.subject, look.account_id, look.origin.address)
        if await repository.recorded_since(session, known, since):
            return
    async with work.unit_of_work(engine, look.actor, clock, look.origin) as unit:
        await trail.record_look(unit, look.action, look.subject, look.account_id)
