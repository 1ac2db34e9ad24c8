"""Rows of every list of the console, in bulk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from inkgate.service.accounts.models import AccessKeyRow, Account, AppRow, OpenedRow
from inkgate.service.admin.models import TokenRow
from inkgate.service.audit.models import EventRow
from inkgate.service.db import ids
from inkgate.service.metering.models import ACTIVE, REFUNDED, MeterRow, PackRow
from inkgate.service.metering.packs import COMMERCIAL
from inkgate.service.notices.models import NoticeRow
from inkgate.service.orders.models import BalanceEntryRow, OrderLineRow, OrderRow, RefundRow, VoucherRow
from inkgate.service.takeover.models import RouteRow
from inkgate.service.users.models import SessionRow, UserRow

ROWS_PER_STATEMENT = 5000
ORDER_STATES = ("active", "active", "active", "pending", "unpaid", "rejected")
REFUND_STATES = ("approved", "rejected", "withdrawn")  # but for the latest, which are pending
PENDING_REFUNDS = 200
ACTIONS = (("pack.grant", "done"), ("order.place", "done"), ("user.sign_in", "failed"), ("operator.view", "done"))
PRODUCT, PRODUCT_CAPABILITY = "general-100k", "general"
Make = Callable[[int], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Amounts:
    """Rows of each kind. Orders, packs, refunds, vouchers and balance entries belong to one customer; so do
    `own_accounts` of the accounts (as sub-accounts), and `own_apps` of the apps."""

    orders: int
    refunds: int
    vouchers: int
    entries: int
    events: int
    notices: int
    users: int
    sessions: int
    keys: int
    accounts: int
    own_accounts: int
    apps: int
    own_apps: int
    tokens: int = 0
    routes: int = 0

    @classmethod
    def even(cls, count: int) -> Amounts:
        """The same number of rows of each kind, all of one customer."""
        every = cls(*[count] * 13, tokens=count, routes=count)
        return replace(every, apps=count, own_apps=count)


def _id(kind: int, number: int) -> str:
    """An id of its own for each kind and number."""
    return f"{kind:08x}-0000-7000-8000-{number:012x}"


async def fill(engine: AsyncEngine, account_id: str, now: datetime, amounts: Amounts) -> None:
    """Insert the rows, spread over the 360 days before `now`. Raises IntegrityError on a second call."""
    async with engine.begin() as connection:
        await _accounts(connection, account_id, now, amounts)
        await _sales(connection, account_id, now, amounts)
        await _trails(connection, account_id, now, amounts)
    await analyze(engine)


async def analyze(engine: AsyncEngine) -> None:
    """Let the planner of Postgres know the tables, as its autovacuum would."""
    if engine.dialect.name == "postgresql":
        async with engine.connect() as connection:
            plain = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await plain.execute(text("VACUUM ANALYZE"))


async def _insert(connection: AsyncConnection, row: type[Any], count: int, make: Make) -> None:
    for start in range(0, count, ROWS_PER_STATEMENT):
        part = [dict(make(number)) for number in range(start, min(start + ROWS_PER_STATEMENT, count))]
        await connection.execute(insert(row), part)


def _spread(now: datetime, count: int) -> Callable[[int], datetime]:
    """The time of each of `count` rows, the first one oldest."""
    step = timedelta(days=360) / max(count, 1)
    return lambda number: now - step * (count - number)


async def _accounts(connection: AsyncConnection, account_id: str, now: datetime, amounts: Amounts) -> None:
    others = max(amounts.accounts - amounts.own_accounts, 1)
    at = _spread(now, amounts.accounts)
    await _insert(connection, Account, amounts.accounts, lambda n: {
        "id": _id(1, n),
        "name": f"客户 {n:06}",
        "parent_id": account_id if n < amounts.own_accounts else None,
        "suspended_at": None,
        "created_at": at(n),
    })  # fmt: skip

    def owner(n: int) -> str:
        own = n < amounts.own_apps or amounts.accounts == amounts.own_accounts
        return account_id if own else _id(1, amounts.own_accounts + n % others)

    at = _spread(now, amounts.apps)
    await _insert(connection, AppRow, amounts.apps, lambda n: {
        "id": _id(2, n),
        "account_id": owner(n),
        "name": f"app_{n:07}",
        "description": "",
        "appkey": f"appkey{n:026}",
        "sealed_secret": b"",
        "sm2_public_key": "",
        "sealed_sm2_key": b"",
        "extras": False,
        "created_at": at(n),
        "deleted_at": None,
    })  # fmt: skip
    await _insert(connection, OpenedRow, amounts.apps, lambda n: {
        "app_id": _id(2, n), "capability": PRODUCT_CAPABILITY, "qps": None, "opened_at": at(n),
    })  # fmt: skip
    await _insert(connection, RouteRow, amounts.routes, lambda n: {
        "app_id": _id(2, n), "capability": PRODUCT_CAPABILITY, "mode": "mirror", "percent": 0, "changed_at": now,
    })  # fmt: skip
    await _insert(connection, MeterRow, others, lambda n: {
        "account_id": _id(1, amounts.accounts - 1 - n) if amounts.accounts else account_id,
        "capability": PRODUCT_CAPABILITY, "seq": 10, "settled_at": now, "archived_lines": 0,
    })  # fmt: skip
    await _insert(connection, AccessKeyRow, amounts.keys, lambda n: {
        "ak": f"{n:032x}",
        "sealed_secret": b"",
        "account_id": account_id,
        "disabled_at": now,
        "created_at": now - timedelta(seconds=n),
    })  # fmt: skip
    await _insert(connection, UserRow, 2 * amounts.users, lambda n: {
        "id": _id(3, n),
        "login": f"user{n:06}",
        "login_key": f"user{n:06}",
        "password_hash": "",
        "role": "operator" if n % 2 else "customer",
        "account_id": None if n % 2 else account_id,
        "failures": 0,
        "must_change": False,
        "created_at": now,
    })  # fmt: skip
    await _insert(connection, TokenRow, amounts.tokens, lambda n: {
        "token_hash": f"{n:064x}", "name": f"token {n}", "scopes": "usage:read", "created_at": now,
    })  # fmt: skip


async def _sales(connection: AsyncConnection, account_id: str, now: datetime, amounts: Amounts) -> None:
    at = _spread(now, amounts.orders)

    def state(n: int) -> str:
        return "active" if n < amounts.refunds else ORDER_STATES[n % len(ORDER_STATES)]

    def refund_state(n: int) -> str:
        """The state of the refund of pack `n`; "" without one."""
        if n >= amounts.refunds:
            return ""
        return "pending" if n >= amounts.refunds - PENDING_REFUNDS else REFUND_STATES[n % len(REFUND_STATES)]

    def used_units(n: int) -> int:
        if refund_state(n) in ("approved", "pending"):
            return 0
        return 5000 if n % 100 == 0 else 100_000

    await _insert(connection, OrderRow, amounts.orders, lambda n: {
        "id": _id(4, n),
        "number": f"{n:020}",
        "account_id": account_id,
        "app_id": None,
        "state": state(n),
        "amount_fen": 1000,
        "discount_fen": 0,
        "ordered_at": at(n),
        "decided_at": at(n) if state(n) in ("active", "rejected") else None,
        "decided_by": "console:chief",
        "payment": "offline",
    })  # fmt: skip
    await _insert(connection, OrderLineRow, amounts.orders, lambda n: {
        "order_id": _id(4, n), "line": 0, "product_id": PRODUCT, "capability": PRODUCT_CAPABILITY,
        "units": 100_000, "quantity": 1, "price_fen": 1000,
    })  # fmt: skip
    await _insert(connection, PackRow, amounts.orders, lambda n: {
        "id": _id(5, n),
        "account_id": account_id,
        "app_id": None,
        "capability": COMMERCIAL[n % len(COMMERCIAL)],
        "total": 100_000,
        "used": used_units(n),
        "archived": 0,
        "state": REFUNDED if refund_state(n) == "approved" else ACTIVE,
        "ordered_at": at(n),
        "starts_at": at(n),
        "ends_at": at(n) + timedelta(days=365),
        "exhausted_at": now if used_units(n) == 100_000 else None,
        "entered_seq": 0,
        "order_id": _id(4, n),
        "price_fen": 1000,
    })  # fmt: skip
    await _insert(connection, RefundRow, min(amounts.refunds, amounts.orders), lambda n: {
        "id": _id(6, n),
        "pack_id": _id(5, n),
        "account_id": account_id,
        "state": refund_state(n),
        "amount_fen": 1000,
        "reason": "",
        "requested_at": at(n),
        "decided_at": at(n) if refund_state(n) != "pending" else None,
        "note": "",
    })  # fmt: skip
    await _insert(connection, VoucherRow, amounts.vouchers, lambda n: {
        "code_hash": f"{n:064x}",
        "kind": "credit",
        "value": 100,
        "account_id": account_id,
        "starts_at": now - timedelta(days=30),
        "ends_at": now + timedelta(seconds=n + 1),
        "order_id": _id(4, n) if n % 2 and n < amounts.orders else None,
        "name": "",
    })  # fmt: skip
    await _insert(connection, BalanceEntryRow, amounts.entries, lambda n: {
        "account_id": account_id,
        "seq": n + 1,
        "kind": "top-up",
        "amount_fen": 1,
        "balance_fen": n + 1,
        "note": "",
        "entered_at": now,
        "entered_by": "console:chief",
    })  # fmt: skip


async def _trails(connection: AsyncConnection, account_id: str, now: datetime, amounts: Amounts) -> None:
    at = _spread(now, amounts.events)
    await _insert(connection, EventRow, amounts.events, lambda n: {
        "id": ids.new_at(at(n), n),
        "at": at(n),
        "actor": f"console:user{n % 50}",
        "action": ACTIONS[n % len(ACTIONS)][0],
        "subject": f"pack {n}",
        "account_id": account_id,
        "detail": {"units": n},
        "sequence": 1_000_000 + n,
        "result": ACTIONS[n % len(ACTIONS)][1],
        "surface": "console",
        "address": f"10.0.{n % 250}.7",
        "subject_name": "general 100,000",
        "account_name": "青禾",
        "hash": f"sm3:{n}",
    })  # fmt: skip
    at_notice = _spread(now, amounts.notices)
    await _insert(connection, NoticeRow, amounts.notices, lambda n: {
        "id": ids.new_at(at_notice(n), n),
        "channel_id": _id(7, n % 3),
        "owner_id": account_id if n % 2 else None,
        "channel_name": "mail",
        "channel_kind": "email",
        "condition_key": f"low:{n}",
        "began_at": at_notice(n),
        "kind": "test",
        "account_id": account_id,
        "params": {},
        "state": "sent",
        "attempts": 1,
        "next_at": now,
        "created_at": at_notice(n),
        "ended_at": now,
        "error": "",
    })  # fmt: skip
    await _insert(connection, SessionRow, amounts.sessions, lambda n: {
        "token_hash": f"{n:064x}",
        "user_id": _id(3, n % 7 * 2),
        "csrf": "x",
        "created_at": now - timedelta(minutes=5),
        "seen_at": now - timedelta(seconds=n % 200),
        "proved_at": now,
        "address": "10.0.0.1",
        "browser": "Firefox",
        "method": "password",
    })  # fmt: skip
