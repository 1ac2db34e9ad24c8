"""Workers and queue, live; and the same, with the service's health, for a screen on a wall that nobody signs in to."""

from __future__ import annotations

import hmac
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from fastapi import APIRouter
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response

from inkgate.service.broker.worker_registry import READY, WorkerRegistry, WorkerRegistryState
from inkgate.service.console.render import go, render, set_cookie
from inkgate.service.console.visit import Anyone, Missing, Operator, Visit
from inkgate.service.db.clock import hour_of
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import BrokerUnavailable
from inkgate.service.usage import repository as usage
from inkgate.service.usage.repository import Scope

router = APIRouter()
WALL_COOKIE = "inkgate_wall"
LONGEST_KEY = 1024  # characters
WALL_DAYS = 365  # a screen is started again by people who do not know the key
OLD_SECONDS = 10.0  # a picture that waits longer is near the end of most callers' patience


@dataclass(frozen=True, slots=True)
class Workers:
    """Queue and workers. `state` is None when they cannot be seen: `known` tells whether there is a way to see them."""

    known: bool
    state: WorkerRegistryState | None

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


async def workers_view(fleet: WorkerRegistry | None) -> Workers:
    """How queue and workers stand now."""
    if fleet is None:
        return Workers(False, None)
    try:
        return Workers(True, await fleet.snapshot())
    except BrokerUnavailable:
        return Workers(True, None)


async def wall_view(unit: UnitOfWork, fleet: WorkerRegistry | None) -> Wall:
    """The whole service at a glance: no name of a customer, no secret."""
    workers = await workers_view(fleet)
    asked = time.perf_counter()
    try:
        now = await unit.now()
        milliseconds = round((time.perf_counter() - asked) * 1000)
        hour = hour_of(now)
        sums = await usage.totals(unit.session, Scope(hour, hour + timedelta(hours=1)), ["code"])
    except (SQLAlchemyError, OSError):
        return Wall(datetime.now(UTC), workers, None, 0, 0, None)
    calls = sum(each.calls for each in sums)
    failed = sum(each.calls for each in sums if each.key[0])
    return Wall(
        now, workers, milliseconds, calls, failed, sum(each.duration_ms for each in sums) / calls if calls else None
    )


def moment(seconds: float) -> datetime:
    """Unix time as an instant for the templates."""
    return datetime.fromtimestamp(seconds, UTC)


@router.get("/operator/workers")
async def workers_page(visit: Operator) -> Response:
    return render(
        visit,
        "operator_workers.html",
        model=await workers_view(visit.parts.fleet),
        moment=moment,
        wall=_wall_link(visit),
    )


@router.get("/wall")
async def wall_page(visit: Anyone) -> Response:
    """Open to whoever has given the key of INKGATE_CONSOLE__WALL_KEY; others are asked for it. Without such a setting
    there is no such page."""
    key = _wall_key(visit)
    if not secrets.compare_digest(visit.request.cookies.get(WALL_COOKIE, "").encode(), _proof(key).encode()):
        if "hx-request" in visit.request.headers:  # the screen is there and the key has changed
            return Response(status_code=204, headers={"hx-redirect": f"{visit.root}/wall"})
        return render(visit, "wall_key.html")
    async with visit.reading() as unit:
        model = await wall_view(unit, visit.parts.fleet)
    return render(visit, "wall.html", model=model)


@router.post("/wall")
async def open_wall(visit: Anyone) -> Response:
    """Take the key out of the form, where no proxy logs it, and remember in a cookie that it was right."""
    key = _wall_key(visit)
    if not secrets.compare_digest(visit.text("key", LONGEST_KEY).encode(), key.strip()[:LONGEST_KEY].encode()):
        return render(visit, "wall_key.html", 422, problem=visit.words("大屏密钥不正确。"))
    answer = go(visit, "/wall")
    set_cookie(visit, answer, WALL_COOKIE, _proof(key), days=WALL_DAYS)
    return answer


@router.get("/wall/{key}")
async def old_wall_page(visit: Anyone, key: str) -> Response:
    """Once the key stood in the path, and so in the log of every proxy on the way: there it opens nothing any more."""
    _wall_key(visit)
    return go(visit, "/wall")


def _wall_key(visit: Visit) -> str:
    held = visit.parts.settings.console.wall_key
    if held is None:
        raise Missing
    return held.get_secret_value()


def _proof(key: str) -> str:
    """What the cookie holds: it shows that the key was given, does not tell it, and ends with it."""
    return hmac.digest(key.encode(), b"inkgate wall screen", "sha256").hex()


def _wall_link(visit: Visit) -> str:
    """The wall screen with its key behind the #, which browsers send to nobody; "" without a key."""
    held = visit.parts.settings.console.wall_key
    return f"/wall#{quote(held.get_secret_value(), safe='')}" if held else ""
