"""Sums over the packs of a main account, however many it has; lists of packs by pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from inkgate.service.metering.models import REFUNDED, PackRow

STATES = ("refunded", "exhausted", "expired", "pending", "valid")


@dataclass(frozen=True, slots=True)
class StateTotals:
    """Packs of one capability and state: their number, units used and in all, and the first end."""

    packs: int
    used: int
    total: int
    ends_at: datetime


Totals = Mapping[tuple[str, str], StateTotals]
"""(capability, state as in `service.pack_state`) → totals; pairs without packs are left out."""


async def pack_totals(session: AsyncSession, account_id: str, now: datetime) -> Totals:
    """The totals of a main account's packs at a time."""
    state = case(
        (PackRow.state == REFUNDED, "refunded"),
        (PackRow.used >= PackRow.total, "exhausted"),
        (PackRow.ends_at <= now, "expired"),
        (PackRow.starts_at <= now, "valid"),
        else_="pending",
    )
    keys = (PackRow.capability, state.label("pack_state"))
    sums = (func.count(), func.sum(PackRow.used), func.sum(PackRow.total), func.min(PackRow.ends_at))
    query = select(*keys, *sums).where(PackRow.account_id == account_id).group_by(*keys)
    return {
        (str(capability), str(name)): StateTotals(int(packs), int(used), int(total), ends_at)
        for capability, name, packs, used, total, ends_at in await session.execute(query)
    }


async def listed_packs(
    session: AsyncSession, account_id: str, capability: str | None = None, *, limit: int, offset: int = 0
) -> list[PackRow]:
    """Packs of a main account in order of purchase, those that are used up or refunded after the others."""
    query = select(PackRow).where(PackRow.account_id == account_id)
    if capability is not None:
        query = query.where(PackRow.capability == capability)
    done = or_(PackRow.exhausted_at.is_not(None), PackRow.state == REFUNDED)
    return list(await session.scalars(query.order_by(done, PackRow.ordered_at, PackRow.id).limit(limit).offset(offset)))
