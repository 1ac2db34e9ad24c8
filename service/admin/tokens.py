"""Tokens of the admin API, created and disabled on the command line, each with its scopes."""

from __future__ import annotations

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
from inkgate.service.db.hashes import hash_token
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.permissions import Permission
from inkgate.service.permissions.roles import duties_of
from inkgate.service.permissions.routes import TOKEN_PERMISSIONS, permissions_of_scopes

SCOPES = {
    "accounts:read": "See accounts, access keys (without secrets) and apps.",
    "accounts:write": "Change accounts, access keys and apps; see new secrets once.",
    "orders:read": "See the catalogue, packs, orders and refunds.",
    "orders:write": "Change the catalogue, grant packs, decide orders and refunds, issue vouchers.",
    "usage:read": "See statistics and lines of the ledger, and verify it.",
    "audit:read": "See the audit trail.",
}
CHOICES = (*SCOPES, *sorted(each.value for each in TOKEN_PERMISSIONS))
"""What a token may be given: scopes, and single permissions of the table."""
MAX_SCOPES_LENGTH = 255  # characters, with the spaces between them
PREFIX = "inkgate_"
NAME_LENGTH = 48  # characters


@dataclass(frozen=True, slots=True)
class TokenHolder:
    """The holder of a valid token."""

    name: str
    scopes: frozenset[str]

    @property
    def permissions(self) -> frozenset[Permission]:
        """The permissions that the scopes stand for."""
        return permissions_of_scopes(self.scopes)


async def create_token(
    work: UnitOfWork, name: str, scopes: Iterable[str], *, valid: timedelta | None = None, separate: bool = False
) -> str:
    """Create a token and return its value, which is not stored. `separate`: duties are separate.

    Raises Misuse for a name in use, an unknown scope, and for the changes of two duties where they are separate.
    """
    wanted = sorted(set(scopes))
    if not wanted or not set(wanted) <= set(CHOICES):
        raise Misuse("token.scopes_invalid", choices=CHOICES)
    if len(" ".join(wanted)) > MAX_SCOPES_LENGTH:
        raise Misuse("token.scopes_too_long", most=MAX_SCOPES_LENGTH)
    if separate and has_several_duties(permissions_of_scopes(frozenset(wanted))):
        raise Misuse("token.duties_mixed")
    if not 0 < len(name) <= NAME_LENGTH or not name.isprintable():
        raise Misuse("token.name_invalid", most=NAME_LENGTH)
    if await repository.token_named(work.session, name):
        raise Misuse("token.name_taken", name=name)
    now = await work.now()
    token = PREFIX + secrets.token_urlsafe(32)
    row = TokenRow(
        token_hash=hash_token(token),
        name=name,
        scopes=" ".join(wanted),
        created_at=now,
        ends_at=None if valid is None else now + valid,
    )
    await add(work.session, row)
    await trail.record(work, "token.create", f"admin token {name}", None, scopes=" ".join(wanted))
    return token


async def disable_token(work: UnitOfWork, name: str) -> None:
    """Disable a token. The row stays, since the audit trail names it. Raises Misuse for an unknown name."""
    if await repository.token_named(work.session, name) is None:
        raise Misuse("token.not_found", name=name)
    if await repository.disable_token(work.session, name, await work.now()):
        await trail.record(work, "token.disable", f"admin token {name}", None)


async def bearer(session: AsyncSession, token: str) -> TokenHolder | None:
    """The holder of this token; None if it is unknown, disabled or expired."""
    now = await clocks.now(session)
    row = await repository.valid_token(session, hash_token(token), now)
    return None if row is None else TokenHolder(row.name, frozenset(row.scopes.split()))


def has_several_duties(permissions: frozenset[Permission]) -> bool:
    """Whether these permissions are the work of more than one separate role: the changes of two, or the changes of one
    and the audit trail, which only the auditor sees."""
    duties = {role.value for role in duties_of(permissions)}
    if Permission.AUDIT_SEE in permissions:
        duties.add("auditor")
    return len(duties) > 1
