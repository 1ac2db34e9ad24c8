"""Writes checked records as rows, with their audit events, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from inkgate.service.accounts.models import AccessKeyRow, Account, AllowedRow, AppRow, OpenedRow
from inkgate.service.accounts.service import key_context, secret_context, sm2_context
from inkgate.service.accounts.vault import Vault
from inkgate.service.audit import trail
from inkgate.service.audit.canonical import Value
from inkgate.service.db import ids
from inkgate.service.db.changes import add
from inkgate.service.db.work import UnitOfWork
from inkgate.service.importing import repository
from inkgate.service.importing.apps import References
from inkgate.service.importing.checks import Existing, Plan
from inkgate.service.importing.records import AccountRecord, AppRecord
from inkgate.service.metering import service as metering
from inkgate.service.metering.models import MeterRow
from inkgate.service.metering.settle import lock_meter
from inkgate.service.sealed import keys

MAX_AUDITED_NETWORKS = 20  # networks that one audit event names


@dataclass(frozen=True, slots=True)
class SealedKeys:
    """The SM2 key pair of one app: `private` 32 bytes, `enckey` as the console shows it."""

    private: bytes = field(repr=False)
    enckey: str = ""


def key_pairs(apps: Sequence[AppRecord]) -> dict[int, SealedKeys]:
    """Row → the SM2 key pair of its app: the one that came along, or a new one. About 1 ms each."""
    pairs = {}
    for each in apps:
        private, enckey = (each.private, keys.public_of(each.private)) if each.private else keys.generate()
        pairs[each.row] = SealedKeys(private, enckey)
    return pairs


class Writer:
    """Writes a plan. The order of the methods is that of the references: accounts, keys, apps, capabilities, packs."""

    def __init__(self, work: UnitOfWork, vault: Vault, existing: Existing, now: datetime) -> None:
        self._work, self._vault, self._now = work, vault, now
        self._accounts = dict(existing.accounts)
        self._apps = dict(existing.apps)
        self._owners = dict(existing.owners)
        self._deleted_appkeys = existing.appkeys
        self._existing_apps = existing.apps
        self._created: set[str] = set()  # ids of accounts

    async def write(self, plan: Plan, pairs: Mapping[int, SealedKeys]) -> None:
        """Write every record of `plan`; `pairs` are the SM2 key pairs of its apps."""
        await self._write_accounts([each for each in plan.accounts if not each.parent])
        await self._write_accounts([each for each in plan.accounts if each.parent])
        await self._write_keys(plan)
        await self._write_apps(plan, pairs)
        references = References(plan.apps, self._existing_apps)
        await self._write_capabilities(plan, references)
        await self._write_packs(plan, references)

    def _record(self, action: str, subject: str, account_id: str | None, **detail: Value) -> None:
        trail.record_at(self._now, self._work, action, subject, account_id, imported=True, **detail)

    async def _write_accounts(self, records: Sequence[AccountRecord]) -> None:
        for each in records:
            parent_id = self._accounts[each.parent].id if each.parent else None
            self._accounts[each.name] = Account(id=ids.new(), name=each.name, parent_id=parent_id, created_at=self._now)
        rows = [self._accounts[each.name] for each in records]
        self._created |= {row.id for row in rows}
        await add(self._work.session, *rows)
        for row in rows:
            self._record("account.create", f"account {row.name}", row.id, parent_id=row.parent_id)

    async def _write_keys(self, plan: Plan) -> None:
        rows = [
            AccessKeyRow(
                ak=each.ak,
                sealed_secret=self._vault.seal(each.secret.encode(), key_context(each.ak)),
                account_id=self._accounts[each.account].id,
                created_at=self._now,
                imported_at=self._now,
            )
            for each in plan.keys
        ]
        await add(self._work.session, *rows)
        for row in rows:
            self._record("key.create", f"access key {row.ak}", row.account_id)

    async def _write_apps(self, plan: Plan, pairs: Mapping[int, SealedKeys]) -> None:
        for each in plan.apps:
            if self._deleted_appkeys.get(each.appkey):
                await repository.release_appkey(self._work.session, each.appkey)
            app_id, pair = ids.new(), pairs[each.row]
            account = self._accounts[each.account]
            self._apps[each.account, each.name] = AppRow(
                id=app_id,
                account_id=account.id,
                name=each.name,
                description=each.description,
                appkey=each.appkey,
                sealed_secret=self._vault.seal(each.secret.encode(), secret_context(app_id)),
                sm2_public_key=pair.enckey,
                sealed_sm2_key=self._vault.seal(pair.private, sm2_context(app_id)),
                imported_at=self._now,
                seals=each.seals,
                sm2_imported=bool(each.private),
                created_at=self._now,
            )
            self._owners[account.id] = account
        rows = [self._apps[each.account, each.name] for each in plan.apps]
        await add(self._work.session, *rows)
        for row in rows:
            self._record(
                "app.create",
                f"app {row.name}",
                row.account_id,
                app_id=row.id,
                appkey=row.appkey,
                sm2_imported=row.sm2_imported,
            )
        for each in plan.apps:
            await self._allow(self._apps[each.account, each.name], "", each.allowed)

    async def _write_capabilities(self, plan: Plan, references: References) -> None:
        pairs = [(each, self._apps[references.key(each)]) for each in plan.capabilities]
        rows = [
            OpenedRow(app_id=app.id, capability=each.capability, qps=each.qps, opened_at=self._now)
            for each, app in pairs
        ]
        await add(self._work.session, *rows)
        for each, app in pairs:
            self._record(
                "app.open", f"app {app.name}", app.account_id, app_id=app.id, capability=each.capability, qps=each.qps
            )
            await self._allow(app, each.capability, each.allowed)

    async def _allow(self, app: AppRow, capability: str, networks: Sequence[str]) -> None:
        """Write an allow-list: of a new app, or of a capability that was not opened before. Empty: nothing."""
        if not networks:
            return
        rows = [AllowedRow(app_id=app.id, capability=capability, network=network) for network in networks]
        await add(self._work.session, *rows)
        listed = " ".join(networks[:MAX_AUDITED_NETWORKS])
        self._record(
            "app.allow", f"app {app.name}", app.account_id, app_id=app.id, capability=capability, networks=listed,
            count=len(networks),
        )  # fmt: skip

    async def _write_packs(self, plan: Plan, references: References) -> None:
        """Write the packs. The order of the file is their order of purchase, in which units are used (manual 7.1)."""
        apps = {each.row: self._apps[references.key(each)] for each in plan.packs if each.app}
        owners = {each.row: self._payer(each.account, apps.get(each.row)) for each in plan.packs}
        entered = await self._lock_meters({(owners[each.row], each.capability) for each in plan.packs})
        rows = []
        for place, each in enumerate(plan.packs):
            payer = owners[each.row]
            row = metering.pack_row(
                payer,
                each.capability,
                each.units,
                app_id=apps[each.row].id if each.app else None,
                ordered_at=self._now - timedelta(microseconds=len(plan.packs) - place),
                starts_at=self._now,
                ends_at=each.ends,
                entered_seq=entered[payer, each.capability],
            )
            rows.append(row)
            self._record(
                "pack.grant",
                f"pack {row.id}",
                payer,
                capability=each.capability,
                units=each.units,
                app_id=row.app_id,
                ends=each.ends.isoformat(),
            )
        await add(self._work.session, *rows)

    async def _lock_meters(self, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], int]:
        """(payer id, capability) → seq of its meter, which is locked until the transaction ends.

        Those of accounts that this import creates are inserted together: no other transaction knows them.
        """
        fresh = sorted(each for each in wanted if each[0] in self._created)
        rows = [
            MeterRow(account_id=payer, capability=name, seq=0, settled_at=self._now, archived_lines=0)
            for payer, name in fresh
        ]
        await add(self._work.session, *rows)
        found = dict.fromkeys(fresh, 0)
        connection = await self._work.session.connection()
        for payer, name in sorted(set(wanted) - set(fresh)):
            found[payer, name] = (await lock_meter(connection, payer, name, self._work.clock)).seq
        return found

    def _payer(self, account: str, app: AppRow | None) -> str:
        """Id of the main account that pays, for an app or for an account."""
        owner = self._accounts[account] if app is None else self._owners[app.account_id]
        return owner.parent_id or owner.id
