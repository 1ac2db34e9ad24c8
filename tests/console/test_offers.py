"""What pages offer: every role gets the links, forms and dialogs that it may use, and no others."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.accounts import service as accounts
from inkgate.service.metering.service import grant_pack, packs_of
from inkgate.service.notices import channels
from inkgate.service.notices.channels import NewChannel
from inkgate.service.notices.delivery import Sender
from inkgate.service.notices.evaluation import Evaluator
from inkgate.service.notices.kinds import ChannelKind
from inkgate.service.orders.payments import place_unpaid
from inkgate.service.orders.refunds import request_refund
from inkgate.service.orders.service import approve_order, place_order
from inkgate.service.permissions import CUSTOMER_ROLES, OPERATOR_ROLES, ROLES, Role
from inkgate.service.permissions.permission import OPEN, Permission
from inkgate.service.permissions.routes import CONSOLE, Route
from inkgate.service.takeover import routes
from inkgate.service.takeover.routes import Mode
from inkgate.service.users import service as users
from tests.console.console_fixture import PASSWORD, BrowserClient, ConsoleFixture
from tests.console.test_pages import call, traffic

ROOT = "/console"
MOST_PAGES = 100
NOT_ON_A_PAGE = {("GET", "/buy/{capability}/confirm"), ("POST", "/buy/{capability}/order")}
"""Offered by the answer to a form."""
LINKED = re.compile(r"^/console(?!/static/)")
SETTINGS = {
    "takeover": {"url": "https://cloud.test"},
    "notices": {"networks": ("127.0.0.0/8",), "plain_http": True, "customer_hosts": ("127.0.0.1",), "attempts": 1},
}


@dataclass
class Offers(HTMLParser):
    """The requests that a page offers, the dialogs that its buttons open, and the ids that it has."""

    text: str
    requests: set[tuple[str, str]] = field(default_factory=set)
    opened: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    _form: tuple[str, str] = ("get", "")

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        self.ids |= {has["id"]} if "id" in has else set()
        self.opened |= {has["data-opens"]} if "data-opens" in has else set()
        if tag == "form":
            self._form = (has.get("method", "get").upper(), has.get("action", ""))
            self._add(*self._form)
        self._add("GET", has.get("href", "") if tag == "a" else "")
        self._add("GET", has.get("hx-get", ""))
        self._add("GET", has.get("data-sample", ""))
        self._add(self._form[0], has.get("formaction", ""))

    def _add(self, method: str, address: str) -> None:
        if LINKED.match(address):
            self.requests.add((method, urlsplit(address).path.removeprefix(ROOT)))


def route_of(method: str, path: str) -> Route | None:
    """The entry of the table for a request; one without parameters comes first. None: no role may send it."""
    for known, pattern in sorted(CONSOLE, key=lambda each: each[1].count("{")):
        literal = map(re.escape, re.split(r"\{\w+\}", pattern))
        if known == method and re.fullmatch("[^/]+".join(literal), path):
            return known, pattern
    return None


async def populate(console: ConsoleFixture) -> None:
    """Something of every kind that pages have buttons for, and a user of each role named after it."""
    hashed = await console.parts.passwords.hash(PASSWORD)
    settings = console.parts.settings.notices
    async with console.begin() as unit:
        for role in (*OPERATOR_ROLES, *CUSTOMER_ROLES):
            account_id = console.account_id if role in CUSTOMER_ROLES else None
            await users.create_user(unit, f"the-{role}", hashed, account_id=account_id, role=role)
        await accounts.create_account(unit, "二部", parent_id=console.account_id)
        await accounts.open_capability(unit, console.app_id, "general")
        await accounts.set_allowed(unit, console.app_id, ["192.0.2.0/24"])
        await routes.set_route(unit, console.app_id, "general", Mode.MIRROR, enabled=True)
        kept = await accounts.create_access_key(unit, console.parts.vault, console.account_id)
        await accounts.disable_access_key(unit, kept.ak, disabled=True)
        await accounts.create_access_key(unit, console.parts.vault, console.account_id)
        for account_id in (None, console.account_id):
            new = NewChannel(ChannelKind.WEBHOOK, "值班", url="http://127.0.0.1:9/")
            await channels.create(unit, console.parts.vault, settings, account_id, new)
        for decided in (False, True, True):
            order = await place_order(unit, console.account_id, {"general-100k": 1}, approval="operator")
            if decided:
                await approve_order(unit, order.number)
        await place_unpaid(unit, console.account_id, {"plate-100k": 1})
        await request_refund(unit, (await packs_of(unit.session, console.account_id))[0].id)
        await grant_pack(unit, console.account_id, "plate", 700, ends_at=console.clock.time + timedelta(days=5))
        for login, account_id in (("lost-phone", console.account_id), ("lost-key", None)):
            made = await users.create_user(unit, login, hashed, account_id=account_id)
            made.factor_at = console.clock.time
    await traffic(console, call(console, code=400018, units=1, images=0))
    console.clock.advance(minutes=20)
    await Evaluator(console.engine, settings, clock=console.clock).run_round()
    sender = Sender(console.engine, console.parts.vault, settings, pace=0.0, clock=console.clock)
    while await sender.run_once():  # nothing listens at the address of the channels, so that all notices fail
        pass


@pytest.fixture
async def console(engine: AsyncEngine) -> ConsoleFixture:
    made = await ConsoleFixture.build(engine, **SETTINGS)
    await populate(made)
    return made


async def walked(client: BrowserClient) -> dict[str, Offers]:
    """Every page that is reached by links from the first one, by its address. Refused pages are left out."""
    first = await client.get("/", follow_redirects=True)
    found = {first.url.path.removeprefix(ROOT): Offers(first.text)}
    waiting, seen = list(found.values()), set(found)
    while waiting:
        for path in sorted({path for method, path in waiting.pop().requests if method == "GET"} - seen):
            seen.add(path)
            answer = await client.get(path)
            if answer.status_code == 200 and "<!doctype html>" in answer.text:
                found[path] = Offers(answer.text)
                waiting.append(found[path])
    assert len(seen) < MOST_PAGES
    return found


def not_allowed(pages: dict[str, Offers], held: frozenset[Permission]) -> set[str]:
    """What the pages offer and these permissions do not allow, or no role may send."""
    found = set()
    for path, page in pages.items():
        for method, target in page.requests:
            route = route_of(method, target)
            if route is None or CONSOLE[route] not in OPEN | held:
                found.add(f"{path if path.count('/') < 2 else route_of('GET', path)} offers {route or target}")
        found |= {f"{path} has a button without its dialog {name}" for name in page.opened - page.ids}
    return found


@pytest.mark.parametrize("role", [*OPERATOR_ROLES, *CUSTOMER_ROLES])
async def test_a_page_offers_only_what_the_role_may_do(console: ConsoleFixture, role: Role) -> None:
    pages = await walked(await console.signed_in(f"the-{role}"))
    assert len(pages) > 3
    assert not_allowed(pages, ROLES[role]) == set()


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.OWNER])
async def test_a_role_that_only_sees_is_offered_no_change(
    console: ConsoleFixture, role: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where every role that sees a page may change what it shows, so far."""
    seeing = frozenset(each for each in ROLES[role] if not each.changes)
    monkeypatch.setitem(ROLES, role, seeing)
    pages = await walked(await console.signed_in(f"the-{role}"))
    assert len(pages) > 10
    assert not_allowed(pages, seeing) == set()


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.OWNER])
async def test_a_role_with_all_permissions_is_offered_every_request(console: ConsoleFixture, role: Role) -> None:
    """So that a condition of a template hides nothing from those who may use it."""
    await console.signed_in("east")  # a session to end
    pages = await walked(await console.signed_in(f"the-{role}"))
    offered = {route_of(*each) for page in pages.values() for each in page.requests}
    held = {route for route, permission in CONSOLE.items() if permission in ROLES[role]}
    assert held - offered == NOT_ON_A_PAGE & held
