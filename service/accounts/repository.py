"""Queries over accounts, access keys and apps."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import aliased

from inkgate.service.accounts.models import AccessKeyRow, Account, AllowedRow, AppRow, OpenedRow
from inkgate.service.db import ids
from inkgate.service.db.changes import add, set_or_clear

Row = TypeVar("Row", Account, AccessKeyRow, AppRow)

SHARED = {"key_share": True}
"""FOR NO KEY UPDATE: blocks other changes of the row, but not inserts that reference it."""

IDS_PER_QUERY = 500  # SQLite bounds the number of parameters


async def account(session: AsyncSession, account_id: str, *, lock: bool = False) -> Account | None:
    return await _get(session, Account, account_id, lock) if ids.is_canonical_uuid(account_id) else None


async def suspend(session: AsyncSession, account_id: str, at: datetime | None) -> bool:
    """Suspend an account (`at` None: resume it); False when it is so already."""
    return await set_or_clear(session, Account.suspended_at, at, Account.id == account_id)


async def account_named(session: AsyncSession, name: str) -> Account | None:
    found: Account | None = await session.scalar(select(Account).where(Account.name == name))
    return found


async def accounts(session: AsyncSession, *, search: str = "", limit: int = 100, offset: int = 0) -> list[Account]:
    query = select(Account).order_by(Account.created_at, Account.id).limit(limit).offset(offset)
    if search:
        query = query.where(Account.name.contains(search, autoescape=True))
    return list(await session.scalars(query))


async def main_accounts(session: AsyncSession, search: str, *, limit: int, offset: int) -> list[Account]:
    """Main accounts whose name contains `search`, by name."""
    query = select(Account).where(Account.parent_id.is_(None)).order_by(Account.name).limit(limit).offset(offset)
    if search:
        query = query.where(Account.name.contains(search, autoescape=True))
    return list(await session.scalars(query))


async def account_with_subaccounts(session: AsyncSession, main_id: str) -> list[Account]:
    """A main account and its sub-accounts."""
    if not ids.is_canonical_uuid(main_id):
        return []
    return list(await session.scalars(select(Account).where(or_(Account.id == main_id, Account.parent_id == main_id))))


async def family(session: AsyncSession, account: Account, *, limit: int, offset: int = 0) -> list[Account]:
    """An account and its sub-accounts, itself first, then by name."""
    query = select(Account).where(or_(Account.id == account.id, Account.parent_id == account.id))
    query = query.order_by(Account.id != account.id, Account.name)
    return list(await session.scalars(query.limit(limit).offset(offset)))


async def subaccounts(session: AsyncSession, main_id: str, *, limit: int, offset: int = 0) -> list[Account]:
    """The sub-accounts of a main account, by name."""
    query = select(Account).where(Account.parent_id == main_id).order_by(Account.name)
    return list(await session.scalars(query.limit(limit).offset(offset)))


async def count_subaccounts(session: AsyncSession, main_id: str) -> int:
    query = select(func.count()).select_from(Account).where(Account.parent_id == main_id)
    return await session.scalar(query) or 0


async def family_ids(session: AsyncSession, main_id: str) -> list[str]:
    """The ids of a main account and its sub-accounts."""
    query = select(Account.id).where(or_(Account.id == main_id, Account.parent_id == main_id))
    return [str(account_id) for account_id in await session.scalars(query)]


async def access_key(session: AsyncSession, ak: str, *, lock: bool = False) -> AccessKeyRow | None:
    return await _get(session, AccessKeyRow, ak, lock)


async def disable_key(session: AsyncSession, ak: str, at: datetime | None) -> bool:
    """Disable a key (`at` None: enable it); False when it is so already."""
    return await set_or_clear(session, AccessKeyRow.disabled_at, at, AccessKeyRow.ak == ak)


async def usable_key(session: AsyncSession, ak: str) -> AccessKeyRow | None:
    """An access key that is enabled, of an account that is not suspended, nor its main account; `ends_at` is not
    checked."""
    main = aliased(Account)
    query = (
        select(AccessKeyRow)
        .join(Account, Account.id == AccessKeyRow.account_id)
        .outerjoin(main, main.id == Account.parent_id)
        .where(
            AccessKeyRow.ak == ak,
            AccessKeyRow.disabled_at.is_(None),
            Account.suspended_at.is_(None),
            or_(Account.parent_id.is_(None), main.suspended_at.is_(None)),
        )
    )
    found: AccessKeyRow | None = await session.scalar(query)
    return found


async def last_signed_call(session: AsyncSession, account_id: str) -> datetime | None:
    """When a key of an account or its sub-accounts was last used; it is written at most once per minute."""
    family = select(Account.id).where(or_(Account.id == account_id, Account.parent_id == account_id))
    query = select(func.max(AccessKeyRow.last_used_at)).where(AccessKeyRow.account_id.in_(family))
    found: datetime | None = await session.scalar(query)
    return found


async def any_key(session: AsyncSession) -> AccessKeyRow | None:
    """Any access key; None when there is none."""
    found: AccessKeyRow | None = await session.scalar(select(AccessKeyRow).limit(1))
    return found


async def touch_key(connection: AsyncConnection, ak: str, now: datetime) -> None:
    """Set the time of the last use of a key."""
    await connection.execute(update(AccessKeyRow).where(AccessKeyRow.ak == ak).values(last_used_at=now))


async def lock_access_keys(session: AsyncSession) -> list[AccessKeyRow]:
    """Every access key, locked."""
    return list(await session.scalars(select(AccessKeyRow).with_for_update()))


async def access_keys(
    session: AsyncSession, account_id: str, *, limit: int | None = None, offset: int = 0
) -> list[AccessKeyRow]:
    """The access keys of an account, oldest first; all of them, where no page is asked for."""
    if not ids.is_canonical_uuid(account_id):
        return []
    query = (
        select(AccessKeyRow)
        .where(AccessKeyRow.account_id == account_id)
        .order_by(AccessKeyRow.created_at, AccessKeyRow.ak)
    )
    return list(await session.scalars(query.limit(limit).offset(offset)))


async def newest_access_keys(
    session: AsyncSession, account_id: str, *, limit: int, offset: int = 0
) -> list[AccessKeyRow]:
    """The access keys of an account, newest first."""
    query = select(AccessKeyRow).where(AccessKeyRow.account_id == account_id)
    query = query.order_by(AccessKeyRow.created_at.desc(), AccessKeyRow.ak).limit(limit).offset(offset)
    return list(await session.scalars(query))


async def newest_live_key(session: AsyncSession, account_id: str) -> AccessKeyRow | None:
    """The newest access key of an account that is neither disabled nor rotated."""
    query = select(AccessKeyRow).where(
        AccessKeyRow.account_id == account_id, AccessKeyRow.disabled_at.is_(None), AccessKeyRow.ends_at.is_(None)
    )
    found: AccessKeyRow | None = await session.scalar(query.order_by(AccessKeyRow.created_at.desc()).limit(1))
    return found


async def app(session: AsyncSession, app_id: str, *, lock: bool = False) -> AppRow | None:
    return await _get(session, AppRow, app_id, lock) if ids.is_canonical_uuid(app_id) else None


async def delete_app(session: AsyncSession, app_id: str, at: datetime) -> bool:
    """Mark a live app as deleted; False when it is deleted already."""
    return await set_or_clear(session, AppRow.deleted_at, at, AppRow.id == app_id)


async def app_by_key(session: AsyncSession, appkey: str) -> AppRow | None:
    found: AppRow | None = await session.scalar(select(AppRow).where(AppRow.appkey == appkey))
    return found


async def live_app_named(session: AsyncSession, account_id: str, name: str) -> AppRow | None:
    """The live app of an account with this name."""
    query = select(AppRow).where(AppRow.account_id == account_id, AppRow.name == name, AppRow.deleted_at.is_(None))
    found: AppRow | None = await session.scalar(query)
    return found


async def live_apps_named(
    session: AsyncSession, name: str, account_ids: Collection[str] | None, limit: int
) -> list[tuple[AppRow, str]]:
    """At most `limit` live apps with this name, of these accounts (None: of all), each with the name of its account, in
    the order of those."""
    query = select(AppRow, Account.name).join(Account, Account.id == AppRow.account_id)
    query = query.where(AppRow.name == name, AppRow.deleted_at.is_(None)).order_by(Account.name).limit(limit)
    if account_ids is not None:
        query = query.where(AppRow.account_id.in_(account_ids))
    return [(row[0], str(row[1])) for row in await session.execute(query)]


async def count_live_apps_named(session: AsyncSession, name: str, account_ids: Collection[str] | None) -> int:
    """The number of live apps with this name, of these accounts (None: of all)."""
    query = select(func.count()).select_from(AppRow).where(AppRow.name == name, AppRow.deleted_at.is_(None))
    if account_ids is not None:
        query = query.where(AppRow.account_id.in_(account_ids))
    return await session.scalar(query) or 0


async def apps(
    session: AsyncSession, account_ids: Sequence[str], *, search: str = "", limit: int = 100, offset: int = 0
) -> list[AppRow]:
    """Live apps of these accounts, newest first."""
    query = select(AppRow).where(AppRow.account_id.in_(account_ids), AppRow.deleted_at.is_(None))
    if search:
        query = query.where(AppRow.name.contains(search, autoescape=True))
    query = query.order_by(AppRow.created_at.desc(), AppRow.id).limit(limit).offset(offset)
    return list(await session.scalars(query))


async def oldest_app(session: AsyncSession, account_id: str) -> AppRow | None:
    """The live app that an account has had for longest."""
    query = select(AppRow).where(AppRow.account_id == account_id, AppRow.deleted_at.is_(None))
    found: AppRow | None = await session.scalar(query.order_by(AppRow.created_at, AppRow.id).limit(1))
    return found


async def lock_apps(session: AsyncSession) -> list[AppRow]:
    """Every app, including deleted ones, locked."""
    return list(await session.scalars(select(AppRow).with_for_update()))


async def count_apps(session: AsyncSession, account_ids: Sequence[str], *, search: str = "") -> int:
    query = select(func.count()).select_from(AppRow)
    query = query.where(AppRow.account_id.in_(account_ids), AppRow.deleted_at.is_(None))
    if search:
        query = query.where(AppRow.name.contains(search, autoescape=True))
    return await session.scalar(query) or 0


async def opened_capabilities(session: AsyncSession, app_id: str) -> list[OpenedRow]:
    query = select(OpenedRow).where(OpenedRow.app_id == app_id).order_by(OpenedRow.opened_at, OpenedRow.capability)
    return list(await session.scalars(query))


async def opened_of(session: AsyncSession, app_ids: Sequence[str]) -> dict[str, list[OpenedRow]]:
    """App id → the capabilities that it has opened, in order of opening."""
    found: dict[str, list[OpenedRow]] = {}
    query = select(OpenedRow).where(OpenedRow.app_id.in_(app_ids))
    for row in await session.scalars(query.order_by(OpenedRow.opened_at, OpenedRow.capability)):
        found.setdefault(row.app_id, []).append(row)
    return found


async def opened_capability(session: AsyncSession, app_id: str, capability: str) -> OpenedRow | None:
    """A capability as an app has opened it, None when it has not."""
    return await session.get(OpenedRow, (app_id, capability))


async def replace_allowed(session: AsyncSession, app_id: str, capability: str, networks: Sequence[str]) -> None:
    """Make `networks` the whole allow-list of a capability of an app, or of the app itself (`capability` "")."""
    await session.execute(delete(AllowedRow).where(AllowedRow.app_id == app_id, AllowedRow.capability == capability))
    await add(session, *(AllowedRow(app_id=app_id, capability=capability, network=network) for network in networks))


async def allow_list(session: AsyncSession, app_id: str) -> list[AllowedRow]:
    query = select(AllowedRow).where(AllowedRow.app_id == app_id).order_by(AllowedRow.capability, AllowedRow.network)
    return list(await session.scalars(query))


async def allow_lists(session: AsyncSession, app_ids: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """App id → capability ("" for the whole app) → networks of its allow-list."""
    found: dict[str, dict[str, list[str]]] = {}
    query = select(AllowedRow).where(AllowedRow.app_id.in_(app_ids))
    for row in await session.scalars(query.order_by(AllowedRow.network)):
        found.setdefault(row.app_id, {}).setdefault(row.capability, []).append(row.network)
    return found


async def paying_accounts(connection: AsyncConnection, account_ids: Collection[str]) -> dict[str, str]:
    """Account id → the main account that pays for it; unknown ids are left out."""
    query, found = select(Account.id, func.coalesce(Account.parent_id, Account.id)), dict[str, str]()
    wanted = sorted(account_ids)
    for start in range(0, len(wanted), IDS_PER_QUERY):
        rows = await connection.execute(query.where(Account.id.in_(wanted[start : start + IDS_PER_QUERY])))
        found |= {str(account_id): str(payer_id) for account_id, payer_id in rows}
    return found


async def paying_account(session: AsyncSession, app_id: str) -> tuple[str, str] | None:
    """(account of the app, main account that pays for it)."""
    if not ids.is_canonical_uuid(app_id):
        return None
    query = (
        select(Account.id, func.coalesce(Account.parent_id, Account.id))
        .join(AppRow, AppRow.account_id == Account.id)
        .where(AppRow.id == app_id)
    )
    row = (await session.execute(query)).one_or_none()
    return (str(row[0]), str(row[1])) if row is not None else None


async def _get(session: AsyncSession, model: type[Row], key: str, lock: bool) -> Row | None:
    """A row by its primary key; `lock` reads its current state and locks it."""
    return await session.get(model, key, populate_existing=lock, with_for_update=SHARED if lock else None)
