"""The status screen on a wall, which needs no sign-in but a key: fleet, queue, the last day, alerts."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fastapi import APIRouter
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response

from inkgate.service.broker.worker_registry import WorkerRecord, WorkerRegistry
from inkgate.service.console.page_request import AnyRequest, NotFound, PageRequest
from inkgate.service.console.pages.notices import kind_names
from inkgate.service.console.pages.operator_workers import Workers, workers_view
from inkgate.service.console.render import go, render, set_cookie
from inkgate.service.db.clock import BEIJING, hour_of
from inkgate.service.db.work import UnitOfWork
from inkgate.service.notices import repository as notices
from inkgate.service.notices.kinds import CUSTOMER_KINDS, OPERATOR_KINDS
from inkgate.service.usage import repository as usage
from inkgate.service.usage.repository import Scope, UsageTotals

router = APIRouter()
WALL_COOKIE = "inkgate_wall"
MAX_KEY_CHARACTERS = 1024
WALL_DAYS = 365  # the people who restart a screen do not know the key
HOURS = 24  # of the time line
MAX_HOSTS = 24  # in the fleet
MAX_SLOTS = 100  # drawn for each host


@dataclass(frozen=True, slots=True)
class Hour:
    """An hour of the time line. `height` and `failed_height` are in percent of the busiest hour."""

    start: datetime
    calls: int
    failed: int
    height: float
    failed_height: float


@dataclass(frozen=True, slots=True)
class Alert:
    """Conditions of one kind that hold, without names of customers. `urgent`: the service itself is concerned."""

    kind: str
    count: int
    since: datetime
    urgent: bool


@dataclass(frozen=True, slots=True)
class StatusScreen:
    """Content of the status screen. `database_ms` is None if the database does not answer; counts are of this hour."""

    at: datetime
    workers: Workers
    database_ms: int | None
    calls: int
    failed: int
    mean_ms: float | None
    hours: Sequence[Hour] = ()
    alerts: Sequence[Alert] = ()

    @property
    def is_healthy(self) -> bool:
        return self.database_ms is not None and self.workers.is_healthy

    @property
    def has_urgent_alert(self) -> bool:
        return any(each.urgent for each in self.alerts)

    @property
    def hosts(self) -> list[tuple[str, list[WorkerRecord]]]:
        """The worker processes by host, at most MAX_HOSTS hosts."""
        found: dict[str, list[WorkerRecord]] = {}
        for record in self.workers.state.workers if self.workers.state else ():
            found.setdefault(record.host, []).append(record)
        return list(found.items())[:MAX_HOSTS]


async def status_screen_view(unit: UnitOfWork, fleet: WorkerRegistry | None) -> StatusScreen:
    """The status of the service, without customer names and secrets."""
    workers = await workers_view(fleet)
    asked = time.perf_counter()
    try:
        now = await unit.now()
        milliseconds = round((time.perf_counter() - asked) * 1000)
        hour = hour_of(now)
        span = Scope(hour - timedelta(hours=HOURS - 1), hour + timedelta(hours=1))
        sums = await usage.totals(unit.session, span, ["hour", "code"], only=("calls", "duration_ms"))
        alerts = await _alerts(unit)
    except (SQLAlchemyError, OSError):
        return StatusScreen(datetime.now(UTC), workers, None, 0, 0, None)
    current = [each for each in sums if each.key[0] == hour]
    calls = sum(each.calls for each in current)
    failed = sum(each.calls for each in current if each.key[1])
    mean = sum(each.duration_ms for each in current) / calls if calls else None
    return StatusScreen(now, workers, milliseconds, calls, failed, mean, _hours(span, sums), alerts)


def _hours(span: Scope, sums: Sequence[UsageTotals]) -> list[Hour]:
    """The time line, oldest hour first."""
    calls: dict[datetime, list[int]] = {}
    for each in sums:
        counted = calls.setdefault(each.key[0], [0, 0])
        counted[0] += each.calls
        counted[1] += each.calls if each.key[1] else 0
    most = max((whole for whole, _ in calls.values()), default=0) or 1
    found = []
    for index in range(HOURS):
        start = span.since + timedelta(hours=index)
        whole, failed = calls.get(start, (0, 0))
        found.append(Hour(start.astimezone(BEIJING), whole, failed, 100 * whole / most, 100 * failed / most))
    return found


async def _alerts(unit: UnitOfWork) -> list[Alert]:
    """The conditions that hold, by kind: those of the service first."""
    found = []
    for kind, count, since in await notices.open_kinds(unit.session):
        if kind in OPERATOR_KINDS:
            waits = kind in CUSTOMER_KINDS or kind.endswith("_waiting")
            found.append(Alert(kind, count, since, not waits))
    return sorted(found, key=lambda each: (not each.urgent, each.since))


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
    return render(page_request, "wall.html", model=model, kind_names=kind_names(page_request), most_slots=MAX_SLOTS)


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
