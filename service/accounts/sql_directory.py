"""The directory on the database, cached in memory for a few seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from ipaddress import ip_network
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from inkgate.service.accounts import repository
from inkgate.service.accounts.directory import AccessKey, App, Network, OpenedCapability
from inkgate.service.accounts.models import AccessKeyRow, AllowedRow, AppRow, OpenedRow
from inkgate.service.accounts.rules import KEY_ID
from inkgate.service.accounts.service import key_context, sm2_context
from inkgate.service.accounts.vault import Vault
from inkgate.service.db import clock as clocks
from inkgate.service.db import work
from inkgate.service.db.cache import TtlCache
from inkgate.service.db.clock import Clock, database_clock
from inkgate.service.errors import DatabaseDown

CACHE_TTL_SECONDS = 3.0
CACHE_CAPACITY = 10_000
LAST_USED_INTERVAL_SECONDS = 60.0
MAX_TRACKED_KEYS = 1000

V = TypeVar("V")


class SqlDirectory:
    """`inkgate.service.accounts.directory.Directory` over the database.

    A change (a key disabled, a capability opened) takes effect within `ttl` seconds. Unknown keys are cached as well,
    so that repeated guesses cost no query; each of the two caches has at most `capacity` entries. Raises
    errors.DatabaseDown when the database cannot be reached.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        vault: Vault,
        *,
        default_qps: float = 10.0,
        ttl: float = CACHE_TTL_SECONDS,
        capacity: int = CACHE_CAPACITY,
        clock: Clock = database_clock,
    ) -> None:
        self._engine, self._vault, self._default_qps, self._clock = engine, vault, default_qps, clock
        self._keys: TtlCache[str, AccessKey | None] = TtlCache(self._load_key, ttl, capacity)
        self._apps: TtlCache[str, App | None] = TtlCache(self._load_app, ttl, capacity)
        self._touched: dict[str, float] = {}
        self._touching: set[asyncio.Task[None]] = set()

    async def access_key(self, ak: str) -> AccessKey | None:
        """The key with this id, None when it is unknown, disabled, past its end, or its account is suspended."""
        if KEY_ID.fullmatch(ak) is None:
            return None
        key = await self._keys.get(ak)
        if key is not None:
            self._record_use(ak)
        return key

    async def app(self, appkey: str) -> App | None:
        """The live app with this AppKey, None when there is none."""
        if KEY_ID.fullmatch(appkey) is None:
            return None
        return await self._apps.get(appkey)

    async def close(self) -> None:
        """Wait for pending writes, at most 5 seconds."""
        if self._touching:
            await asyncio.wait(self._touching, timeout=5)

    async def _load_key(self, ak: str) -> AccessKey | None:
        async def query(session: AsyncSession) -> AccessKeyRow | None:
            row = await repository.usable_key(session, ak)
            if row is None or (row.ends_at is not None and row.ends_at <= await clocks.now(session, self._clock)):
                return None
            return row

        row = await self._read(query)
        if row is None:
            return None
        return AccessKey(ak, self._vault.open(row.sealed_secret, key_context(ak)), row.account_id)

    async def _load_app(self, appkey: str) -> App | None:
        found = await self._read(lambda session: _query_app(session, appkey))
        if found is None:
            return None
        row, opened, rules = found
        allowed: dict[str, list[Network]] = {}
        for rule in rules:
            allowed.setdefault(rule.capability, []).append(ip_network(rule.network))
        return App(
            app_id=row.id,
            account_id=row.account_id,
            appkey=appkey,
            name=row.name,
            opened={
                each.capability: OpenedCapability(
                    self._default_qps if each.qps is None else each.qps, tuple(allowed.get(each.capability, ()))
                )
                for each in opened
            },
            allowed=tuple(allowed.get("", ())),
            extras=row.extras,
            sm2_private_key=self._vault.open(row.sealed_sm2_key, sm2_context(row.id)),
        )

    async def _read(self, query: Callable[[AsyncSession], Awaitable[V]]) -> V:
        try:
            return await work.read(self._engine, query)
        except (SQLAlchemyError, OSError) as error:
            raise DatabaseDown(f"the directory cannot be read: {type(error).__name__}") from error

    def _record_use(self, ak: str) -> None:
        """Write `last_used_at` at most once per minute, in a task of its own; errors are ignored."""
        moment = time.monotonic()
        if moment - self._touched.get(ak, -LAST_USED_INTERVAL_SECONDS) < LAST_USED_INTERVAL_SECONDS:
            return
        if len(self._touched) >= MAX_TRACKED_KEYS:
            self._touched.clear()
        self._touched[ak] = moment
        task = asyncio.ensure_future(self._touch(ak))
        self._touching.add(task)
        task.add_done_callback(self._touching.discard)

    async def _touch(self, ak: str) -> None:
        try:
            async with self._engine.begin() as connection:
                now: datetime = await clocks.now(connection, self._clock)
                await repository.touch_key(connection, ak, now)
        except (SQLAlchemyError, OSError):
            self._touched.pop(ak, None)


async def _query_app(
    session: AsyncSession, appkey: str
) -> tuple[AppRow, Sequence[OpenedRow], Sequence[AllowedRow]] | None:
    """The row of a live app, its opened capabilities and its allow-list."""
    row = await repository.app_by_key(session, appkey)
    if row is None or row.deleted_at is not None:
        return None
    return row, await repository.opened_capabilities(session, row.id), await repository.allow_list(session, row.id)
