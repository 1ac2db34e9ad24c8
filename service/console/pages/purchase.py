"""购买 (manual 4.1): choose sizes and quantities → confirm with the agreement → order, whose payment is
in `payment`; then 订单管理."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.accounts import repository as accounts
from inkgate.service.accounts.models import Account
from inkgate.service.console import repository
from inkgate.service.console.app_labels import label
from inkgate.service.console.notices import explain
from inkgate.service.console.page_request import Customer, Forbidden, NotFound, PageRequest
from inkgate.service.console.paging import Paging
from inkgate.service.console.render import go, render
from inkgate.service.console.scope import MAX_CHOICES, app_labels, scope_of, visible_app
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.metering.packs import FREE_CAPABILITIES
from inkgate.service.orders import payments
from inkgate.service.orders import repository as orders
from inkgate.service.orders import service as ordering
from inkgate.service.orders.models import OrderLineRow, OrderRow, ProductRow

router = APIRouter()
PER_PAGE = 20
STATES = (ordering.UNPAID, ordering.PENDING, ordering.ACTIVE, ordering.REJECTED, ordering.CANCELLED)


@dataclass(frozen=True, slots=True)
class Cart:
    """Selected products. `lines` are (product, quantity) with a quantity above 0."""

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
    """An order with its lines, the name of its account and of the app it is bound to ("" for all apps).

    `payable`: it is unpaid, and its time to pay has not ended.
    """

    order: OrderRow
    lines: list[OrderLineRow]
    account: str
    app: str
    payable: bool

    @property
    def to_pay(self) -> int:
        return self.order.amount_fen - self.order.discount_fen

    @property
    def state(self) -> str:
        """The state of the order; "lapsed" for an unpaid one that cannot be paid any more."""
        return "lapsed" if self.order.state == ordering.UNPAID and not self.payable else self.order.state

    @property
    def updated_at(self) -> datetime:
        return self.order.decided_at or self.order.paid_at or self.order.ordered_at


async def cart(unit: UnitOfWork, capability: str, given: Mapping[str, str]) -> Cart:
    """The products on sale of a capability with the quantities of the form; an invalid number counts as 0."""
    products = [each for each in await orders.products(unit.session) if each.capability == capability]
    quantities = {each.id: _quantity(given.get(each.id, "")) for each in products}
    return Cart(capability, products, quantities)


def _quantity(text: str) -> int:
    return min(int(text), ordering.MAX_QUANTITY) if text.isascii() and text.isdigit() and len(text) < 6 else 0


async def order_views(unit: UnitOfWork, found: Sequence[OrderRow]) -> list[OrderView]:
    """The view models of orders, with one query for each kind of row."""
    now = await unit.now()
    names = await repository.account_names(unit.session, list({each.account_id for each in found}))
    ordered = await repository.named_apps(unit.session, list({each.app_id for each in found if each.app_id}))
    apps = {each.app_id: each for each in ordered}
    lines = await orders.lines_of(unit.session, [each.id for each in found])
    return [
        OrderView(
            each,
            lines.get(each.id, []),
            names.get(each.account_id, ""),
            label(apps[each.app_id], each.account_id) if each.app_id in apps else "",
            payments.payable(each, now),
        )
        for each in found
    ]


async def order_view(unit: UnitOfWork, order: OrderRow) -> OrderView:
    """The view model of one order."""
    return (await order_views(unit, [order]))[0]


@router.get("/buy/{capability}")
async def choose(page_request: Customer, capability: str) -> Response:
    """Step 1: sizes and quantities. `renew` (manual 2.2) asks for one pack of as many units as another one had."""
    _buyer(page_request, capability)
    given = dict(page_request.request.query_params)
    async with page_request.reading() as unit:
        model = await cart(unit, capability, given)
        again = next((each.id for each in model.products if str(each.units) == given.get("renew")), "")
        if again or not model.lines:  # one pack of the smallest size at first, as in the manual
            again = again or next((each.id for each in model.products), "")
            model = await cart(unit, capability, {again: "1"})
    return render(page_request, "buy.html", model=model, most=ordering.MAX_QUANTITY)


@router.post("/buy/{capability}")
async def confirm(page_request: Customer, capability: str) -> Response:
    """To step 2 with the quantities in its address, so that a reload or a change of language keeps them."""
    _buyer(page_request, capability)
    async with page_request.reading() as unit:
        model = await cart(unit, capability, _given(page_request))
    if not model.lines:
        return await _confirm(page_request, capability)
    chosen = urlencode([(product.id, quantity) for product, quantity in model.lines])
    return go(page_request, f"/buy/{capability}/confirm?{chosen}")


@router.get("/buy/{capability}/confirm")
async def confirm_page(page_request: Customer, capability: str) -> Response:
    """Step 2: summary, agreement and app. Without quantities back to step 1."""
    _buyer(page_request, capability)
    async with page_request.reading() as unit:
        model = await cart(unit, capability, _given(page_request))
    if not model.lines:
        return go(page_request, f"/buy/{capability}")
    return await _confirm(page_request, capability)


def _given(page_request: PageRequest) -> dict[str, str]:
    """The quantities of the form, or of the address."""
    form = {name: value for name, value in page_request.form.items() if isinstance(value, str)}
    return form or dict(page_request.request.query_params)


async def _confirm(page_request: PageRequest, capability: str, problem: str = "") -> Response:
    account = _buyer(page_request, capability)
    async with page_request.reading() as unit:
        model = await cart(unit, capability, _given(page_request))
        scope = await scope_of(unit, account)
        apps = await accounts.apps(unit.session, scope.account_ids, limit=MAX_CHOICES)
        labels = await app_labels(unit, [each.id for each in apps], scope.family)
    if not model.lines:
        nothing = page_request.translate("请至少选择一个资源包。")
        return render(page_request, "buy.html", 422, model=model, most=ordering.MAX_QUANTITY, problem=nothing)
    return render(
        page_request,
        "buy_confirm.html",
        422 if problem else 200,
        model=model,
        apps=apps,
        labels=labels,
        problem=problem,
    )


@router.post("/buy/{capability}/order")
async def order(page_request: Customer, capability: str) -> Response:
    """Place the order; its payment is step 3."""
    account = _buyer(page_request, capability)
    if not page_request.flag("agreed"):
        return await _confirm(page_request, capability, page_request.translate("请先阅读并同意服务协议。"))
    given = {name: value for name, value in page_request.form.items() if isinstance(value, str)}
    try:
        async with page_request.begin() as unit:
            scope = await scope_of(unit, account)
            app_id = page_request.text("app")
            if app_id:
                await visible_app(unit, scope, app_id)
            chosen = await cart(unit, capability, given)
            placed = await payments.place_unpaid(
                unit,
                account.id,
                {product.id: quantity for product, quantity in chosen.lines},
                app_id=app_id or None,
            )
    except Misuse as problem:
        return await _confirm(page_request, capability, explain(page_request.translate, problem))
    return go(page_request, f"/orders/{placed.number}/pay")


@router.get("/orders")
async def page(page_request: Customer, page: int = 1, state: str = "") -> Response:
    """订单管理: the orders of the account and its sub-accounts, latest first."""
    assert page_request.account is not None
    paging = Paging.of(page, PER_PAGE)
    state = state if state in STATES else ""
    async with page_request.reading() as unit:
        scope = await scope_of(unit, page_request.account)
        found = await orders.orders(
            unit.session, scope.account_ids, state=state, limit=paging.limit, offset=paging.offset
        )
        shown = paging.page(found)
        models = await order_views(unit, shown.rows)
    return render(page_request, "orders.html", rows=models, page=shown, state=state, states_known=STATES)


@router.get("/orders/{number}")
async def order_page(page_request: Customer, number: str, paid: str = "") -> Response:
    """An order; after its payment (`paid`), step 4."""
    async with page_request.reading() as unit:
        model = await order_view(unit, await own_order(unit, page_request, number))
    return render(page_request, "order.html", model=model, paid=bool(paid))


@router.post("/orders/{number}/cancel")
async def cancel(page_request: Customer, number: str) -> Response:
    """Cancel an order that awaits approval."""
    try:
        async with page_request.begin() as unit:
            await own_order(unit, page_request, number)
            await ordering.reject_order(unit, number, cancelled=True)
    except Misuse as problem:
        async with page_request.reading() as unit:
            model = await order_view(unit, await own_order(unit, page_request, number))
        return render(
            page_request, "order.html", 422, model=model, paid=False, problem=explain(page_request.translate, problem)
        )
    return go(page_request, f"/orders/{number}", "cancelled")


async def own_order(unit: UnitOfWork, page_request: PageRequest, number: str) -> OrderRow:
    """An order of the visible accounts. Raises NotFound."""
    assert page_request.account is not None
    scope = await scope_of(unit, page_request.account)
    found = await orders.order(unit.session, number)
    if found is None or found.account_id not in scope.account_ids:
        raise NotFound
    return found


def _buyer(page_request: PageRequest, capability: str) -> Account:
    """The main account that buys. Raises NotFound for a capability without packs, Forbidden for a sub-account."""
    if capability not in CAPABILITIES or capability in FREE_CAPABILITIES:
        raise NotFound
    if page_request.account is None or page_request.account.parent_id:
        raise Forbidden
    return page_request.account
