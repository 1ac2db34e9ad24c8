"""Live workers and queue, and the status screen, which needs no sign-in."""

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
from inkgate.service.console.page_request import AnyRequest, NotFound, Operator, PageRequest
from inkgate.service.console.render import go, render, set_cookie
from inkgate.service.db.clock import hour_of
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import BrokerUnavailable
from inkgate.service.usage import repository as usage
from inkgate.service.usage.repository import Scope

router = APIRouter()
WALL_COOKIE = "inkgate_wall"
MAX_KEY_CHARACTERS = 1024
WALL_DAYS = 365  # the people who restart a screen do not know the key
QUEUE_AGE_WARNING_SECONDS = 10.0  # age of the oldest waiting image from which the screen warns


@dataclass(frozen=True, slots=True)
class Workers:
    """Queue and workers. `state` is None if it is unavailable; `known` is False if this process cannot observe them."""

    known: bool
    state: WorkerRegistryState | None

    @property
    def ready(self) -> int:
        return sum(card.state == READY for card in self.state.workers) if self.state else 0

    @property
    def per_second(self) -> float:
        return sum(card.per_second for card in self.state.workers) if self.state else 0.0

    @property
    def is_healthy(self) -> bool:
        """At least one worker is ready and the queue is not old."""
        return self.state is not None and self.ready > 0 and self.state.queue.oldest_age < QUEUE_AGE_WARNING_SECONDS


@dataclass(frozen=True, slots=True)
class StatusScreen:
    """Content of the status screen. `database_ms` is None if the database does not answer; counts are of this hour."""

    at: datetime
    workers: Workers
    database_ms: int | None
    calls: int
    failed: int
    mean_ms: float | None

    @property
    def is_healthy(self) -> bool:
        return self.database_ms is not None and self.workers.is_healthy


async def workers_view(fleet: WorkerRegistry | None) -> Workers:
    """The current state of queue and workers."""
    if fleet is None:
        return Workers(False, None)
    try:
        return Workers(True, await fleet.snapshot())
    except BrokerUnavailable:
        return Workers(True, None)


async def status_screen_view(unit: UnitOfWork, fleet: WorkerRegistry | None) -> StatusScreen:
    """The status of the service, without customer names and secrets."""
    workers = await workers_view(fleet)
    asked = time.perf_counter()
    try:
        now = await unit.now()
        milliseconds = round((time.perf_counter() - asked) * 1000)
        hour = hour_of(now)
        sums = await usage.totals(unit.session, Scope(hour, hour + timedelta(hours=1)), ["code"])
    except (SQLAlchemyError, OSError):
        return StatusScreen(datetime.now(UTC), workers, None, 0, 0, None)
    calls = sum(each.calls for each in sums)
    failed = sum(each.calls for each in sums if each.key[0])
    return StatusScreen(
        now, workers, milliseconds, calls, failed, sum(each.duration_ms for each in sums) / calls if calls else None
    )


def moment(seconds: float) -> datetime:
    """Unix time as an instant for the templates."""
    return datetime.fromtimestamp(seconds, UTC)


@router.get("/operator/workers")
async def workers_page(page_request: Operator) -> Response:
    if page_request.parts.settings.console.wall_key is not None:
        await page_request.record_look("secret.view", "wall key")  # in the link to the status screen
    return render(
        page_request,
        "operator_workers.html",
        model=await workers_view(page_request.parts.fleet),
        moment=moment,
        wall=_wall_link(page_request),
    )


@router.get("/wall")
async def wall_page(page_request: AnyRequest) -> Response:
    """The status screen for a browser that has given the key of INKGATE_CONSOLE__WALL_KEY; others get the key form.
    404 without this setting."""
    key = _wall_key(page_request)
    if not secrets.compare_digest(page_request.request.cookies.get(WALL_COOKIE, "").encode(), _proof(key).encode()):
        if "hx-request" in page_request.request.headers:  # an open screen whose key has changed
            return Response(status_code=204, headers={"hx-redirect": f"{page_request.root}/wall"})
        return render(page_request, "wall_key.html")
    async with page_request.reading() as unit:
        model = await status_screen_view(unit, page_request.parts.fleet)
    return render(page_request, "wall.html", model=model)


@router.post("/wall")
async def open_wall(page_request: AnyRequest) -> Response:
    """Check the key of the form (which no proxy logs) and set a cookie that proves it."""
    key = _wall_key(page_request)
    if not secrets.compare_digest(
        page_request.text("key", MAX_KEY_CHARACTERS).encode(), key.strip()[:MAX_KEY_CHARACTERS].encode()
    ):
        await page_request.record("wall.open", "status screen", result="failed")
        return render(page_request, "wall_key.html", 422, problem=page_request.translate("大屏密钥不正确。"))
    await page_request.record("wall.open", "status screen")
    answer = go(page_request, "/wall")
    set_cookie(page_request, answer, WALL_COOKIE, _proof(key), days=WALL_DAYS)
    return answer


@router.get("/wall/{key}")
async def old_wall_page(page_request: AnyRequest, key: str) -> Response:
    """Former address with the key in its path, where proxies log it. It no longer opens the screen."""
    _wall_key(page_request)
    return go(page_request, "/wall")


def _wall_key(page_request: PageRequest) -> str:
    held = page_request.parts.settings.console.wall_key
    if held is None:
        raise NotFound
    return held.get_secret_value()


def _proof(key: str) -> str:
    """The cookie value: an HMAC under the key, which does not reveal the key and is invalid after it changes."""
    return hmac.digest(key.encode(), b"inkgate wall screen", "sha256").hex()


def _wall_link(page_request: PageRequest) -> str:
    """The status screen with its key in the fragment, which browsers never send; "" without a key."""
    held = page_request.parts.settings.console.wall_key
    return f"/wall#{quote(held.get_secret_value(), safe='')}" if held else ""
