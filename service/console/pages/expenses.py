"""费用中心 (manual 7.1, 7.2): balance, reminders, vouchers, payments of six months and by product; 卡券管理."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.accounts import repository as accounts
from inkgate.service.console import repository
from inkgate.service.console.notices import explain
from inkgate.service.console.page_request import Customer, Forbidden, PageRequest
from inkgate.service.console.paging import Page, Paging
from inkgate.service.console.render import go, render
from inkgate.service.db.clock import BEIJING
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.orders import repository as orders
from inkgate.service.orders import vouchers as rules
from inkgate.service.orders.models import BalanceEntryRow
from inkgate.service.orders.payments import PAYMENT_WINDOW

router = APIRouter()
PER_PAGE = 20
MONTHS = 6
RENEWAL = timedelta(days=30)  # before its end, a pack is to be renewed
VOUCHER_STATES = ("valid", "used", "soon")


@dataclass(frozen=True, slots=True)
class MonthTotal:
    """Fen paid for the orders of a month ("2026-03"), and fen returned for refunds."""

    month: str
    paid: int
    back: int


@dataclass(frozen=True, slots=True)
class Expenses:
    """`balance` in fen; `unpaid` orders and packs to `renew`; `vouchers` maps a kind, and "soon", to a number;
    `products` are (capability, fen, units) of the six months. `page` has the balance's changes."""

    balance: int
    unpaid: int
    renew: int
    vouchers: dict[str, int]
    months: list[MonthTotal]
    products: list[tuple[str, int, int]]
    page: Page[BalanceEntryRow]


async def view(unit: UnitOfWork, main_id: str, page: int = 1) -> Expenses:
    """The expenses of a main account with its sub-accounts."""
    now = await unit.checked_now()
    family = await accounts.family_ids(unit.session, main_id)
    edges = _months(now.astimezone(BEIJING))
    paid = await repository.monthly_payments(unit.session, family, edges)
    paging = Paging.of(page, PER_PAGE)
    entries = await orders.entries(unit.session, main_id, limit=paging.limit, offset=paging.offset)
    return Expenses(
        await orders.balance(unit.session, main_id),
        await orders.count_unpaid(unit.session, main_id, now - PAYMENT_WINDOW),
        await repository.ending_packs(unit.session, main_id, now, now + RENEWAL),
        await orders.count_vouchers(unit.session, main_id, now, now + rules.SOON),
        [MonthTotal(f"{edge:%Y-%m}", *each) for edge, each in zip(edges, paid, strict=False)],
        await repository.payments_by_capability(unit.session, main_id, edges[0], edges[-1]),
        paging.page(entries),
    )


def _months(now: datetime) -> list[datetime]:
    """The first instants of the last six months, oldest first, and of the next one."""
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    numbers = [first.year * 12 + first.month - 1 + step for step in range(1 - MONTHS, 2)]
    return [first.replace(year=number // 12, month=number % 12 + 1) for number in numbers]


@router.get("/expenses")
async def page(page_request: Customer, page: int = 1) -> Response:
    account_id = _main_account(page_request)
    async with page_request.reading() as unit:
        model = await view(unit, account_id, page)
    return render(page_request, "expenses.html", model=model)


@router.get("/vouchers")
async def voucher_page(page_request: Customer, state: str = "", page: int = 1) -> Response:
    return await _vouchers(page_request, state, page)


@router.post("/vouchers")
async def claim(page_request: Customer) -> Response:
    """Add a voucher to the account by its code."""
    account_id = _main_account(page_request)
    try:
        async with page_request.begin() as unit:
            await rules.claim_voucher(unit, account_id, page_request.text("code", 64))
    except Misuse as problem:
        return await _vouchers(page_request, refusal=explain(page_request.translate, problem))
    return go(page_request, "/vouchers", "voucher-claimed")


async def _vouchers(page_request: PageRequest, state: str = "", page: int = 1, refusal: str = "") -> Response:
    """The vouchers; `refusal` is why the code that was entered is not accepted."""
    account_id = _main_account(page_request)
    state = state if state in VOUCHER_STATES else ""
    paging = Paging.of(page, PER_PAGE)
    async with page_request.reading() as unit:
        now = await unit.checked_now()
        counts = await orders.count_vouchers(unit.session, account_id, now, now + rules.SOON)
        found = await orders.vouchers(
            unit.session,
            account_id,
            state=state,
            now=now,
            soon=now + rules.SOON,
            limit=paging.limit,
            offset=paging.offset,
        )
        shown = paging.page(found)
        products = {each.id: each for each in await orders.products(unit.session, on_sale=False)}
    return render(
        page_request,
        "vouchers.html",
        422 if refusal else 200,
        rows=[(each, rules.voucher_state(each, now)) for each in shown.rows],
        products=products,
        counts=counts,
        usable=sum(counts.get(kind, 0) for kind in rules.KINDS),
        state=state,
        states_known=VOUCHER_STATES,
        page=shown,
        refusal=refusal,
        code=page_request.text("code", 64) if refusal else "",
    )


def _main_account(page_request: PageRequest) -> str:
    """The id of the main account. Raises Forbidden for a sub-account, which has no expenses of its own."""
    if page_request.account is None or page_request.account.parent_id:
        raise Forbidden
    return page_request.account.id
