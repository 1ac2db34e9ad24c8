"""The customers of the example data: accounts, apps, users, packs, orders and refunds, by the product's services."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from inkgate.service.accounts import service as accounts
from inkgate.service.accounts.service import KeyPair, NewApp
from inkgate.service.accounts.vault import Vault
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db.clock import one_year_later
from inkgate.service.db.work import UnitOfWork
from inkgate.service.demo.traffic import NIGHT, OFFICE, STREET, AppTraffic
from inkgate.service.metering.service import grant_pack, packs_of
from inkgate.service.orders import refunds
from inkgate.service.orders import service as orders
from inkgate.service.users import service as users

OPERATOR, CUSTOMER = "operator", "qinghe"
MAIN, SUB, OTHER = "青禾软件", "青禾软件-停车", "城东图书馆"

PORTAL = AppTraffic(
    "网上大厅", "办事窗口与网页", {"general": 0.45, "idcard": 0.35, "licence": 0.2}, OFFICE, images=3, weekend=0.25
)
ARCHIVE = AppTraffic("夜间归档", "扫描件批量入库", {"general": 1.0}, NIGHT, images=12, weekend=0.6)
PARKING = AppTraffic("停车场入口", "道闸相机", {"plate": 1.0}, STREET, images=1, weekend=0.8)
LIBRARY = AppTraffic("馆藏目录", "卡片目录", {"general": 0.3}, OFFICE, images=2, weekend=1.1)

OWNERS = {PORTAL.name: MAIN, ARCHIVE.name: MAIN, PARKING.name: SUB, LIBRARY.name: OTHER}
PAYERS = {MAIN: MAIN, SUB: MAIN, OTHER: OTHER}

EXPIRED_UNITS, GIFT_UNITS = 50_000, 20_000
LOW_SHARE = 0.96  # of the units of the plate pack that are used

Begin = Callable[[datetime], AbstractAsyncContextManager[UnitOfWork]]
"""A unit of work at a time of the past."""


@dataclass(slots=True)
class Customers:
    """What was created: account ids by name, apps by name, and the keys of the main account."""

    keys: KeyPair
    accounts: dict[str, str] = field(default_factory=dict)
    apps: dict[str, NewApp] = field(default_factory=dict)

    def payer_of(self, app: str) -> str:
        """The id of the account that pays for the calls of an app."""
        return self.accounts[PAYERS[OWNERS[app]]]


async def create(
    begin: Begin, vault: Vault, start: datetime, now: datetime, plate_units: int, hashes: dict[str, str]
) -> Customers:
    """Create accounts, apps, users and packs as of `start`. `plate_units` is what the plate pack will be used for;
    `hashes` are the password hashes of the users by login."""
    async with begin(start) as work:
        main = await accounts.create_account(work, MAIN)
        sub = await accounts.create_account(work, SUB, parent_id=main.id)
        other = await accounts.create_account(work, OTHER)
        made = Customers(await accounts.create_access_key(work, vault, main.id))
        made.accounts = {MAIN: main.id, SUB: sub.id, OTHER: other.id}
        await users.create_user(work, OPERATOR, hashes[OPERATOR])
        await users.create_user(work, CUSTOMER, hashes[CUSTOMER], account_id=main.id)
        for each in (PORTAL, ARCHIVE, PARKING, LIBRARY):
            owner = made.accounts[OWNERS[each.name]]
            app = await accounts.create_app(work, vault, owner, each.name, description=each.description)
            for capability in CAPABILITIES if each is PORTAL else each.shares:
                await accounts.open_capability(work, app.app_id, capability)
            made.apps[each.name] = app
        long_ago = now - timedelta(days=395)
        ends = now - timedelta(days=30)
        await grant_pack(work, main.id, "idcard", EXPIRED_UNITS, ordered_at=long_ago, starts_at=long_ago, ends_at=ends)
        low = round(plate_units / LOW_SHARE / 100) * 100
        await grant_pack(work, main.id, "plate", low, ends_at=one_year_later(start))
        await grant_pack(work, other.id, "general", GIFT_UNITS)
    await _order(begin, main.id, {"general-1m": 1, "idcard-100k": 1}, start + timedelta(hours=1))
    return made


async def buy_unused_pack(begin: Begin, customers: Customers, at: datetime) -> None:
    """A pack that stays unused, because an earlier one has units left."""
    await _order(begin, customers.accounts[MAIN], {"plate-100k": 1}, at)


async def add_waiting(begin: Begin, customers: Customers, now: datetime) -> None:
    """A refund and an order that wait for the operator; the order is younger than the notice about it."""
    account_id = customers.accounts[MAIN]
    async with begin(now - timedelta(minutes=7)) as work:
        newest = (await packs_of(work.session, account_id, "plate"))[-1]
        await refunds.request_refund(work, newest.id, "规格选错，改买百万次")
    async with begin(now - timedelta(minutes=4)) as work:
        await orders.place_order(work, account_id, {"plate-1m": 1}, approval="operator")


async def _order(begin: Begin, account_id: str, quantities: dict[str, int], at: datetime) -> None:
    async with begin(at) as work:
        order = await orders.place_order(work, account_id, quantities, approval="operator")
    async with begin(at + timedelta(minutes=12)) as work:
        await orders.approve_order(work, order.number)
