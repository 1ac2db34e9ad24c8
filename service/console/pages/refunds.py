"""退订管理 (manual 2.3, 7.2): bought packs with the time left to refund them, requests for several packs at once, and
the earlier requests with their results."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.console import repository
from inkgate.service.console.notices import explain
from inkgate.service.console.page_request import Customer, Forbidden, NotFound, PageRequest
from inkgate.service.console.paging import Page, Paging
from inkgate.service.console.render import go, render, title
from inkgate.service.console.repository import PackFilter
from inkgate.service.console.scope import VisibleAccounts, scope_of
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db import ids
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.metering.models import PackRow
from inkgate.service.metering.service import pack_state
from inkgate.service.orders import refunds
from inkgate.service.orders import repository as orders
from inkgate.service.orders.models import RefundRow

router = APIRouter()
PER_PAGE = 20
MAX_BATCH = 50  # packs of one request
ORDER_NUMBER = re.compile("[0-9]{20}")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A bought pack. `state`: open (refundable, `left` of the seven days remain), pending, used or late; `resource` is
    its state as a pack (see `pack_state`); it expires in `expires` days."""

    pack: PackRow
    order: str
    state: str
    resource: str
    left: timedelta
    expires: int

    @property
    def days(self) -> int:
        return self.left.days

    @property
    def hours(self) -> int:
        return self.left.seconds // 3600

    @property
    def refundable_fen(self) -> int | None:
        """What a refund returns; None when the pack cannot be refunded."""
        return self.pack.price_fen if self.state in ("open", "pending") else None


@dataclass(frozen=True, slots=True)
class Search:
    """What the form asks for: `q` a product's name, an order number or the id of a pack; `only_open`."""

    q: str = ""
    only_open: bool = False
    page: int = 1
    records: int = 1


@dataclass(frozen=True, slots=True)
class Refunds:
    """A page of bought packs and one of requests, each request with its pack."""

    page: Page[Candidate]
    records: Page[tuple[RefundRow, PackRow]]

    @property
    def candidates(self) -> list[Candidate]:
        return self.page.rows

    @property
    def history(self) -> list[tuple[RefundRow, PackRow]]:
        return self.records.rows


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a request for one pack; `problem` is "" when it was accepted."""

    pack: PackRow
    problem: str


async def view(unit: UnitOfWork, scope: VisibleAccounts, search: Search) -> Refunds:
    """Bought packs, latest order first, and the earlier requests."""
    now = await unit.checked_now()
    paging, records = Paging.of(search.page, PER_PAGE), Paging.of(search.records, PER_PAGE, "records")
    wanted = _filter(search, now)
    found = await repository.bought_packs(unit.session, scope.main_id, wanted, limit=paging.limit, offset=paging.offset)
    page = paging.page(found)
    packs = page.rows
    numbers = await repository.order_numbers(unit.session, [each.order_id for each in packs if each.order_id])
    pending = await orders.pending_refunds(unit.session, [each.id for each in packs])
    past = records.page(await orders.refunds(unit.session, scope.main_id, limit=records.limit, offset=records.offset))
    known = await repository.packs_by_id(unit.session, [each.pack_id for each in past.rows])
    candidates = [
        Candidate(
            each,
            numbers.get(each.order_id or "", ""),
            state_of(each, each.id in pending, now),
            pack_state(each, now),
            max(each.ordered_at + refunds.REFUND_WINDOW - now, timedelta()),
            max((each.ends_at - now).days, 0),
        )
        for each in packs
    ]
    return Refunds(page.of(candidates), past.of([(each, known[each.pack_id]) for each in past.rows]))


def _filter(search: Search, now: datetime) -> PackFilter:
    since = now - refunds.REFUND_WINDOW if search.only_open else None
    q = search.q
    if not q:
        return PackFilter(ordered_since=since)
    if ORDER_NUMBER.fullmatch(q):
        return PackFilter(order_number=q, ordered_since=since)
    if ids.is_canonical_uuid(q):
        return PackFilter(pack_id=q, ordered_since=since)
    named = [
        name
        for name in CAPABILITIES
        if any(q.casefold() in each.casefold() for each in (name, title(name, "zh"), title(name, "en")))
    ]
    return PackFilter(capabilities=named, ordered_since=since)


def state_of(pack: PackRow, pending: bool, now: datetime) -> str:
    """The refund state of a pack: open, pending, used or late."""
    if pack.used:
        return "used"
    if pending:
        return "pending"
    return "open" if now <= pack.ordered_at + refunds.REFUND_WINDOW else "late"


@router.get("/refunds")
async def page(page_request: Customer, q: str = "", only: str = "", page: int = 1, records: int = 1) -> Response:
    return await _render_page(page_request, search=Search(q.strip()[:64], bool(only), page, records))


@router.post("/refunds")
async def request(page_request: Customer) -> Response:
    """Request the refund of the selected packs, or of the one whose button was pressed. Each is its own transaction."""
    _buyer(page_request)
    only = page_request.text("only")
    chosen = [only] if only else list(dict.fromkeys(each for each in page_request.form.getlist("pack") if each))
    try:
        if not chosen:
            raise Misuse("refund.none_selected")
        if len(chosen) > MAX_BATCH:
            raise Misuse("refund.batch_limit", most=MAX_BATCH)
    except Misuse as problem:
        return await _render_page(page_request, 422, explain(page_request.translate, problem))
    packs = [await _own_pack(page_request, str(each)) for each in chosen]
    results = [await _request(page_request, each, _reason(page_request)) for each in packs]
    if not any(each.problem for each in results):
        return go(page_request, "/refunds", "refund-requested")
    if len(results) == 1:
        return await _render_page(page_request, 422, results[0].problem)
    return await _render_page(page_request, 422, results=results)


@router.post("/refunds/{refund_id}/withdraw")
async def withdraw(page_request: Customer, refund_id: str) -> Response:
    """Withdraw a request that has not been decided."""
    account_id = _buyer(page_request)
    try:
        async with page_request.begin() as unit:
            refund = await orders.refund(unit.session, refund_id)
            if refund is None or refund.account_id != account_id:
                raise NotFound
            await refunds.withdraw_refund(unit, refund_id)
    except Misuse as problem:
        return await _render_page(page_request, 422, explain(page_request.translate, problem))
    return go(page_request, "/refunds", "refund-withdrawn")


async def _own_pack(page_request: PageRequest, pack_id: str) -> PackRow:
    async with page_request.reading() as unit:
        pack = await orders.pack(unit.session, pack_id)
    if pack is None or pack.account_id != page_request.signed_in_account:
        raise NotFound
    return pack


async def _request(page_request: PageRequest, pack: PackRow, reason: str) -> Result:
    try:
        async with page_request.begin() as unit:
            decision = page_request.parts.settings.orders.refunds
            await refunds.request_refund(unit, pack.id, reason, decision=decision)
    except Misuse as problem:
        return Result(pack, explain(page_request.translate, problem))
    return Result(pack, "")


def _reason(page_request: PageRequest) -> str:
    """The chosen reason and the details."""
    return " · ".join(each for each in (page_request.text("why", 60), page_request.text("reason", 300)) if each)


def _buyer(page_request: PageRequest) -> str:
    """The id of the main account. Raises Forbidden for a sub-account, which owns no packs."""
    if page_request.account is None or page_request.account.parent_id:
        raise Forbidden
    return page_request.account.id


async def _render_page(
    page_request: PageRequest,
    status: int = 200,
    problem: str = "",
    *,
    search: Search | None = None,
    results: list[Result] | None = None,
) -> Response:
    assert page_request.account is not None
    search = search or Search()
    async with page_request.reading() as unit:
        model = await view(unit, await scope_of(unit, page_request.account), search)
    return render(
        page_request,
        "refunds.html",
        status,
        model=model,
        search=search,
        results=results or [],
        problem=problem,
    )
