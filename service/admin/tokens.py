"""Tokens of the admin API: made and stopped by an operator at the shell, each with the scopes it needs."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from inkgate.service.admin import repository
from inkgate.service.admin.models import TokenRow
from inkgate.service.audit import trail
from inkgate.service.db import clock as clocks
from inkgate.service.db.changes import add
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse

SCOPES = {
    "accounts:read": "See accounts, access keys (without secrets) and apps.",
    "accounts:write": "Change accounts, access keys and apps; see new secrets once.",
    "orders:read": "See the catalogue, packs, orders and refunds.",
    "orders:write": "Change the catalogue, grant packs, decide orders and refunds, issue vouchers.",
    "usage:read": "See statistics and lines of the ledger, and verify it.",
    "audit:read": "See the audit trail.",
}
PREFIX = "inkgate_"
NAME_LENGTH = 48  # characters


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whoever holds a token."""

    name: str
    scopes: frozenset[str]


async def create_token(work: UnitOfWork, name: str, scopes: Iterable[str], *, valid: timedelta | None = None) -> str:
    """A new token, shown this once. Raises Misuse for a name that is taken or a scope that does not exist."""
    wanted = sorted(set(scopes))
    if not wanted or not set(wanted) <= set(SCOPES):
        raise Misuse("token.scopes_invalid", choices=tuple(SCOPES))
    if not 0 < len(name) <= NAME_LENGTH or not name.isprintable():
        raise Misuse("token.name_invalid", most=NAME_LENGTH)
    if await repository.token_named(work.session, name):
        raise Misuse("token.name_taken", name=name)
    now = await work.now()
    token = PREFIX + secrets.token_urlsafe(32)
    row = TokenRow(
        token_hash=_hash(token),
        name=name,
        scopes=" ".join(wanted),
        created_at=now,
        ends_at=None if valid is None else now + valid,
    )
    await add(work.session, row)
    await trail.record(work, "token.create", f"admin token {name}", None, scopes=" ".join(wanted))
    return token


async def disable_token(work: UnitOfWork, name: str) -> None:
    """Stop a token. It stays in the list, so that its name stays in the audit trail's language."""
    if await repository.token_named(work.session, name) is None:
        raise Misuse("token.not_found", name=name)
    if await repository.disable_token(work.session, name, await work.now()):
        await trail.record(work, "token.disable", f"admin token {name}", None)


async def bearer(session: AsyncSession, token: str) -> Bearer | None:
    """Whoever holds this token, None when it is unknown, disabled or past its end."""
    now = await clocks.now(session)
    row = await repository.valid_token(session, _hash(token), now)
    return None if row is None else Bearer(row.name, frozenset(row.scopes.split()))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
