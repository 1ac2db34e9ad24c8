"""支付订单 (manual 4.1): voucher and method of payment of an unpaid order; the agreement and the price list."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.console.notices import explain
from inkgate.service.console.page_request import Customer, Forbidden, PageRequest, SignedInRequest
from inkgate.service.console.pages.purchase import order_view, own_order
from inkgate.service.console.render import go, render
from inkgate.service.errors import Misuse
from inkgate.service.orders import payments
from inkgate.service.orders import repository as orders
from inkgate.service.orders.payments import Terms
from inkgate.service.orders.vouchers import discount_of

router = APIRouter()


def terms(page_request: PageRequest) -> Terms:
    """The payments that the settings allow."""
    settings = page_request.parts.settings.orders
    return Terms(settings.approval, settings.payments)


@router.get("/orders/{number}/pay")
async def page(page_request: Customer, number: str) -> Response:
    """Step 3: voucher and method. An order that cannot be paid shows its own page."""
    return await _render_page(page_request, number)


@router.post("/orders/{number}/pay")
async def pay(page_request: Customer, number: str) -> Response:
    """Pay the order; then step 4."""
    _check_buyer(page_request)
    code = page_request.text("voucher", 64)
    own = "" if code else page_request.text("own", 64)
    try:
        async with page_request.begin() as unit:
            await own_order(unit, page_request, number)
            method = page_request.text("method", 16)
            await payments.pay_order(unit, number, method, terms(page_request), code=code, voucher_number=own)
    except Misuse as problem:
        return await _render_page(page_request, number, explain(page_request.translate, problem))
    return go(page_request, f"/orders/{number}?paid=1")


async def _render_page(page_request: PageRequest, number: str, problem: str = "") -> Response:
    _check_buyer(page_request)
    async with page_request.reading() as unit:
        model = await order_view(unit, await own_order(unit, page_request, number))
        now = await unit.checked_now()
        balance = await orders.balance(unit.session, model.order.account_id)
        usable = await orders.usable_vouchers(unit.session, model.order.account_id, now)
    status = 422 if problem else 200
    if not model.payable:
        return render(page_request, "order.html", status, model=model, paid=False, problem=problem)
    offered = terms(page_request).offered
    return render(
        page_request,
        "pay.html",
        status,
        model=model,
        until=model.order.ordered_at + payments.PAYMENT_WINDOW,
        vouchers=[(each, value) for each in usable if (value := discount_of(each, model.order, model.lines))],
        methods=offered,
        chosen=_first_choice(page_request.text("method", 16), offered, enough=balance >= model.to_pay),
        balance=balance,
        approval=terms(page_request).approval,
        problem=problem,
    )


def _first_choice(asked: str, offered: tuple[str, ...], *, enough: bool) -> str:
    """The method that is chosen at first: the former choice, or the first one that can pay the order."""
    if asked in offered:
        return asked
    able = [each for each in offered if each == payments.OFFLINE or (each == payments.BALANCE and enough)]
    return (able or list(offered))[0]


def _check_buyer(page_request: PageRequest) -> None:
    """Raises Forbidden for a sub-account, which pays nothing."""
    if page_request.account is None or page_request.account.parent_id:
        raise Forbidden


@router.get("/agreement")
async def agreement(page_request: SignedInRequest) -> Response:
    """《服务协议》: the operator's text, or the built-in one."""
    return render(page_request, "agreement.html", paragraphs=page_request.parts.agreement)


@router.get("/pricing")
async def pricing(page_request: SignedInRequest) -> Response:
    """计费详情 (manual 2.1): how packs are charged, and the products on sale."""
    async with page_request.reading() as unit:
        products = await orders.products(unit.session)
    return render(page_request, "pricing.html", products=products)
