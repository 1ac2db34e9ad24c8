"""Tenant isolation: every route of the console, requested by another customer, a sub-account and without sign-in.

Routes and form fields are read from the console itself, so new ones are covered too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import select

import inkgate.service.console
from inkgate.service.accounts import service as accounts
from inkgate.service.console.pages import PAGES
from inkgate.service.db import ids, work
from inkgate.service.metering import SqlLedger
from inkgate.service.metering.interface import Settlement
from inkgate.service.metering.service import grant_pack, packs_of
from inkgate.service.notices import channels
from inkgate.service.orders import refunds
from inkgate.service.orders.balance import change_balance
from inkgate.service.orders.service import place_order
from inkgate.service.orders.vouchers import issue_voucher
from inkgate.service.tables import metadata
from inkgate.service.users import service as users
from inkgate.service.users.administration import SESSION_NAME_LENGTH
from inkgate.service.users.models import UserRow
from tests.console.console_fixture import PASSWORD, BrowserClient, ConsoleFixture

TEMPLATES = Path(inkgate.service.console.__file__).parent / "templates"
# without sign-in
PUBLIC = {"/setup", "/login", "/login/code", "/logout", "/preferences", "/wall", "/wall/{key}", "/oidc", "/oidc/back"}
THEIRS = {
    "app_id",
    "ak",
    "number",
    "refund_id",
    "channel_id",
    "notice_id",
    "user_id",
    "secret_id",
}  # parameters that name an object of one customer


ATTEMPTS_OF_THE_WALK = {
    hashlib.sha256(each.encode()).hexdigest() for each in ("address:127.0.0.1", "login:unknown", "login:east")
}
"""Keys of the counters of sign-ins that a walk itself moves; that of the victim ("lin") is none of them."""


@dataclass
class Victim:
    """The objects of one customer that other users may not see or change."""

    path: dict[str, str] = field(default_factory=dict)  # by route parameter
    marks: set[str] = field(default_factory=set)  # texts that identify the customer's data
    shared: set[str] = field(default_factory=set)  # those visible to a sub-account


@pytest.fixture
async def victim(console: ConsoleFixture) -> Victim:
    """青禾 with keys, an app, an order, a pack, a refund, a call, and a sub-account with a user ("branch")."""
    vault, mine = console.parts.vault, console.account_id
    hashed = await console.parts.passwords.hash(PASSWORD)
    async with console.begin() as unit:
        keys = await accounts.create_access_key(unit, vault, mine)
        app = await accounts.create_app(unit, vault, mine, "hidden_app", description="藏起来的说明")
        await accounts.open_capability(unit, app.app_id, "idcard")
        await accounts.set_allowed(unit, app.app_id, ["203.0.113.77"])
        order = await place_order(unit, mine, {"general-100k": 1}, approval="operator")
        await place_order(unit, mine, {"idcard-100k": 1}, approval="immediate")
        await grant_pack(unit, mine, "plate", 987_654_321)
        bought = (await packs_of(unit.session, mine, "idcard"))[0]
        refund = await refunds.request_refund(unit, bought.id, "退订的缘由")
        await issue_voucher(unit, "credit", 77, account_id=mine, name="青禾专用券")
        await change_balance(unit, mine, 7_654_300, "青禾的转账")
        sub = await accounts.create_account(unit, "青禾二部", parent_id=mine)
        await users.create_user(unit, "branch", hashed, account_id=sub.id)
        lin = await unit.session.scalar(select(UserRow).where(UserRow.login == "lin"))
    assert lin is not None
    ledger = SqlLedger(console.engine, clock=console.clock, balance_ttl=0.0)
    await ledger.start()
    call = Settlement(ids.new(), mine, app.app_id, "plate", 2, 2, 0, 0, 1000, 30, "198.51.100.44", "request-of-lin")
    await ledger.settle(call)
    await ledger.close()
    notices = console.parts.settings.notices
    async with console.begin() as unit:
        hook = channels.NewChannel(
            channels.ChannelKind.DINGTALK, "值班群", url="https://oapi.dingtalk.com/robot?access_token=x"
        )
        channel = (await channels.create(unit, vault, notices, mine, hook)).row
        notice_id = await channels.test(unit, channel.id, mine)
    browser = await console.signed_in("lin")
    created = await browser.submitted("/keys", page="/keys")
    shown_sk = re.findall(r'data-copy="([0-9a-f]{32})"', created.text)[1]
    secret_id = re.findall(r"/secrets/([0-9a-f-]{36})/forget", created.text)[0]
    session = users.hash_token(browser.cookies["inkgate_session"])[:SESSION_NAME_LENGTH]
    path = {
        "channel_id": channel.id,
        "notice_id": notice_id,
        "change": "remove",
        "session": session,
        "app_id": app.app_id,
        "ak": keys.ak,
        "number": order.number,
        "pack": bought.id,
        "only": bought.id,
        "refund_id": refund.id,
        "account_id": mine,
        "user_id": lin.id,
        "product_id": "general-100k",
        "name": "general",
        "capability": "general",
        "decision": "approve",
        "key": "guess",
        "secret_id": secret_id,
    }
    shared = {order.number, order.id, bought.id, refund.id, "退订的缘由", "987,654,321", mine, "青禾", lin.id}
    secret = {
        keys.ak,
        keys.sk,
        shown_sk,
        app.appkey,
        app.secret,
        app.enckey,
        app.app_id,
        "hidden_app",
        "藏起来的说明",
        "值班群",
        "203.0.113.77",
        "198.51.100",
        "request-of-lin",
        "青禾专用券",
        "青禾的转账",
        "76,543.00",
        console.app_id,
        "portal_app",
    }
    return Victim(path, shared | secret | {"青禾二部", sub.id}, shared | {"青禾二部", sub.id})


def routes() -> Iterator[tuple[str, APIRoute]]:
    for router in PAGES:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            yield from ((method, route) for method in sorted(route.methods))


def address(route: APIRoute, victim: Victim) -> str:
    """The path of the route with the victim's objects. Fails for an unknown route parameter."""
    for name in re.findall(r"{(\w+)}", route.path):
        assert name in victim.path, f"{route.path}: say in `victim` what {name} is"
    return route.path.format_map(victim.path)


def asked(route: APIRoute, victim: Victim) -> dict[str, str]:
    """Query parameters that name the victim's objects. `name` is unknown, since it is looked up among all apps."""
    values = victim.path | {
        "app": victim.path["app_id"],
        "account": victim.path["account_id"],
        "days": "30",
        "name": "unknown",
        "page": "1",
        "q": "",
        "sub": victim.path["account_id"],
    }
    return {each.name: values[each.name] for each in route.dependant.query_params if each.name in values}


def form(victim: Victim, token: str) -> dict[str, str]:
    """Every form field of the console, with the victim's objects where they fit."""
    names = {name for file in TEMPLATES.glob("*.html") for name in re.findall(r'\bname="([\w-]+)"', file.read_text())}
    assert len(names) > 20
    known = victim.path | {
        "app": victim.path["app_id"],
        "parent": victim.path["account_id"],
        "login": "unknown",
        "name": "walk_app",
        "next": "/",
        "password": PASSWORD,
        "networks": "192.0.2.99",
        "csrf": token,
        "general-100k": "1",
    }
    return {name: known.get(name, "1") for name in names | known.keys()}


def shown(text: str, victim: Victim, marks: set[str], *sent: str) -> set[str]:
    """The marks in an answer that were not part of the request."""
    return {mark for mark in marks if mark in text and not any(mark in each for each in sent)}


async def rows(console: ConsoleFixture) -> dict[str, set[str]]:
    """Every row of every table, as text, without the sign-ins of the walk."""
    found = {}
    async with work.read_session(console.engine) as session:
        for table in metadata.sorted_tables:
            found[table.name] = {repr(tuple(row)) for row in await session.execute(select(table))}
    counters = found["console_attempt"]
    found["console_attempt"] = {row for row in counters if not any(key in row for key in ATTEMPTS_OF_THE_WALK)}
    assert found["console_attempt"] != counters
    return found


@dataclass(frozen=True)
class Step:
    """One request of a walk and the status of its answer."""

    method: str
    path: str
    asks_for_theirs: bool
    status: int

    def __str__(self) -> str:
        return f"{self.method} {self.path}: {self.status}"


async def walk(door: Callable[[], Awaitable[BrowserClient]], victim: Victim, marks: set[str]) -> list[Step]:
    """Request every route, each with a new client of `door`, since some routes end a session.

    Fails when an answer shows any of `marks`.
    """
    steps = []
    for method, route in routes():
        visitor, path = await door(), address(route, victim)
        params = asked(route, victim) if method == "GET" else {}
        data = {} if method == "GET" else form(victim, await visitor.token("/reference"))
        answer = await visitor.request(method, path, params=params, data=data)
        found = shown(answer.text, victim, marks, str(answer.url), *params.values(), *data.values())
        assert not found, f"{method} {route.path} shows {found}"
        theirs = bool(THEIRS & set(re.findall(r"{(\w+)}", route.path)))
        steps.append(Step(method, route.path, theirs, answer.status_code))
    assert len(steps) > 60
    return steps


async def test_another_customer_sees_and_changes_nothing(console: ConsoleFixture, victim: Victim) -> None:
    before = await rows(console)
    for step in await walk(lambda: console.signed_in("east"), victim, victim.marks):
        if step.path.startswith("/operator"):
            assert step.status == 403, step
        elif step.asks_for_theirs:
            assert step.status == 404, step
    after = await rows(console)
    before.pop("audit_head")  # the end of the chain of events
    for table, kept in before.items():
        assert not {row for row in kept - after[table] if "'east'" not in row}, f"{table}: rows changed"
        new = {row for row in after[table] - kept if any(mark in row for mark in victim.marks)}
        assert not new, f"{table}: {new}"


async def test_a_sub_account_cannot_change_keys_and_apps_of_its_main_account(
    console: ConsoleFixture, victim: Victim
) -> None:
    before = await rows(console)
    await walk(lambda: console.signed_in("branch"), victim, victim.marks - victim.shared)
    after = await rows(console)
    for table in ("access_key", "app", "app_capability"):
        assert not before[table] - after[table], f"{table}: rows changed"


async def test_an_unauthenticated_client_gets_public_pages_only(console: ConsoleFixture, victim: Victim) -> None:
    async def outside() -> BrowserClient:
        return console.visitor()

    before = await rows(console)
    for step in await walk(outside, victim, victim.marks):
        if step.path not in PUBLIC:
            assert step.status in (303, 403), step
    after = await rows(console)
    events = after.pop("audit_event") - before.pop("audit_event")
    assert events and all("'refused'" in row or "'failed'" in row for row in events)
    del before["audit_head"], after["audit_head"]
    assert before == after
