"""Operations on accounts, access keys and apps. Every change is written to the audit trail."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from inkgate.service.accounts import repository, rules
from inkgate.service.accounts.models import AccessKeyRow, Account, AppRow, OpenedRow
from inkgate.service.accounts.vault import Vault
from inkgate.service.audit import trail
from inkgate.service.db import ids
from inkgate.service.db.changes import add
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.sealed import keys

KEYS_PER_ACCOUNT = 10
APPS_PER_ACCOUNT = 1000
DEFAULT_KEY_OVERLAP = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A new access key."""

    ak: str
    sk: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewApp:
    """A new app with its secret. `enckey` is the SM2 public key, base64 of the X.509 SPKI (CONTRACT section 6)."""

    app_id: str
    name: str
    appkey: str
    enckey: str
    secret: str = field(repr=False)


async def create_account(work: UnitOfWork, name: str, *, parent_id: str | None = None) -> Account:
    """A new account; with `parent_id` a sub-account, whose usage is paid by that main account.

    Raises Misuse when the name is taken or the parent is missing or itself a sub-account.
    """
    name = rules.account_name(name)
    if await repository.account_named(work.session, name):
        raise Misuse("account.name_taken", name=name)
    if parent_id is not None:
        parent = await repository.account(work.session, parent_id)
        if parent is None or parent.parent_id is not None:
            raise Misuse("account.parent_invalid")
    account = Account(id=ids.new(), name=name, parent_id=parent_id, created_at=await work.now())
    await add(work.session, account)
    await trail.record(work, "account.create", f"account {name}", account.id, parent_id=parent_id)
    return account


async def create_account_with_app(
    work: UnitOfWork, vault: Vault, name: str, *, parent_id: str | None = None, default_app: str
) -> tuple[Account, NewApp | None]:
    """A new account with its default app 默认应用, which has opened nothing; none when `default_app` is "".

    Raises Misuse as `create_account` and `create_app` do.
    """
    account = await create_account(work, name, parent_id=parent_id)
    return account, await create_app(work, vault, account.id, default_app) if default_app else None


async def suspend_account(work: UnitOfWork, account_id: str, *, suspended: bool = True) -> Account:
    """Stop (or allow again) every call of an account and, for a main account, of its sub-accounts.

    Does nothing, and writes no audit event, when the account is in that state already.
    """
    account = await get_account(work, account_id)
    changed = await repository.suspend(work.session, account_id, await work.now() if suspended else None)
    await work.session.refresh(account)
    if changed:
        action = "account.suspend" if suspended else "account.resume"
        await trail.record(work, action, f"account {account.name}", account.id)
    return account


async def create_access_key(work: UnitOfWork, vault: Vault, account_id: str) -> KeyPair:
    """A new access key pair: two strings of 32 hex digits. Raises Misuse when the account has too many."""
    account = await get_account(work, account_id, lock=True)  # so that concurrent calls cannot exceed the limit
    now = await work.now()
    live = [
        key
        for key in await repository.access_keys(work.session, account_id)
        if key.disabled_at is None and (key.ends_at is None or key.ends_at > now)
    ]
    if len(live) >= KEYS_PER_ACCOUNT:
        raise Misuse("key.limit", most=KEYS_PER_ACCOUNT)
    pair = KeyPair(ak=secrets.token_hex(16), sk=secrets.token_hex(16))
    sealed = vault.seal(pair.sk.encode(), key_context(pair.ak))
    await add(work.session, AccessKeyRow(ak=pair.ak, sealed_secret=sealed, account_id=account_id, created_at=now))
    await trail.record(work, "key.create", f"access key {pair.ak}", account.id)
    return pair


async def rotate_access_key(
    work: UnitOfWork, vault: Vault, ak: str, *, overlap: timedelta = DEFAULT_KEY_OVERLAP
) -> KeyPair:
    """Create a successor of a key; the old pair stays valid for `overlap`."""
    old = await _access_key(work, ak, lock=True)
    pair = await create_access_key(work, vault, old.account_id)
    end = await work.now() + overlap
    old.ends_at = end if old.ends_at is None else min(old.ends_at, end)
    await trail.record(work, "key.rotate", f"access key {ak}", old.account_id, successor=pair.ak, until=end.isoformat())
    return pair


async def disable_access_key(work: UnitOfWork, ak: str, *, disabled: bool = True) -> None:
    """Disable a key (or enable it again). Takes effect in gateways within the cache time of the directory.

    Does nothing, and writes no audit event, when the key is in that state already.
    """
    key = await _access_key(work, ak)
    if await repository.disable_key(work.session, ak, await work.now() if disabled else None):
        await work.session.refresh(key)
        await trail.record(work, "key.disable" if disabled else "key.enable", f"access key {ak}", key.account_id)


async def access_key_secret(work: UnitOfWork, vault: Vault, ak: str) -> str:
    """The secret of an access key in clear (manual 6.2.3). The access is written to the audit trail."""
    key = await _access_key(work, ak, lock=True)
    await trail.record(work, "key.reveal", f"access key {ak}", key.account_id)
    return vault.open(key.sealed_secret, key_context(ak)).decode()


async def create_app(work: UnitOfWork, vault: Vault, account_id: str, name: str, *, description: str = "") -> NewApp:
    """A new app with AppKey, AppSecret (32 hex digits each) and SM2 key pair.

    Raises Misuse when the name breaks the manual's rule (4.2) or a live app of the account has it.
    """
    account = await get_account(work, account_id, lock=True)  # so that concurrent calls cannot exceed the limit
    rules.app_name(name)
    if len(description) > rules.DESCRIPTION_LENGTH:
        raise Misuse("app.description_too_long", most=rules.DESCRIPTION_LENGTH)
    if not rules.storable(description):
        raise Misuse("app.description_unstorable")
    if await repository.live_app_named(work.session, account_id, name):
        raise Misuse("app.name_taken", name=name)
    if await repository.count_apps(work.session, [account_id]) >= APPS_PER_ACCOUNT:
        raise Misuse("app.limit", most=APPS_PER_ACCOUNT)
    private, enckey = keys.generate()
    new = NewApp(ids.new(), name, secrets.token_hex(16), enckey, secrets.token_hex(16))
    row = AppRow(
        id=new.app_id,
        account_id=account_id,
        name=name,
        description=description,
        appkey=new.appkey,
        sealed_secret=vault.seal(new.secret.encode(), secret_context(new.app_id)),
        sm2_public_key=enckey,
        sealed_sm2_key=vault.seal(private, sm2_context(new.app_id)),
        created_at=await work.now(),
    )
    await add(work.session, row)
    await trail.record(work, "app.create", f"app {name}", account.id, app_id=row.id, appkey=row.appkey)
    return new


async def delete_app(work: UnitOfWork, app_id: str) -> None:
    """Delete an app: its AppKey becomes invalid; its ledger entries and packs remain."""
    app = await get_app(work, app_id)
    if not await repository.delete_app(work.session, app_id, await work.now()):
        raise Misuse("app.not_found", app_id=app_id)
    await work.session.refresh(app)
    await trail.record(work, "app.delete", f"app {app.name}", app.account_id, app_id=app.id, appkey=app.appkey)


async def app_secret(work: UnitOfWork, vault: Vault, app_id: str) -> str:
    """The AppSecret in clear. The access is written to the audit trail."""
    app = await get_app(work, app_id, lock=True)
    await trail.record(work, "app.reveal", f"app {app.name}", app.account_id, app_id=app.id)
    return vault.open(app.sealed_secret, secret_context(app.id)).decode()


async def open_capability(work: UnitOfWork, app_id: str, capability: str, *, qps: float | None = None) -> None:
    """Open a capability for an app; opening it again changes nothing. It cannot be closed (manual 7.1)."""
    app = await get_app(work, app_id, lock=True)
    rules.capability(capability)
    rules.qps(qps)
    if await repository.opened_capability(work.session, app_id, capability):
        return
    row = OpenedRow(app_id=app_id, capability=capability, qps=qps, opened_at=await work.now())
    await add(work.session, row)
    await trail.record(
        work, "app.open", f"app {app.name}", app.account_id, app_id=app_id, capability=capability, qps=qps
    )


async def set_qps(work: UnitOfWork, app_id: str, capability: str, qps: float | None) -> None:
    """Change the request rate of an opened capability; None restores the default of the installation."""
    app = await get_app(work, app_id, lock=True)
    opened = await repository.opened_capability(work.session, app_id, rules.capability(capability))
    if opened is None:
        raise Misuse("app.capability_not_opened", app=app.name, capability=capability)
    before, opened.qps = opened.qps, rules.qps(qps)
    await trail.record(
        work, "app.qps", f"app {app.name}", app.account_id, capability=capability, app_id=app_id,
        before={"qps": before}, after={"qps": qps},
    )  # fmt: skip


async def set_allowed(
    work: UnitOfWork, app_id: str, networks: Iterable[str], *, capability: str | None = None
) -> list[str]:
    """Replace the allow-list of an app (40009), or of one capability of it (40010). Empty: every address may call."""
    app = await get_app(work, app_id, lock=True)
    wanted = rules.networks(networks)
    scope = rules.capability(capability) if capability else ""
    rules_before = await repository.allow_list(work.session, app_id)
    before = " ".join(each.network for each in rules_before if each.capability == scope)
    await repository.replace_allowed(work.session, app_id, scope, wanted)
    await trail.record(
        work, "app.allow", f"app {app.name}", app.account_id, capability=scope, app_id=app_id,
        before={"networks": before}, after={"networks": " ".join(wanted)},
    )  # fmt: skip
    return wanted


async def set_extras(work: UnitOfWork, app_id: str, extras: bool) -> None:
    """Switch on or off the extensions of the contract in the answers to this app."""
    app = await get_app(work, app_id, lock=True)
    before, app.extras = app.extras, extras
    await trail.record(
        work, "app.extras", f"app {app.name}", app.account_id, app_id=app_id,
        before={"extras": before}, after={"extras": extras},
    )  # fmt: skip


async def get_account(work: UnitOfWork, account_id: str, *, lock: bool = False) -> Account:
    """The account with this id. Raises Misuse when there is none."""
    account = await repository.account(work.session, account_id, lock=lock)
    if account is None:
        raise Misuse("account.not_found", account_id=account_id)
    return account


async def get_app(work: UnitOfWork, app_id: str, *, lock: bool = False) -> AppRow:
    """The live app with this id; `lock` locks its row. Raises Misuse when there is none."""
    app = await repository.app(work.session, app_id, lock=lock)
    if app is None or app.deleted_at is not None:
        raise Misuse("app.not_found", app_id=app_id)
    return app


async def check_app_of(work: UnitOfWork, app_id: str, account: Account) -> None:
    """Raise Misuse unless the same main account pays for the app as for `account`."""
    owner = await repository.paying_account(work.session, app_id)
    if owner is None or owner[1] != (account.parent_id or account.id):
        raise Misuse("app.not_in_account", app_id=app_id, account=account.name)


async def _access_key(work: UnitOfWork, ak: str, *, lock: bool = False) -> AccessKeyRow:
    key = await repository.access_key(work.session, ak, lock=lock)
    if key is None:
        raise Misuse("key.not_found", ak=ak)
    return key


def key_context(ak: str) -> str:
    """Vault context of the secret of an access key."""
    return f"access_key.secret:{ak}"


def secret_context(app_id: str) -> str:
    """Vault context of an AppSecret."""
    return f"app.secret:{app_id}"


def sm2_context(app_id: str) -> str:
    """Vault context of the SM2 private key of an app."""
    return f"app.sm2:{app_id}"
