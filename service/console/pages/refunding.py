"""退订管理 (manual 2.3, 7.2): unused packs within seven days of their order, with the time that is left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.console import repository
from inkgate.service.console.notices import explain
from inkgate.service.console.render import go, render
from inkgate.service.console.scope import Scope, scope_of
from inkgate.service.console.visit import Customer, Forbidden, Missing, Visit
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
    """A bought pack. `state`: open (may be given back, `left` of the seven days remain), pending, used, late."""

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


async def view(unit: UnitOfWork, scope: Scope) -> Refunds:
    """Packs that were bought, latest order first, and what became of earlier requests."""
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
    """Whether a pack may be given back, and why not."""
    if pack.used:
        return "used"
    if pending:
        return "pending"
    return "open" if now <= pack.ordered_at + refunds.REFUND_WINDOW else "late"


@router.get("/refunds")
async def page(visit: Customer) -> Response:
    return await _show(visit)


@router.post("/refunds/{pack_id}")
async def request(visit: Customer, pack_id: str) -> Response:
    assert visit.account is not None
    if visit.account.parent_id:
        raise Forbidden
    try:
        async with visit.begin() as unit:
            pack = await orders.pack(unit.session, pack_id) if len(pack_id) == 36 else None
            if pack is None or pack.account_id != visit.account.id:
                raise Missing
            decision = visit.parts.settings.orders.refunds
            await refunds.request_refund(unit, pack_id, visit.text("reason"), decision=decision)
    except Misuse as problem:
        return await _show(visit, 422, explain(visit.words, problem))
    return go(visit, "/refunds", "refund-requested")


async def _show(visit: Visit, status: int = 200, problem: str = "") -> Response:
    assert visit.account is not None
    async with visit.reading() as unit:
        model = await view(unit, await scope_of(unit, visit.account))
    return render(visit, "refunds.html", status, model=model, problem=problem)
