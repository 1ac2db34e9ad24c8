"""Notices over HTTP: channels, thresholds of accounts, and what was sent."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import Field

from inkgate.service.admin.access import AccountsRead, AccountsWrite
from inkgate.service.admin.fields import MAX_ROWS, Id, Integer, Limit, LongText, Offset, Percent, ShortText
from inkgate.service.admin.schemas import AdminModel
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.notices import channels, repository, thresholds
from inkgate.service.notices.channels import NewChannel as ChannelFields
from inkgate.service.notices.kinds import ChannelKind, Thresholds
from inkgate.service.notices.models import ChannelRow
from inkgate.service.notices.outgoing import Algorithm

router = APIRouter(tags=["notices"])
MAX_URL = 1000


class NoticeThresholds(AdminModel):
    """0 switches a rule off."""

    low_percent: Percent = Field(description="A balance is low at this share of the valid units.")
    low_days: Integer = Field(ge=0, le=365, description="A balance is low when it lasts these days.")
    expiry_days: Integer = Field(ge=0, le=365, description="Days before its end a pack is announced.")


class NoticeThresholdsOut(NoticeThresholds):
    own: bool = Field(description="Whether the account has its own; else they are those of the settings.")


class NewNoticeChannel(AdminModel):
    channel_kind: ChannelKind
    name: LongText
    account_id: Id | None = Field(None, description="A main account; without one the channel is the operators'.")
    addresses: LongText = Field("", description="Of e-mail: addresses separated by commas.")
    url: str = Field("", max_length=MAX_URL, pattern=r"^[^\x00]*$", description="Of webhook and bots.")
    secret: ShortText = Field("", description="Of webhook (made when empty) and bots.")
    algorithm: Algorithm = "sha256"
    language: ShortText = ""
    kinds: list[ShortText] = Field([], max_length=20, description="Kinds of notice; empty: all.")


class NoticeChannelOut(AdminModel):
    id: str
    account_id: str | None
    channel_kind: str
    name: str
    target: str
    language: str
    kinds: list[str]
    created_at: datetime
    paused_at: datetime | None
    secret: str = Field("", description="In the answer to its creation only, where it was made here.")


class NoticeOut(AdminModel):
    id: str
    kind: str
    account_id: str | None
    channel_id: str
    channel_name: str
    channel_kind: str
    state: str
    attempts: int
    error: str
    created_at: datetime
    ended_at: datetime | None


@router.get("/notices")
async def list_notices(
    admin_request: AccountsRead, state: ShortText = "", limit: Limit = 100, offset: Offset = 0
) -> list[NoticeOut]:
    """Notices of all channels, newest first."""
    async with admin_request.reading() as session:
        found = await repository.notices(session, None, everything=True, state=state, limit=limit, offset=offset)
        return [NoticeOut.model_validate(row) for row in found]


@router.get("/notice-channels")
async def list_channels(
    admin_request: AccountsRead, account_id: Id | None = None, limit: Limit = MAX_ROWS, offset: Offset = 0
) -> list[NoticeChannelOut]:
    """The channels of an account; without one those of the operators."""
    async with admin_request.reading() as session:
        found = await repository.channels(session, account_id, limit=limit, offset=offset)
        return [_channel(row) for row in found]


@router.post("/notice-channels", status_code=201)
async def create_channel(admin_request: AccountsWrite, body: NewNoticeChannel) -> NoticeChannelOut:
    new = ChannelFields(
        body.channel_kind,
        body.name,
        body.addresses,
        body.url,
        body.secret,
        body.algorithm,
        body.language,
        tuple(body.kinds),
    )
    context = admin_request.context
    async with admin_request.begin() as work:
        if body.account_id is not None:
            await thresholds.main_account(work, body.account_id)
        made = await channels.create(work, context.vault, context.settings.notices, body.account_id, new)
        return _channel(made.row, made.secret)


@router.delete("/notice-channels/{channel_id}", status_code=204)
async def remove_channel(admin_request: AccountsWrite, channel_id: Id) -> None:
    async with admin_request.begin() as work:
        await channels.remove(work, channel_id, await _owner(work, channel_id))


@router.post("/notice-channels/{channel_id}/test", status_code=202)
async def test_channel(admin_request: AccountsWrite, channel_id: Id) -> dict[str, str]:
    """Queue a test notice; its id is in the list of notices."""
    async with admin_request.begin() as work:
        return {"id": await channels.test(work, channel_id, await _owner(work, channel_id))}


@router.get("/accounts/{account_id}/notice-thresholds")
async def get_thresholds(admin_request: AccountsRead, account_id: Id) -> NoticeThresholdsOut:
    async with admin_request.begin() as work:
        found, own = await thresholds.of(work, admin_request.context.settings.notices, account_id)
        return NoticeThresholdsOut(
            low_percent=found.low_percent, low_days=found.low_days, expiry_days=found.expiry_days, own=own
        )


@router.put("/accounts/{account_id}/notice-thresholds", status_code=204)
async def set_thresholds(admin_request: AccountsWrite, account_id: Id, body: NoticeThresholds) -> None:
    wanted = Thresholds(body.low_percent, body.low_days, body.expiry_days)
    async with admin_request.begin() as work:
        await thresholds.set_own(work, account_id, wanted)


@router.delete("/accounts/{account_id}/notice-thresholds", status_code=204)
async def reset_thresholds(admin_request: AccountsWrite, account_id: Id) -> None:
    """The account follows the settings again."""
    async with admin_request.begin() as work:
        await thresholds.set_own(work, account_id, None)


async def _owner(work: UnitOfWork, channel_id: str) -> str | None:
    """The account of a channel. Raises Misuse."""
    row = await repository.channel(work.session, channel_id)
    if row is None:
        raise Misuse("notice.channel_not_found")
    return row.account_id


def _channel(row: ChannelRow, secret: str = "") -> NoticeChannelOut:
    return NoticeChannelOut(
        id=row.id,
        account_id=row.account_id,
        channel_kind=row.kind,
        name=row.name,
        target=row.target,
        language=row.language,
        kinds=row.kinds,
        created_at=row.created_at,
        paused_at=row.paused_at,
        secret=secret,
    )
