"""The recheck of old entries verifies their chain: it finds an entry that was changed without a change of units.

Each step verifies the entries that it adds up, in its own snapshot, after the last chained entry of the step before.
What retention archived and what a release without the chain wrote is treated as by `inkgate ledger verify`.
"""

from __future__ import annotations

import asyncio
import logging

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from inkgate.service.metering.chain import GENESIS, ChainVerifier
from inkgate.service.metering.drift import FULL_RECHECK, Key, row
from inkgate.service.metering.ledger_reader import LINE_COLUMNS, YIELD_EVERY_LINES, to_line
from inkgate.service.metering.models import CheckRow, MeterRow
from inkgate.service.metering.verify import Finding, MeterFact
from inkgate.service.usage.models import RecordRow

MAX_ENTRIES = 2_000  # per step: they are in memory at once, and on SQLite settlements wait meanwhile

log = logging.getLogger(__name__)


async def verify_span(connection: AsyncConnection, key: Key, span: tuple[int, int]) -> None:
    """Verify the entries of a meter after number span[0] up to span[1] and add the broken ones to its recheck. At the
    last entry of the meter the end of the chain is compared as well, and missing entries are counted."""
    meter = await _meter(connection, key)
    progress = select(CheckRow.broken, CheckRow.lines, CheckRow.chain_seq, CheckRow.chain_to)
    before, lines, chain_seq, chain_to = (await connection.execute(progress.where(*row(key, FULL_RECHECK)))).one()
    verifier = ChainVerifier(meter)
    if span[0]:
        # A release without these columns may have taken the step before.
        known = chain_seq if chain_to == span[0] else None
        verifier.resume(span[0], *await _predecessor(connection, key, known))
    findings = await _findings(connection, key, span, verifier)
    missing = 0
    if span[1] == meter.seq:
        findings += verifier.finish()
        missing = abs(meter.seq - lines)  # the caller has added the entries of the span
    values = {"broken": before + len(findings) + missing, "chain_to": span[1]}
    await connection.execute(
        update(CheckRow).where(*row(key, FULL_RECHECK)).values(**values, chain_seq=verifier.chained_to(span[1]))
    )
    if findings and not before:  # one line per pass; the number is in the result
        log.error(
            "the ledger of account %s, %s, was changed: %s (%s); run: inkgate ledger verify",
            *key,
            findings[0].what,
            findings[0].where,
        )


async def _meter(connection: AsyncConnection, key: Key) -> MeterFact:
    columns = (MeterRow.seq, MeterRow.archived_lines, MeterRow.chain, MeterRow.chain_seq)
    query = select(*columns).where(MeterRow.account_id == key[0], MeterRow.capability == key[1])
    seq, archived, chain, chain_seq = (await connection.execute(query)).one()
    return MeterFact(*key, seq, archived, None if chain is None else chain.hex(), chain_seq)


async def _predecessor(connection: AsyncConnection, key: Key, seq: int | None) -> tuple[int | None, bytes]:
    """Number and hash of the chained entry `seq`; None when it is unknown or retention has deleted it since."""
    if not seq:
        return seq, GENESIS
    same = (RecordRow.account_id == key[0], RecordRow.capability == key[1], RecordRow.seq == seq)
    stored = await connection.scalar(select(RecordRow.chain).where(*same).limit(1))
    return (None, GENESIS) if stored is None else (seq, bytes(stored))


async def _findings(
    connection: AsyncConnection, key: Key, span: tuple[int, int], verifier: ChainVerifier
) -> list[Finding]:
    query = (
        select(*(getattr(RecordRow, name) for name in LINE_COLUMNS))
        .where(RecordRow.account_id == key[0], RecordRow.capability == key[1])
        .where(RecordRow.seq > span[0], RecordRow.seq <= span[1])
        .order_by(RecordRow.seq)
        .limit(span[1] - span[0])
    )
    findings: list[Finding] = []
    for number, entry in enumerate((await connection.execute(query)).all()):
        findings += verifier.line(to_line(entry))
        if number % YIELD_EVERY_LINES == 0:
            await asyncio.sleep(0)  # a gateway serves calls meanwhile
    return findings
