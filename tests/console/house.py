"""Tools of the console's tests: a console over a fresh database, and browsers that sign in to it without a network."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
from argon2 import PasswordHasher
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.accounts import service as accounts
from inkgate.service.accounts.vault import Vault, new_key
from inkgate.service.client_ip import parse_networks
from inkgate.service.console import Parts, create_console
from inkgate.service.db import work
from inkgate.service.settings import Settings
from inkgate.service.users import service as users
from inkgate.service.users.passwords import Passwords
from tests.ledger_data import ManualClock

PASSWORD = "a quiet afternoon"
NOW = datetime(2026, 3, 20, 8, 30, tzinfo=UTC)


def quick_passwords() -> Passwords:
    """Argon2 as everywhere, with a cost that a test can pay."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@dataclass
class ConsoleHouse:
    """A console, an operator ("chief") and two customers: "lin" of 青禾 with one app, "east" of 城东."""

    engine: AsyncEngine
    parts: Parts
    app: FastAPI
    clock: ManualClock
    account_id: str = ""
    other_id: str = ""
    app_id: str = ""

    @classmethod
    async def empty(cls, engine: AsyncEngine, **settings: object) -> ConsoleHouse:
        """Without any user: before the first run."""
        clock = ManualClock(NOW)
        read = Settings(**settings)  # type: ignore[arg-type]
        trusted = parse_networks(read.server.trusted_proxies)
        parts = Parts(read, engine, Vault([new_key()]), quick_passwords(), clock, trusted=trusted)
        root = FastAPI()
        root.mount("/console", create_console(parts))
        return cls(engine, parts, root, clock)

    @classmethod
    async def build(cls, engine: AsyncEngine, **settings: object) -> ConsoleHouse:
        house = await cls.empty(engine, **settings)
        hashed = await house.parts.passwords.hash(PASSWORD)
        async with house.begin() as unit:
            mine = await accounts.create_account(unit, "青禾")
            other = await accounts.create_account(unit, "城东")
            app = await accounts.create_app(unit, house.parts.vault, mine.id, "portal_app")
            await users.create_user(unit, "chief", hashed)
            await users.create_user(unit, "lin", hashed, account_id=mine.id)
            await users.create_user(unit, "east", hashed, account_id=other.id)
        house.account_id, house.other_id, house.app_id = mine.id, other.id, app.app_id
        return house

    def begin(self):  # type: ignore[no-untyped-def]
        return work.unit_of_work(self.engine, "test", self.clock)

    def visitor(self, peer: str = "127.0.0.1") -> Visitor:
        return Visitor(self.app, peer)

    async def signed_in(self, login: str) -> Visitor:
        visitor = self.visitor()
        answer = await visitor.submit("/login", login=login, password=PASSWORD)
        assert answer.status_code == 303, answer.text
        return visitor


class Visitor(httpx.AsyncClient):
    """A browser without a picture: keeps cookies, fills the form token in."""

    def __init__(self, app: FastAPI, peer: str) -> None:
        transport = httpx.ASGITransport(app, client=(peer, 1))
        super().__init__(transport=transport, base_url="http://console.test/console")

    async def see(self, path: str) -> str:
        """A page that must show."""
        answer = await self.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.headers.get('location')}"
        return answer.text

    async def token(self, page: str = "/login") -> str:
        answer = await self.get(page, follow_redirects=True)
        found = re.search(r'name="csrf" value="([^"]+)"', answer.text)
        assert found, answer.text[:500]
        return found[1]

    async def submit(self, path: str, *, page: str = "/login", **fields: str) -> httpx.Response:
        """Post a form as the page would."""
        return await self.post(path, data={"csrf": await self.token(page), **fields})
