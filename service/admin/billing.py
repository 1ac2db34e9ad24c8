"""Catalogue, packs, orders, vouchers and refunds over HTTP."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter

from inkgate.service.accounts import service as accounts
from inkgate.service.admin import schemas
from inkgate.service.admin.access import OrdersRead, OrdersWrite
from inkgate.service.admin.fields import MAX_ROWS, Id, Limit, Offset, OrderNumber, ProductId, ShortText
from inkgate.service.metering import service as metering
from inkgate.service.metering.models import PackRow
from inkgate.service.orders import balance, refunds, repository
from inkgate.service.orders import service as orders
from inkgate.service.orders.vouchers import issue_voucher

router = APIRouter(tags=["orders"])


@router.get("/catalogue")
async def list_products(
    admin_request: OrdersRead, every: bool = False, limit: Limit = MAX_ROWS, offset: Offset = 0
) -> list[schemas.ProductOut]:
    async with admin_request.reading() as session:
        found = await repository.products(session, on_sale=not every, limit=limit, offset=offset)
        return [schemas.ProductOut.model_validate(row) for row in found]


@router.put("/catalogue/{product_id}")
async def set_product(admin_request: OrdersWrite, product_id: ProductId, body: schemas.ProductIn) -> schemas.ProductOut:
    async with admin_request.begin() as work:
        row = await orders.set_product(
            work, product_id, body.capability, body.units, body.price_fen, on_sale=body.on_sale
        )
        return schemas.ProductOut.model_validate(row)


@router.get("/accounts/{account_id}/packs")
async def list_packs(
    admin_request: OrdersRead,
    account_id: Id,
    capability: ShortText | None = None,
    limit: Limit = MAX_ROWS,
    offset: Offset = 0,
) -> list[schemas.PackOut]:
    """The packs of the account's main account, in order of purchase."""
    async with admin_request.begin() as work:
        account = await accounts.get_account(work, account_id)
        now = await work.checked_now()
        found = await metering.packs_of(
            work.session, account.parent_id or account.id, capability, limit=limit, offset=offset
        )
        return [_pack(row, now) for row in found]


@router.post("/accounts/{account_id}/packs", status_code=201)
async def grant_pack(admin_request: OrdersWrite, account_id: Id, body: schemas.NewPack) -> schemas.PackOut:
    async with admin_request.begin() as work:
        row = await metering.grant_pack(work, account_id, body.capability, body.units, app_id=body.app_id)
        return _pack(row, await work.checked_now())


@router.get("/orders")
async def list_orders(
    admin_request: OrdersRead,
    account_id: Id | None = None,
    state: ShortText = "",
    limit: Limit = 100,
    offset: Offset = 0,
) -> list[schemas.OrderOut]:
    async with admin_request.reading() as session:
        owners = None if account_id is None else [account_id]
        found = await repository.orders(session, owners, state=state, limit=limit, offset=offset)
        return [schemas.OrderOut.model_validate(row) for row in found]


@router.post("/accounts/{account_id}/orders", status_code=201)
async def place_order(admin_request: OrdersWrite, account_id: Id, body: schemas.NewOrder) -> schemas.OrderOut:
    async with admin_request.begin() as work:
        row = await orders.place_order(
            work,
            account_id,
            body.quantities,
            approval=admin_request.context.settings.orders.approval,
            app_id=body.app_id,
            voucher=body.voucher,
        )
        return schemas.OrderOut.model_validate(row)


@router.post("/orders/{number}/approval")
async def approve_order(admin_request: OrdersWrite, number: OrderNumber) -> schemas.OrderOut:
    async with admin_request.begin() as work:
        return schemas.OrderOut.model_validate(await orders.approve_order(work, number))


@router.post("/orders/{number}/rejection")
async def reject_order(admin_request: OrdersWrite, number: OrderNumber) -> schemas.OrderOut:
    async with admin_request.begin() as work:
        return schemas.OrderOut.model_validate(await orders.reject_order(work, number))


@router.post("/vouchers", status_code=201)
async def create_voucher(admin_request: OrdersWrite, body: schemas.NewVoucher) -> schemas.VoucherCode:
    async with admin_request.begin() as work:
        code = await issue_voucher(
            work,
            body.kind,
            body.value,
            product_id=body.product_id,
            account_id=body.account_id,
            ends_at=body.ends_at,
            name=body.name,
        )
        return schemas.VoucherCode(code=code)


@router.get("/vouchers")
async def list_vouchers(
    admin_request: OrdersRead, account_id: Id | None = None, limit: Limit = 100, offset: Offset = 0
) -> list[schemas.VoucherOut]:
    """Vouchers without their codes, the one that ends last first."""
    async with admin_request.reading() as session:
        found = await repository.vouchers(session, account_id, limit=limit, offset=offset)
        return [schemas.VoucherOut.model_validate(row) for row in found]


@router.get("/accounts/{account_id}/balance")
async def get_balance(
    admin_request: OrdersRead, account_id: Id, limit: Limit = 100, offset: Offset = 0
) -> schemas.BalanceOut:
    """The balance, and its changes, latest first."""
    async with admin_request.begin() as work:
        account = await accounts.get_account(work, account_id)
        found = await repository.entries(work.session, account.id, limit=limit, offset=offset)
        entries = [schemas.BalanceEntryOut.model_validate(row) for row in found]
        held = await repository.balance(work.session, account.id)
        return schemas.BalanceOut(balance_fen=held, entries=entries)


@router.post("/accounts/{account_id}/balance", status_code=201)
async def change_balance(
    admin_request: OrdersWrite, account_id: Id, body: schemas.BalanceChange
) -> schemas.BalanceEntryOut:
    """Top up the balance of a main account, or withdraw from it."""
    async with admin_request.begin() as work:
        row = await balance.change_balance(work, account_id, body.amount_fen, body.note)
        return schemas.BalanceEntryOut.model_validate(row)


@router.get("/refunds")
async def list_refunds(
    admin_request: OrdersRead,
    account_id: Id | None = None,
    state: ShortText = "",
    limit: Limit = 100,
    offset: Offset = 0,
) -> list[schemas.RefundOut]:
    async with admin_request.reading() as session:
        found = await repository.refunds(session, account_id, state=state, limit=limit, offset=offset)
        return [schemas.RefundOut.model_validate(row) for row in found]


@router.post("/refunds", status_code=201)
async def request_refund(admin_request: OrdersWrite, body: schemas.NewRefund) -> schemas.RefundOut:
    async with admin_request.begin() as work:
        row = await refunds.request_refund(
            work, body.pack_id, body.reason, decision=admin_request.context.settings.orders.refunds
        )
        return schemas.RefundOut.model_validate(row)


@router.post("/refunds/{refund_id}/approval")
async def approve_refund(admin_request: OrdersWrite, refund_id: Id) -> schemas.RefundOut:
    """Take the pack back. Its `state` is "failed" when the pack was used meanwhile."""
    async with admin_request.begin() as work:
        return schemas.RefundOut.model_validate(await refunds.approve_refund(work, refund_id))


@router.post("/refunds/{refund_id}/rejection")
async def reject_refund(
    admin_request: OrdersWrite, refund_id: Id, body: schemas.Rejection | None = None
) -> schemas.RefundOut:
    async with admin_request.begin() as work:
        note = body.note if body else ""
        return schemas.RefundOut.model_validate(await refunds.reject_refund(work, refund_id, note))


def _pack(row: PackRow, now: datetime) -> schemas.PackOut:
    """The row, with the state that it has `now`."""
    return schemas.PackOut.model_validate(row).model_copy(update={"state": metering.pack_state(row, now)})
