"""Helpers of the commands that use the database: opening it, running a coroutine, printing rows."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service import settings as configuration
from inkgate.service import tables  # noqa: F401 - foreign keys need every table
from inkgate.service.accounts import lookup, repository
from inkgate.service.accounts.models import Account, AppRow
from inkgate.service.accounts.opening import open_vault
from inkgate.service.accounts.vault import Vault
from inkgate.service.audit import trail
from inkgate.service.db import engine as engines
from inkgate.service.db import migrate, work
from inkgate.service.db.clock import CheckedClock, Clock
from inkgate.service.db.work import Origin, UnitOfWork
from inkgate.service.errors import DatabaseDown, InkGateError, Misuse
from inkgate.service.settings import Settings

T = TypeVar("T")
JSON = typer.Option(False, "--json", help="Print JSON.")
LIMIT = typer.Option(100, min=1, max=10_000, help="At most so many.")
OWNER = typer.Option("", "--account", help="The account that has the app, for a name that several use.")


@dataclass(frozen=True, slots=True)
class CommandContext:
    """An open database with the schema of this release, the settings and the clock."""

    engine: AsyncEngine
    settings: Settings
    clock: Clock

    async def vault(self) -> Vault:
        """The vault of the settings. Raises ConfigurationError, also if the key does not belong to this database."""
        return await open_vault(self.settings, self.engine)

    def begin(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """A unit of work with the shell user as its actor."""
        return work.unit_of_work(self.engine, f"cli:{getpass.getuser()}", self.clock, shell_origin())

    async def look(self, what: str, account_id: str | None = None) -> None:
        """Record that data of customers are shown, once in a while."""
        async with self.begin() as unit:
            await trail.record_look(unit, "cli.view", what, account_id)


def shell_origin() -> Origin:
    """The host of the shell, or the client of its SSH session, and its terminal."""
    client = os.environ.get("SSH_CONNECTION", "").partition(" ")[0]
    try:
        terminal = os.ttyname(0)
    except OSError:
        terminal = None
    return Origin("cli", client or socket.gethostname(), terminal)


@asynccontextmanager
async def _open_context() -> AsyncIterator[CommandContext]:
    settings = configuration.load()
    async with engines.opened(settings.database) as engine:
        await migrate.check(engine)
        yield CommandContext(engine, settings, CheckedClock(timedelta(minutes=settings.ledger.clock_jump_minutes)))


def run(action: Callable[[CommandContext], Awaitable[T]]) -> T:
    """Run `action` with an open database. Raises DatabaseDown if the database cannot be used."""

    async def inner() -> T:
        async with _open_context() as context:
            return await action(context)

    try:
        return asyncio.run(inner())
    except InkGateError:
        raise
    except (SQLAlchemyError, OSError) as error:
        raise DatabaseDown(
            f"the database cannot be used: {engines.reason(error)}. Check INKGATE_DATABASE__URL"
        ) from None


async def find_account(unit: UnitOfWork, name: str) -> Account:
    """The account with this name or id. Raises Misuse."""
    found = await repository.account_named(unit.session, name)
    if found is None:
        found = await repository.account(unit.session, name)
    if found is None:
        raise Misuse("command.account_not_found", name=name)
    await trail.record_look(unit, "cli.view", f"account {found.name}", found.id)
    return found


async def find_app(unit: UnitOfWork, name: str, account: str = "") -> AppRow:
    """The live app with this id, AppKey or name; with `account` the one that this account itself has.

    Raises Misuse, also when a name fits several.
    """
    owner = await find_account(unit, account) if account else None
    try:
        found = await lookup.find_app(unit, name, [owner.id] if owner else None)
    except Misuse as problem:
        if problem.code != "app.name_ambiguous":
            raise
        count, apps = problem.params["count"], problem.params["apps"]
        raise Misuse("command.app_name_ambiguous", name=name, count=count, apps=apps) from None
    if found is None:
        if owner is not None:
            raise Misuse("command.app_not_in_account", name=name, account=owner.name)
        raise Misuse("command.app_not_found", name=name)
    await trail.record_look(unit, "cli.view", f"app {found.name}", found.account_id)
    return found


async def find_app_paid_by(unit: UnitOfWork, name: str, account: Account) -> AppRow:
    """The live app with this id, AppKey or name, of the main account that pays for `account` or of its sub-accounts.

    Raises Misuse, also when a name fits several.
    """
    family = await repository.account_with_subaccounts(unit.session, account.parent_id or account.id)
    found = await lookup.find_app(unit, name, [each.id for each in family])
    if found is None:
        raise Misuse("command.app_not_in_account", name=name, account=account.name)
    await trail.record_look(unit, "cli.view", f"app {found.name}", found.account_id)
    return found


def format_value(value: object) -> str:
    """A value for display: local time to the second, thousands separated, "-" for None."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def print_fields(rows: Mapping[str, object], *, as_json: bool) -> None:
    """Print NAME=value lines, or one JSON object."""
    if as_json:
        print(json.dumps(dict(rows), ensure_ascii=False, default=_plain))
        return
    for name, value in rows.items():
        print(f"{name}={value}")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, as_json: bool) -> None:
    """Print a table, or a JSON list of objects."""
    if as_json:
        listed = [dict(zip(columns, row, strict=True)) for row in rows]
        print(json.dumps(listed, ensure_ascii=False, default=_plain))
        return
    printed = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        printed.add_row(*(format_value(value) for value in row))
    Console(soft_wrap=True).print(printed)


def one_of(names: Sequence[str]) -> str:
    """Names as a help text lists them: `a, b or c`."""
    return " or ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
