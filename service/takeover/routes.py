"""Where the calls of each app are answered: the table in the gateway's memory, and the changes to it.

Every change grows a version number in the database, in its own transaction. A gateway reads that number every second
and the routes when it has changed, so that a change works everywhere within POLL_SECONDS.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from inkgate.service.accounts import repository as account_rows
from inkgate.service.accounts import rules
from inkgate.service.accounts import service as accounts
from inkgate.service.audit import trail
from inkgate.service.background import Background
from inkgate.service.db import work as works
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import DatabaseDown, Misuse
from inkgate.service.takeover import routes_repository as repository

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
MAX_ROUTES = 10_000  # rows; all are in the memory of every gateway
_ALL = 100  # percent
_BUCKETS = 10_000  # a hundredth of a percent of the calls each


class Mode(StrEnum):
    """Where the calls of an app to one capability are answered."""

    MIRROR = "mirror"  # by the cloud; a copy is read here
    SPLIT = "split"  # a share here, the others by the cloud
    LOCAL = "local"  # here


class Override(StrEnum):
    """The switch above all routes. It concerns apps with a route only: the others were never in the cloud."""

    NONE = ""
    LOCAL = "local"
    CLOUD = "cloud"


@dataclass(frozen=True, slots=True)
class Route:
    """Where calls are answered. `percent` is the share answered here (100 for LOCAL, 0 for MIRROR).

    `fallback`: whether a call that this service is too busy for may go to the cloud.
    """

    mode: Mode
    percent: int
    fallback: bool = True

    def is_local(self, key: str) -> bool:
        """Whether the call with this replay key (hex digits of a hash) is answered here.

        The same request always gets the same answer to this, and one that is answered here at n % also is at more.
        """
        return int(key[:8], 16) % _BUCKETS < self.percent * (_BUCKETS // _ALL)


_OVERRIDDEN: Mapping[Override, Route] = {
    Override.LOCAL: Route(Mode.LOCAL, _ALL, fallback=False),
    Override.CLOUD: Route(Mode.SPLIT, 0),
}


@dataclass(frozen=True, slots=True)
class RouteTable:
    """All routes at one version, the override applied: (app id, capability) → route."""

    version: int = -1
    routes: Mapping[tuple[str, str], Route] = field(default_factory=dict)


class RouteWatcher:
    """The routes of one gateway process. After a failure to read them the last ones stay in use.

    `on_read` is called with the Unix time in seconds after each reading of the version.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        background: Background | None = None,
        on_read: Callable[[float], None] = lambda at: None,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._engine, self._on_read, self._poll_seconds = engine, on_read, poll_seconds
        self._table = RouteTable()
        self._task = (background or Background()).task("takeover-routes", self._watch)

    async def start(self) -> None:
        """Read the routes, then watch them. Raises DatabaseDown: without its routes a gateway would answer calls of
        the cloud itself, and charge for them."""
        try:
            await self.refresh()
        except (SQLAlchemyError, OSError) as error:
            raise DatabaseDown(f"the routes of the takeover cannot be read: {type(error).__name__}") from error
        self._task.start()

    async def close(self) -> None:
        await self._task.close()

    def find(self, app_id: str, capability: str) -> Route | None:
        """The route of an app's calls to a capability; None: they are answered here, and never go to the cloud."""
        return self._table.routes.get((app_id, capability))

    async def refresh(self) -> None:
        """Read the routes again if their version has changed. Raises the errors of the database."""
        async with works.snapshot_session(self._engine) as session:
            row = await repository.switch(session)
            version = 0 if row is None else row.version
            if version != self._table.version:
                override = Override.NONE if row is None else Override(row.override)
                self._table = await _load(session, version, override)
                log.info("routes of the takeover", extra={"version": version, "override": override.value})
        self._on_read(time.time())

    async def _watch(self) -> None:
        failing = False
        while True:
            await asyncio.sleep(self._poll_seconds)
            try:
                await asyncio.wait_for(self.refresh(), 5 * self._poll_seconds)
                failing = False
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                if not failing:
                    log.warning("the routes cannot be read; the last ones stay", extra={"error": type(error).__name__})
                failing = True


async def _load(session: AsyncSession, version: int, override: Override) -> RouteTable:
    routes = {
        (row.app_id, row.capability): _OVERRIDDEN.get(override) or Route(Mode(row.mode), row.percent)
        for row in await repository.routes(session, MAX_ROUTES)
    }
    return RouteTable(version, routes)


@dataclass(frozen=True, slots=True)
class RouteLine:
    """A route as people see it."""

    app_id: str
    app_name: str
    appkey: str
    account_id: str
    account_name: str
    capability: str
    mode: Mode
    percent: int
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Overview:
    """All routes of live apps and the switch above them; `enabled` as in the settings of this process."""

    enabled: bool
    override: Override
    version: int
    routes: tuple[RouteLine, ...]


async def overview(
    session: AsyncSession,
    *,
    enabled: bool,
    limit: int = MAX_ROUTES,
    offset: int = 0,
    app_ids: Sequence[str] | None = None,
) -> Overview:
    """The routes, at most `limit` after the first `offset`, by app and capability; only of these apps if they are
    given."""
    row = await repository.switch(session)
    lines = tuple(
        RouteLine(
            app.id, app.name, app.appkey, app.account_id, account, route.capability, Mode(route.mode), route.percent,
            route.changed_at,
        )
        for route, app, account in await repository.with_apps(session, limit=limit, offset=offset, app_ids=app_ids)
    )  # fmt: skip
    return Overview(enabled, Override.NONE if row is None else Override(row.override), row.version if row else 0, lines)


async def set_route(
    work: UnitOfWork, app_id: str, capability: str, mode: Mode, *, percent: int | None = None, enabled: bool
) -> None:
    """Send the calls of an app to a capability elsewhere; every gateway follows within POLL_SECONDS.

    `percent`, 0 to 100, is the share answered here and belongs to SPLIT alone. `enabled`: whether the settings name a
    cloud; only then other modes than LOCAL are accepted. Raises Misuse.
    """
    app = await accounts.get_app(work, app_id)
    if await account_rows.opened_capability(work.session, app_id, rules.capability(capability)) is None:
        raise Misuse("app.capability_not_opened", app=app.name, capability=capability)
    if mode is not Mode.LOCAL and not enabled:
        raise Misuse("takeover.disabled")
    share = _share(mode, percent)
    now = await work.now()
    await repository.touch(work.session, now)  # locks: changes come one after another
    old = await repository.route(work.session, app_id, capability)
    if old is None and await repository.count(work.session) >= MAX_ROUTES:
        raise Misuse("takeover.limit", most=MAX_ROUTES)
    before: trail.Values | None = None if old is None else {"mode": old.mode, "percent": old.percent}
    await repository.replace(work.session, app_id, capability, mode.value, share, now)
    await trail.record(
        work, "takeover.route", f"app {app.name}", app.account_id, app_id=app_id, capability=capability,
        before=before, after={"mode": mode.value, "percent": share},
    )  # fmt: skip


async def opened(work: UnitOfWork, app_id: str) -> list[str]:
    """The capabilities that an app has opened."""
    return [each.capability for each in await account_rows.opened_capabilities(work.session, app_id)]


async def routed(work: UnitOfWork, app_id: str) -> list[str]:
    """The capabilities for which an app has a route."""
    return [each.capability for each in await repository.routes_of(work.session, app_id)]


async def remove_route(work: UnitOfWork, app_id: str, capability: str) -> None:
    """Forget a route: the app's calls are answered here, also while the switch says "cloud". Raises Misuse."""
    app = await account_rows.app(work.session, app_id)
    await repository.touch(work.session, await work.now())
    old = await repository.route(work.session, app_id, capability)
    if app is None or old is None:
        raise Misuse("takeover.no_route")
    await repository.remove(work.session, app_id, capability)
    await trail.record(
        work, "takeover.forget", f"app {app.name}", app.account_id, app_id=app_id, capability=capability,
        before={"mode": old.mode, "percent": old.percent},
    )  # fmt: skip


async def set_override(work: UnitOfWork, override: Override) -> None:
    """Set the switch above all routes. Does nothing, and writes no audit event, when it is set so already."""
    now = await work.now()
    await repository.touch(work.session, now)
    if await repository.set_override(work.session, override.value, now):
        await trail.record(work, "takeover.off", "all routes", None, override=override.value or "none")


def _share(mode: Mode, percent: int | None) -> int:
    """The share answered here. Raises Misuse."""
    if mode is not Mode.SPLIT:
        if percent is not None:
            raise Misuse("takeover.percent_without_split", mode=mode.value)
        return _ALL if mode is Mode.LOCAL else 0
    if percent is None or not 0 <= percent <= _ALL:
        raise Misuse("takeover.percent_invalid")
    return percent
