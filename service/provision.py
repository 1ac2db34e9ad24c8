"""Accounts, apps and packs for throw-away services: the sandbox and the demo."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.accounts import service as accounts
from inkgate.service.accounts.vault import Vault
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db import ids
from inkgate.service.db.work import UnitOfWork, unit_of_work
from inkgate.service.metering import SqlLedger
from inkgate.service.metering.interface import Settlement
from inkgate.service.metering.packs import COMMERCIAL
from inkgate.service.metering.service import grant_pack

UNITS = 1_000_000
REFUSED_FOR = COMMERCIAL[0]  # the capability that the refused apps have opened


@dataclass(frozen=True, slots=True)
class Keys:
    """What a client needs to sign and to seal, a `second` paid app, and apps refused each in its own way."""

    ak: str
    sk: str = field(repr=False)
    appkey: str = ""
    enckey: str = ""
    refused: dict[str, str] = field(default_factory=dict)
    second: str = ""

    def lines(self, base_url: str) -> list[str]:
        """NAME=value lines for a shell or an environment file."""
        named = {"BASE_URL": base_url, "AK": self.ak, "SK": self.sk, "APPKEY": self.appkey, "ENCKEY": self.enckey}
        if self.second:
            named["APPKEY_SECOND"] = self.second
        return [f"{name}={value}" for name, value in {**named, **self.refused}.items()]


async def provision(engine: AsyncEngine, vault: Vault, qps: float, *, refused: bool, second: bool = False) -> Keys:
    """One account and an app with every capability opened and paid; with `refused` also apps for each 4xxxx and 5xxxx
    code, with `second` another paid one. Packs are bound to their app, so that the apps of one account do not pay for
    each other."""
    async with unit_of_work(engine, "sandbox") as work:
        account = await accounts.create_account(work, "sandbox")
        pair = await accounts.create_access_key(work, vault, account.id)
        main, *others_paid = [
            await _paid(work, vault, account.id, name, qps) for name in ("sandbox_app", "sandbox_second")[: 1 + second]
        ]
        others = await _refused(work, vault, account.id) if refused else {}
    if refused:
        await _use_up(engine, account.id, others["exhausted"].app_id)
    names = {f"APPKEY_{name.upper()}": app.appkey for name, app in others.items()}
    paid = others_paid[0].appkey if others_paid else ""
    return Keys(pair.ak, pair.sk, main.appkey, main.enckey, names, paid)


async def _paid(work: UnitOfWork, vault: Vault, account_id: str, name: str, qps: float) -> accounts.NewApp:
    app = await accounts.create_app(work, vault, account_id, name)
    for capability in CAPABILITIES:
        await accounts.open_capability(work, app.app_id, capability, qps=qps)
    for capability in COMMERCIAL:
        await grant_pack(work, account_id, capability, UNITS, app_id=app.app_id)
    return app


async def _refused(work: UnitOfWork, vault: Vault, account_id: str) -> dict[str, accounts.NewApp]:
    """Apps that answer 51003, 51001, 51002, 50002 and 40009."""
    apps = {}
    for name in ("exhausted", "expired", "unpurchased", "notopened", "ipdenied"):
        app = apps[name] = await accounts.create_app(work, vault, account_id, f"sandbox_{name[:7]}")
        if name != "notopened":
            await accounts.open_capability(work, app.app_id, REFUSED_FOR)
    await grant_pack(work, account_id, REFUSED_FOR, 1, app_id=apps["exhausted"].app_id)
    long_ago = await work.now() - timedelta(days=400)
    await grant_pack(
        work,
        account_id,
        REFUSED_FOR,
        UNITS,
        app_id=apps["expired"].app_id,
        ordered_at=long_ago,
        starts_at=long_ago,
        ends_at=long_ago + timedelta(days=365),
    )
    await accounts.set_allowed(work, apps["ipdenied"].app_id, ["192.0.2.0/24"])  # RFC 5737: nobody calls from there
    return apps


async def _use_up(engine: AsyncEngine, account_id: str, app_id: str) -> None:
    """Spend the exhausted app's only unit, by the ledger's own way."""
    ledger = SqlLedger(engine)
    await ledger.start()
    call_id = ids.new()
    await ledger.settle(Settlement(call_id, account_id, app_id, REFUSED_FOR, 1, 1, 0, 0, 0, 0, "127.0.0.1", call_id))
    await ledger.close()


def write_env_file(path: Path, lines: list[str]) -> None:
    """Write all at once and readable by the owner alone, so that whoever waits for the file never sees half of it."""
    draft = path.with_name(path.name + ".part")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    draft.replace(path)
