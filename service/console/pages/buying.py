"""购买 (manual 4.1): choose sizes and quantities → confirm with the agreement → order; then 订单管理."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.accounts import repository as accounts
from inkgate.service.accounts.models import Account
from inkgate.service.console import repository
from inkgate.service.console.notices import explain
from inkgate.service.console.paging import Paging
from inkgate.service.console.render import go, render
from inkgate.service.console.scope import scope_of
from inkgate.service.console.visit import Customer, Forbidden, Missing, Visit
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.metering.packs import FREE_CAPABILITIES
from inkgate.service.orders import repository as orders
from inkgate.service.orders import service as ordering
from inkgate.service.orders.models import OrderLineRow, OrderRow, ProductRow

router = APIRouter()
PER_PAGE = 20


@dataclass(frozen=True, slots=True)
class Basket:
    """What is being bought. `lines` are (product, quantity) of a quantity above 0."""

    capability: str
    products: list[ProductRow]
    quantities: Mapping[str, int]

    @property
    def lines(self) -> list[tuple[ProductRow, int]]:
        return [(each, self.quantities[each.id]) for each in self.products if self.quantities.get(each.id)]

    @property
    def fen(self) -> int:
        return sum(product.price_fen * quantity for product, quantity in self.lines)


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order with its lines, who placed it and the app that it is bound to ("" for all)."""

    order: OrderRow
    lines: list[OrderLineRow]
    account: str
    app: str

    @property
    def to_pay(self) -> int:
        return self.order.amount_fen - self.order.discount_fen


async def basket(unit: UnitOfWork, capability: str, given: Mapping[str, str]) -> Basket:
    """The sizes on sale of a capability with the quantities of the form; what is no number counts as 0."""
    products = [each for each in await orders.products(unit.session) if each.capability == capability]
    quantities = {each.id: _quantity(given.get(each.id, "")) for each in products}
    return Basket(capability, products, quantities)


def _quantity(text: str) -> int:
    return min(int(text), ordering.MAX_QUANTITY) if text.isascii() and text.isdigit() and len(text) < 6 else 0


async def order_view(unit: UnitOfWork, order: OrderRow) -> OrderView:
    """One order as a page shows it."""
    names = await repository.account_names(unit.session, [order.account_id])
    app = await accounts.app(unit.session, order.app_id) if order.app_id else None
    lines = await orders.lines(unit.session, order.id)
    return OrderView(order, lines, names.get(order.account_id, ""), app.name if app else "")


@router.get("/buy/{capability}")
async def choose(visit: Customer, capability: str) -> Response:
    """Step 1: sizes and quantities. `renew` (manual 2.2) asks for one pack of as many units as another one had."""
    _buyer(visit, capability)
    given = dict(visit.request.query_params)
    async with visit.reading() as unit:
        model = await basket(unit, capability, given)
        again = next((each.id for each in model.products if str(each.units) == given.get("renew")), "")
        if again:
            model = await basket(unit, capability, {again: "1"})
    return render(visit, "buy.html", model=model)


@router.post("/buy/{capability}")
async def confirm(visit: Customer, capability: str) -> Response:
    """Step 2: what it will be, the agreement, a voucher, the app."""
    return await _confirm(visit, capability)


async def _confirm(visit: Visit, capability: str, problem: str = "") -> Response:
    account = _buyer(visit, capability)
    given = {name: value for name, value in visit.form.items() if isinstance(value, str)}
    async with visit.reading() as unit:
        model = await basket(unit, capability, given)
        scope = await scope_of(unit, account)
        apps = await accounts.apps(unit.session, scope.account_ids)
    if not model.lines:
        nothing = visit.words("请至少选择一个资源包。")
        return render(visit, "buy.html", 422, model=model, problem=nothing)
    return render(
        visit,
        "buy_confirm.html",
        422 if problem else 200,
        model=model,
        apps=apps,
        problem=problem,
        approval=visit.parts.settings.orders.approval,
    )


@router.post("/buy/{capability}/order")
async def order(visit: Customer, capability: str) -> Response:
    """Step 3: place the order."""
    account = _buyer(visit, capability)
    if not visit.flag("agreed"):
        return await _confirm(visit, capability, visit.words("请先阅读并同意服务协议。"))
    given = {name: value for name, value in visit.form.items() if isinstance(value, str)}
    try:
        async with visit.begin() as unit:
            scope = await scope_of(unit, account)
            app_id = visit.text("app")
            if app_id and app_id not in scope.names:
                raise Missing
            chosen = await basket(unit, capability, given)
            placed = await ordering.place_order(
                unit,
                account.id,
                {product.id: quantity for product, quantity in chosen.lines},
                approval=visit.parts.settings.orders.approval,
                app_id=app_id or None,
                voucher=visit.text("voucher", 64) or None,
            )
    except Misuse as problem:
        return await _confirm(visit, capability, explain(visit.words, problem))
    return go(visit, f"/orders/{placed.number}?placed=1")


@router.get("/orders")
async def page(visit: Customer, page: int = 1) -> Response:
    """订单管理: the orders of the account and its sub-accounts, latest first."""
    assert visit.account is not None
    paging = Paging.of(page, PER_PAGE)
    async with visit.reading() as unit:
        scope = await scope_of(unit, visit.account)
        found = await orders.orders(unit.session, scope.account_ids, limit=paging.limit, offset=paging.offset)
        rows, more = paging.cut(found)
        models = [await order_view(unit, each) for each in rows]
    return render(visit, "orders.html", rows=models, page=paging.number, more=more)


@router.get("/orders/{number}")
async def order_page(visit: Customer, number: str, placed: str = "") -> Response:
    async with visit.reading() as unit:
        model = await order_view(unit, await _own(unit, visit, number))
    return render(visit, "order.html", model=model, placed=bool(placed))


@router.post("/orders/{number}/cancel")
async def cancel(visit: Customer, number: str) -> Response:
    """Take back an order that still waits for the operator."""
    try:
        async with visit.begin() as unit:
            await _own(unit, visit, number)
            await ordering.reject_order(unit, number, cancelled=True)
    except Misuse as problem:
        async with visit.reading() as unit:
            model = await order_view(unit, await _own(unit, visit, number))
        return render(visit, "order.html", 422, model=model, placed=False, problem=explain(visit.words, problem))
    return go(visit, f"/orders/{number}", "cancelled")


async def _own(unit: UnitOfWork, visit: Visit, number: str) -> OrderRow:
    assert visit.account is not None
    scope = await scope_of(unit, visit.account)
    found = await orders.order(unit.session, number)
    if found is None or found.account_id not in scope.account_ids:
        raise Missing
    return found


def _buyer(visit: Visit, capability: str) -> Account:
    """Main accounts buy; packs are theirs. Raises Missing, Forbidden."""
    if capability not in CAPABILITIES or capability in FREE_CAPABILITIES:
        raise Missing
    if visit.account is None or visit.account.parent_id:
        raise Forbidden
    return visit.account
