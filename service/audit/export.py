"""The trail as a file: JSON lines that `inkgate audit verify` verifies without a database, or CSV for spreadsheets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from inkgate.service.audit import chain, checkpoints, repository
from inkgate.service.audit.canonical import MEMBERS, canonical, instant
from inkgate.service.audit.repository import Filter
from inkgate.service.audit.verify import FORMAT, FORMAT_VERSION

COLUMNS = (*MEMBERS, "hash")


async def json_lines(session: AsyncSession, wanted: Filter, at: datetime) -> AsyncIterator[str]:
    """The lines of an export: header, checkpoints, events, end. A period gives a part of the chain without gaps.

    `session` sees one snapshot; `at` is the time of the export.
    """
    bounds = await repository.sequences(session, wanted)
    head = await repository.head(session)
    archived = await repository.last_archive(session)
    begin = archived.sequence + 1 if archived else 1
    whole = wanted == Filter()
    first, last = (begin, head[0]) if whole else bounds or (1, 0)
    header = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "exported_at": instant(at),
        "first": first,
        "last": last if first <= last else None,
        "whole": whole,
        "contiguous": wanted.in_time_only,
        "keys": [row.public_key for row in await repository.signing_keys(session)],
    }
    yield _line(header)
    for row in await repository.checkpoints(session, since=first - 1):
        if row.sequence <= last or whole:
            yield _line({"checkpoint": checkpoints.members(row)})
    count = 0
    selected = replace(wanted, since=None, until=None) if wanted.in_time_only else wanted
    async for event in repository.matching(session, selected, first, last):
        count += 1
        yield _line({"event": chain.members(event)})
    yield _line({"end": count})


async def range_lines(session: AsyncSession, first: int, last: int) -> AsyncIterator[str]:
    """The lines of an export of the events from `first` to `last`, with the checkpoint before them that they follow."""
    header = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "first": first,
        "last": last if first <= last else None,
        "whole": False,
        "contiguous": True,
        "keys": [row.public_key for row in await repository.signing_keys(session)],
    }
    yield _line(header)
    for row in await repository.checkpoints(session, since=first - 1, last=last):
        yield _line({"checkpoint": checkpoints.members(row)})
    count = 0
    async for event in repository.matching(session, Filter(), first, last):
        count += 1
        yield _line({"event": chain.members(event)})
    yield _line({"end": count})


async def csv_rows(session: AsyncSession, wanted: Filter) -> AsyncIterator[list[object]]:
    """The values of COLUMNS of each event, in the order of the chain."""
    bounds = await repository.sequences(session, wanted)
    if bounds is None:
        return
    async for event in repository.matching(session, wanted, *bounds):
        yield csv_row(chain.members(event))


def csv_row(event: Mapping[str, Any]) -> list[object]:
    """One event in CSV; `detail` is JSON."""
    return [canonical(event["detail"]) if name == "detail" else event[name] for name in COLUMNS]


def _line(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":")) + "\n"
