"""The second factor of a user: set-up, check of a code, recovery codes, removal. The key is sealed at rest."""

from __future__ import annotations

import re
import secrets

from inkgate.service.accounts.vault import Vault
from inkgate.service.audit import trail
from inkgate.service.db.hashes import hash_token
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.users import repository, totp
from inkgate.service.users.models import UserRow

RECOVERY_CODES = 10
_GROUPS, _GROUP_LENGTH = 4, 4  # of a recovery code: 80 random bits
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # 32 characters without l, o, 0 and 1
_RECOVERY_CODE = re.compile(f"[{_ALPHABET}]{{{_GROUPS * _GROUP_LENGTH}}}")


def context_of(user_id: str) -> str:
    """The context of the sealed key."""
    return f"console_user.factor:{user_id}"


async def begin(work: UnitOfWork, vault: Vault, user_id: str) -> None:
    """Give a user without a second factor a new key, which counts once `confirm` has seen a code of it."""
    key = vault.seal(totp.new_key(), context_of(user_id))
    if not await repository.set_pending_factor(work.session, user_id, key):
        raise Misuse("factor.set_up_already")


def pending_key(vault: Vault, user: UserRow) -> bytes | None:
    """The key that waits to be confirmed; None without one."""
    if user.sealed_factor is None or user.factor_at is not None:
        return None
    return vault.open(user.sealed_factor, context_of(user.id))


async def confirm(work: UnitOfWork, vault: Vault, login: str, code: str) -> list[str]:
    """Turn the second factor on and return the recovery codes, which are shown once. Raises Misuse for a wrong code."""
    user = await _locked(work, login)
    if user.factor_at is not None:
        raise Misuse("factor.set_up_already")
    key, now = pending_key(vault, user), await work.now()
    step = totp.matching_step(key, _digits(code), now, None) if key is not None else None
    if step is None:
        raise Misuse("factor.code_wrong")
    user.factor_at, user.factor_step = now, step
    await trail.record(work, "factor.set_up", f"user {user.login}", user.account_id)
    return await _new_recovery_codes(work, user)


async def accept(work: UnitOfWork, user: UserRow, *, vault: Vault, code: str) -> bool:
    """Whether this is a code that the user's app shows now and that was not used before, or an unused recovery code.
    The row of the user must be locked."""
    if user.sealed_factor is None or user.factor_at is None:
        return False
    key = vault.open(user.sealed_factor, context_of(user.id))
    step = totp.matching_step(key, _digits(code), await work.now(), user.factor_step)
    if step is not None:
        user.factor_step = step
        return True
    written = code.casefold().replace("-", "").replace(" ", "")
    if _RECOVERY_CODE.fullmatch(written) is None:
        return False
    if not await repository.use_recovery_code(work.session, user.id, hash_token(written)):
        return False
    await trail.record(work, "factor.recovery", f"user {user.login}", user.account_id)
    return True


async def renew_recovery_codes(work: UnitOfWork, login: str) -> list[str]:
    """New recovery codes; the old ones become invalid. Raises Misuse without a second factor."""
    user = await _locked(work, login)
    if user.factor_at is None:
        raise Misuse("factor.not_set_up")
    await trail.record(work, "factor.codes", f"user {user.login}", user.account_id)
    return await _new_recovery_codes(work, user)


async def remove(work: UnitOfWork, login: str) -> None:
    """Turn a user's own second factor off. Raises Misuse without one."""
    user = await _locked(work, login)
    if user.factor_at is None:
        raise Misuse("factor.not_set_up")
    await _clear(work, user)
    await trail.record(work, "factor.remove", f"user {user.login}", user.account_id)


async def reset(work: UnitOfWork, login: str) -> None:
    """Turn off the second factor of a user who has lost it, and end the sessions. Raises Misuse without one."""
    user = await _locked(work, login)
    if user.factor_at is None:
        raise Misuse("factor.not_set_up")
    await _clear(work, user)
    await repository.delete_sessions(work.session, user.id)
    await trail.record(work, "factor.reset", f"user {user.login}", user.account_id)


async def _clear(work: UnitOfWork, user: UserRow) -> None:
    user.sealed_factor = user.factor_at = user.factor_step = None
    await repository.delete_recovery_codes(work.session, user.id)


async def _new_recovery_codes(work: UnitOfWork, user: UserRow) -> list[str]:
    codes = ["".join(secrets.choice(_ALPHABET) for _ in range(_GROUPS * _GROUP_LENGTH)) for _ in range(RECOVERY_CODES)]
    await repository.delete_recovery_codes(work.session, user.id)
    await repository.add_recovery_codes(work.session, user.id, [hash_token(code) for code in codes])
    return ["-".join(code[at : at + _GROUP_LENGTH] for at in range(0, len(code), _GROUP_LENGTH)) for code in codes]


async def _locked(work: UnitOfWork, login: str) -> UserRow:
    user = await repository.user_named(work.session, login, lock=True)
    if user is None or user.disabled_at is not None:
        raise Misuse("user.not_found", user_id=login)
    return user


def _digits(code: str) -> str:
    return code.replace(" ", "")
