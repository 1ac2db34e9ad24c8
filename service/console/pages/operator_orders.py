"""Operator pages: decisions on orders and refunds, products and prices."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.audit.words import actor_words
from inkgate.service.console import repository
from inkgate.service.console.notices import explain
from inkgate.service.console.page_request import NotFound, Operator, PageRequest
from inkgate.service.console.pages.purchase import OrderView, order_view
from inkgate.service.console.paging import Paging
from inkgate.service.console.render import go, render
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.metering.models import PackRow
from inkgate.service.orders import refunds
from inkgate.service.orders import repository as orders
from inkgate.service.orders import service as ordering
from inkgate.service.orders.models import ProductRow, RefundRow

router = APIRouter(prefix="/operator")
PER_PAGE = 25
YUAN = re.compile(r"[0-9]{1,13}(\.[0-9]{1,6})?")
STATES = ("pending", "active", "rejected", "cancelled")
REFUND_STATES = ("pending", "approved", "rejected", "failed")
ORDER_DECISIONS = {"approve": ordering.approve_order, "reject": ordering.reject_order}
REFUND_DECISIONS = {"approve": refunds.approve_refund, "reject": refunds.reject_refund}
"""Decision in the address → function; any other word is answered with 404."""


@dataclass(frozen=True, slots=True)
class RefundView:
    """A refund with its pack and its account name."""

    refund: RefundRow
    pack: PackRow
    account: str


async def order_list(unit: UnitOfWork, state: str, paging: Paging) -> tuple[list[OrderView], bool]:
    """A page of the orders in a state, latest first, and whether another page follows."""
    found = await orders.orders(unit.session, state=state, limit=paging.limit, offset=paging.offset)
    rows, more = paging.cut(found)
    return [await order_view(unit, each) for each in rows], more


async def refund_list(unit: UnitOfWork, state: str, paging: Paging) -> tuple[list[RefundView], bool]:
    """A page of the refunds in a state, latest first, and whether another page follows."""
    found = await orders.refunds(unit.session, state=state, limit=paging.limit, offset=paging.offset)
    rows, more = paging.cut(found)
    packs = await repository.packs_by_id(unit.session, [each.pack_id for each in rows])
    names = await repository.account_names(unit.session, [each.account_id for each in rows])
    return [RefundView(each, packs[each.pack_id], names[each.account_id]) for each in rows], more


@router.get("/orders")
async def order_page(page_request: Operator, state: str = "pending", page: int = 1) -> Response:
    return await _orders(page_request, state, page=page)


@router.post("/orders/{number}/{decision}")
async def decide_order(page_request: Operator, number: str, decision: str) -> Response:
    decide = ORDER_DECISIONS.get(decision)
    if decide is None:
        raise NotFound
    try:
        async with page_request.begin() as unit:
            await decide(unit, number)
    except Misuse as problem:
        return await _orders(page_request, "pending", 422, explain(page_request.translate, problem))
    return go(page_request, "/operator/orders", "approved" if decision == "approve" else "rejected")


async def _orders(
    page_request: PageRequest, state: str, status: int = 200, problem: str = "", page: int = 1
) -> Response:
    state, paging = state if state in STATES else "pending", Paging.of(page, PER_PAGE)
    async with page_request.reading() as unit:
        rows, more = await order_list(unit, state, paging)
    return render(
        page_request,
        "operator_orders.html",
        status,
        rows=rows,
        more=more,
        page=paging.number,
        state=state,
        states_known=STATES,
        problem=problem,
        actor_name=_actor_name(page_request),
    )


@router.get("/refunds")
async def refund_page(page_request: Operator, state: str = "pending", page: int = 1) -> Response:
    return await _refunds(page_request, state, page=page)


@router.post("/refunds/{refund_id}/{decision}")
async def decide_refund(page_request: Operator, refund_id: str, decision: str) -> Response:
    decide = REFUND_DECISIONS.get(decision)
    if decide is None:
        raise NotFound
    try:
        async with page_request.begin() as unit:
            decided = await decide(unit, refund_id)
    except Misuse as problem:
        return await _refunds(page_request, "pending", 422, explain(page_request.translate, problem))
    done = {"approved": "approved", "failed": "refund-failed"}.get(decided.state, "rejected")
    return go(page_request, "/operator/refunds", done)


async def _refunds(
    page_request: PageRequest, state: str, status: int = 200, problem: str = "", page: int = 1
) -> Response:
    state, paging = state if state in REFUND_STATES else "pending", Paging.of(page, PER_PAGE)
    async with page_request.reading() as unit:
        rows, more = await refund_list(unit, state, paging)
    return render(
        page_request,
        "operator_refunds.html",
        status,
        rows=rows,
        more=more,
        page=paging.number,
        state=state,
        states_known=REFUND_STATES,
        problem=problem,
        actor_name=_actor_name(page_request),
    )


def _actor_name(page_request: PageRequest) -> Callable[[str | None], str]:
    """The name of who decided, as in the audit trail; "" for an order not yet decided."""
    return lambda actor: actor_words(actor, page_request.translate.language)[1] if actor else ""


@router.get("/products")
async def product_page(page_request: Operator) -> Response:
    return await _products(page_request)


@router.post("/products/{product_id}")
async def set_product(page_request: Operator, product_id: str) -> Response:
    """Change the price of a product, or take it off sale."""
    try:
        async with page_request.begin() as unit:
            row = await orders.product(unit.session, product_id)
            if row is None:
                raise Misuse("product.not_on_sale", product_id=product_id)
            price, on_sale = fen(page_request.text("price", 20)), page_request.flag("on_sale")
            await ordering.set_product(unit, row.id, row.capability, row.units, price, on_sale=on_sale)
    except Misuse as problem:
        return await _products(page_request, 422, explain(page_request.translate, problem))
    return go(page_request, "/operator/products", "price-saved")


def fen(yuan: str) -> int:
    """A price in yuan as typed, converted to fen; -1, which the catalogue rejects, for an invalid price."""
    typed = yuan.replace(",", "")
    if YUAN.fullmatch(typed) is None:
        return -1
    amount = Decimal(typed) * 100
    return int(amount) if amount == amount.to_integral_value() else -1


async def _products(page_request: PageRequest, status: int = 200, problem: str = "") -> Response:
    async with page_request.reading() as unit:
        rows: list[ProductRow] = await orders.products(unit.session, on_sale=False)
    return render(page_request, "operator_products.html", status, rows=rows, problem=problem)
