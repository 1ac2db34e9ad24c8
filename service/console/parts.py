"""What the console is made of; whoever makes the parts closes them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncEngine

from service.accounts.vault import Vault
from service.broker.fleet import Fleet
from service.db.clock import Clock, database_clock
from service.settings import Settings
from service.users.passwords import Passwords


@dataclass(frozen=True, slots=True)
class Parts:
    """The database, the vault that opens a caller's own keys, and the settings. `fleet` sees queue and workers; a
    console alone, without Redis, has none."""

    settings: Settings
    engine: AsyncEngine
    vault: Vault
    passwords: Passwords = field(default_factory=Passwords)
    clock: Clock = database_clock
    fleet: Fleet | None = None
    proving: asyncio.Lock = field(default_factory=asyncio.Lock)  # one proof of the ledger at a time
