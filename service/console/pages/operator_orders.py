"""Operator pages: decisions on orders and refunds, products and prices."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service import money
from inkgate.service.audit.words import actor_name
from inkgate.service.console import repository
from inkgate.service.console.notices import explain
from inkgate.service.console.page_request import NotFound, Operator, PageRequest
from inkgate.service.console.pages.purchase import OrderView, order_views
from inkgate.service.console.paging import Page, Paging
from inkgate.service.console.render import go, render
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.metering.models import PackRow
from inkgate.service.orders import refunds
from inkgate.service.orders import repository as orders
from inkgate.service.orders import service as ordering
from inkgate.service.orders.models import OrderRow, ProductRow, RefundRow

router = APIRouter(prefix="/operator")
PER_PAGE = 25
STATES = ("unpaid", "pending", "active", "rejected", "cancelled")
REFUND_STATES = ("pending", "approved", "rejected", "failed", "withdrawn")
ORDER_DECISIONS = {"approve": ordering.approve_order, "reject": ordering.reject_order}
"""Decision in the address → function; any other word is answered with 404."""
REFUND_DECISIONS = ("approve", "reject")


@dataclass(frozen=True, slots=True)
class RefundView:
    """A refund with its pack, its account name, and the order that the pack is of."""

    refund: RefundRow
    pack: PackRow
    account: str
    order: OrderRow


async def order_list(unit: UnitOfWork, state: str, paging: Paging) -> Page[OrderView]:
    """A page of the orders in a state, latest first."""
    found = await orders.orders(unit.session, state=state, limit=paging.limit, offset=paging.offset)
    page = paging.page(found)
    return page.of(await order_views(unit, page.rows))


async def refund_list(unit: UnitOfWork, state: str, paging: Paging) -> Page[RefundView]:
    """A page of the refunds in a state, latest first."""
    found = await orders.refunds(unit.session, state=state, limit=paging.limit, offset=paging.offset)
    page = paging.page(found)
    rows = page.rows
    packs = await repository.packs_by_id(unit.session, [each.pack_id for each in rows])
    names = await repository.account_names(unit.session, [each.account_id for each in rows])
    of_packs = await orders.orders_by_id(unit.session, [each.order_id for each in packs.values() if each.order_id])
    views = [
        RefundView(each, packs[each.pack_id], names[each.account_id], of_packs[packs[each.pack_id].order_id or ""])
        for each in rows
    ]
    return page.of(views)


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
    return await _list(page_request, "operator_orders.html", order_list, STATES, state, status, problem, page)


async def _list(
    page_request: PageRequest,
    template: str,
    rows_of: Callable[[UnitOfWork, str, Paging], Awaitable[Page[Any]]],
    known: tuple[str, ...],
    state: str,
    status: int,
    problem: str,
    page: int,
) -> Response:
    """A page of what waits for a decision or had one, by state; an unknown state is taken for pending."""
    state, paging = state if state in known else "pending", Paging.of(page, PER_PAGE)
    async with page_request.reading() as unit:
        shown = await rows_of(unit, state, paging)
    return render(
        page_request,
        template,
        status,
        rows=shown.rows,
        page=shown,
        state=state,
        states_known=known,
        problem=problem,
        actor_name=partial(actor_name, language=page_request.translate.language),
    )


@router.get("/refunds")
async def refund_page(page_request: Operator, state: str = "pending", page: int = 1) -> Response:
    return await _refunds(page_request, state, page=page)


@router.post("/refunds/{refund_id}/{decision}")
async def decide_refund(page_request: Operator, refund_id: str, decision: str) -> Response:
    if decision not in REFUND_DECISIONS:
        raise NotFound
    note = page_request.text("note")
    try:
        if decision == "reject" and not note:
            raise Misuse("refund.note_required")
        async with page_request.begin() as unit:
            if decision == "approve":
                decided = await refunds.approve_refund(unit, refund_id)
            else:
                decided = await refunds.reject_refund(unit, refund_id, note)
    except Misuse as problem:
        return await _refunds(page_request, "pending", 422, explain(page_request.translate, problem))
    done = {"approved": "approved", "failed": "refund-failed"}.get(decided.state, "rejected")
    return go(page_request, "/operator/refunds", done)


async def _refunds(
    page_request: PageRequest, state: str, status: int = 200, problem: str = "", page: int = 1
) -> Response:
    return await _list(page_request, "operator_refunds.html", refund_list, REFUND_STATES, state, status, problem, page)


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
            price, on_sale = _price(page_request.text("price", 24)), page_request.flag("on_sale")
            if price == 0 and row.price_fen and not page_request.flag("free"):
                raise Misuse("product.price_zero")
            await ordering.set_product(unit, row.id, row.capability, row.units, price, on_sale=on_sale)
    except Misuse as problem:
        typed = page_request.text("price", 24)
        return await _products(page_request, 422, explain(page_request.translate, problem), product_id, typed)
    return go(page_request, "/operator/products", "price-saved")


def _price(text: str) -> int:
    """A price in yuan as typed, converted to fen. Raises Misuse for an invalid one."""
    found = money.parse(text)
    if found is None:
        raise Misuse("product.price_out_of_range", most=ordering.MAX_PRICE_FEN // 100)
    return found


async def _products(
    page_request: PageRequest, status: int = 200, problem: str = "", asked: str = "", typed: str = ""
) -> Response:
    """The list; after a refusal, with the price `typed` for the product `asked`, where 0 can be confirmed."""
    async with page_request.reading() as unit:
        rows: list[ProductRow] = await orders.products(unit.session, on_sale=False)
    return render(page_request, "operator_products.html", status, rows=rows, asked=asked, typed=typed, problem=problem)
