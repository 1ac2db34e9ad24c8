"""Workers and queue, live; and the same, with the service's health, for a screen on a wall that nobody signs in to."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fastapi import APIRouter
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response

from service.broker.fleet import READY, Fleet, FleetState
from service.console.render import render
from service.console.visit import Anyone, Missing, Operator, Visit
from service.db.work import Work
from service.errors import BrokerDown
from service.usage import repository as usage
from service.usage.repository import Scope

router = APIRouter()
OLD_SECONDS = 10.0  # a picture that waits longer is near the end of most callers' patience


@dataclass(frozen=True, slots=True)
class Workers:
    """Queue and workers. `state` is None when they cannot be seen: `known` tells whether there is a way to see them."""

    known: bool
    state: FleetState | None

    @property
    def ready(self) -> int:
        return sum(card.state == READY for card in self.state.workers) if self.state else 0

    @property
    def per_second(self) -> float:
        return sum(card.per_second for card in self.state.workers) if self.state else 0.0

    @property
    def well(self) -> bool:
        """At least one worker is ready, and nothing waits for long."""
        return self.state is not None and self.ready > 0 and self.state.queue.oldest_age < OLD_SECONDS


@dataclass(frozen=True, slots=True)
class Wall:
    """What a screen on a wall shows. `database_ms` is None when there is no answer; counts are this hour's."""

    at: datetime
    workers: Workers
    database_ms: int | None
    calls: int
    failed: int
    mean_ms: float | None

    @property
    def well(self) -> bool:
        return self.database_ms is not None and self.workers.well


async def workers_view(fleet: Fleet | None) -> Workers:
    """How queue and workers stand now."""
    if fleet is None:
        return Workers(False, None)
    try:
        return Workers(True, await fleet.look())
    except BrokerDown:
        return Workers(True, None)


async def wall_view(unit: Work, fleet: Fleet | None) -> Wall:
    """The whole service at a glance: no name of a customer, no secret."""
    workers = await workers_view(fleet)
    asked = time.perf_counter()
    try:
        now = await unit.now()
        milliseconds = round((time.perf_counter() - asked) * 1000)
        hour = now.replace(minute=0, second=0, microsecond=0)
        sums = await usage.totals(unit.session, Scope(hour, hour + timedelta(hours=1)), ["code"])
    except (SQLAlchemyError, OSError):
        return Wall(datetime.now(UTC), workers, None, 0, 0, None)
    calls = sum(each.calls for each in sums)
    failed = sum(each.calls for each in sums if each.key[0])
    return Wall(now, workers, milliseconds, calls, failed,
                sum(each.duration_ms for each in sums) / calls if calls else None)


def moment(seconds: float) -> datetime:
    """Unix time as an instant for the templates."""
    return datetime.fromtimestamp(seconds, UTC)


@router.get("/operator/workers")
async def workers_page(visit: Operator) -> Response:
    return render(visit, "operator_workers.html", model=await workers_view(visit.parts.fleet), moment=moment,
                  wall=_wall_path(visit))


@router.get("/wall/{key}")
async def wall_page(visit: Anyone, key: str) -> Response:
    """Open to whoever has the key of INKGATE_CONSOLE__WALL_KEY; without such a setting there is no such page."""
    held = visit.parts.settings.console.wall_key
    if held is None or not secrets.compare_digest(held.get_secret_value().encode(), key.encode()):
        raise Missing
    async with visit.reading() as unit:
        model = await wall_view(unit, visit.parts.fleet)
    return render(visit, "wall.html", model=model)


def _wall_path(visit: Visit) -> str:
    """Where the wall screen is, "" without a key."""
    held = visit.parts.settings.console.wall_key
    return f"/wall/{held.get_secret_value()}" if held else ""
