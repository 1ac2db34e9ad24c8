"""Queries of an import: what the database holds of the names and keys in a file."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

from sqlalchemy import Select, String, cast, func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from inkgate.service.accounts.models import AccessKeyRow, Account, AppRow, OpenedRow
from inkgate.service.accounts.repository import IDS_PER_QUERY
from inkgate.service.db.changes import guarded_update


def _parts(values: Collection[str]) -> Iterator[list[str]]:
    ordered = sorted(values)
    for start in range(0, len(ordered), IDS_PER_QUERY):
        yield ordered[start : start + IDS_PER_QUERY]


async def lock_accounts(session: AsyncSession, names: Collection[str]) -> dict[str, Account]:
    """The accounts with these names, by name, locked: concurrent changes cannot exceed their limits."""
    found: dict[str, Account] = {}
    for part in _parts(names):
        query = select(Account).where(Account.name.in_(part)).order_by(Account.id).with_for_update(key_share=True)
        found |= {each.name: each for each in await session.scalars(query)}
    return found


async def accounts_by_id(session: AsyncSession, account_ids: Collection[str]) -> dict[str, Account]:
    found: dict[str, Account] = {}
    for part in _parts(account_ids):
        found |= {each.id: each for each in await session.scalars(select(Account).where(Account.id.in_(part)))}
    return found


async def apps_of_accounts(
    session: AsyncSession, names: Collection[str], account_ids: Collection[str]
) -> dict[str, AppRow]:
    """App id → live app with one of these names, of these accounts, locked."""
    found: dict[str, AppRow] = {}
    for part in _parts(names):
        for owners in _parts(account_ids):
            query = select(AppRow).where(AppRow.name.in_(part), AppRow.account_id.in_(owners))
            found |= await _locked(session, query)
    return found


async def apps_of_any_account(session: AsyncSession, names: Collection[str], most: int) -> dict[str, AppRow]:
    """App id → live app with one of these names, locked; at most `most` for each name."""
    found: dict[str, AppRow] = {}
    for part in _parts(names):
        place = func.row_number().over(partition_by=AppRow.name, order_by=AppRow.id).label("place")
        first = select(AppRow.id, place).where(AppRow.name.in_(part), AppRow.deleted_at.is_(None)).subquery()
        query = select(AppRow).join(first, first.c.id == AppRow.id).where(first.c.place <= most)
        found |= await _locked(session, query)
    return found


async def apps_with_appkeys(session: AsyncSession, appkeys: Collection[str]) -> dict[str, AppRow]:
    """App id → live app with one of these AppKeys, locked."""
    found: dict[str, AppRow] = {}
    for part in _parts(appkeys):
        found |= await _locked(session, select(AppRow).where(AppRow.appkey.in_(part)))
    return found


async def _locked(session: AsyncSession, query: Select[AppRow]) -> dict[str, AppRow]:
    query = query.where(AppRow.deleted_at.is_(None)).order_by(AppRow.id)
    rows = await session.scalars(query.with_for_update(key_share=True, of=AppRow))
    return {row.id: row for row in rows}


async def known_access_keys(session: AsyncSession, aks: Collection[str]) -> set[str]:
    """Those of `aks` that are access keys here, whatever their state."""
    found: set[str] = set()
    for part in _parts(aks):
        found |= set(await session.scalars(select(AccessKeyRow.ak).where(AccessKeyRow.ak.in_(part))))
    return found


async def known_appkeys(session: AsyncSession, appkeys: Collection[str]) -> dict[str, bool]:
    """Those of `appkeys` that are AppKeys here → whether their app is deleted."""
    found: dict[str, bool] = {}
    for part in _parts(appkeys):
        rows = await session.execute(select(AppRow.appkey, AppRow.deleted_at).where(AppRow.appkey.in_(part)))
        found |= {appkey: deleted_at is not None for appkey, deleted_at in rows}
    return found


async def release_appkey(session: AsyncSession, appkey: str) -> bool:
    """Give the row of a deleted app another AppKey, so that this one can be imported again; ledger entries keep their
    reference to the row. False when no deleted app has it."""
    released = literal("deleted-") + cast(AppRow.id, String)
    change = update(AppRow).where(AppRow.appkey == appkey, AppRow.deleted_at.is_not(None)).values(appkey=released)
    return await guarded_update(session, change)


async def live_key_counts(session: AsyncSession, account_ids: Collection[str], now: datetime) -> dict[str, int]:
    """Account id → number of its access keys that are enabled and have not ended."""
    found: dict[str, int] = {}
    for part in _parts(account_ids):
        query = (
            select(AccessKeyRow.account_id, func.count())
            .where(
                AccessKeyRow.account_id.in_(part),
                AccessKeyRow.disabled_at.is_(None),
                or_(AccessKeyRow.ends_at.is_(None), AccessKeyRow.ends_at > now),
            )
            .group_by(AccessKeyRow.account_id)
        )
        found |= {row[0]: row[1] for row in await session.execute(query)}
    return found


async def live_app_counts(session: AsyncSession, account_ids: Collection[str]) -> dict[str, int]:
    """Account id → number of its live apps."""
    found: dict[str, int] = {}
    for part in _parts(account_ids):
        query = (
            select(AppRow.account_id, func.count())
            .where(AppRow.account_id.in_(part), AppRow.deleted_at.is_(None))
            .group_by(AppRow.account_id)
        )
        found |= {row[0]: row[1] for row in await session.execute(query)}
    return found


async def opened(session: AsyncSession, app_ids: Collection[str]) -> set[tuple[str, str]]:
    """(app id, capability) of what these apps have opened."""
    found: set[tuple[str, str]] = set()
    for part in _parts(app_ids):
        query = select(OpenedRow.app_id, OpenedRow.capability).where(OpenedRow.app_id.in_(part))
        found |= {(row[0], row[1]) for row in await session.execute(query)}
    return found


async def imported_apps(session: AsyncSession, limit: int) -> list[AppRow]:
    """The live apps whose keys another service issued, oldest first."""
    query = select(AppRow).where(AppRow.imported_at.is_not(None), AppRow.deleted_at.is_(None))
    return list(await session.scalars(query.order_by(AppRow.imported_at, AppRow.name).limit(limit)))


async def usable_imported_keys(session: AsyncSession, account_ids: Collection[str]) -> dict[str, str]:
    """Account id → an imported access key of it that is enabled and has no end."""
    found: dict[str, str] = {}
    for part in _parts(account_ids):
        query = select(AccessKeyRow.account_id, AccessKeyRow.ak).where(
            AccessKeyRow.account_id.in_(part),
            AccessKeyRow.imported_at.is_not(None),
            AccessKeyRow.disabled_at.is_(None),
            AccessKeyRow.ends_at.is_(None),
        )
        found |= {row[0]: row[1] for row in await session.execute(query)}
    return found
