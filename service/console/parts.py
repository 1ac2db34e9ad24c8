"""What the console is made of; whoever makes the parts closes them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.accounts.directory import Network
from inkgate.service.accounts.vault import Vault
from inkgate.service.broker.worker_registry import WorkerRegistry
from inkgate.service.client_ip import parse_networks
from inkgate.service.console.attempts import Attempts
from inkgate.service.console.oidc import Provider
from inkgate.service.console.regions import RegionTable, load
from inkgate.service.db.clock import Clock, database_clock
from inkgate.service.settings import Settings
from inkgate.service.users.passwords import Passwords


@dataclass(frozen=True, slots=True)
class Parts:
    """The database, the vault that opens a caller's own keys, and the settings. `fleet` sees queue and workers; a
    console alone, without Redis, has none. `regions` tells where addresses lie, when there is a table.
    `provider` is who else may say who somebody is, `trusted` the proxies whose X-Forwarded-For is believed."""

    @classmethod
    def of(
        cls,
        settings: Settings,
        engine: AsyncEngine,
        vault: Vault,
        fleet: WorkerRegistry | None,
        clock: Clock = database_clock,
    ) -> Parts:
        """The parts that the settings ask for. Raises ConfigurationError."""
        provider = Provider(settings.oidc) if settings.oidc.issuer else None
        regions = load(settings.console.regions)
        trusted = parse_networks(settings.server.trusted_proxies)
        return cls(
            settings, engine, vault, clock=clock, fleet=fleet, regions=regions, provider=provider, trusted=trusted
        )

    settings: Settings
    engine: AsyncEngine
    vault: Vault
    passwords: Passwords = field(default_factory=Passwords)
    clock: Clock = database_clock
    fleet: WorkerRegistry | None = None
    regions: RegionTable | None = None
    provider: Provider | None = None
    trusted: tuple[Network, ...] = ()
    proving: asyncio.Lock = field(default_factory=asyncio.Lock)  # one proof of the ledger at a time
    attempts: Attempts = field(default_factory=Attempts)  # at guessing the set-up code, in this process
