"""Fixtures of the console tests: a console over a new database, and HTTP clients that sign in."""

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
from inkgate.service.console import ConsoleDependencies, create_console
from inkgate.service.db import work
from inkgate.service.settings import Settings
from inkgate.service.users import service as users
from inkgate.service.users.passwords import Passwords
from tests.built_routes import with_built_routes
from tests.ledger_data import ManualClock

PASSWORD = "a quiet afternoon"
NOW = datetime(2026, 3, 20, 8, 30, tzinfo=UTC)


def cheap_passwords() -> Passwords:
    """Argon2 at minimal cost, for tests."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@dataclass
class ConsoleFixture:
    """A console, an operator ("chief") and two customers: "lin" of 青禾 with one app, "east" of 城东."""

    engine: AsyncEngine
    parts: ConsoleDependencies
    app: FastAPI
    clock: ManualClock
    account_id: str = ""
    other_id: str = ""
    app_id: str = ""

    @classmethod
    async def empty(cls, engine: AsyncEngine, **settings: object) -> ConsoleFixture:
        """A console without users, as before the first run."""
        clock = ManualClock(NOW)
        read = Settings(**settings)  # type: ignore[arg-type]
        trusted = parse_networks(read.server.trusted_proxies)
        parts = ConsoleDependencies(
            read,
            engine,
            Vault([new_key()]),
            cheap_passwords(),
            clock,
            trusted_proxies=trusted,
        )
        root = FastAPI()
        root.mount("/console", with_built_routes(create_console(parts)))
        return cls(engine, parts, root, clock)

    @classmethod
    async def build(cls, engine: AsyncEngine, **settings: object) -> ConsoleFixture:
        console = await cls.empty(engine, **settings)
        hashed = await console.parts.passwords.hash(PASSWORD)
        async with console.begin() as unit:
            mine = await accounts.create_account(unit, "青禾")
            other = await accounts.create_account(unit, "城东")
            app = await accounts.create_app(unit, console.parts.vault, mine.id, "portal_app")
            await users.create_user(unit, "chief", hashed)
            await users.create_user(unit, "lin", hashed, account_id=mine.id)
            await users.create_user(unit, "east", hashed, account_id=other.id)
        console.account_id, console.other_id, console.app_id = mine.id, other.id, app.app_id
        return console

    def begin(self):  # type: ignore[no-untyped-def]
        return work.unit_of_work(self.engine, "test", self.clock)

    def visitor(self, peer: str = "127.0.0.1") -> BrowserClient:
        return BrowserClient(self.app, peer)

    async def signed_in(self, login: str) -> BrowserClient:
        visitor = self.visitor()
        answer = await visitor.submit("/login", login=login, password=PASSWORD)
        assert answer.status_code == 303, answer.text
        return visitor


class BrowserClient(httpx.AsyncClient):
    """An HTTP client that keeps cookies and fills in the form token, like a browser."""

    def __init__(self, app: FastAPI, peer: str) -> None:
        transport = httpx.ASGITransport(app, client=(peer, 1))
        super().__init__(transport=transport, base_url="http://console.test/console")

    async def see(self, path: str) -> str:
        """The text of a page. Fails unless the status is 200."""
        answer = await self.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.headers.get('location')}"
        return answer.text

    async def token(self, page: str = "/login") -> str:
        answer = await self.get(page, follow_redirects=True)
        found = re.search(r'name="csrf" value="([^"]+)"', answer.text)
        assert found, answer.text[:500]
        return found[1]

    async def submit(self, path: str, *, page: str = "/login", **fields: str) -> httpx.Response:
        """Post a form with the form token of `page`."""
        return await self.post(path, data={"csrf": await self.token(page), **fields})

    async def submitted(self, path: str, *, page: str = "/login", **fields: str) -> httpx.Response:
        """The page that a form leads to. Fails unless the form was answered with a redirect."""
        answer = await self.submit(path, page=page, **fields)
        assert answer.status_code == 303, answer.text
        return await self.get(answer.headers["location"].removeprefix("/console"))
