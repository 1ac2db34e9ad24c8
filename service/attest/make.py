"""Makes a pack: records that in the audit trail, signs the ends of the chains, reads the proofs, signs the pack."""

from __future__ import annotations

import platform
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from inkgate.service import __version__
from inkgate.service.attest import archive, clauses, proofs, report
from inkgate.service.attest.evidence import Part, failed, json_file
from inkgate.service.audit import checkpoints, repository, trail
from inkgate.service.audit.canonical import instant
from inkgate.service.audit.signing import Sealer, SigningKey, signing_key
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import InkGateError
from inkgate.service.metering import anchors

ACTION, SUBJECT = "attest.make", "evidence pack"
SUMMARY_FILE, CLAUSES_FILE, PAGE_FILE = "summary.json", "clauses.json", "index.html"
ORDER = ("settings", "sbom", "models", "contract", "accuracy", "audit", "ledger", "chaos")
"""The parts in the order of the page."""


@dataclass(frozen=True, slots=True)
class Made:
    """A pack as the bytes of its file, its parts, and the key that signed it."""

    packed: bytes
    parts: Sequence[Part]
    public_key: str


async def make(
    begin: Callable[[], AbstractAsyncContextManager[UnitOfWork]],
    snapshot: Callable[[], AbstractAsyncContextManager[AsyncSession]],
    vault: Sealer,
    given: Sequence[Part],
) -> Made:
    """The pack with the `given` parts and those of the database. `begin` opens a unit of work, `snapshot` a session
    that sees one state. Raises ConfigurationError when the signing key cannot be opened, and PackInvalid."""
    before = await _sign(begin, vault)
    async with begin() as unit:
        states: dict[str, Any] = {part.name: part.state for part in given}
        await trail.record(unit, ACTION, SUBJECT, None, **states)
    await anchors.anchor(begin, snapshot, always=True)
    await _sign(begin, vault)
    async with snapshot() as session:
        read = [
            await _read(proofs.AUDIT, session, proofs.audit_part),
            await _read(proofs.LEDGER, session, lambda session: proofs.ledger_part(session, before)),
        ]
    async with begin() as unit:
        at = await unit.now()
        await repository.lock_head(unit.session)
        key = await signing_key(unit, vault)
    everything = sorted([*given, *read], key=lambda part: ORDER.index(part.name))
    return Made(_pack(everything, at, key), everything, key.public_key)


async def _sign(begin: Callable[[], AbstractAsyncContextManager[UnitOfWork]], vault: Sealer) -> int:
    """Sign the end of the trail; the sequence of the newest checkpoint, 0 for none."""
    async with begin() as unit:
        await checkpoints.sign_head(unit, vault)
        last = await repository.last_checkpoint(unit.session)
        return last.sequence if last is not None else 0


async def _read(name: str, session: AsyncSession, make_part: Callable[[AsyncSession], Awaitable[Part]]) -> Part:
    try:
        return await make_part(session)
    except (SQLAlchemyError, OSError, InkGateError, ValueError) as error:
        return failed(name, f"{type(error).__name__}: {error}")


def _pack(parts: Sequence[Part], at: datetime, key: SigningKey) -> bytes:
    table = clauses.load()
    facts = {"product": f"inkgate {__version__}", "made_at": instant(at)}
    summary = facts | {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "parts": [part.summary() for part in parts],
        "limits": [{"zh": each.zh, "en": each.en} for each in table.limits],
    }
    files = {name: data for part in parts for name, data in part.files.items()}
    files[SUMMARY_FILE] = json_file(summary)
    files[CLAUSES_FILE] = json_file(report.clause_rows(table, frozenset(files)))
    files[PAGE_FILE] = report.page(parts, table, facts, key.id, frozenset(files)).encode()
    return archive.write(files, facts, key.public_key, key.sign)
