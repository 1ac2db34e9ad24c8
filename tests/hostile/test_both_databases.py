"""The same bad inputs at every route of the admin API, on SQLite and on Postgres: the same 4xx from both, never a 5xx.

Routes, parameters and body fields are read off the application, so that new ones are asked too. An ordinary run sends a
third of the requests: every field gets some of the values, every value is sent to some fields. INKGATE_LONG_TESTS=1
sends them all.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any, get_args
from urllib.parse import quote
from zlib import crc32

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.datastructures import FormData

from inkgate.service.accounts import service as accounts
from inkgate.service.admin import tokens
from inkgate.service.admin.app import create_admin
from inkgate.service.console.pages import PAGES
from inkgate.service.db import engine as engines
from inkgate.service.metering.service import packs_of
from inkgate.service.notices import channels
from inkgate.service.orders import refunds
from inkgate.service.orders.service import place_order
from inkgate.service.settings import Database
from tests.console.console_fixture import BrowserClient, ConsoleFixture
from tests.console.test_tenants import TEMPLATES
from tests.postgres import Postgres
from tests.unit.importing.files import company

SHARE = 1 if os.environ.get("INKGATE_LONG_TESTS") == "1" else 3
"""One in so many requests is sent."""

TEXTS = {
    "nul": "a\0b",
    "nul alone": "\0",
    "long": "x" * 300,
    "very long": "x" * 20_000,
    "empty": "",
    "blank": " ",
    "36 letters": "z" * 36,
    "32 letters": "g" * 32,
    "digits": "9" * 30,
    "superscript": "²",
    "control": "a\x1b\x7f",
    "astral": "\U0001f600" * 70,
    "quote": "'\"\\%_",
    "number": "-1",
    "word": "nothing",
    "line": "a\r\nb",
}
"""Values for addresses (percent-encoded) and for bodies."""

RAW = {"not utf-8": "%ff%fe", "half a sign": "%", "slash": "a%2Fb"}
"""Values for addresses, not encoded."""

IDS = ("upper", "without hyphens", "in braces", "with urn")
MOMENTS = {
    "naive": "2026-03-01T00:00:00",
    "day": "2026-03-01",
    "first": "0001-01-01T00:00:00+14:00",
    "last": "9999-12-31T23:59:59-14:00",
    "no such day": "2026-02-30T00:00:00Z",
    "seconds": "1767225600",
    "year 10000": "10000-01-01T00:00:00Z",
    "wide": "2026-03-01T00:00:00+23:59",
    "past": "2020-01-01T00:00:00Z",
}
ONLY_IN_JSON: dict[str, Any] = {
    "surrogate": "\ud800",
    "null": None,
    "true": True,
    "half": 0.5,
    "zero": 0,
    "minus": -1,
    "2^31": 2**31,
    "2^63": 2**63,
    "10^30": 10**30,
    "huge float": 1e300,
    "nan": float("nan"),
    "infinite": float("inf"),
    "list": [],
    "list of nul": ["\0"],
    "list of surrogates": ["\udfff"],
    "long list": ["192.0.2.1"] * 1500,
    "object": {},
    "object of nul": {"\0": 1},
    "object of surrogates": {"\ud800": 1},
    "object of huge": {"general-100k": 10**30},
    "long object": {f"p{n}": 1 for n in range(1500)},
    "deep": [[[[[[[[]]]]]]]],
}


def spelled(identifier: str, how: str) -> str:
    """A UUID in a form that some databases accept and the service does not write."""
    forms = {
        "upper": identifier.upper(),
        "without hyphens": identifier.replace("-", ""),
        "in braces": "{" + identifier + "}",
        "with urn": "urn:uuid:" + identifier,
    }
    return forms[how]


class World:
    """A database of one kind with one row of each entity, behind the admin API."""

    def __init__(self, console: ConsoleFixture, client: httpx.AsyncClient, app: FastAPI, known: dict[str, Any]) -> None:
        self.console, self.client, self.app, self.known = console, client, app, known

    @classmethod
    async def build(cls, engine: AsyncEngine) -> World:
        console = await ConsoleFixture.build(engine, access={"address_attempts": 0, "name_attempts": 0})
        vault = console.parts.vault
        async with console.begin() as unit:
            token = await tokens.create_token(unit, "everything", tokens.SCOPES)
            keys = await accounts.create_access_key(unit, vault, console.account_id)
            await accounts.open_capability(unit, console.app_id, "general")
            order = await place_order(unit, console.account_id, {"general-100k": 1}, approval="operator")
            await place_order(unit, console.account_id, {"idcard-100k": 1}, approval="immediate")
            pack = (await packs_of(unit.session, console.account_id))[0]
            refund = await refunds.request_refund(unit, pack.id)
            notices = console.parts.settings.notices
            hook = channels.NewChannel(channels.ChannelKind.WEBHOOK, "hook", url="https://hook.test/x")
            channel = (await channels.create(unit, vault, notices, None, hook)).row
            notice_id = await channels.test(unit, channel.id, None)
        app = create_admin(engine, vault, console.parts.settings)
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False),
            base_url="http://admin.test",
            headers={"authorization": f"Bearer {token}"},
        )
        known: dict[str, Any] = {
            "account_id": console.account_id,
            "app_id": console.app_id,
            "ak": keys.ak,
            "number": order.number,
            "refund_id": refund.id,
            "pack_id": pack.id,
            "parent_id": console.account_id,
            "product_id": "general-100k",
            "capability": "general",
            "since": "2026-03-01T00:00:00Z",
            "until": "2026-03-21T00:00:00Z",
            "name": "member",
            "units": 100_000,
            "price_fen": 45_000,
            "quantities": {"general-100k": 1},
            "kind": "credit",
            "networks": ["192.0.2.0/24"],
            "suspended": False,
            "disabled": False,
            "mode": "mirror",
            "override": "local",
            "channel_id": channel.id,
            "notice_id": notice_id,
            "channel_kind": "webhook",
            "low_percent": 10,
            "low_days": 7,
            "expiry_days": 14,
            "amount_fen": 100,
            "records": company("云上公司", "扫描前台"),
        }
        return cls(console, client, app, known)


def chosen(what: str) -> bool:
    """Whether a request is sent, by its description: the same ones in every run and to both databases."""
    return crc32(what.encode()) % SHARE == 0


def routes(app: FastAPI) -> Iterator[tuple[str, APIRoute]]:
    included = [getattr(each, "original_router", None) for each in app.routes]
    for route in [*app.routes, *(route for router in included if router is not None for route in router.routes)]:
        if isinstance(route, APIRoute):
            yield from ((method, route) for method in sorted(route.methods))


def body_fields(route: APIRoute) -> dict[str, Any]:
    """Field → whether it is required."""
    if route.body_field is None:
        return {}
    annotation = route.body_field.field_info.annotation
    (model,) = [each for each in get_args(annotation) or (annotation,) if each is not type(None)]  # one may be left out
    return {name: each.is_required() for name, each in model.model_fields.items()}


def questions(world: World, route: APIRoute) -> Iterator[tuple[str, str, bytes | None]]:
    """(description, address, body) of every invalid request to a route."""
    path_names = [each.name for each in route.dependant.path_params]
    query = {each.name: each for each in route.dependant.query_params}
    fields = body_fields(route)
    path = {name: quote(str(world.known[name]), safe="") for name in path_names}
    needed = {name: str(world.known[name]) for name, each in query.items() if each.field_info.is_required()}
    body = {name: world.known[name] for name, must in fields.items() if must}
    sent = json.dumps(body).encode() if fields else None

    def address(more: dict[str, str] | None = None, **replaced: str) -> str:
        written = "&".join(f"{name}={value}" for name, value in (quoted(needed) | (more or {})).items())
        return route.path.format_map(path | replaced) + ("?" + written if written else "")

    for name in [*path_names, *query]:
        moments = MOMENTS if name in ("since", "until") else {}
        texts = {label: quote(text, safe="") for label, text in (TEXTS | moments).items()} | RAW
        if name.endswith("_id") and name != "product_id":
            texts |= {label: quote(spelled(world.known[name], label), safe="") for label in IDS}
        for label, text in texts.items():
            place = {name: text}
            yield f"{name} is {label}", address(**place) if name in path_names else address(place), sent
    for name in fields:
        values = TEXTS | (MOMENTS if name == "ends_at" else {}) | ONLY_IN_JSON
        if name.endswith("_id") and name != "product_id":
            values |= {label: spelled(world.known[name], label) for label in IDS}
        for label, value in values.items():
            yield f"{name} is {label}", address(), json.dumps(body | {name: value}).encode()
    for number, record in enumerate(world.known["records"] if "records" in fields else ()):
        for name in record:
            for label, value in (TEXTS | ONLY_IN_JSON | (MOMENTS if name == "ends" else {})).items():
                records = [*world.known["records"]]
                records[number] = record | {name: value}
                yield f"{name} of record {number} is {label}", address(), json.dumps({"records": records}).encode()
    if fields:
        for label, raw in {
            "not json": b"{",
            "not utf-8": b'{"name": "\xff"}',
            "a list": b"[]",
            "nothing": b"",
            "digits": b'{"units": ' + b"9" * 5000 + b"}",
            "deep": b"[" * 50_000,
            "a field of nul": b'{"\\u0000": 1}',
            "a field of surrogates": b'{"\\ud800": 1}',
        }.items():
            yield f"body is {label}", address(), raw


def quoted(values: dict[str, str]) -> dict[str, str]:
    return {name: quote(value, safe="") for name, value in values.items()}


async def answers(world: World) -> dict[str, tuple[int, str]]:
    """Every invalid request → status and beginning of its answer."""
    found = {}
    for method, route in routes(world.app):
        for question, address, body in questions(world, route):
            what = f"{method} {route.path}: {question}"
            if not chosen(what):
                continue
            answer = await world.client.request(
                method,
                httpx.URL("http://admin.test").copy_with(raw_path=address.encode()),
                content=body,
                headers={"content-type": "application/json"} if body is not None else {},
            )
            found[what] = (answer.status_code, answer.text[:200])
    return found


@pytest.fixture
def both_urls(postgres: Postgres, sqlite_template: Any, tmp_path: Any) -> dict[str, str]:
    (tmp_path / "inkgate.db").write_bytes(sqlite_template.read_bytes())
    return {"sqlite": f"sqlite+aiosqlite:///{tmp_path}/inkgate.db", "postgres": postgres.wiped()}


@pytest.mark.timeout(900)  # thousands of requests, twice
async def test_the_admin_api_refuses_the_same_on_both(both_urls: dict[str, str]) -> None:
    found = {}
    for kind, url in both_urls.items():
        engine = engines.create(Database(url=url))
        found[kind] = await answers(await World.build(engine))
        await engine.dispose()
    lite, full = found["sqlite"], found["postgres"]
    assert len(lite) > 500 and lite.keys() == full.keys()
    broken = {what: (lite[what], full[what]) for what in lite if max(lite[what][0], full[what][0]) >= 500}
    assert not broken, f"{len(broken)} faults of ours: " + json.dumps(broken, indent=1)[:6000]
    differing = {what: (lite[what], full[what]) for what in lite if lite[what][0] != full[what][0]}
    assert not differing, f"{len(differing)} differ: " + json.dumps(differing, indent=1)[:6000]


# --- the console -----------------------------------------------------------------------------------------------------

IN_A_PATH = {
    "nul": "%00",
    "36 letters": "z" * 36,
    "in braces": "%7B00000000-0000-7000-8000-000000000000%7D",
    "superscript": "%C2%B2",
    "not utf-8": "%ff",
}
IN_A_QUERY = IN_A_PATH | {"digits": "9" * 30, "last day": "9999-12-31", "first day": "0001-01-01"}
IN_A_FIELD = {
    "nul": "a\0b",
    "very long": "x" * 20_000,
    "36 letters": "z" * 36,
    "superscript": "²",
    "digits": "9" * 30,
    "exponent": "1e999999",
    "zone": "fe80::1%" + "x" * 60,
}

ENTRANCES = {"/logout", "/oidc", "/oidc/back"}  # they end the session that the walk needs; each has tests of its own


def pages() -> Iterator[tuple[str, APIRoute]]:
    for router in PAGES:
        for route in router.routes:
            if isinstance(route, APIRoute) and route.path not in ENTRANCES:
                yield from ((method, route) for method in sorted(route.methods))


class Recorder:
    """Records which fields of a form the code reads, given a form that has every field."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.read: set[str] = set()
        monkeypatch.setattr(FormData, "get", self._noting(FormData.get))
        monkeypatch.setattr(FormData, "getlist", self._noting(FormData.getlist))

    def _noting(self, real: Any) -> Any:
        def noting(form: FormData, name: str, *default: object) -> Any:
            self.read.add(name)
            return real(form, name, *default)

        return noting


class Walker:
    """The console of one kind of database, walked by an operator and by a customer."""

    def __init__(self, world: World) -> None:
        self.console, self.world = world.console, world
        self.visitors: dict[str, tuple[BrowserClient, str]] = {}

    async def visitor(self, path: str, *, fresh: bool = False) -> tuple[BrowserClient, str]:
        """A signed-in visitor who may open the page, and a token for its forms; a new sign-in with `fresh`."""
        login = "chief" if path.startswith("/operator") else "lin"
        if fresh or login not in self.visitors:
            visitor = await self.console.signed_in(login)
            self.visitors[login] = (visitor, await visitor.token("/reference"))
        return self.visitors[login]

    def path(self, route: APIRoute, **replaced: str) -> str:
        known = {name: str(value) for name, value in self.world.known.items()}
        known |= {
            "name": "general",
            "key": "guess",
            "decision": "approve",
            "change": "pause",
            "user_id": known["account_id"],
            "session": "0" * 16,
            "secret_id": known["account_id"],
        }
        return route.path.format_map({name: quote(text, safe="") for name, text in known.items()} | replaced)

    def form(self, names: set[str]) -> dict[str, str]:
        known = {
            "app": self.console.app_id,
            "account": self.console.account_id,
            "parent": self.console.account_id,
            "login": "walker",
            "name": "walk_app",
            "networks": "192.0.2.9",
            "capability": "general",
            "price": "450",
            "units": "5",
            "qps": "3",
            "general-100k": "1",
            "password": "wrong",
            "next": "/",
        }
        return {name: known.get(name, "") for name in names}

    async def ask(self, method: str, route: APIRoute, path: str, data: dict[str, str] | None = None) -> int:
        """The status of an answer. Some forms end their session: the next request begins another."""
        for fresh in (False, True):
            visitor, token = await self.visitor(route.path, fresh=fresh)
            sent = {} if data is None else {"data": data | {"csrf": token}}
            try:
                answer = await visitor.request(method, f"http://console.test/console{path}", **sent)
            except Exception as fault:  # what the server would answer with a 500
                pytest.fail(f"{method} {path[:200]} {data}: {fault!r}")
            if answer.status_code not in (303, 403) or "/login" not in answer.headers.get("location", "/login"):
                break
        return answer.status_code


def page_questions(
    walker: Walker, method: str, route: APIRoute, fields: set[str]
) -> Iterator[tuple[str, str, dict[str, str] | None]]:
    """(description, address, form) of every invalid request to a page."""
    data = walker.form(fields) if method == "POST" else None
    for name in [each.name for each in route.dependant.path_params]:
        for label, text in IN_A_PATH.items():
            yield f"{name} is {label}", walker.path(route, **{name: text}), data
    for name in [each.name for each in route.dependant.query_params]:
        for label, text in IN_A_QUERY.items():
            yield f"query {name} is {label}", f"{walker.path(route)}?{name}={text}", data
    for name in sorted(fields if data is not None else ()):
        for label, text in IN_A_FIELD.items():
            yield f"field {name} is {label}", walker.path(route), (data or {}) | {name: text}


async def console_answers(walker: Walker, fields: dict[str, set[str]]) -> dict[str, int]:
    """Every invalid request to a page → status of its answer."""
    found = {}
    for method, route in pages():
        for question, path, data in page_questions(walker, method, route, fields.get(route.path, set())):
            what = f"{method} {route.path}: {question}"
            if chosen(what):
                found[what] = await walker.ask(method, route, path, data)
    return found


async def fields_read(walker: Walker, monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """Page → fields of its form, from one request to each page."""
    found: dict[str, set[str]] = {}
    names = {name for file in TEMPLATES.glob("*.html") for name in re.findall(r'\bname="([\w-]+)"', file.read_text())}
    with monkeypatch.context() as patched:
        recorder = Recorder(patched)
        for method, route in pages():
            if method == "POST":
                everything = walker.form(names | {"general-100k"}) | {"agreed": "1"}
                path = walker.path(route)
                await walker.visitor(route.path)
                recorder.read.clear()
                await walker.ask(method, route, path, everything)
                found[route.path] = recorder.read - {"csrf"}
                if route.path.startswith("/buy/"):
                    found[route.path] |= {"general-100k", "agreed"}
    return found


async def test_the_console_refuses_the_same_on_both(
    both_urls: dict[str, str], sqlite_template: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "first.db").write_bytes(sqlite_template.read_bytes())
    fields, found = dict[str, set[str]](), dict[str, dict[str, int]]()
    for kind, url in {"first": f"sqlite+aiosqlite:///{tmp_path}/first.db", **both_urls}.items():
        engine = engines.create(Database(url=url))
        walker = Walker(await World.build(engine))
        if kind == "first":
            fields = await fields_read(walker, monkeypatch)
            assert {"price", "on_sale"} <= fields["/operator/products/{product_id}"]
        else:
            found[kind] = await console_answers(walker, fields)
        await engine.dispose()
    lite, full = found["sqlite"], found["postgres"]
    assert len(lite) > 500 and lite.keys() == full.keys()
    broken = {what: (lite[what], full[what]) for what in lite if max(lite[what], full[what]) >= 500}
    assert not broken, f"{len(broken)} faults of ours: " + json.dumps(broken, indent=1)[:6000]
    differing = {what: (lite[what], full[what]) for what in lite if lite[what] != full[what]}
    assert not differing, f"{len(differing)} differ: " + json.dumps(differing, indent=1)[:6000]
