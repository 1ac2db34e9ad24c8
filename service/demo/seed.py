"""Fills an empty database with the example data."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.accounts import repository as accounts
from inkgate.service.accounts.vault import Vault
from inkgate.service.db import work
from inkgate.service.db.clock import BEIJING
from inkgate.service.db.work import UnitOfWork
from inkgate.service.demo import customers, history, repository
from inkgate.service.demo.customers import ARCHIVE, CUSTOMER, LIBRARY, OPERATOR, PARKING, PORTAL
from inkgate.service.demo.traffic import traffic
from inkgate.service.errors import Misuse
from inkgate.service.metering.service import packs_of
from inkgate.service.users.passwords import Passwords

DAYS = 90
RETENTION_DAYS = 3  # INKGATE_LEDGER__RETENTION_DAYS that fits the data
SEED = 20260401
PASSWORD_BYTES = 9
QUIET = timedelta(minutes=10)  # without calls before the start of the demo


@dataclass(frozen=True, slots=True)
class Demo:
    """What a visitor needs: keys and AppKey of the main customer, and the passwords of the users by login."""

    ak: str
    sk: str = field(repr=False)
    appkey: str = ""
    enckey: str = field(repr=False, default="")
    passwords: dict[str, str] = field(repr=False, default_factory=dict)


async def seed(
    engine: AsyncEngine,
    vault: Vault,
    now: datetime,
    *,
    number: int = SEED,
    passwords: Passwords | None = None,
    progress: Callable[[str], None] = lambda _step: None,
) -> Demo:
    """Fill the database with DAYS of example data up to `now`; `number` selects the random numbers, and `progress` is
    called with the name of each step.

    The last RETENTION_DAYS days (UTC) have single ledger entries. The days of `usage_day` are left to housekeeping.
    Raises Misuse when there is an account or a user.
    """
    if not await work.read(engine, repository.is_empty):
        raise Misuse("demo.not_empty")
    midnight = now.astimezone(BEIJING).replace(hour=0, minute=0, second=0, microsecond=0)
    start = (midnight - timedelta(days=DAYS)).astimezone(UTC)
    kept_from = datetime(now.year, now.month, now.day, tzinfo=UTC) - timedelta(days=RETENTION_DAYS)
    last = now - QUIET  # the ledger is settled in order of time, and what waits comes after the last call
    bought = last.replace(minute=0, second=0, microsecond=0) - timedelta(hours=25)
    progress("drawing calls")
    calls = list(traffic((PORTAL, ARCHIVE, PARKING, LIBRARY), start, last, number))
    settled = [each for each in calls if not each.refused]
    plates = sum(each.images for each in settled if each.capability == "plate")

    def begin(at: datetime) -> AbstractAsyncContextManager[UnitOfWork]:
        return work.unit_of_work(engine, "demo", lambda _database: at)

    progress("accounts, users and packs")
    logins = {login: secrets.token_urlsafe(PASSWORD_BYTES) for login in (OPERATOR, CUSTOMER)}
    hasher = passwords or Passwords()
    hashes = dict(zip(logins, await asyncio.gather(*map(hasher.hash, logins.values())), strict=True))
    made = await customers.create(begin, vault, start - timedelta(days=1), now, plates, hashes)
    async with begin(now) as unit:
        payers = {made.payer_of(name) for name in made.apps}
        packs = [each for payer in sorted(payers) for each in await packs_of(unit.session, payer)]
    progress(f"hourly totals of {DAYS - RETENTION_DAYS} days")
    async with engine.begin() as connection:
        await history.write_archived(connection, made, [each for each in settled if each.hour < kept_from], packs)
        await history.write_refused(connection, made, [each for each in calls if each.refused])
    progress(f"ledger entries of the last {RETENTION_DAYS} days")
    draw = random.Random(number)  # noqa: S311 - example data
    async with engine.begin() as connection:
        await history.settle(connection, made, [x for x in settled if kept_from <= x.hour < bought], last, draw)
    await customers.buy_unused_pack(begin, made, bought)
    async with engine.begin() as connection:
        await history.settle(connection, made, [x for x in settled if x.hour >= bought], last, draw)
        await accounts.touch_key(connection, made.keys.ak, last)
    await customers.add_waiting(begin, made, now)
    app = made.apps[PORTAL.name]
    return Demo(made.keys.ak, made.keys.sk, app.appkey, app.enckey, logins)
