"""Queries of notices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from inkgate.service.accounts.models import Account
from inkgate.service.db.changes import guarded_update
from inkgate.service.db.upsert import dialect_of, insert_or_ignore, insert_or_replace
from inkgate.service.metering.models import ACTIVE, CheckedRow, PackRow
from inkgate.service.notices.kinds import Condition, State, Thresholds
from inkgate.service.notices.models import ChannelRow, ConditionRow, NoticeRow, RoundRow, ThresholdRow
from inkgate.service.orders.models import OrderRow, RefundRow

ROUND_ID = 1
ROWS_PER_STATEMENT = 500
MAX_CHANNELS = 20_000  # in one list
MAX_CONDITIONS = 20_000  # conditions of one kind in one round, and conditions that hold


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which notices are wanted: on the channels of an account (None: of the operators, or with `everything` all), and
    "" or None for any state, kind, channel and time."""

    owner_id: str | None
    everything: bool = False
    state: str = ""
    kind: str = ""
    channel_id: str = ""
    since: datetime | None = None


# --- what is looked at ------------------------------------------------------------------------------------------


async def balances(session: AsyncSession, now: datetime) -> list[tuple[str, str, int, int, datetime]]:
    """(main account, capability, units left, units in all, earliest start) over the valid packs, exhausted ones too."""
    query = (
        select(
            PackRow.account_id,
            PackRow.capability,
            func.sum(PackRow.total - PackRow.used),
            func.sum(PackRow.total),
            func.min(PackRow.starts_at),
        )
        .where(PackRow.state == ACTIVE, PackRow.starts_at <= now, PackRow.ends_at > now)
        .group_by(PackRow.account_id, PackRow.capability)
        .order_by(PackRow.account_id, PackRow.capability)
        .limit(MAX_CONDITIONS)
    )
    return [(str(row[0]), row[1], int(row[2]), int(row[3]), row[4]) for row in await session.execute(query)]


async def ending_packs(session: AsyncSession, now: datetime, until: datetime) -> list[tuple[str, str, datetime, int]]:
    """(main account, capability, end, units left) of valid packs with units that end before `until`."""
    query = (
        select(PackRow.account_id, PackRow.capability, PackRow.ends_at, PackRow.total - PackRow.used)
        .where(
            PackRow.state == ACTIVE,
            PackRow.exhausted_at.is_(None),
            PackRow.starts_at <= now,
            PackRow.ends_at > now,
            PackRow.ends_at <= until,
        )
        .order_by(PackRow.ends_at)
        .limit(MAX_CONDITIONS)
    )
    return [(str(row[0]), row[1], row[2], int(row[3])) for row in await session.execute(query)]


async def waiting_orders(session: AsyncSession, until: datetime) -> list[OrderRow]:
    """Orders placed before `until` that no one has decided."""
    query = select(OrderRow).where(OrderRow.state == "pending", OrderRow.ordered_at <= until)
    return list(await session.scalars(query.order_by(OrderRow.ordered_at).limit(MAX_CONDITIONS)))


async def waiting_refunds(session: AsyncSession, until: datetime) -> list[tuple[RefundRow, PackRow]]:
    """Refunds requested before `until` that no one has decided, with their packs."""
    query = (
        select(RefundRow, PackRow)
        .join(PackRow, PackRow.id == RefundRow.pack_id)
        .where(RefundRow.state == "pending", RefundRow.requested_at <= until)
        .order_by(RefundRow.requested_at)
        .limit(MAX_CONDITIONS)
    )
    return [(row[0], row[1]) for row in await session.execute(query)]


async def ledger_faults(session: AsyncSession) -> tuple[int, int]:
    """Units about which packs and entries disagreed at the last reconciliation, and the number of entries found missing
    or changed; zeros before the first."""
    found = (await session.execute(select(CheckedRow.drift, CheckedRow.broken))).first()
    return (0, 0) if found is None else (int(found[0]), int(found[1]))


async def account_names(session: AsyncSession, account_ids: Sequence[str]) -> dict[str, str]:
    """Account id → name."""
    found: dict[str, str] = {}
    for start in range(0, len(account_ids), ROWS_PER_STATEMENT):
        part = account_ids[start : start + ROWS_PER_STATEMENT]
        rows = await session.execute(select(Account.id, Account.name).where(Account.id.in_(part)))
        found |= {str(each): name for each, name in rows}
    return found


# --- thresholds -------------------------------------------------------------------------------------------------


async def thresholds(session: AsyncSession) -> list[ThresholdRow]:
    return list(await session.scalars(select(ThresholdRow)))


async def threshold(session: AsyncSession, account_id: str) -> ThresholdRow | None:
    return await session.get(ThresholdRow, account_id, populate_existing=True)


async def replace_threshold(session: AsyncSession, account_id: str, wanted: Thresholds | None) -> None:
    """Write an account's thresholds; None removes them."""
    if wanted is None:
        await session.execute(delete(ThresholdRow).where(ThresholdRow.account_id == account_id))
        return
    row = {
        "account_id": account_id,
        "low_percent": wanted.low_percent,
        "low_days": wanted.low_days,
        "expiry_days": wanted.expiry_days,
    }
    columns = ["low_percent", "low_days", "expiry_days"]
    await session.execute(insert_or_replace(dialect_of(session), ThresholdRow, ["account_id"], columns), row)


# --- rounds and conditions --------------------------------------------------------------------------------------


async def round_number(session: AsyncSession) -> int:
    return await session.scalar(select(RoundRow.number).where(RoundRow.id == ROUND_ID)) or 0


async def last_round(session: AsyncSession) -> datetime | None:
    found: datetime | None = await session.scalar(select(RoundRow.at).where(RoundRow.id == ROUND_ID))
    return found


async def set_round(session: AsyncSession, number: int, at: datetime) -> None:
    row = {"id": ROUND_ID, "number": number, "at": at}
    await session.execute(insert_or_replace(dialect_of(session), RoundRow, ["id"], ["number", "at"]), row)


async def open_conditions(session: AsyncSession) -> list[ConditionRow]:
    """The conditions that hold."""
    query = select(ConditionRow).where(ConditionRow.ended_at.is_(None)).limit(MAX_CONDITIONS)
    return list(await session.scalars(query.execution_options(populate_existing=True)))


async def open_kinds(session: AsyncSession) -> list[tuple[str, int, datetime]]:
    """Of the conditions that hold, for each kind: their number, and since when the first one holds."""
    query = select(ConditionRow.kind, func.count(), func.min(ConditionRow.began_at))
    rows = await session.execute(query.where(ConditionRow.ended_at.is_(None)).group_by(ConditionRow.kind))
    return [(str(kind), int(count), since) for kind, count, since in rows]


async def open_condition(session: AsyncSession, key: str) -> ConditionRow | None:
    """The condition with this key, if it holds."""
    return await session.scalar(select(ConditionRow).where(ConditionRow.key == key, ConditionRow.ended_at.is_(None)))


async def begin_conditions(session: AsyncSession, conditions: Sequence[Condition], at: datetime) -> None:
    """Write conditions that begin to hold."""
    columns = ["kind", "account_id", "params", "began_at", "ended_at"]
    statement = insert_or_replace(dialect_of(session), ConditionRow, ["key"], columns)
    rows = [
        {
            "key": each.key,
            "kind": each.kind.value,
            "account_id": each.account_id,
            "params": each.params,
            "began_at": at,
            "ended_at": None,
        }
        for each in conditions
    ]
    if rows:
        await session.execute(statement, rows)


async def end_conditions(session: AsyncSession, keys: Sequence[str], at: datetime) -> None:
    """End conditions, and cancel what waits to be sent about them and is not being sent."""
    for start in range(0, len(keys), ROWS_PER_STATEMENT):
        part = keys[start : start + ROWS_PER_STATEMENT]
        await session.execute(update(ConditionRow).where(ConditionRow.key.in_(part)).values(ended_at=at))
        stale = (NoticeRow.condition_key.in_(part), NoticeRow.state == State.WAITING.value)
        await _cancel(session, at, *stale)


async def forget(session: AsyncSession, before: datetime) -> None:
    """Delete notices and conditions that ended before a time."""
    await session.execute(
        delete(NoticeRow).where(NoticeRow.state != State.WAITING.value, NoticeRow.created_at < before)
    )
    await session.execute(delete(ConditionRow).where(ConditionRow.ended_at < before))


# --- channels ---------------------------------------------------------------------------------------------------


async def channels(
    session: AsyncSession, account_id: str | None, *, limit: int = 100, offset: int = 0
) -> list[ChannelRow]:
    """The channels of an account; None: of the operators. Their number is bounded when they are made."""
    owner = ChannelRow.account_id.is_(None) if account_id is None else ChannelRow.account_id == account_id
    query = select(ChannelRow).where(owner).order_by(ChannelRow.created_at, ChannelRow.id)
    return list(await session.scalars(query.limit(limit).offset(offset)))


async def every_channel(session: AsyncSession) -> list[ChannelRow]:
    """The channels of the operators and of all accounts, the first MAX_CHANNELS by age."""
    query = select(ChannelRow).order_by(ChannelRow.created_at, ChannelRow.id).limit(MAX_CHANNELS)
    return list(await session.scalars(query))


async def live_channels(session: AsyncSession) -> list[ChannelRow]:
    """Every channel that is not paused."""
    return list(await session.scalars(select(ChannelRow).where(ChannelRow.paused_at.is_(None))))


async def channel(session: AsyncSession, channel_id: str) -> ChannelRow | None:
    return await session.get(ChannelRow, channel_id, populate_existing=True)


async def fill(session: AsyncSession, channel_ids: Sequence[str], at: datetime) -> None:
    """Mark channels as having notices of everything that holds."""
    change = update(ChannelRow).where(ChannelRow.id.in_(channel_ids)).values(filled_at=at)
    await session.execute(change.execution_options(synchronize_session=False))


async def pause(session: AsyncSession, channel_id: str, at: datetime | None) -> bool:
    """Pause a channel or, with None, resume it; False when it is so already."""
    current = ChannelRow.paused_at.is_(None) if at is not None else ChannelRow.paused_at.is_not(None)
    change = update(ChannelRow).where(ChannelRow.id == channel_id, current)
    return await guarded_update(session, change.values(paused_at=at))


async def remove_channel(session: AsyncSession, channel_id: str, at: datetime) -> None:
    """Delete a channel; its notices stay in the list, those that wait are cancelled."""
    await session.execute(
        update(NoticeRow)
        .where(NoticeRow.channel_id == channel_id, NoticeRow.state == State.WAITING.value)
        .values(state=State.CANCELLED.value, ended_at=at)
    )
    await session.execute(delete(ChannelRow).where(ChannelRow.id == channel_id))


# --- the outbox -------------------------------------------------------------------------------------------------


async def post(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    """Insert notices; those that are there already stay as they are."""
    if rows:
        await session.execute(insert_or_ignore(dialect_of(session), NoticeRow), list(rows))


async def due_channels(session: AsyncSession, now: datetime, limit: int) -> list[str]:
    """Channels with a notice to send now that no process sends on, the longest waiting first."""
    due = (NoticeRow.state == State.WAITING.value, NoticeRow.next_at <= now, ChannelRow.paused_at.is_(None))
    query = (
        select(ChannelRow.id)
        .join(NoticeRow, NoticeRow.channel_id == ChannelRow.id)
        .where(*due, _free(now))
        .group_by(ChannelRow.id)
        .order_by(func.min(NoticeRow.next_at))
        .limit(limit)
    )
    return [str(each) for each in await session.scalars(query)]


async def oldest_waiting(session: AsyncSession) -> datetime | None:
    """When the oldest notice that waits was made."""
    found: datetime | None = await session.scalar(
        select(func.min(NoticeRow.created_at))
        .join(ChannelRow, ChannelRow.id == NoticeRow.channel_id)
        .where(NoticeRow.state == State.WAITING.value, ChannelRow.paused_at.is_(None))
    )
    return found


async def lease_channel(session: AsyncSession, channel_id: str, now: datetime, until: datetime) -> bool:
    """Take a free channel until a time; False when another process sends on it."""
    change = update(ChannelRow).where(ChannelRow.id == channel_id, _free(now))
    return await guarded_update(session, change.values(busy_until=until))


async def release_channel(session: AsyncSession, channel_id: str, until: datetime) -> None:
    """Let the next notice go out on a channel from a time on."""
    await guarded_update(session, update(ChannelRow).where(ChannelRow.id == channel_id).values(busy_until=until))


async def next_notice(session: AsyncSession, channel_id: str, now: datetime) -> NoticeRow | None:
    """The notice of a channel that has waited longest."""
    query = select(NoticeRow).where(
        NoticeRow.channel_id == channel_id, NoticeRow.state == State.WAITING.value, NoticeRow.next_at <= now
    )
    found: NoticeRow | None = await session.scalar(
        query.order_by(NoticeRow.next_at, NoticeRow.id).limit(1).execution_options(populate_existing=True)
    )
    return found


async def begin_attempt(session: AsyncSession, row: NoticeRow, until: datetime) -> bool:
    """Count an attempt before it begins; False when the notice is no longer as it was read."""
    same = (NoticeRow.id == row.id, NoticeRow.attempts == row.attempts, NoticeRow.state == State.WAITING.value)
    change = update(NoticeRow).where(*same).values(attempts=row.attempts + 1, next_at=until)
    return await guarded_update(session, change)


async def end_attempt(session: AsyncSession, notice_id: str, attempt: int, **values: Any) -> bool:
    """Write the outcome of an attempt; False when a later attempt has begun, or the notice was cancelled meanwhile and
    was not sent."""
    same = [NoticeRow.id == notice_id, NoticeRow.attempts == attempt]
    if values.get("state") != State.SENT.value:
        same.append(NoticeRow.state == State.WAITING.value)
    return await guarded_update(session, update(NoticeRow).where(*same).values(**values))


async def retry(session: AsyncSession, notice_id: str, at: datetime) -> bool:
    """Let a failed notice wait again; False when it is not failed, or its channel is gone."""
    there = select(ChannelRow.id).where(ChannelRow.id == NoticeRow.channel_id).exists()
    change = update(NoticeRow).where(NoticeRow.id == notice_id, NoticeRow.state == State.FAILED.value, there)
    return await guarded_update(
        session, change.values(state=State.WAITING.value, attempts=0, next_at=at, ended_at=None)
    )


async def notice(session: AsyncSession, notice_id: str) -> NoticeRow | None:
    return await session.get(NoticeRow, notice_id, populate_existing=True)


async def notices(
    session: AsyncSession,
    owner_id: str | None,
    *,
    everything: bool = False,
    state: str = "",
    limit: int,
    offset: int = 0,
) -> list[NoticeRow]:
    """Notices on the channels of an account (None: the operators'; `everything`: all), newest first."""
    return await matching(session, Wanted(owner_id, everything=everything, state=state), limit, offset)


async def matching(session: AsyncSession, wanted: Wanted, limit: int, offset: int = 0) -> list[NoticeRow]:
    """The notices of a filter, newest first."""
    query = select(NoticeRow)
    owner_id = wanted.owner_id
    if not wanted.everything:
        query = query.where(NoticeRow.owner_id == owner_id if owner_id else NoticeRow.owner_id.is_(None))
    if wanted.state:
        query = query.where(NoticeRow.state == wanted.state)
    if wanted.kind:
        query = query.where(NoticeRow.kind == wanted.kind)
    if wanted.channel_id:
        query = query.where(NoticeRow.channel_id == wanted.channel_id)
    if wanted.since is not None:
        query = query.where(NoticeRow.created_at >= wanted.since)
    query = query.order_by(NoticeRow.created_at.desc(), NoticeRow.id.desc()).limit(limit).offset(offset)
    return list(await session.scalars(query))


async def last_test(session: AsyncSession, channel_id: str, since: datetime) -> bool:
    """Whether a test of a channel was made after a time."""
    query = select(NoticeRow.id).where(
        NoticeRow.channel_id == channel_id, NoticeRow.kind == "test", NoticeRow.created_at > since
    )
    return await session.scalar(query.limit(1)) is not None


async def _cancel(session: AsyncSession, at: datetime, *where: ColumnElement[bool]) -> None:
    """Cancel notices whose channel no process sends on."""
    busy = select(ChannelRow.id).where(ChannelRow.busy_until > at)
    change = update(NoticeRow).where(*where, NoticeRow.channel_id.not_in(busy))
    await session.execute(
        change.values(state=State.CANCELLED.value, ended_at=at).execution_options(synchronize_session=False)
    )


def _free(now: datetime) -> ColumnElement[bool]:
    return or_(ChannelRow.busy_until.is_(None), ChannelRow.busy_until <= now)
