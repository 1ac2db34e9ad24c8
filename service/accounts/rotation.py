"""Check and rotation of the master key, in one transaction."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from inkgate.service.accounts import repository
from inkgate.service.accounts.service import key_context, secret_context, sm2_context
from inkgate.service.accounts.vault import ID_BYTES, VALUE_SETTING, VERSION, Vault, key_id_of
from inkgate.service.audit import repository as audit
from inkgate.service.audit import trail
from inkgate.service.audit.signing import key_context as audit_key_context
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import ConfigurationError


async def reseal(work: UnitOfWork, vault: Vault) -> int:
    """Encrypt every secret with the vault's first key; returns how many used another one.

    The vault must have the keys in use now. Raises ConfigurationError when one is missing, with
    nothing changed.
    """
    changed = 0
    for key in await repository.lock_access_keys(work.session):
        if key_id_of(key.sealed_secret) != vault.current:
            context = key_context(key.ak)
            key.sealed_secret = vault.seal(vault.open(key.sealed_secret, context), context)
            changed += 1
    for app in await repository.lock_apps(work.session):
        if key_id_of(app.sealed_secret) != vault.current:
            context = secret_context(app.id)
            app.sealed_secret = vault.seal(vault.open(app.sealed_secret, context), context)
            changed += 1
        if key_id_of(app.sealed_sm2_key) != vault.current:
            context = sm2_context(app.id)
            app.sealed_sm2_key = vault.seal(vault.open(app.sealed_sm2_key, context), context)
            changed += 1
    for signing in await audit.signing_keys(work.session, lock=True):
        if key_id_of(signing.sealed_key) != vault.current:
            context = audit_key_context(signing.id)
            signing.sealed_key = vault.seal(vault.open(signing.sealed_key, context), context)
            changed += 1
    await trail.record(work, "master_key.reseal", f"master key {vault.current.hex()}", None, secrets=changed)
    return changed


async def missing_keys(session: AsyncSession, vault: Vault) -> tuple[str, ...]:
    """Ids of the master keys that stored secrets need and the vault lacks; checked before serving.

    Raises ConfigurationError when it lacks all of them: the key belongs to another database. When only some are
    missing, the owners of the other secrets are served; the missing ones are logged and reported by the doctor.
    """
    used = await repository.sealed_parts(session, len(VERSION), ID_BYTES)
    used = {*used, *(key_id_of(row.sealed_key) for row in await audit.signing_keys(session))}
    missing = tuple(sorted(each.hex() for each in used if not vault.has_key(each)))
    if missing and len(missing) == len(used):
        raise ConfigurationError(
            VALUE_SETTING,
            f"{vault.current.hex()} opens none of the stored secrets; they are sealed under {', '.join(missing)}",
            "Give the key that this database was made with, here or in its file",
        )
    return missing


async def can_open_one(session: AsyncSession, vault: Vault) -> bool:
    """Decrypt one stored secret; False when there is none. Raises ConfigurationError when the vault cannot open it."""
    key = await repository.any_key(session)
    if key is not None:
        vault.open(key.sealed_secret, key_context(key.ak))
    return key is not None
