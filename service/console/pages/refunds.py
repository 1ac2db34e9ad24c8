"""退订管理 (manual 2.3, 7.2): unused packs within seven days of their order, with the remaining time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.console import repository
from inkgate.service.console.notices import explain
from inkgate.service.console.page_request import Customer, Forbidden, NotFound, PageRequest
from inkgate.service.console.render import go, render
from inkgate.service.console.scope import VisibleAccounts, scope_of
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.metering.models import PackRow
from inkgate.service.metering.service import packs_of
from inkgate.service.orders import refunds
from inkgate.service.orders import repository as orders
from inkgate.service.orders.models import RefundRow

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A bought pack. `state`: open (refundable, `left` of the seven days remain), pending, used or late."""

    pack: PackRow
    order: str
    state: str
    left: timedelta

    @property
    def days(self) -> int:
        return self.left.days

    @property
    def hours(self) -> int:
        return self.left.seconds // 3600


@dataclass(frozen=True, slots=True)
class Refunds:
    candidates: list[Candidate]
    history: list[tuple[RefundRow, PackRow]]


async def view(unit: UnitOfWork, scope: VisibleAccounts) -> Refunds:
    """Bought packs, latest order first, and the earlier refund requests."""
    now = await unit.checked_now()
    packs = [each for each in await packs_of(unit.session, scope.main_id) if each.order_id and each.state == "active"]
    numbers = await repository.order_numbers(unit.session, [each.order_id for each in packs if each.order_id])
    past = await orders.refunds(unit.session, scope.main_id)
    pending = {each.pack_id for each in past if each.state == refunds.PENDING}
    known = await repository.packs_by_id(unit.session, [each.pack_id for each in past])
    found = [
        Candidate(
            each,
            numbers.get(each.order_id or "", ""),
            state_of(each, each.id in pending, now),
            max(each.ordered_at + refunds.REFUND_WINDOW - now, timedelta()),
        )
        for each in reversed(packs)
    ]
    return Refunds(found, [(each, known[each.pack_id]) for each in past if each.pack_id in known])


def state_of(pack: PackRow, pending: bool, now: datetime) -> str:
    """The refund state of a pack: open, pending, used or late."""
    if pack.used:
        return "used"
    if pending:
        return "pending"
    return "open" if now <= pack.ordered_at + refunds.REFUND_WINDOW else "late"


@router.get("/refunds")
async def page(page_request: Customer) -> Response:
    return await _render_page(page_request)


@router.post("/refunds/{pack_id}")
async def request(page_request: Customer, pack_id: str) -> Response:
    assert page_request.account is not None
    if page_request.account.parent_id:
        raise Forbidden
    try:
        async with page_request.begin() as unit:
            pack = await orders.pack(unit.session, pack_id) if len(pack_id) == 36 else None
            if pack is None or pack.account_id != page_request.account.id:
                raise NotFound
            decision = page_request.parts.settings.orders.refunds
            await refunds.request_refund(unit, pack_id, page_request.text("reason"), decision=decision)
    except Misuse as problem:
        return await _render_page(page_request, 422, explain(page_request.translate, problem))
    return go(page_request, "/refunds", "refund-requested")


async def _render_page(page_request: PageRequest, status: int = 200, problem: str = "") -> Response:
    assert page_request.account is not None
    async with page_request.reading() as unit:
        model = await view(unit, await scope_of(unit, page_request.account))
    return render(page_request, "refunds.html", status, model=model, problem=problem)
