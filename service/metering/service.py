"""Creating and listing packs."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from inkgate.service.accounts import service as accounts
from inkgate.service.accounts.rules import capability as known_capability
from inkgate.service.audit import trail
from inkgate.service.db import ids
from inkgate.service.db.changes import add
from inkgate.service.db.clock import one_year_later
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.metering.models import ACTIVE, REFUNDED, PackRow
from inkgate.service.metering.packs import FREE_CAPABILITIES
from inkgate.service.metering.settle import lock_meter

MAX_UNITS = 10**12


async def grant_pack(
    work: UnitOfWork,
    account_id: str,
    capability: str,
    units: int,
    *,
    app_id: str | None = None,
    ordered_at: datetime | None = None,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    order_id: str | None = None,
    price_fen: int = 0,
) -> PackRow:
    """A pack of `units` for the main account of `account_id`, or for one app of it alone (`app_id`).

    Packs are used in order of `ordered_at` (default: now). It is valid from `starts_at` (default: now) to `ends_at`
    (default: one year later). Raises Misuse for an unknown account or app, a free capability, or units out of range.
    """
    _check_size(capability, units)
    account = await accounts.get_account(work, account_id)
    payer = account.parent_id or account.id
    if app_id is not None:
        await accounts.check_app_of(work, app_id, account)
    now = await work.checked_now()
    start = starts_at or now
    end = ends_at or one_year_later(start)
    if start >= end:
        raise Misuse("pack.ends_too_early")
    meter = await lock_meter(await work.session.connection(), payer, capability, work.clock)
    pack = pack_row(
        payer,
        capability,
        units,
        app_id=app_id,
        ordered_at=ordered_at or now,
        starts_at=start,
        ends_at=end,
        entered_seq=meter.seq,
        order_id=order_id,
        price_fen=price_fen,
    )
    await add(work.session, pack)
    await trail.record(
        work, "pack.grant", f"pack {pack.id}", payer, name=pack_name(pack), capability=capability, units=units,
        app_id=app_id,
    )  # fmt: skip
    return pack


def pack_name(pack: PackRow) -> str:
    """What the audit trail calls a pack."""
    return f"{pack.capability} {pack.total:,}"


def pack_row(
    payer_id: str,
    capability: str,
    units: int,
    *,
    app_id: str | None,
    ordered_at: datetime,
    starts_at: datetime,
    ends_at: datetime,
    entered_seq: int,
    order_id: str | None = None,
    price_fen: int = 0,
) -> PackRow:
    """A new, unused pack. `entered_seq` is the seq of its meter, which the caller has locked."""
    return PackRow(
        id=ids.new(),
        account_id=payer_id,
        app_id=app_id,
        capability=capability,
        total=units,
        used=0,
        archived=0,
        state=ACTIVE,
        ordered_at=ordered_at,
        starts_at=starts_at,
        ends_at=ends_at,
        entered_seq=entered_seq,
        order_id=order_id,
        price_fen=price_fen,
    )


def _check_size(capability: str, units: int) -> None:
    """Raise Misuse for a capability that is unknown or free, and for units out of range."""
    known_capability(capability)
    if capability in FREE_CAPABILITIES:
        raise Misuse("pack.capability_free", capability=capability)
    if not 0 < units <= MAX_UNITS:
        raise Misuse("pack.units_out_of_range", most=MAX_UNITS)


async def packs_of(
    session: AsyncSession,
    account_id: str,
    capability: str | None = None,
    *,
    limit: int | None = None,
    offset: int = 0,
) -> list[PackRow]:
    """The packs of a main account in order of purchase, refunded ones too; all of them, where no page is asked for."""
    query = select(PackRow).where(PackRow.account_id == account_id).order_by(PackRow.ordered_at, PackRow.id)
    if capability is not None:
        query = query.where(PackRow.capability == capability)
    return list(await session.scalars(query.limit(limit).offset(offset)))


def pack_state(pack: PackRow, now: datetime) -> str:
    """The state of a pack (manual 7.1): "refunded", "exhausted" 已用完, "expired" 已过期, "pending", "valid" 有效."""
    if pack.state == REFUNDED:
        return REFUNDED
    if pack.used >= pack.total:
        return "exhausted"
    if now >= pack.ends_at:
        return "expired"
    return "valid" if now >= pack.starts_at else "pending"
