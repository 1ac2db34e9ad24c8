"""Writes the ends of the meters' chains into the audit trail, whose checkpoints are signed (ADR 0081).

An event `ledger.heads` has the root of a hash tree over the heads (merkle.py). The heads themselves are one row per
meter. Before a head is replaced, the rows must still have the root of the last event, and the ledger the entry that
the head names: a ledger that was rewritten is found at the next round, and the head that proves it is kept.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from inkgate.service.audit import repository as trail_rows
from inkgate.service.audit import trail
from inkgate.service.audit.models import EventRow
from inkgate.service.db import upsert
from inkgate.service.db.work import UnitOfWork
from inkgate.service.metering import merkle
from inkgate.service.metering.merkle import RootBuilder, head_text, leaf_hash
from inkgate.service.metering.models import AnchorRow, MeterRow
from inkgate.service.metering.verify import Finding
from inkgate.service.usage.models import RecordRow

ACTION, SUBJECT = "ledger.heads", "ledger"
MAX_CHANGED = 5000  # heads replaced per step, those recorded longest ago first
MAX_STEPS = 4  # per round; what is left is for the next one, and a notice says so
READ_ROWS = 500  # heads per query; other tasks of a gateway go on between two queries
LOOKUP_ROWS = 500  # entries per query, each with three parameters
KEY = ["account_id", "capability"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a meter's chain; `chain` is hexadecimal."""

    account_id: str
    capability: str
    chain_seq: int
    chain: str

    @property
    def leaf(self) -> bytes:
        return leaf_hash(head_text(self.account_id, self.capability, self.chain_seq, self.chain))


Begin = Callable[[], AbstractAsyncContextManager[UnitOfWork]]
Snapshot = Callable[[], AbstractAsyncContextManager[AsyncSession]]


@dataclass(frozen=True, slots=True)
class _Plan:
    """What one step writes, read without a lock after the event `last`: the heads that replace others, and the root
    over all of them. `waiting` is the number of heads that moved and did not fit into the step."""

    last: EventRow | None
    rows: Sequence[Any]
    detail: dict[str, Any]
    waiting: int
    findings: int


async def anchor(begin: Begin, snapshot: Snapshot, interval: timedelta = timedelta(0), *, always: bool = False) -> bool:
    """Record the heads that have moved, unless that was done within `interval`; returns whether an event was written.
    With `always` it is written though nothing has moved.

    All heads are read in a snapshot; the trail is locked for the writing alone, and only if no other process has
    recorded heads meanwhile. A round takes MAX_STEPS steps of MAX_CHANGED heads; the event says how many are left.
    """
    async with begin() as work:
        now = await work.now()
        last = await trail_rows.latest(work.session, ACTION, SUBJECT)
    if last is not None and timedelta(0) <= now - last.at < interval:
        return False
    written = False
    for step in range(MAX_STEPS):
        plan = await _read(snapshot, final=step == MAX_STEPS - 1)
        if not plan.detail["meters"] or (_same(plan) and not (always and not written)):
            return written
        outcome = await _write(begin, plan)
        written = written or outcome
        if outcome and (not plan.waiting or plan.findings):
            return True
    return written


async def _read(snapshot: Snapshot, *, final: bool) -> _Plan:
    """The next step; the event of the `final` one of a round says how many heads are left."""
    async with snapshot() as session:
        last = await last_event(session)
        moved = await _moved(session, MAX_CHANGED + 1)
        waiting = await _count_moved(session) - MAX_CHANGED if len(moved) > MAX_CHANGED else 0
        broken = await _broken(session, moved[:MAX_CHANGED])
        rows = [row for row in moved[:MAX_CHANGED] if (row.account_id, row.capability) not in broken]
        before, after = await _roots(session, rows)
        findings = _against_event(last, *before) + [_rewritten(*key) for key in sorted(broken)]
    detail: dict[str, Any] = {"meters": after[0], "root": after[1]}
    if waiting and final:
        detail["waiting"] = waiting
    if findings:
        log.error("the ledger is not the one that the audit trail has recorded: %s", findings[0].what)
        detail |= {"findings": len(findings), "first": findings[0].where}
    return _Plan(last, rows, detail, waiting, len(findings))


def _same(plan: _Plan) -> bool:
    return plan.last is not None and plan.last.detail == plan.detail


async def _write(begin: Begin, plan: _Plan) -> bool:
    """Replace heads and record their root; False when another process has recorded heads meanwhile."""
    async with begin() as work:
        session = work.session
        await trail_rows.lock_head(session)
        last = await trail_rows.latest(session, ACTION, SUBJECT)
        if (last.id if last is not None else None) != (plan.last.id if plan.last is not None else None):
            return False
        await _replace(session, plan.rows, await work.now())
        result: trail.Result = "failed" if plan.findings else "done"
        await trail.record(work, ACTION, SUBJECT, None, result=result, **plan.detail)
    return True


async def verify(session: AsyncSession) -> list[Finding]:
    """What does not hold of the recorded heads: against the last event, and against the ledger. The session has one
    snapshot."""
    findings = await findings_of_rows(session, await last_event(session))
    return findings + [_rewritten(*key) for key in sorted(await _broken(session, await _moved(session, limit=None)))]


async def findings_of_rows(session: AsyncSession, last: EventRow | None) -> list[Finding]:
    """Whether the recorded heads have the root of the last event."""
    before, _ = await _roots(session, [])
    return _against_event(last, *before)


def _against_event(last: EventRow | None, count: int, root: str) -> list[Finding]:
    if last is None:
        return [Finding("heads", SUBJECT, f"{count} heads are recorded without an event")] if count else []
    if (count, root) == (last.detail["meters"], last.detail["root"]):
        return []
    return [Finding("heads", SUBJECT, f"the recorded heads are not those of event {last.sequence}")]


def _rewritten(account_id: str, capability: str) -> Finding:
    where = f"meter {account_id} {capability}"
    return Finding("heads", where, "the ledger has not the entry that the audit trail has recorded as the last one")


async def _roots(session: AsyncSession, rows: Sequence[Any]) -> tuple[tuple[int, str], tuple[int, str]]:
    """Number and root of the recorded heads: as they are, and once `rows` have replaced some or have been added.

    Both in one pass, in the order of code points.
    """
    before, after = RootBuilder(), RootBuilder()
    news = sorted((Head(row.account_id, row.capability, row.chain_seq, row.chain.hex()) for row in rows), key=_key)
    at = 0
    async for head in heads(session):
        before.add(leaf := head.leaf)
        while at < len(news) and _key(news[at]) < _key(head):
            after.add(news[at].leaf)
            at += 1
        if at < len(news) and _key(news[at]) == _key(head):
            leaf = news[at].leaf
            at += 1
        after.add(leaf)
    for new in news[at:]:
        after.add(new.leaf)
    return _counted(before), _counted(after)


def _key(head: Head) -> tuple[str, str]:
    return head.account_id, head.capability


def _counted(builder: RootBuilder) -> tuple[int, str]:
    return builder.count, f"sm3:{builder.root().hex()}"


async def _replace(session: AsyncSession, moved: Sequence[Any], now: datetime) -> None:
    rows = [
        {"account_id": row.account_id, "capability": row.capability, "chain_seq": row.chain_seq, "chain": row.chain}
        for row in moved
    ]
    if rows:
        statement = upsert.insert_or_replace(upsert.dialect_of(session), AnchorRow, KEY, ["chain_seq", "chain", "at"])
        await session.execute(statement, [row | {"at": now} for row in rows])


async def heads(session: AsyncSession) -> AsyncIterator[Head]:
    """The recorded heads by account and capability, read in pages."""
    query = select(AnchorRow.account_id, AnchorRow.capability, AnchorRow.chain_seq, AnchorRow.chain)
    # The order of the tree is that of code points, whatever the database's language.
    name = AnchorRow.capability.collate("C") if upsert.dialect_of(session) == "postgresql" else AnchorRow.capability
    query = query.order_by(AnchorRow.account_id, name).limit(READ_ROWS)
    after: tuple[str, str] | None = None
    while True:
        page = (await session.execute(query if after is None else query.where(_beyond(name, *after)))).all()
        for row in page:
            yield Head(row[0], row[1], row[2], row[3].hex())
        if len(page) < READ_ROWS:
            return
        after = (page[-1][0], page[-1][1])


async def proofs(session: AsyncSession, account_id: str) -> list[dict[str, Any]]:
    """The recorded heads of an account, each with the path that leads to the root in the event `event` of the trail."""
    event = await last_event(session)
    own: list[tuple[int, Head]] = []
    leaves: list[bytes] = []
    async for head in heads(session):
        if head.account_id == account_id:
            own.append((len(leaves), head))
        leaves.append(head.leaf)
    if event is None:
        return []
    return [
        {
            **asdict(head),
            "event": event.sequence,
            "index": index,
            "count": len(leaves),
            "root": event.detail["root"],
            "path": [each.hex() for each in merkle.path_of(leaves, index)],
        }
        for index, head in own
    ]


def check_proof(proof: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether a head of an export leads to its root. Raises KeyError, TypeError and ValueError."""
    head = Head(*(proof[name] for name in ("account_id", "capability", "chain_seq", "chain")))
    path = [bytes.fromhex(each) for each in proof["path"]]
    root = merkle.root_from_path(head.leaf, int(proof["index"]), int(proof["count"]), path)
    if root is None or f"sm3:{root.hex()}" != proof["root"]:
        where = f"meter {head.account_id} {head.capability}"
        yield Finding("heads", where, f"its recorded head does not lead to the root of event {proof['event']}")


async def last_event(session: AsyncSession) -> EventRow | None:
    """The event with the root over `heads`; None before the first."""
    return await trail_rows.latest(session, ACTION, SUBJECT)


def _beyond(name: Any, account_id: str, capability: str) -> ColumnElement[bool]:
    same = and_(AnchorRow.account_id == account_id, name > capability)
    return or_(AnchorRow.account_id > account_id, same)


async def _moved(session: AsyncSession, limit: int | None = MAX_CHANGED) -> Sequence[Any]:
    """Meters whose head is not the recorded one, with the recorded one: `old_seq` and `old`."""
    query = _of_moved(
        select(
            MeterRow.account_id, MeterRow.capability, MeterRow.chain_seq, MeterRow.chain, MeterRow.archived_lines,
            AnchorRow.chain_seq.label("old_seq"), AnchorRow.chain.label("old"),
        )
    )  # fmt: skip
    query = query.order_by(AnchorRow.at.nulls_first(), MeterRow.account_id, MeterRow.capability).limit(limit)
    rows: Sequence[Any] = (await session.execute(query)).all()
    return rows


async def _count_moved(session: AsyncSession) -> int:
    return int(await session.scalar(_of_moved(select(func.count()).select_from(MeterRow))) or 0)


def _of_moved(query: Any) -> Any:
    """The query over meters, of those whose head is not the recorded one."""
    same_meter = and_(AnchorRow.account_id == MeterRow.account_id, AnchorRow.capability == MeterRow.capability)
    return query.outerjoin(AnchorRow, same_meter).where(
        or_(
            and_(AnchorRow.chain.is_(None), MeterRow.chain.is_not(None)),
            AnchorRow.chain_seq.is_distinct_from(MeterRow.chain_seq),
            AnchorRow.chain.is_distinct_from(MeterRow.chain),
        )
    )


async def _broken(session: AsyncSession, moved: Sequence[Any]) -> set[tuple[str, str]]:
    """Meters whose ledger no longer has the entry of their recorded head, and has not deleted it by retention."""
    known = [row for row in moved if row.old_seq is not None]
    found: set[tuple[str, str]] = {
        (row.account_id, row.capability) for row in known if row.chain is None or row.chain_seq <= row.old_seq
    }
    for begin in range(0, len(known), LOOKUP_ROWS):
        part = known[begin : begin + LOOKUP_ROWS]
        query = select(RecordRow.account_id, RecordRow.capability, RecordRow.seq, RecordRow.chain).where(
            or_(
                *(
                    and_(
                        RecordRow.account_id == row.account_id,
                        RecordRow.capability == row.capability,
                        RecordRow.seq == row.old_seq,
                    )
                    for row in part
                )
            )
        )
        stored = {(each[0], each[1]): each[3] for each in (await session.execute(query)).all()}
        for row in part:
            key = (row.account_id, row.capability)
            deleted = key not in stored and row.archived_lines > 0
            if not deleted and stored.get(key) != row.old:
                found.add(key)
    return found
