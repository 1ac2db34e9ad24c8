"""Test data for ledger tests: a customer with account, app and packs, a settable clock, and settlements."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.accounts import service as accounts
from inkgate.service.accounts.service import KeyPair, NewApp
from inkgate.service.accounts.vault import Vault, new_key
from inkgate.service.db import ids, work
from inkgate.service.metering import SqlLedger
from inkgate.service.metering import service as metering
from inkgate.service.metering.interface import Settlement
from inkgate.service.metering.models import PackRow
from inkgate.service.usage.models import RecordRow

START = datetime(2026, 3, 1, 8, 0, 0, tzinfo=UTC)


@dataclass(slots=True)
class ManualClock:
    """A clock whose time changes only when a test sets it."""

    time: datetime = START

    def __call__(self, _database: datetime) -> datetime:
        return self.time

    def advance(self, **span: float) -> None:
        self.time += timedelta(**span)


@dataclass(slots=True)
class CustomerData:
    """One account with one app, on an empty database."""

    engine: AsyncEngine
    vault: Vault
    clock: ManualClock
    account_id: str
    keys: KeyPair
    app: NewApp
    name: str = "main"
    names: int = field(default=0)

    @classmethod
    async def build(cls, engine: AsyncEngine, name: str = "main") -> CustomerData:
        vault, clock = Vault([new_key()]), ManualClock()
        async with work.unit_of_work(engine, "test", clock) as unit:
            account = await accounts.create_account(unit, name)
            keys = await accounts.create_access_key(unit, vault, account.id)
            app = await accounts.create_app(unit, vault, account.id, f"{name}_app")
            for capability in ("general", "idcard", "plate", "licence"):
                await accounts.open_capability(unit, app.app_id, capability)
        return cls(engine, vault, clock, account.id, keys, app, name)

    def ledger(self, **options: float) -> SqlLedger:
        """A ledger that uses `clock`; admission reads the balance from the database each time."""
        return SqlLedger(self.engine, clock=self.clock, balance_ttl=options.pop("balance_ttl", 0.0), **options)

    async def another_app(self) -> NewApp:
        self.names += 1
        async with work.unit_of_work(self.engine, "test", self.clock) as unit:
            return await accounts.create_app(unit, self.vault, self.account_id, f"{self.name}_app_{self.names}")

    async def grant(self, units: int, capability: str = "general", app_id: str | None = None, **more: datetime) -> str:
        """Grant a pack and advance the clock by a second, so that packs are ordered as granted. Returns its id."""
        async with work.unit_of_work(self.engine, "test", self.clock) as unit:
            pack = await metering.grant_pack(unit, self.account_id, capability, units, app_id=app_id, **more)
        self.clock.advance(seconds=1)
        return pack.id

    def call(
        self,
        units: int = 1,
        capability: str = "general",
        app_id: str | None = None,
        call_id: str | None = None,
        code: int = 0,
    ) -> Settlement:
        return Settlement(
            call_id=call_id or ids.new(),
            account_id=self.account_id,
            app_id=app_id or self.app.app_id,
            capability=capability,
            units=units,
            images=max(units, 1),
            failed_images=0,
            code=code,
            body_bytes=1000,
            duration_ms=20,
            client_ip="192.0.2.7",
            request_id="their-own-id",
        )

    async def used(self, pack_id: str) -> int:
        async with work.read_session(self.engine) as session:
            pack = await session.get_one(PackRow, pack_id)
            return pack.used

    async def lines(self) -> list[RecordRow]:
        async with work.read_session(self.engine) as session:
            return list(await session.scalars(select(RecordRow).order_by(RecordRow.capability, RecordRow.seq)))

    async def count(self) -> int:
        async with work.read_session(self.engine) as session:
            return await session.scalar(select(func.count()).select_from(RecordRow)) or 0
