"""Reads ledger, meters and packs for verification and export."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import Select, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from inkgate.service.csv_export import CsvWriter
from inkgate.service.db import ids
from inkgate.service.errors import Misuse
from inkgate.service.metering import anchors
from inkgate.service.metering.chain import ChainVerifier
from inkgate.service.metering.models import MeterRow, PackRow
from inkgate.service.metering.verify import Finding, LineFact, MeterFact, PackFact, Verifier, verify
from inkgate.service.usage.models import RecordRow

PAGE = 5000
PROGRESS_EVERY_LINES = 1_000_000  # ledger entries between two calls of `on_progress`
YIELD_EVERY_LINES = 500  # ledger entries after which control returns to the event loop
LINE_COLUMNS = (
    "call_id",
    "line",
    "seq",
    "settled_at",
    "account_id",
    "capability",
    "app_id",
    "pack_id",
    "first_unit",
    "units",
    "images",
    "failed_images",
    "code",
    "body_bytes",
    "duration_ms",
    "client_ip",
    "request_id",
    "chain",
)


async def packs(session: AsyncSession, account_id: str | None = None) -> list[PackFact]:
    """All packs, or those of one main account."""
    columns = [getattr(PackRow, each.name) for each in fields(PackFact)]
    query = select(*columns).order_by(PackRow.ordered_at, PackRow.id)
    if account_id is not None:
        query = query.where(PackRow.account_id == account_id)
    return [PackFact(*row) for row in await session.execute(query)]


async def meters(session: AsyncSession, account_id: str | None = None) -> list[MeterFact]:
    """All meters, or those of one main account."""
    columns = (MeterRow.account_id, MeterRow.capability, MeterRow.seq, MeterRow.archived_lines)
    query = select(*columns, MeterRow.chain, MeterRow.chain_seq)
    if account_id is not None:
        query = query.where(MeterRow.account_id == account_id)
    return [MeterFact(*row[:4], _hex(row[4]), row[5]) for row in await session.execute(query)]


async def busiest(session: AsyncSession, limit: int) -> dict[str, int]:
    """Main account → number of entries, of those with most."""
    entries = func.sum(MeterRow.seq)
    query = select(MeterRow.account_id, entries).group_by(MeterRow.account_id).order_by(entries.desc()).limit(limit)
    return {str(account_id): int(count) for account_id, count in await session.execute(query)}


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


async def lines(
    session: AsyncSession, meter: MeterFact, *, since: datetime | None = None, until: datetime | None = None
) -> AsyncIterator[dict[str, Any]]:
    """The entries of one meter by sequence number, read in pages of PAGE."""
    query = _lines_of(meter, since, until)
    last = 0
    while True:
        page = (await session.execute(query.where(RecordRow.seq > last).limit(PAGE))).all()
        for row in page:
            line = dict(zip(LINE_COLUMNS, row, strict=True))
            line["chain"] = _hex(line["chain"])
            yield line
        if len(page) < PAGE:
            return
        last = page[-1][LINE_COLUMNS.index("seq")]


def _lines_of(meter: MeterFact, since: datetime | None, until: datetime | None) -> Select[Any]:
    query = select(*(getattr(RecordRow, name) for name in LINE_COLUMNS)).where(
        RecordRow.account_id == meter.account_id, RecordRow.capability == meter.capability
    )
    if since is not None:
        query = query.where(RecordRow.settled_at >= since)
    if until is not None:
        query = query.where(RecordRow.settled_at < until)
    return query.order_by(RecordRow.seq)


async def verify_database(
    session: AsyncSession,
    account_id: str | None = None,
    capability: str | None = None,
    *,
    max_findings: int | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> list[Finding]:
    """Verify the ledger in the database, optionally only that of one account or one capability.

    The session must see one snapshot: `service.db.work.snapshot_session`. Stops after `max_findings` findings.
    `on_progress` is called every PROGRESS_EVERY_LINES entries with the number read. Memory does not grow with the
    number of entries: one page is held at a time.
    """
    findings: list[Finding] = []
    async with aclosing(_verification_findings(session, account_id, capability, on_progress)) as found:
        async for each in found:
            findings.append(each)
            if len(findings) == max_findings:
                break
    return findings


async def _verification_findings(
    session: AsyncSession, account_id: str | None, capability: str | None, on_progress: Callable[[int], None] | None
) -> AsyncGenerator[Finding, None]:
    selected = [each for each in await meters(session, account_id) if capability in (None, each.capability)]
    own_packs: dict[tuple[str, str], list[PackFact]] = {(each.account_id, each.capability): [] for each in selected}
    for pack in await packs(session, account_id):
        if capability in (None, pack.capability):
            own_packs.setdefault((pack.account_id, pack.capability), []).append(pack)
    count = 0
    for meter in selected:
        # The primary key excludes duplicate calls, so the verifier need not remember call ids.
        verifier = Verifier(own_packs.pop((meter.account_id, meter.capability)), [meter], unique=True)
        chained = ChainVerifier(meter)
        async for row in lines(session, meter):
            for finding in (*verifier.line(to_line_fact(row)), *chained.line(row)):
                yield finding
            count += 1
            if count % YIELD_EVERY_LINES == 0:
                await asyncio.sleep(0)  # lets a gateway serve calls meanwhile
            if on_progress is not None and count % PROGRESS_EVERY_LINES == 0:
                on_progress(count)
        for finding in (*verifier.finish(), *chained.finish()):
            yield finding
    for finding in verify([pack for packs_ in own_packs.values() for pack in packs_], [], []):
        yield finding
    if account_id is None and capability is None and (unmetered := await _unmetered_lines(session)):
        yield Finding("sequence", "ledger", f"{unmetered} lines belong to no meter")


async def _unmetered_lines(session: AsyncSession) -> int:
    """The number of entries without a meter, counted per day: one count over all of them would exceed the statement
    time-out."""
    metered = exists().where(MeterRow.account_id == RecordRow.account_id, MeterRow.capability == RecordRow.capability)
    first = select(RecordRow.call_id).order_by(RecordRow.call_id).limit(1)
    count, call_id = 0, await session.scalar(first)
    while call_id is not None:
        end = ids.first_id_of_day(ids.timestamp_of(call_id).date() + timedelta(days=1))
        day = select(func.count()).select_from(RecordRow).where(RecordRow.call_id >= call_id, RecordRow.call_id < end)
        count += int(await session.scalar(day.where(~metered)) or 0)
        call_id = await session.scalar(first.where(RecordRow.call_id >= end))
    return count


async def units_used(session: AsyncSession, request_ids: Sequence[str], begin: datetime) -> int:
    """The units that the calls with these request ids used from packs, as the ledger has them since the day before
    `begin`."""
    query = select(func.coalesce(func.sum(RecordRow.units), 0)).where(
        RecordRow.call_id >= ids.first_id_of_day((begin - timedelta(days=1)).date()),
        RecordRow.request_id.in_(list(request_ids)),
        RecordRow.pack_id.is_not(None),
    )
    return int(await session.scalar(query) or 0)


async def payments(session: AsyncSession) -> dict[str, list[int]]:
    """The units of each call that used some, by the client's request id and in the order of the calls. Reads the whole
    ledger: for temporary services."""
    query = select(RecordRow.request_id, func.sum(RecordRow.units)).where(RecordRow.pack_id.is_not(None))
    query = query.group_by(RecordRow.request_id, RecordRow.call_id).order_by(RecordRow.call_id)
    found: dict[str, list[int]] = {}
    for request_id, units in await session.execute(query):
        if units:
            found.setdefault(request_id, []).append(int(units))
    return found


def to_line_fact(row: dict[str, Any]) -> LineFact:
    """The columns of a ledger entry that verification uses."""
    return LineFact(**{each.name: row[each.name] for each in fields(LineFact)})


async def export_json(
    session: AsyncSession, out: TextIO, account_id: str, since: datetime | None = None, until: datetime | None = None
) -> int:
    """Write an account's ledger as JSON lines for `verify_file`. Returns the number of ledger entries."""
    whole = since is None and until is None
    head = {"kind": "ledger", "version": 1, "account_id": account_id, "whole": whole}
    _write_json_line(out, head | {"since": since, "until": until})
    for pack in await packs(session, account_id):
        _write_json_line(out, {"kind": "pack"} | asdict(pack))
    all_meters = await meters(session, account_id)
    for meter in all_meters:
        _write_json_line(out, {"kind": "meter"} | asdict(meter))
    for proof in await anchors.proofs(session, account_id):
        _write_json_line(out, {"kind": "head"} | proof)
    count = 0
    for meter in all_meters:
        async for row in lines(session, meter, since=since, until=until):
            _write_json_line(out, {"kind": "line", "facts": row})
            count += 1
    return count


async def export_csv(
    session: AsyncSession, out: TextIO, account_id: str, since: datetime | None = None, until: datetime | None = None
) -> int:
    """Write an account's ledger entries as CSV with a header. Returns their number."""
    sheet = CsvWriter(out)
    sheet.row(LINE_COLUMNS)
    count = 0
    for meter in await meters(session, account_id):
        async for row in lines(session, meter, since=since, until=until):
            sheet.row(row.values())
            count += 1
    return count


def verify_file(path: Path) -> list[Finding]:
    """Verify an export made by `export_json`. Raises Misuse for any other file."""
    try:
        with path.open(encoding="utf-8") as file:
            rows = (json.loads(line) for line in file)
            head: dict[str, Any] = next(rows, {})
            if head.get("kind") != "ledger":
                raise Misuse("export.invalid", path=str(path))
            found_packs, found_meters, found_rows, proofs = _parse_rows(rows)
            chained = list(_head_findings(proofs, found_rows))
            chained += list(_chain_findings(found_meters, found_rows, whole=bool(head["whole"])))
            found_lines = [to_line_fact(row) for row in found_rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Misuse("export.unreadable", path=str(path), reason=str(error)) from None
    return [*verify(found_packs, found_meters, found_lines, whole=bool(head["whole"])), *chained]


def _chain_findings(found_meters: list[MeterFact], rows: list[dict[str, Any]], *, whole: bool) -> Iterator[Finding]:
    for meter in found_meters:
        chained = ChainVerifier(meter, whole)
        for row in rows:
            if (row["account_id"], row["capability"]) == (meter.account_id, meter.capability):
                yield from chained.line(row)
        yield from chained.finish()


def _head_findings(proofs: list[dict[str, Any]], rows: list[dict[str, Any]]) -> Iterator[Finding]:
    stored = {(row["account_id"], row["capability"], row["seq"]): row.get("chain") for row in rows}
    for proof in proofs:
        key = (proof["account_id"], proof["capability"], proof["chain_seq"])
        yield from anchors.check_proof(proof)
        if stored.get(key, proof["chain"]) != proof["chain"]:
            yield Finding("heads", f"meter {key[0]} {key[1]}", f"entry {key[2]} is not the recorded head")


def _parse_rows(
    rows: Iterator[dict[str, Any]],
) -> tuple[list[PackFact], list[MeterFact], list[dict[str, Any]], list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {"pack": [], "meter": [], "line": [], "head": []}
    for row in rows:
        found[row.pop("kind")].append(row)
    moments = ("ordered_at", "starts_at", "ends_at")
    all_packs = [
        PackFact(**row | {name: datetime.fromisoformat(row[name]) for name in moments}) for row in found["pack"]
    ]
    all_lines = [
        row["facts"] | {"settled_at": datetime.fromisoformat(row["facts"]["settled_at"])} for row in found["line"]
    ]
    return all_packs, [MeterFact(**row) for row in found["meter"]], all_lines, found["head"]


def _write_json_line(out: TextIO, row: dict[str, Any]) -> None:
    out.write(json.dumps(row, default=_to_json_value) + "\n")


def _to_json_value(value: datetime) -> str:
    return value.isoformat()
