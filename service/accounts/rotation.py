"""Check of the master keys, and the change to another key or cipher, of every column with secrets."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from sqlalchemy.ext.asyncio import AsyncSession

from inkgate.service.accounts import repository
from inkgate.service.accounts.service import key_context
from inkgate.service.accounts.vault import HEAD_BYTES, VALUE_SETTING, Vault, key_id_of
from inkgate.service.audit import trail
from inkgate.service.db.base import Base
from inkgate.service.db.sealed_columns import SealedColumn, heads, lock_others, sealed_columns, write
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import ConfigurationError

ROWS_PER_TRANSACTION = 500

Begin = Callable[[], AbstractAsyncContextManager[UnitOfWork]]


async def reseal(begin: Begin, vault: Vault, *, rows: int = ROWS_PER_TRANSACTION) -> int:
    """Encrypt every secret that has another key or cipher than the vault's current ones; returns how many.

    Each transaction takes at most `rows` rows and leaves the others free for calls. A change that was broken off is
    continued by the next one: what is converted is left alone, and everything opens all the time. The vault must have
    all keys in use. Raises ConfigurationError when one is missing, with nothing changed.
    """
    async with begin() as work:
        missing = await _missing(work.session, vault)
        if missing:
            raise ConfigurationError(
                VALUE_SETTING,
                f"stored secrets are sealed under {', '.join(missing)}, which are not among the keys given",
                "Give all keys in use, the new one first",
            )
    changed = 0
    for column in sealed_columns(Base.metadata):
        while done := await _reseal_some(begin, vault, column, rows):
            changed += done
    async with begin() as work:
        await trail.record(work, "master_key.reseal", f"master key {vault.current.hex()}", None, secrets=changed)
    return changed


async def _reseal_some(begin: Begin, vault: Vault, column: SealedColumn, rows: int) -> int:
    """Convert some rows of a column in one transaction; returns how many, 0 when none is left."""
    async with begin() as work:
        found = await lock_others(work.session, column, vault.head, rows)
        changed = []
        for row in found:
            context = column.context(row)
            changed.append((row, vault.seal(vault.open(row[column.name], context), context)))
        await write(work.session, column, changed)
        return len(changed)


async def missing_keys(session: AsyncSession, vault: Vault) -> tuple[str, ...]:
    """Ids of the master keys that stored secrets need and the vault lacks; checked before serving.

    Raises ConfigurationError when it lacks all of them: the key belongs to another database. When only some are
    missing, the owners of the other secrets are served; the missing ones are logged and reported by the doctor.
    """
    used = await _used(session)
    missing = await _missing(session, vault)
    if missing and len(missing) == len(used):
        raise ConfigurationError(
            VALUE_SETTING,
            f"{vault.current.hex()} opens none of the stored secrets; they are sealed under {', '.join(missing)}",
            "Give the key that this database was made with, here or in its file",
        )
    return missing


async def _missing(session: AsyncSession, vault: Vault) -> tuple[str, ...]:
    return tuple(sorted(each.hex() for each in await _used(session) if not vault.has_key(each)))


async def _used(session: AsyncSession) -> set[bytes]:
    """Ids of the master keys of all stored secrets."""
    found: set[bytes] = set()
    for column in sealed_columns(Base.metadata):
        found |= {key_id_of(head) for head in await heads(session, column, HEAD_BYTES)}
    return found


async def can_open_one(session: AsyncSession, vault: Vault) -> bool:
    """Decrypt one stored secret; False when there is none. Raises ConfigurationError when the vault cannot open it."""
    key = await repository.any_key(session)
    if key is not None:
        vault.open(key.sealed_secret, key_context(key.ak))
    return key is not None
