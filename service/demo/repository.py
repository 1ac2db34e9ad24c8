"""SQL of the example data: what the ledger leaves of old calls, in bulk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from inkgate.service.accounts.models import Account
from inkgate.service.metering.models import MeterRow, PackRow
from inkgate.service.usage.models import HourRow
from inkgate.service.users import repository as users


async def is_empty(session: AsyncSession) -> bool:
    """Whether the database has neither accounts nor users."""
    accounts = await session.scalar(select(func.count()).select_from(Account))
    return not accounts and not await users.has_users(session)


async def add_hours(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add hourly totals of hours that have none."""
    await connection.execute(insert(HourRow), list(rows))


async def set_pack_used(connection: AsyncConnection, pack_id: str, units: int, exhausted_at: datetime | None) -> None:
    """Record used units whose entries retention has deleted."""
    values = {"used": units, "archived": units, "exhausted_at": exhausted_at}
    await connection.execute(update(PackRow).where(PackRow.id == pack_id).values(values))


async def set_meter_archived(
    connection: AsyncConnection, account_id: str, capability: str, lines: int, settled_at: datetime
) -> None:
    """Record entries that retention has deleted, on a meter that has none yet."""
    values = {"seq": lines, "archived_lines": lines, "settled_at": settled_at}
    found = await connection.execute(
        update(MeterRow).where(MeterRow.account_id == account_id, MeterRow.capability == capability).values(values)
    )
    if not found.rowcount:
        await connection.execute(insert(MeterRow).values(account_id=account_id, capability=capability, **values))
