"""The database of a serving process, with the vault for stored secrets and the clock used to settle."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.accounts.opening import open_vault
from inkgate.service.accounts.vault import Vault
from inkgate.service.db import clock as clocks
from inkgate.service.db import engine as databases
from inkgate.service.db import migrate
from inkgate.service.db.clock import CheckedClock
from inkgate.service.settings import Settings
from inkgate.service.telemetry.health import Check


@dataclass(frozen=True, slots=True)
class OpenDatabase:
    """A database with the schema of this release; `vault` decrypts its secrets."""

    engine: AsyncEngine
    vault: Vault
    clock: CheckedClock

    @property
    def check(self) -> Check:
        """Readiness check: the database answers and has the schema of this release."""
        return partial(migrate.check, self.engine)


async def open_database(stack: AsyncExitStack, settings: Settings) -> OpenDatabase:
    """Open the database of the settings; `stack` closes its connections.

    Raises ConfigurationError for a wrong URL or master key, or a schema of another release.
    """
    engine = await stack.enter_async_context(databases.opened(settings.database))
    await migrate.check(engine)
    clock = clocks.CheckedClock(timedelta(minutes=settings.ledger.clock_jump_minutes))
    return OpenDatabase(engine, await open_vault(settings, engine), clock)
