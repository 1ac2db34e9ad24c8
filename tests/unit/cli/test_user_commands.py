"""`inkgate user …`: list, disable and reset users."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from sqlalchemy import select

from inkgate.service.audit import repository as audit
from inkgate.service.db import engine as engines
from inkgate.service.db import work
from inkgate.service.settings import Database
from inkgate.service.users import service as users
from inkgate.service.users.models import SessionRow
from inkgate.service.users.passwords import Passwords
from tests.console.console_fixture import cheap_passwords
from tests.unit.cli.test_money_commands import Shell, inkgate

__all__ = ["inkgate"]
PASSWORD = "a quiet afternoon"
LIFETIME = users.Lifetime(users.Lock().duration, users.Lock().duration)


class People:
    """Two operators and a customer's user, each signed in, in the database of the shell."""

    def __init__(self, folder: Path) -> None:
        self._url = f"sqlite+aiosqlite:///{folder}/inkgate.db"

    def make(self, account_id: str) -> None:
        asyncio.run(self._make(account_id))

    def fits(self, login: str, password: str) -> bool:
        return asyncio.run(self._fits(login, password))

    def seen(self) -> tuple[int, list[tuple[str, str]]]:
        """(number of sessions, events of the audit trail)."""
        return asyncio.run(self._seen())

    async def _make(self, account_id: str) -> None:
        engine, passwords = engines.create(Database(url=self._url)), cheap_passwords()
        async with work.unit_of_work(engine, "test") as unit:
            hashed = await passwords.hash(PASSWORD)
            for login, owner in (("chief", None), ("deputy", None), ("lin", account_id)):
                await users.create_user(unit, login, hashed, account_id=owner)
                assert await users.sign_in(unit, login, hashed, LIFETIME)
        await engine.dispose()

    async def _fits(self, login: str, password: str) -> bool:
        engine = engines.create(Database(url=self._url))
        async with work.read_session(engine) as session:
            fits = await users.password_proof(session, Passwords(), login, password)
        await engine.dispose()
        return fits is not None

    async def _seen(self) -> tuple[int, list[tuple[str, str]]]:
        engine = engines.create(Database(url=self._url))
        async with work.read_session(engine) as session:
            sessions = list(await session.scalars(select(SessionRow.token_hash)))
            events = [(each.action, each.subject) for each in await audit.events(session)]
        await engine.dispose()
        return len(sessions), events


@pytest.fixture
def people(inkgate: Shell, tmp_path: Path) -> People:
    people = People(tmp_path)
    people.make(inkgate.facts("account", "create", "demo")["ACCOUNT"])
    return people


def states(inkgate: Shell, *options: str) -> dict[str, str]:
    return {each["login"]: each["state"] for each in json.loads(inkgate("user", "list", "--json", *options))}


def test_users_are_listed_with_their_state(inkgate: Shell, people: People) -> None:
    assert states(inkgate) == {"chief": "good", "deputy": "good", "lin": "good"}
    assert set(states(inkgate, "--operators")) == {"chief", "deputy"}
    assert set(states(inkgate, "--account", "demo")) == {"lin"}
    inkgate("user", "list", "--account", "demo", "--operators", status=2)


def test_an_operator_is_disabled_and_the_last_one_stays(inkgate: Shell, people: People) -> None:
    inkgate("user", "disable", "deputy")
    assert states(inkgate)["deputy"] == "disabled"
    assert people.seen()[0] == 2
    inkgate("user", "disable", "chief", status=2)
    assert "last operator" in inkgate.error
    inkgate("user", "disable", "deputy", "--enable")
    inkgate("user", "disable", "chief")
    assert ("user.disable", "user chief") in people.seen()[1]


def test_a_password_is_reset_and_shown_once(inkgate: Shell, people: People) -> None:
    given = inkgate.facts("user", "reset", "chief")
    assert people.fits("chief", given["PASSWORD"]) and not people.fits("chief", PASSWORD)
    assert states(inkgate)["chief"] == "must-change"
    sessions, events = people.seen()
    assert sessions == 2 and ("user.reset", "user chief") in events


def test_an_unknown_user_is_misuse(inkgate: Shell, people: People) -> None:
    for words in (("disable", "unknown"), ("reset", "unknown")):
        inkgate("user", *words, status=2)
        assert "inkgate user list" in inkgate.error


def test_a_user_belongs_to_an_account_or_is_an_operator(inkgate: Shell) -> None:
    inkgate("account", "create", "main")
    for wrong in ((), ("--operator", "--account", "main"), ("--role", "finance")):
        inkgate("user", "create", "chief", *wrong, status=2)
    assert "PASSWORD=" in inkgate("user", "create", "chief", "--operator")
    assert "PASSWORD=" in inkgate("user", "create", "warden", "--role", "security")
    assert "PASSWORD=" in inkgate("user", "create", "lin", "--account", "main", "--role", "finance")
    listed = {each["login"]: each for each in json.loads(inkgate("user", "list", "--json"))}
    assert [listed[name]["account"] for name in ("chief", "warden", "lin")] == [None, None, "main"]
