"""Dependencies of the console; their creator closes them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.accounts.directory import Network
from inkgate.service.accounts.vault import Vault
from inkgate.service.broker.worker_registry import WorkerRegistry
from inkgate.service.client_ip import parse_networks
from inkgate.service.console.agreement import load_agreement
from inkgate.service.console.directory import Directory
from inkgate.service.console.oidc import Provider
from inkgate.service.console.regions import RegionTable, load
from inkgate.service.console.try_results import TryResults
from inkgate.service.db.clock import Clock, database_clock
from inkgate.service.settings import Settings
from inkgate.service.users.passwords import PasswordRules, Passwords
from inkgate.service.users.service import Lifetime, Lock


@dataclass(frozen=True, slots=True)
class ConsoleDependencies:
    """Settings, database, vault and services of the console.

    `fleet` observes queue and workers; None for a console of its own without Redis. `regions` maps addresses to
    provinces, when a table is configured. `identity_provider` is the OpenID Connect provider, `directory` the LDAP
    directory, `trusted_proxies` are the proxies whose X-Forwarded-For counts.
    """

    @classmethod
    def of(
        cls,
        settings: Settings,
        engine: AsyncEngine,
        vault: Vault,
        fleet: WorkerRegistry | None,
        clock: Clock = database_clock,
    ) -> ConsoleDependencies:
        """The dependencies that the settings require. Raises ConfigurationError."""
        identity_provider = Provider(settings.oidc) if settings.oidc.issuer else None
        directory = Directory(settings.ldap) if settings.ldap.url else None
        regions = load(settings.console.regions)
        trusted_proxies = parse_networks(settings.server.trusted_proxies)
        agreement = load_agreement(settings.orders.agreement_file)
        return cls(
            settings,
            engine,
            vault,
            clock=clock,
            fleet=fleet,
            regions=regions,
            identity_provider=identity_provider,
            directory=directory,
            trusted_proxies=trusted_proxies,
            agreement=agreement,
        )

    settings: Settings
    engine: AsyncEngine
    vault: Vault
    passwords: Passwords = field(default_factory=Passwords)
    clock: Clock = database_clock
    fleet: WorkerRegistry | None = None
    regions: RegionTable | None = None
    identity_provider: Provider | None = None
    directory: Directory | None = None
    trusted_proxies: tuple[Network, ...] = ()
    agreement: tuple[str, ...] = ()  # paragraphs of the operator's service agreement; empty: the built-in one
    verification_lock: asyncio.Lock = field(default_factory=asyncio.Lock)  # one verification of the ledger at a time
    try_results: TryResults = field(default_factory=TryResults)  # of calls of this process


def lifetime(parts: ConsoleDependencies) -> Lifetime:
    """Session lifetime of the settings."""
    console = parts.settings.console
    return Lifetime(timedelta(minutes=console.idle_minutes), timedelta(hours=console.session_hours))


def lock_of(parts: ConsoleDependencies) -> Lock:
    """When failures lock a user, by the settings."""
    access = parts.settings.access
    return Lock(access.lock_after, timedelta(minutes=access.lock_minutes))


def password_rules(parts: ConsoleDependencies) -> PasswordRules:
    """The rules for passwords of the settings."""
    access = parts.settings.access
    return PasswordRules(access.password_characters, access.password_classes, access.password_history)
