"""The chaos run of `inkgate attest --chaos`: a temporary service with data of its own, beside the running one."""

from __future__ import annotations

import json
import os
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from inkgate.service.accounts import vault as vaults
from inkgate.service.attest.chaos.instance import Instance
from inkgate.service.attest.chaos.run import Plan, run
from inkgate.service.attest.chaos.traffic import Traffic
from inkgate.service.attest.chaos.verdict import Accounts, Call
from inkgate.service.attest.contract_cases import Keys
from inkgate.service.attest.evidence import Part
from inkgate.service.audit import verify as trail_verify
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db import engine as databases
from inkgate.service.db import migrate, scratch, work
from inkgate.service.metering import ledger_reader
from inkgate.service.metering.policy import Event, Policy
from inkgate.service.provision import provision
from inkgate.service.settings import Database, Security, Settings

QPS = 10_000.0  # no call of the run is refused for its rate
WORKERS = 2
DEADLINE_SECONDS = 60.0  # less than a client waits
COPIED = ("engine", "billing")  # groups of settings that the temporary service has from the installation


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for: seconds of traffic, the URL of a Postgres server on which a database may be made, and that of
    a Redis for answers under a prefix of their own. "": a SQLite file, and answers in the memory of the process."""

    seconds: float
    postgres: str = ""
    redis: str = ""


async def chaos_part(settings: Settings, wanted: Wanted) -> Part:
    """Make the part. What it starts or writes is gone afterwards; keys in a Redis expire within minutes.

    Raises what `run` raises, and SQLAlchemyError and OSError for a database that cannot be used.
    """
    with tempfile.TemporaryDirectory(prefix="inkgate-chaos-") as name:
        return await _in_folder(settings, wanted, Path(name))


async def _in_folder(settings: Settings, wanted: Wanted, folder: Path) -> Part:
    async with _database(wanted, folder) as url:
        key_file = folder / "master.key"
        vaults.write(key_file, [vaults.new_key()])
        await migrate.upgrade_async(url)
        keys = await _provision(url, key_file)
        environment = _environment(settings, url, key_file, wanted.redis)
        instance = Instance(_command(), environment, folder)
        traffic = Traffic(instance.base_url, keys)
        stores = ("Postgres" if wanted.postgres else "SQLite") + (" + Redis" if wanted.redis else "")
        plan = Plan(wanted.seconds, bool(wanted.redis), f"inkgate serve, {WORKERS} workers, {stores}")
        return await run(instance, traffic, plan, lambda traffic: _accounts(url, traffic), _price(settings))


def _database(wanted: Wanted, folder: Path) -> scratch.Opened:
    return scratch.postgres(wanted.postgres) if wanted.postgres else _sqlite(folder)


@asynccontextmanager
async def _sqlite(folder: Path) -> AsyncIterator[str]:
    yield f"sqlite+aiosqlite:///{folder / 'inkgate.db'}"


def _command() -> list[str]:
    return [sys.executable, "-P", "-m", "inkgate.service.cli.temporary", str(os.getpid())]


def _environment(settings: Settings, url: str, key_file: Path, redis: str) -> dict[str, str]:
    """The settings of the temporary service: engine and prices of this installation, and nothing that leads to its data
    or to people."""
    copied = {
        f"INKGATE_{group}__{name}".upper(): _text(value)
        for group in COPIED
        for name, value in _values(getattr(settings, group)).items()
        if value is not None
    }
    return copied | {
        "INKGATE_DATABASE__URL": url,
        "INKGATE_SECURITY__MASTER_KEY_FILE": str(key_file),
        "INKGATE_REDIS__URL": redis,
        "INKGATE_REDIS__NAMESPACE": f"{scratch.PREFIX}{secrets.token_hex(6)}",
        "INKGATE_WORKER__PROCESSES": str(WORKERS),
        "INKGATE_WORKER__PAGE_CORES": "1",
        "INKGATE_LIMITS__DEADLINE": str(DEADLINE_SECONDS),
        "INKGATE_CONSOLE__ENABLED": "false",
        "INKGATE_SERVER__ADMIN": "false",
        "INKGATE_NOTICES__ENABLED": "false",
        "INKGATE_TELEMETRY__LOG_LEVEL": "error",
        "INKGATE_TELEMETRY__LOG_FORMAT": "text",
    }


def _values(group: BaseModel) -> dict[str, object]:
    return group.model_dump(mode="json")


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


async def _provision(url: str, key_file: Path) -> Keys:
    async with databases.opened(Database(url=url)) as engine:
        vault = vaults.load(Security(master_key_file=key_file), Database(url=url))
        made = await provision(engine, vault, QPS, refused=False)
        return Keys(made.ak, made.sk, made.appkey)


async def _accounts(url: str, traffic: Traffic) -> Accounts:
    """The ledger of the stopped service: payments by request id, and what does not hold of ledger and audit trail."""
    async with databases.opened(Database(url=url)) as engine, work.snapshot_session(engine) as session:
        charged = await ledger_reader.payments(session)
        found = [f"{each.where}: {each.what}" for each in await ledger_reader.verify_database(session)]
        outcome = await trail_verify.verify_database(session)
        found += [f"{each.where}: {each.what}" for each in outcome.findings]
    return Accounts(charged, traffic.answers, found)


def _price(settings: Settings) -> Callable[[Call], int]:
    policy = Policy(settings.billing.model_dump())

    def price(call: Call) -> int:
        if not CAPABILITIES[call.capability].commercial:
            return 0
        failed = len(call.images) - call.read
        return policy.units([Event.IMAGE_READ] * call.read + [Event.INTERNAL_FAULT] * failed)

    return price
