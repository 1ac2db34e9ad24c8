"""通知: channels, thresholds, and what was sent; of a customer's account, and of the operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.console.forms import keep_secret, secrets_on
from inkgate.service.console.notices import explain
from inkgate.service.console.page_request import Customer, Forbidden, Malformed, Operator, PageRequest
from inkgate.service.console.paging import Page, Paging
from inkgate.service.console.render import go, render
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.notices import channels, repository, texts, thresholds
from inkgate.service.notices.channels import NewChannel
from inkgate.service.notices.kinds import CUSTOMER_KINDS, OPERATOR_KINDS, ChannelKind, Kind, Thresholds
from inkgate.service.notices.models import ChannelRow, NoticeRow
from inkgate.service.settings import Notices

router = APIRouter()
CUSTOMER_PATH, OPERATOR_PATH = "/notices", "/operator/notices"
PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class SentNotice:
    """A notice with its title in the language of the page."""

    row: NoticeRow
    title: str
    can_retry: bool


@dataclass(frozen=True, slots=True)
class NoticesView:
    """`thresholds` are those in force; `own` whether they are the account's (None: the page is the operators')."""

    channels: Sequence[ChannelRow]
    page: Page[SentNotice]
    thresholds: Thresholds
    own: bool | None


async def view(unit: UnitOfWork, settings: Notices, owner_id: str | None, paging: Paging, language: str) -> NoticesView:
    """The page of an account, or of the operators (None)."""
    found = await repository.channels(unit.session, owner_id)
    rows = await repository.notices(unit.session, owner_id, limit=paging.limit, offset=paging.offset)
    shown, live = paging.page(rows), {each.id for each in found}
    sent = shown.of(
        [SentNotice(row, _title(row, language), row.state == "failed" and row.channel_id in live) for row in shown.rows]
    )
    if owner_id is None:
        bounds = Thresholds(settings.low_percent, settings.low_days, settings.expiry_days)
        return NoticesView(found, sent, bounds, None)
    bounds, own = await thresholds.of(unit, settings, owner_id)
    return NoticesView(found, sent, bounds, own)


def _title(row: NoticeRow, language: str) -> str:
    return texts.render(Kind(row.kind), row.params, language, row.began_at).title


@router.get("/notices")
async def customer_page(page_request: Customer, page: int = 1) -> Response:
    return await _page(page_request, _own_account(page_request), page)


@router.post("/notices/channels")
async def create_channel(page_request: Customer) -> Response:
    return await _create(page_request, _own_account(page_request))


@router.post("/notices/channels/{channel_id}/{change}")
async def change_channel(page_request: Customer, channel_id: str, change: str) -> Response:
    return await _change(page_request, _own_account(page_request), channel_id, change)


@router.post("/notices/thresholds")
async def set_thresholds(page_request: Customer) -> Response:
    owner_id = _own_account(page_request)
    wanted = None
    try:
        if not page_request.flag("default"):
            numbers = [_number(page_request.text(name, 6)) for name in ("low_percent", "low_days", "expiry_days")]
            wanted = Thresholds(*numbers)
        async with page_request.begin() as unit:
            await thresholds.set_own(unit, owner_id, wanted)
    except Misuse as problem:
        return await _page(page_request, owner_id, 1, 422, explain(page_request.translate, problem))
    return go(page_request, CUSTOMER_PATH, "thresholds")


@router.post("/notices/{notice_id}/retry")
async def retry(page_request: Customer, notice_id: str) -> Response:
    return await _retry(page_request, _own_account(page_request), notice_id)


@router.get("/operator/notices")
async def operator_page(page_request: Operator, page: int = 1) -> Response:
    return await _page(page_request, None, page)


@router.post("/operator/notices/channels")
async def operator_create_channel(page_request: Operator) -> Response:
    return await _create(page_request, None)


@router.post("/operator/notices/channels/{channel_id}/{change}")
async def operator_change_channel(page_request: Operator, channel_id: str, change: str) -> Response:
    return await _change(page_request, None, channel_id, change)


@router.post("/operator/notices/{notice_id}/retry")
async def operator_retry(page_request: Operator, notice_id: str) -> Response:
    return await _retry(page_request, None, notice_id)


def _own_account(page_request: PageRequest) -> str:
    """The main account of the user. Raises Forbidden for a sub-account: packs and their notices are not its own."""
    assert page_request.account is not None
    if page_request.account.parent_id:
        raise Forbidden
    return page_request.account.id


async def _create(page_request: PageRequest, owner_id: str | None) -> Response:
    """Make a channel; a secret made for it is shown for some minutes."""
    kind, algorithm = page_request.text("kind", 16), page_request.text("algorithm", 8) or "sha256"
    if kind not in set(ChannelKind) or algorithm not in ("sha256", "sm3"):
        raise Malformed
    new = NewChannel(
        ChannelKind(kind),
        page_request.text("name", 100),
        addresses=page_request.text("addresses", 2000),
        url=page_request.text("url", 2000),
        secret=page_request.text("secret", 500),
        algorithm="sm3" if algorithm == "sm3" else "sha256",
        language=page_request.text("language", 8),
        kinds=[value for value in page_request.form.getlist("kinds") if isinstance(value, str)],
    )
    parts = page_request.parts
    try:
        async with page_request.begin() as unit:
            made = await channels.create(unit, parts.vault, parts.settings.notices, owner_id, new)
            if made.secret:
                await keep_secret(unit, page_request, _path(owner_id), "channel", secret=made.secret)
    except Misuse as problem:
        return await _page(page_request, owner_id, 1, 422, explain(page_request.translate, problem))
    return go(page_request, _path(owner_id), "channel")


async def _change(page_request: PageRequest, owner_id: str | None, channel_id: str, change: str) -> Response:
    """Test, pause, resume or remove a channel."""
    if change not in ("test", "pause", "resume", "remove"):
        raise Malformed
    try:
        async with page_request.begin() as unit:
            if change == "test":
                await channels.test(unit, channel_id, owner_id)
            elif change == "remove":
                await channels.remove(unit, channel_id, owner_id)
            else:
                await channels.pause(unit, channel_id, owner_id, paused=change == "pause")
    except Misuse as problem:
        if problem.code == "notice.channel_not_found":
            raise
        return await _page(page_request, owner_id, 1, 422, explain(page_request.translate, problem))
    return go(page_request, _path(owner_id), "channel-test" if change == "test" else "channel")


async def _retry(page_request: PageRequest, owner_id: str | None, notice_id: str) -> Response:
    async with page_request.begin() as unit:
        await channels.retry(unit, notice_id, owner_id)
    return go(page_request, _path(owner_id), "notice-retry")


async def _page(
    page_request: PageRequest, owner_id: str | None, page: int, status: int = 200, problem: str = ""
) -> Response:
    paging = Paging.of(page, PER_PAGE)
    settings = page_request.parts.settings.notices
    async with page_request.reading() as unit:
        model = await view(unit, settings, owner_id, paging, page_request.translate.language)
        secrets = await secrets_on(unit, page_request, _path(owner_id))
    return render(
        page_request,
        "notices.html",
        status,
        model=model,
        path=_path(owner_id),
        kinds=OPERATOR_KINDS if owner_id is None else CUSTOMER_KINDS,
        kind_names=kind_names(page_request),
        ways=tuple(ChannelKind),
        way_names=_way_names(page_request),
        mail=bool(settings.smtp_host),
        enabled=settings.enabled,
        hosts=settings.customer_hosts if owner_id is not None else (),
        secrets=secrets,
        problem=problem,
    )


def kind_names(page_request: PageRequest) -> Mapping[str, str]:
    """The names of the kinds of notice."""
    _ = page_request.translate
    return {
        Kind.LOW_BALANCE: _("余量不足"),
        Kind.PACK_EXPIRING: _("资源包即将到期"),
        Kind.ORDER_WAITING: _("订单待审批"),
        Kind.REFUND_WAITING: _("退订待审批"),
        Kind.WORKERS_DOWN: _("识别进程全部停止"),
        Kind.CERTIFICATE_ENDING: _("证书即将到期"),
        Kind.LEDGER_FAILED: _("账本核对不符"),
        Kind.HEADS_FAILED: _("账本与审计所记的链尾不符"),
        Kind.HEADS_WAITING: _("账本链尾未及时记入审计"),
        Kind.AUDIT_FAILED: _("操作审计校验失败"),
        Kind.TEST: _("测试"),
    }


def _way_names(page_request: PageRequest) -> Mapping[str, str]:
    _ = page_request.translate
    return {
        ChannelKind.EMAIL: _("邮件"),
        ChannelKind.WEBHOOK: "Webhook",
        ChannelKind.WECOM: _("企业微信机器人"),
        ChannelKind.DINGTALK: _("钉钉机器人"),
        ChannelKind.FEISHU: _("飞书机器人"),
    }


def _path(owner_id: str | None) -> str:
    return OPERATOR_PATH if owner_id is None else CUSTOMER_PATH


def _number(text: str) -> int:
    """A whole number as typed; one out of every range, which is refused, for anything but digits."""
    return int(text) if text.isascii() and text.isdigit() else -1
