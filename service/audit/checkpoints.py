"""Signed checkpoints of the chain, and the retention of events up to one of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from inkgate.service.audit import chain, repository, trail
from inkgate.service.audit.canonical import ARCHIVE, HEAD, checkpoint_text, instant
from inkgate.service.audit.models import CheckpointRow
from inkgate.service.audit.signing import Sealer, signing_key
from inkgate.service.db import ids
from inkgate.service.db.work import UnitOfWork

DELETED_ROWS = 500  # rows per transaction of the retention


def members(row: CheckpointRow) -> dict[str, Any]:
    """The members of a checkpoint's text, and its signature."""
    names = ("kind", "sequence", "hash", "key_id", "signature")
    return {"at": instant(row.at)} | {name: getattr(row, name) for name in names}


async def sign_head(work: UnitOfWork, vault: Sealer) -> CheckpointRow | None:
    """Sign the end of the chain; None when nothing is new since the last checkpoint. Raises ConfigurationError."""
    head = await repository.lock_head(work.session)
    last = await repository.last_checkpoint(work.session)
    if head.hash is None or (last is not None and last.sequence >= head.sequence):
        return None
    return await _sign(work, vault, HEAD, head.sequence, head.hash)


async def sign_archive(work: UnitOfWork, vault: Sealer, before: datetime, sent: int | None) -> CheckpointRow | None:
    """Sign that the events older than `before` may be deleted, of those with a receiver only the ones `sent`.

    None when there are none. They are the beginning of the chain, without gaps. Raises ConfigurationError.
    """
    await repository.lock_head(work.session)
    sequence = await repository.last_before(work.session, before)
    if sequence is not None and sent is not None:
        sequence = min(sequence, sent)
    archived = await repository.last_archive(work.session)
    if sequence is None or sequence <= (archived.sequence if archived else 0):
        return None
    last = await repository.event_at(work.session, sequence)
    if last is None or last.hash is None:
        return None
    row = await _sign(work, vault, ARCHIVE, sequence, last.hash)
    await trail.record(
        work, "audit.archive", "audit trail", None, sequence=sequence, before_day=before.date().isoformat()
    )
    return row


async def delete_archived(work: UnitOfWork) -> int:
    """Delete some of the events that the last archive checkpoint covers; returns how many were deleted."""
    archived = await repository.last_archive(work.session)
    if archived is None:
        return 0
    return await repository.delete_up_to(work.session, archived.sequence, DELETED_ROWS)


async def adopt_rows(work: UnitOfWork) -> int:
    """Chain rows of a release without the chain, and record it; returns how many."""
    adopted = await chain.adopt(work)
    if adopted:
        await trail.record(work, "audit.adopt", "audit trail", None, rows=adopted)
    return adopted


async def _sign(work: UnitOfWork, vault: Sealer, kind: str, sequence: int, value: str) -> CheckpointRow:
    key = await signing_key(work, vault)
    facts = {"kind": kind, "sequence": sequence, "hash": value, "key_id": key.id}
    at = await work.now()
    signed = key.sign(checkpoint_text({"at": instant(at)} | facts))
    row = CheckpointRow(id=ids.new(), at=at, signature=signed, **facts)
    repository.add_row(work.session, row)
    await work.session.flush()
    return row
