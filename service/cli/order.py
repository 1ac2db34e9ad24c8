"""`inkgate order …`: catalogue, orders, vouchers and refunds."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from inkgate.service import money
from inkgate.service.audit import trail
from inkgate.service.cli._common import (
    JSON,
    LIMIT,
    CommandContext,
    find_account,
    find_app_paid_by,
    print_fields,
    print_table,
    run,
)
from inkgate.service.db import work
from inkgate.service.errors import Misuse
from inkgate.service.orders import balance, refunds, repository
from inkgate.service.orders import service as orders
from inkgate.service.orders.vouchers import issue_voucher

app = typer.Typer(help="Catalogue, orders 订单, vouchers 卡券 and refunds 退订.", no_args_is_help=True)
Items = Annotated[list[str], typer.Argument(help="PRODUCT or PRODUCT=QUANTITY, as in general-100k=2.")]
WHOLE = re.compile("[0-9]{1,9}")  # a whole number as typed


@app.command()
def catalogue(every: bool = typer.Option(False, "--all", help="Also what is off sale."), as_json: bool = JSON) -> None:
    """List the products."""

    async def action(context: CommandContext) -> list[tuple[object, ...]]:
        async with work.read_session(context.engine) as session:
            found = await repository.products(session, on_sale=not every)
        return [(row.id, row.capability, row.units, yuan(row.price_fen), row.on_sale) for row in found]

    print_table(("product", "capability", "units", "yuan", "on sale"), run(action), as_json=as_json)


@app.command()
def product(
    product_id: str,
    capability: str,
    units: int,
    price: str = typer.Argument(..., help="Yuan, as in 450 or 0.50."),
    off_sale: bool = typer.Option(False, "--off-sale", help="Take it out of the catalogue."),
) -> None:
    """Add a product, change its price, or take it off sale."""

    async def action(context: CommandContext) -> None:
        async with context.begin() as unit:
            await orders.set_product(unit, product_id, capability, units, fen(price), on_sale=not off_sale)

    run(action)


@app.command()
def place(
    account: str,
    items: Items,
    only_app: str = typer.Option("", "--app", help="Bind the packs to one app (name, AppKey or id)."),
    voucher: str = typer.Option("", help="The code of a voucher."),
    as_json: bool = JSON,
) -> None:
    """Place an order for an account."""

    async def action(context: CommandContext) -> dict[str, object]:
        async with context.begin() as unit:
            owner = await find_account(unit, account)
            order = await orders.place_order(
                unit,
                owner.id,
                _quantities(items),
                approval=context.settings.orders.approval,
                app_id=(await find_app_paid_by(unit, only_app, owner)).id if only_app else None,
                voucher=voucher or None,
            )
            pays = order.amount_fen - order.discount_fen
            return {"ORDER": order.number, "STATE": order.state, "YUAN": yuan(pays)}

    print_fields(run(action), as_json=as_json)


@app.command("list")
def list_(account: str = "", state: str = "", limit: int = LIMIT, as_json: bool = JSON) -> None:
    """List orders, newest first."""

    async def action(context: CommandContext) -> list[tuple[object, ...]]:
        async with context.begin() as unit:
            owners = [(await find_account(unit, account)).id] if account else None
            await trail.record_look(unit, "cli.view", "orders", owners[0] if owners else None)
            found = await repository.orders(unit.session, owners, state=state, limit=limit)
        return [
            (row.number, row.state, yuan(row.amount_fen - row.discount_fen), row.ordered_at, row.decided_by)
            for row in found
        ]

    print_table(("order", "state", "yuan", "ordered", "decided by"), run(action), as_json=as_json)


@app.command()
def approve(number: str) -> None:
    """Make the packs of a pending order."""

    async def action(context: CommandContext) -> None:
        async with context.begin() as unit:
            await orders.approve_order(unit, number)

    run(action)


@app.command()
def reject(number: str, cancel: bool = typer.Option(False, "--cancel", help="At the customer's wish.")) -> None:
    """Close a pending order without packs."""

    async def action(context: CommandContext) -> None:
        async with context.begin() as unit:
            await orders.reject_order(unit, number, cancelled=cancel)

    run(action)


@app.command()
def voucher(
    kind: str = typer.Argument(..., help="credit, percent or goods."),
    value: str = typer.Argument("1", help="Yuan of a credit, percent of a percentage."),
    product_id: str = typer.Option("", "--product", help="The product that a goods voucher is for."),
    account: str = typer.Option("", help="Only this account may use it."),
    name: str = typer.Option("", help="Shown to the customer."),
) -> None:
    """Issue a voucher. Its code is shown this once."""

    async def action(context: CommandContext) -> str:
        async with context.begin() as unit:
            owner = (await find_account(unit, account)).id if account else None
            worth = fen(value) if kind == "credit" else _whole(value)
            return await issue_voucher(unit, kind, worth, product_id=product_id or None, account_id=owner, name=name)

    typer.echo(run(action))


@app.command("voucher-list")
def voucher_list(account: str = "", limit: int = LIMIT, as_json: bool = JSON) -> None:
    """List vouchers without their codes, the one that ends last first."""

    async def action(context: CommandContext) -> list[tuple[object, ...]]:
        async with context.begin() as unit:
            owner = (await find_account(unit, account)).id if account else None
            await trail.record_look(unit, "cli.view", "vouchers", owner)
            found = await repository.vouchers(unit.session, owner, limit=limit)
        return [
            (row.number, row.kind, row.value, row.name, row.product_id, row.order_id is not None, row.ends_at)
            for row in found
        ]

    print_table(("number", "kind", "value", "name", "product", "used", "ends"), run(action), as_json=as_json)


@app.command("balance")
def balance_(account: str, limit: int = LIMIT, as_json: bool = JSON) -> None:
    """List the changes of an account's balance, newest first."""

    async def action(context: CommandContext) -> list[tuple[object, ...]]:
        async with context.begin() as unit:
            owner = await find_account(unit, account)
            await trail.record_look(unit, "cli.view", "balance of", owner.id)
            found = await repository.entries(unit.session, owner.id, limit=limit)
        return [
            (row.seq, row.kind, yuan(row.amount_fen), yuan(row.balance_fen), row.note, row.entered_at, row.entered_by)
            for row in found
        ]

    head = ("seq", "kind", "yuan", "balance", "note", "entered", "entered by")
    print_table(head, run(action), as_json=as_json)


@app.command("top-up")
def top_up(
    account: str,
    amount: str = typer.Argument(..., help="Yuan, as in 1000 or 0.50."),
    withdraw: bool = typer.Option(False, "--withdraw", help="Take the amount from the balance."),
    note: str = typer.Option("", help="Such as the number of a bank transfer."),
) -> None:
    """Top up the balance of a main account. Prints the new balance in yuan."""

    async def action(context: CommandContext) -> int:
        async with context.begin() as unit:
            owner = await find_account(unit, account)
            entry = await balance.change_balance(unit, owner.id, -fen(amount) if withdraw else fen(amount), note)
            return entry.balance_fen

    typer.echo(yuan(run(action)))


@app.command("refund-request")
def refund_request(pack: str, reason: str = "") -> None:
    """Ask for an unused pack to be taken back."""

    async def action(context: CommandContext) -> dict[str, object]:
        async with context.begin() as unit:
            refund = await refunds.request_refund(unit, pack, reason, decision=context.settings.orders.refunds)
            return {"REFUND": refund.id, "STATE": refund.state, "YUAN": yuan(refund.amount_fen)}

    print_fields(run(action), as_json=False)


@app.command("refund-list")
def refund_list(account: str = "", state: str = "", as_json: bool = JSON) -> None:
    """List refunds, newest first."""

    async def action(context: CommandContext) -> list[tuple[object, ...]]:
        async with context.begin() as unit:
            owner = (await find_account(unit, account)).id if account else None
            found = await repository.refunds(unit.session, owner, state=state)
            await trail.record_look(unit, "cli.view", "refunds", owner)
        return [(row.id, row.pack_id, row.state, yuan(row.amount_fen), row.requested_at) for row in found]

    print_table(("id", "pack", "state", "yuan", "requested"), run(action), as_json=as_json)


@app.command("refund-approve")
def refund_approve(refund: str) -> None:
    """Take the pack back; fails when it has been used meanwhile."""

    async def action(context: CommandContext) -> str:
        async with context.begin() as unit:
            return (await refunds.approve_refund(unit, refund)).state

    if run(action) == "failed":
        raise Misuse("command.refund_failed")


@app.command("refund-reject")
def refund_reject(refund: str, note: str = typer.Option("", help="The reason, which the customer sees.")) -> None:
    """Leave the pack with its owner."""

    async def action(context: CommandContext) -> None:
        async with context.begin() as unit:
            await refunds.reject_refund(unit, refund, note)

    run(action)


def yuan(amount: int) -> str:
    """Fen as yuan: 45000 is "450.00"."""
    return money.plain(amount)


def fen(amount: str) -> int:
    """An amount in yuan as typed, converted to fen. Raises Misuse for an invalid amount."""
    found = None if "," in amount else money.parse(amount)
    if found is None:
        raise Misuse("command.not_amount", text=amount)
    return found


def _quantities(items: list[str]) -> dict[str, int]:
    wanted: dict[str, int] = {}
    for item in items:
        product_id, _, quantity = item.partition("=")
        if WHOLE.fullmatch(quantity or "1") is None:
            raise Misuse("command.not_quantity", text=item)
        wanted[product_id] = wanted.get(product_id, 0) + int(quantity or "1")
    return wanted


def _whole(text: str) -> int:
    """A whole number as typed. Raises Misuse."""
    if WHOLE.fullmatch(text) is None:
        raise Misuse("command.not_whole_number", text=text)
    return int(text)
