"""Sums over the packs of a main account and lists of them by pages, at a cost that does not grow with the packs that
are used up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, case, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from inkgate.service.metering.models import ACTIVE, REFUNDED, PackRow


@dataclass(frozen=True, slots=True)
class StateTotals:
    """Packs of one capability and state: their number, units used and in all, and the first end (None: exhausted)."""

    packs: int
    used: int
    total: int
    ends_at: datetime | None


Totals = Mapping[tuple[str, str], StateTotals]
"""(capability, state as in `service.pack_state`) → totals. Refunded packs and pairs without packs are left out."""


def active() -> ColumnElement[bool]:
    """A pack that was not refunded. The state is a literal: a planner uses no partial index for a parameter."""
    return PackRow.state == literal(ACTIVE, literal_execute=True)


def usable() -> tuple[ColumnElement[bool], ...]:
    """A pack that is neither used up nor refunded, as in the index ix_pack_usable."""
    return PackRow.exhausted_at.is_(None), active()


async def pack_totals(session: AsyncSession, account_id: str, now: datetime) -> Totals:
    """The totals of a main account's packs at a time."""
    own = PackRow.account_id == account_id
    state = case((PackRow.ends_at <= now, "expired"), (PackRow.starts_at <= now, "valid"), else_="pending")
    keys = (PackRow.capability, state.label("pack_state"))
    sums = (func.count(), func.sum(PackRow.used), func.sum(PackRow.total), func.min(PackRow.ends_at))
    current = select(*keys, *sums).where(own, *usable()).group_by(*keys)
    found = {
        (str(capability), str(name)): StateTotals(int(packs), int(used), int(total), ends_at)
        for capability, name, packs, used, total, ends_at in await session.execute(current)
    }
    exhausted = select(PackRow.capability, func.count(), func.sum(PackRow.total))
    exhausted = exhausted.where(own, PackRow.exhausted_at.is_not(None)).group_by(PackRow.capability)
    for capability, packs, total in await session.execute(exhausted):
        found[capability, "exhausted"] = StateTotals(int(packs), int(total), int(total), None)
    return found


async def count_packs(session: AsyncSession, account_id: str) -> int:
    """All packs of a main account, refunded ones too."""
    query = select(func.count()).select_from(PackRow).where(PackRow.account_id == account_id)
    return int(await session.scalar(query) or 0)


async def listed_packs(
    session: AsyncSession, account_id: str, capability: str | None = None, *, limit: int, offset: int = 0
) -> list[PackRow]:
    """Packs of a main account in order of purchase, those that are used up or refunded after the others."""
    own = [PackRow.account_id == account_id]
    if capability is not None:
        own.append(PackRow.capability == capability)
    first = select(PackRow).where(*own, *usable())
    rows = await _part(session, first, limit, offset)
    if len(rows) < limit:
        before = int(await session.scalar(select(func.count()).select_from(PackRow).where(*own, *usable())) or 0)
        done = or_(PackRow.exhausted_at.is_not(None), PackRow.state == REFUNDED)
        rest = select(PackRow).where(*own, done)
        rows += await _part(session, rest, limit - len(rows), max(offset - before, 0))
    return rows


async def _part(session: AsyncSession, query: Select[PackRow], limit: int, offset: int) -> list[PackRow]:
    ordered = query.order_by(PackRow.ordered_at, PackRow.id)
    return list(await session.scalars(ordered.limit(limit).offset(offset)))
