"""Secrets that are shown after a redirect: sealed, for one session and one page, for some minutes (ADR 0088)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from inkgate.service.accounts.vault import Vault
from inkgate.service.db import ids
from inkgate.service.db.work import UnitOfWork
from inkgate.service.users import repository
from inkgate.service.users.models import ShownSecretRow

NEW_VISIBLE = timedelta(minutes=5)
"""How long a secret that was just made can be read again."""

REVEALED_VISIBLE = timedelta(minutes=1)
"""How long a stored secret stays visible after the password."""

MAX_SECRETS = 20  # of one session


@dataclass(frozen=True, slots=True)
class ShownSecret:
    """A secret on a page. `kind` says what it is, `values` are its parts by name; it can be read for `seconds` more."""

    id: str
    kind: str
    values: Mapping[str, str] = field(repr=False)
    seconds: int


async def keep(
    work: UnitOfWork,
    vault: Vault,
    session: str,
    page: str,
    kind: str,
    values: Mapping[str, str],
    *,
    visible: timedelta = NEW_VISIBLE,
) -> None:
    """Store a secret for the page that the form redirects to. `session` is the hash of the session's token."""
    now = await work.now()
    row = ShownSecretRow(id=ids.new(), session=session, page=page, created_at=now, expires_at=now + visible)
    row.sealed_secret = vault.seal(json.dumps({"kind": kind, "values": dict(values)}).encode(), context(row.id))
    await repository.delete_expired_secrets(work.session, now)
    await repository.add_shown_secret(work.session, row, MAX_SECRETS)


async def on_page(work: UnitOfWork, vault: Vault, session: str, page: str) -> list[ShownSecret]:
    """The secrets that a session may see on a page now, latest first. New recovery codes, and a new password of a user,
    replace the ones before."""
    now = await work.now()
    found: dict[tuple[str, ...], ShownSecret] = {}
    for row in await repository.shown_secrets(work.session, session, page, now):
        secret = _opened(vault, row, now)
        found.setdefault(_replaced_by(secret), secret)
    return list(found.values())


def _replaced_by(secret: ShownSecret) -> tuple[str, ...]:
    """Of secrets with the same value here, the latest one is valid."""
    if secret.kind == "codes":
        return ("codes",)
    return ("login", secret.values["login"]) if secret.kind == "login" else (secret.id,)


async def forget(work: UnitOfWork, session: str, secret_id: str) -> str | None:
    """Delete a secret before its time; the page it was on. None when the session has no such secret."""
    return await repository.forget_shown_secret(work.session, session, secret_id)


async def delete_expired(work: UnitOfWork) -> None:
    """Delete the secrets whose time has passed."""
    await repository.delete_expired_secrets(work.session, await work.now())


def context(secret_id: str) -> str:
    """Vault context of a shown secret."""
    return f"console_shown_secret:{secret_id}"


def _opened(vault: Vault, row: ShownSecretRow, now: datetime) -> ShownSecret:
    content = json.loads(vault.open(row.sealed_secret, context(row.id)))
    return ShownSecret(row.id, content["kind"], content["values"], round((row.expires_at - now).total_seconds()))
