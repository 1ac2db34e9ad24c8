"""Accounts, access keys and apps over HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncSession

from inkgate.service.accounts import repository
from inkgate.service.accounts import service as accounts
from inkgate.service.accounts.models import AppRow, OpenedRow
from inkgate.service.admin import schemas
from inkgate.service.admin.access import AccountsRead, AccountsWrite
from inkgate.service.admin.fields import MAX_ROWS, AccessKeyId, Id, Limit, Offset, ShortText

router = APIRouter(tags=["accounts"])


@router.get("/accounts")
async def list_accounts(
    admin_request: AccountsRead, search: ShortText = "", limit: Limit = 100, offset: Offset = 0
) -> list[schemas.AccountOut]:
    async with admin_request.reading() as session:
        found = await repository.accounts(session, search=search, limit=limit, offset=offset)
        return [schemas.AccountOut.model_validate(row) for row in found]


@router.post("/accounts", status_code=201)
async def create_account(admin_request: AccountsWrite, body: schemas.NewAccount) -> schemas.CreatedAccount:
    """Create an account, with its default app unless INKGATE_ACCOUNTS__DEFAULT_APP is empty."""
    context = admin_request.context
    async with admin_request.begin() as work:
        row, made = await accounts.create_account_with_app(
            work,
            context.vault,
            body.name,
            parent_id=body.parent_id,
            default_app=context.settings.accounts.default_app,
        )
        account = schemas.AccountOut.model_validate(row)
        default_app = schemas.CreatedApp(**asdict(made)) if made else None
        return schemas.CreatedAccount(**account.model_dump(), default_app=default_app)


@router.put("/accounts/{account_id}/suspension")
async def suspend_account(admin_request: AccountsWrite, account_id: Id, body: schemas.Suspension) -> schemas.AccountOut:
    async with admin_request.begin() as work:
        row = await accounts.suspend_account(work, account_id, suspended=body.suspended)
        return schemas.AccountOut.model_validate(row)


@router.get("/accounts/{account_id}/keys")
async def list_keys(
    admin_request: AccountsRead, account_id: Id, limit: Limit = MAX_ROWS, offset: Offset = 0
) -> list[schemas.KeyOut]:
    async with admin_request.reading() as session:
        found = await repository.access_keys(session, account_id, limit=limit, offset=offset)
        return [
            schemas.KeyOut(
                ak=row.ak,
                created_at=row.created_at,
                last_used_at=row.last_used_at,
                ends_at=row.ends_at,
                disabled_at=row.disabled_at,
            )
            for row in found
        ]


@router.post("/accounts/{account_id}/keys", status_code=201)
async def create_key(admin_request: AccountsWrite, account_id: Id) -> schemas.NewKey:
    async with admin_request.begin() as work:
        pair = await accounts.create_access_key(work, admin_request.context.vault, account_id)
        return schemas.NewKey(ak=pair.ak, sk=pair.sk)


@router.post("/keys/{ak}/rotation", status_code=201)
async def rotate_key(admin_request: AccountsWrite, ak: AccessKeyId, body: schemas.Rotation) -> schemas.NewKey:
    async with admin_request.begin() as work:
        overlap = timedelta(hours=body.overlap_hours)
        pair = await accounts.rotate_access_key(work, admin_request.context.vault, ak, overlap=overlap)
        return schemas.NewKey(ak=pair.ak, sk=pair.sk)


@router.put("/keys/{ak}/disabling", status_code=204)
async def disable_key(admin_request: AccountsWrite, ak: AccessKeyId, body: schemas.Disabling) -> None:
    async with admin_request.begin() as work:
        await accounts.disable_access_key(work, ak, disabled=body.disabled)


@router.get("/accounts/{account_id}/apps")
async def list_apps(
    admin_request: AccountsRead, account_id: Id, search: ShortText = "", limit: Limit = 100, offset: Offset = 0
) -> list[schemas.AppOut]:
    """The apps of an account and of its sub-accounts."""
    async with admin_request.reading() as session:
        members = await repository.family_ids(session, account_id)
        found = await repository.apps(session, members, search=search, limit=limit, offset=offset)
        return await _apps_out(session, found)


@router.post("/accounts/{account_id}/apps", status_code=201)
async def create_app(admin_request: AccountsWrite, account_id: Id, body: schemas.NewApp) -> schemas.CreatedApp:
    async with admin_request.begin() as work:
        new = await accounts.create_app(
            work, admin_request.context.vault, account_id, body.name, description=body.description
        )
        return schemas.CreatedApp(**asdict(new))


@router.get("/apps/{app_id}")
async def get_app(admin_request: AccountsRead, app_id: Id) -> schemas.AppOut:
    async with admin_request.begin() as work:
        return (await _apps_out(work.session, [await accounts.get_app(work, app_id)]))[0]


@router.delete("/apps/{app_id}", status_code=204)
async def delete_app(admin_request: AccountsWrite, app_id: Id) -> None:
    async with admin_request.begin() as work:
        await accounts.delete_app(work, app_id)


@router.put("/apps/{app_id}/capabilities/{capability}", status_code=204)
async def open_capability(
    admin_request: AccountsWrite, app_id: Id, capability: ShortText, body: schemas.Opening
) -> None:
    """Open a capability, or change the request rate of an opened one. It cannot be closed."""
    async with admin_request.begin() as work:
        await accounts.open_capability(work, app_id, capability, qps=body.qps)
        await accounts.set_qps(work, app_id, capability, body.qps)


@router.put("/apps/{app_id}/networks")
async def set_networks(
    admin_request: AccountsWrite, app_id: Id, body: schemas.Networks, capability: ShortText | None = None
) -> schemas.Networks:
    """Replace the allow-list of the app, or with `capability` of that one."""
    async with admin_request.begin() as work:
        return schemas.Networks(networks=await accounts.set_allowed(work, app_id, body.networks, capability=capability))


async def _apps_out(session: AsyncSession, rows: Sequence[AppRow]) -> list[schemas.AppOut]:
    """Apps with their capabilities and allow-lists, with one query for each kind of row."""
    app_ids = [row.id for row in rows]
    opened = await repository.opened_of(session, app_ids)
    allowed = await repository.allow_lists(session, app_ids)
    return [_app_out(row, opened.get(row.id, []), allowed.get(row.id, {})) for row in rows]


def _app_out(row: AppRow, opened: Sequence[OpenedRow], allowed: Mapping[str, list[str]]) -> schemas.AppOut:
    return schemas.AppOut(
        id=row.id,
        account_id=row.account_id,
        name=row.name,
        description=row.description,
        appkey=row.appkey,
        enckey=row.sm2_public_key,
        extras=row.extras,
        created_at=row.created_at,
        opened=[
            schemas.Opened(capability=each.capability, qps=each.qps, allowed=allowed.get(each.capability, []))
            for each in opened
        ],
        allowed=allowed.get("", []),
    )
