"""Every request that changes something leaves its event, with who, from where and what: by console, admin API and CLI.

Routes and commands are read off the applications: a new one fails here until it is tried, or is said to change nothing.
"""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import typer
from fastapi.routing import APIRoute
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.accounts.vault import Vault, new_key
from inkgate.service.admin import app as admin_app
from inkgate.service.admin import tokens
from inkgate.service.audit import repository, words
from inkgate.service.audit.actions import ACTIONS, KINDS
from inkgate.service.audit.models import EventRow
from inkgate.service.cli import COMMANDS, Commands
from inkgate.service.console.pages import PAGES
from inkgate.service.db import engine as engines
from inkgate.service.db import work
from inkgate.service.metering.service import packs_of
from inkgate.service.orders import repository as order_rows
from inkgate.service.orders import service as orders
from inkgate.service.orders.vouchers import issue_voucher
from inkgate.service.settings import Database
from inkgate.service.users import factor, totp
from inkgate.service.users import repository as user_rows
from inkgate.service.users import service as users
from inkgate.service.users.administration import SESSION_NAME_LENGTH
from tests.console.console_fixture import PASSWORD, BrowserClient, ConsoleFixture
from tests.integration.audit.surfaces import NOTICE_FORMS, PEER, USER_FORMS, Recorder, Steps
from tests.postgres import ON_SQLITE
from tests.unit.cli.test_money_commands import Shell, inkgate  # noqa: F401 - the fixture
from tests.unit.importing.files import as_json, company

WALL_KEY = "a-key-for-the-wall-screen"

OF_NOTICES = "notice"  # routes and commands of notices, whose events their own tests see
CHANGES_NOTHING = {
    "/preferences": "sets cookies of the browser",
    "/secrets/{secret_id}/forget": "hides a secret that the session was shown",
    "/buy/{capability}": "leads to the order before it is placed",
    "/try/{name}": "a call of the customer's own app, which the ledger records",
}
"""Forms of the console without an event, and why."""

READ_ONLY_COMMANDS = {
    *("serve", "gateway", "console", "worker", "demo", "sandbox", "ocr", "sign", "doctor", "migrate"),
    *("models list", "models verify", "models fetch", "models path", "keys new", "keys add", "app held"),
    *("admin token-list", "order catalogue", "account template", "app template", "regions build"),
}


@pytest.fixture
async def console(engine: AsyncEngine) -> ConsoleFixture:
    takeover = {"url": "https://cloud.example"}
    return await ConsoleFixture.build(engine, takeover=takeover, console={"wall_key": WALL_KEY})


@ON_SQLITE
async def test_every_form_of_the_console(console: ConsoleFixture) -> None:
    visitors = {"": console.visitor(), "chief": await console.signed_in("chief"), "lin": await console.signed_in("lin")}
    steps = Steps(console, Recorder(console.engine), visitors)
    mine = {"account_id": console.account_id, "app_id": console.app_id}
    async with console.begin() as unit:
        chief = await user_rows.user_named(unit.session, "chief")
        lin = await user_rows.user_named(unit.session, "lin")
        assert chief and lin

    failed = await steps.form("", "/login", "user.login", "failed", login="lin", password="wrong")
    assert (failed.actor, failed.subject, failed.detail) == ("anonymous", "user lin", {"reason": "password"})
    unknown = await steps.form("", "/login", "user.login", "failed", login="my password", password="lin")
    assert unknown.subject == "unknown user" and "my password" not in json.dumps(unknown.detail)
    await steps.form("", "/wall", "wall.open", "failed", key="guess")
    await steps.form("", "/wall", "wall.open", key=WALL_KEY)
    await steps.form("", "/login", "user.login", login="east", password=PASSWORD)

    await steps.form("lin", "/apps/{app_id}/open", "app.open", app_id=console.app_id, capability="general")
    allowed = await steps.form(
        "lin", "/apps/{app_id}/allow", "app.allow", app_id=console.app_id, networks="192.0.2.0/24"
    )
    assert (allowed.detail["before"], allowed.detail["after"]) == ({"networks": ""}, {"networks": "192.0.2.0/24"})
    assert (allowed.actor, allowed.account_name) == ("console:lin", "青禾") and allowed.session
    await steps.form("lin", "/apps/{app_id}/secret", "user.prove", "failed", app_id=console.app_id, password="wrong")
    await steps.form("lin", "/apps/{app_id}/secret", "app.reveal", app_id=console.app_id, password=PASSWORD)
    await steps.form("lin", "/apps", "app.create", name="another_app")
    created = await steps.form("lin", "/keys", "key.create")
    ak = created.subject.rpartition(" ")[2]
    revealed = await steps.form("lin", "/keys/{ak}/secret", "key.reveal", ak=ak, password=PASSWORD)
    assert revealed.subject == f"access key {ak}" and not revealed.detail
    await steps.form("lin", "/keys/{ak}/rotate", "key.rotate", ak=ak)
    await steps.form("lin", "/keys/{ak}/disable", "key.disable", ak=ak)
    await steps.form("lin", "/keys/{ak}/enable", "key.enable", ak=ak)
    bought = {"capability": "general", "general-100k": "1", "agreed": "1"}
    placed = [await steps.form("lin", "/buy/{capability}/order", "order.place", **bought) for _ in range(3)]
    numbers = [each.subject.rpartition(" ")[2] for each in placed]
    for number in numbers:
        await steps.form("lin", "/orders/{number}/pay", "order.pay", number=number, method="offline")
    await steps.form("lin", "/orders/{number}/cancel", "order.cancelled", number=numbers[0])
    decide = "/operator/orders/{number}/{decision}"
    await steps.form("chief", decide, "order.rejected", number=numbers[1], decision="reject")
    paid = await steps.form("chief", decide, "order.active", number=numbers[2], decision="approve")
    assert paid.detail["pays_fen"] > 0
    async with console.begin() as unit:
        pack = (await packs_of(unit.session, console.account_id))[0]
    asked = await steps.form("lin", "/refunds", "refund.request", pack=pack.id)
    assert asked.subject_name == f"general {pack.total:,}"
    async with work.read_session(console.engine) as session:
        refund = (await order_rows.refunds(session, None, state=""))[0]
    await steps.form("lin", "/refunds/{refund_id}/withdraw", "refund.withdrawn", refund_id=refund.id)
    await steps.form("lin", "/refunds", "refund.request", pack=pack.id)
    async with work.read_session(console.engine) as session:
        refund = (await order_rows.refunds(session, None, state="pending"))[0]
    refunding = "/operator/refunds/{refund_id}/{decision}"
    await steps.form("chief", refunding, "refund.approved", refund_id=refund.id, decision="approve")
    await steps.form("chief", "/operator/vouchers", "voucher.issue", kind="credit", value="5")
    async with console.begin() as unit:
        code = await issue_voucher(unit, "percent", 10)
    await steps.recorder.new()
    await steps.form("lin", "/vouchers", "voucher.claim", code=code)
    topped = await steps.form(
        "chief", "/operator/balances", "balance.top-up", account="青禾", amount="12.50", note="transfer 7"
    )
    assert (topped.detail["fen"], topped.detail["balance_fen"]) == (1250, 1250)
    priced = await steps.form(
        "chief", "/operator/products/{product_id}", "product.set", product_id="general-100k", price="9"
    )
    assert (priced.detail["before"]["on_sale"], priced.detail["after"]) == (True, {"price_fen": 900, "on_sale": False})

    users = "/operator/accounts/{account_id}/users"
    await steps.form("chief", "/operator/accounts", "account.create", name="新账号")
    await steps.form("chief", users, "user.create", login="wang.wu", **mine)
    await steps.form("chief", f"{users}/{{user_id}}/reset", "user.reset", user_id=lin.id, **mine)
    await steps.form("chief", f"{users}/{{user_id}}/disable", "user.disable", user_id=lin.id, **mine)
    await steps.form("chief", "/operator/accounts/{account_id}/suspend", "account.suspend", **mine)
    granted = await steps.form(
        "chief", "/operator/accounts/{account_id}/packs", "pack.grant", capability="general", units="5", **mine
    )
    assert granted.subject_name == "general 5"
    per_app = "/operator/accounts/{account_id}/apps/{app_id}"
    await steps.form("chief", f"{per_app}/qps", "app.qps", capability="general", qps="3", **mine)
    await steps.form("chief", f"{per_app}/allow", "app.allow", networks="", **mine)
    await steps.form("chief", "/operator/accounts/operators", "user.create", login="deputy")
    async with work.read_session(console.engine) as session:
        deputy = await user_rows.user_named(session, "deputy")
        assert deputy
    await steps.form("chief", "/operator/accounts/operators/{user_id}/reset", "user.reset", user_id=deputy.id)
    await steps.form("chief", "/operator/accounts/operators/{user_id}/disable", "user.disable", user_id=deputy.id)
    await steps.form("chief", "/operator/ledger", "ledger.verify")
    await steps.form("chief", "/operator/audit", "audit.verify")
    imported = as_json(company("云上公司", "扫描前台"))
    await steps.form("chief", "/operator/import", "import.apply", upload=imported, apply="1")
    await steps.form(
        "chief", "/operator/takeover/route", "takeover.route", app=console.app_id, capability="general", mode="mirror"
    )
    await steps.form("chief", "/operator/takeover/override", "takeover.off", target="local")
    await steps.form(
        "chief", "/password", "user.password", password=PASSWORD, new="another quiet noon", again="another quiet noon"
    )
    await steps.form("chief", "/logout", "user.logout")
    _leave_out(steps.recorder.tried, {"/apps/{app_id}/delete", "/setup"})


def _leave_out(tried: set[str], others: set[str]) -> None:
    forms = {
        route.path for router in PAGES for route in router.routes
        if isinstance(route, APIRoute) and "POST" in route.methods
    }  # fmt: skip
    assert forms == tried | others | CHANGES_NOTHING.keys() | USER_FORMS | NOTICE_FORMS


@ON_SQLITE
async def test_an_app_is_deleted_and_the_first_operator_made(console: ConsoleFixture, engine: AsyncEngine) -> None:
    steps = Steps(console, Recorder(engine), {"lin": await console.signed_in("lin")})
    await steps.form("lin", "/apps/{app_id}/delete", "app.delete", app_id=console.app_id)


@ON_SQLITE
async def test_the_first_operator(engine: AsyncEngine) -> None:
    fresh = await ConsoleFixture.empty(engine, console={"setup_code": "a-code-of-the-operator"})
    steps = Steps(fresh, Recorder(engine), {"": fresh.visitor()})
    created = await steps.form("", "/setup", "user.create", login="chief", password=PASSWORD)
    assert created.actor == "anonymous"
    async with work.read_session(engine) as session:
        assert [each.actor for each in await repository.events(session, action="user.login")] == ["console:chief"]


@ON_SQLITE
async def test_refusals_exports_and_looks_of_the_console(console: ConsoleFixture) -> None:
    lin, chief = await console.signed_in("lin"), await console.signed_in("chief")
    recorder = Recorder(console.engine)
    await recorder.new()

    async def of(visitor: BrowserClient, path: str) -> list[tuple[str, str, str | None, str | None]]:
        await visitor.get(path)
        return [(each.action, each.subject, each.result, each.address) for each in await recorder.new()]

    assert await of(lin, "/operator/accounts") == [("access.refuse", "GET /operator/accounts", "refused", PEER)]
    answer = await chief.post("/operator/accounts", data={"csrf": "wrong"})
    assert answer.status_code == 403
    assert [each.result for each in await recorder.new()] == ["refused"]
    look = ("operator.view", "page accounts/{account_id}", "done", PEER)
    assert await of(chief, f"/operator/accounts/{console.account_id}") == [look]
    assert await of(chief, f"/operator/accounts/{console.account_id}") == []
    assert await of(chief, f"/operator/accounts/{console.other_id}") == [look]
    for visitor, path, action in (
        (lin, "/bills.csv", "export.bill"),
        (lin, "/monitor.csv", "export.usage"),
        (lin, "/monitor-errors.csv", "export.usage"),
        (chief, "/operator/audit.csv", "export.audit"),
        (chief, "/operator/audit.jsonl", "export.audit"),
        (chief, f"/operator/ledger.csv?account={console.account_id}", "export.ledger"),
        (chief, "/operator/takeover/report.csv", "export.takeover"),
    ):
        assert action in [each[0] for each in await of(visitor, path)], path
    assert ("secret.view", "wall key", "done", PEER) in await of(chief, "/operator/workers")


@ON_SQLITE
async def test_every_change_by_the_admin_api(console: ConsoleFixture) -> None:
    async with console.begin() as unit:
        token = await tokens.create_token(unit, "olga", tokens.SCOPES)
        reader = await tokens.create_token(unit, "reader", ["audit:read"])
    app = admin_app.create_admin(console.engine, console.parts.vault, console.parts.settings, console.clock)
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=("192.0.2.33", 1)), base_url="http://admin",
        headers={"authorization": f"Bearer {token}"},
    )  # fmt: skip
    recorder = Recorder(console.engine)
    account, app_id = console.account_id, console.app_id

    async def ask(method: str, route: str, action: str, body: Any = None, **names: Any) -> Any:
        await recorder.new()
        answer = await client.request(method, route.format_map(names), json=body)
        assert answer.status_code < 300, f"{route}: {answer.text}"
        recorder.tried.add(f"{method} {route}")
        events = await recorder.new()
        found = next((each for each in events if each.action == action), None)
        assert found is not None, f"{method} {route}: {[each.action for each in events]}"
        assert (found.actor, found.surface, found.address) == ("admin:olga", "admin", "192.0.2.33")
        return answer.json() if answer.content else None

    await ask("POST", "/accounts", "account.create", {"name": "acme"})
    suspension = "/accounts/{account_id}/suspension"
    await ask("PUT", suspension, "account.suspend", {"suspended": True}, account_id=account)
    await ask("PUT", suspension, "account.resume", {"suspended": False}, account_id=account)
    key = await ask("POST", "/accounts/{account_id}/keys", "key.create", account_id=account)
    await ask("POST", "/keys/{ak}/rotation", "key.rotate", {}, ak=key["ak"])
    await ask("PUT", "/keys/{ak}/disabling", "key.disable", {"disabled": True}, ak=key["ak"])
    made = await ask("POST", "/accounts/{account_id}/apps", "app.create", {"name": "second_app"}, account_id=account)
    await ask("DELETE", "/apps/{app_id}", "app.delete", app_id=made["app_id"])
    opening = "/apps/{app_id}/capabilities/{capability}"
    await ask("PUT", opening, "app.open", {"qps": 2.5}, app_id=app_id, capability="general")
    await ask("PUT", "/apps/{app_id}/networks", "app.allow", {"networks": ["192.0.2.0/24"]}, app_id=app_id)
    product = {"capability": "general", "units": 100_000, "price_fen": 100, "on_sale": True}
    await ask("PUT", "/catalogue/{product_id}", "product.set", product, product_id="general-100k")
    await ask(
        "POST", "/accounts/{account_id}/packs", "pack.grant", {"capability": "general", "units": 5}, account_id=account
    )
    quantities = {"quantities": {"general-100k": 1}}
    first, second = [
        await ask("POST", "/accounts/{account_id}/orders", "order.place", quantities, account_id=account) for _ in "ab"
    ]
    await ask("POST", "/orders/{number}/approval", "order.active", number=first["number"])
    await ask("POST", "/orders/{number}/rejection", "order.rejected", number=second["number"])
    await ask("POST", "/vouchers", "voucher.issue", {"kind": "credit", "value": 100})
    await ask("POST", "/accounts/{account_id}/balance", "balance.top-up", {"amount_fen": 100}, account_id=account)
    async with console.begin() as unit:
        bought = [each for each in await packs_of(unit.session, account) if each.order_id]
        other = await orders.place_order(unit, account, {"general-100k": 1}, approval="immediate")
        packs = [*bought, *(each for each in await packs_of(unit.session, account) if each.order_id == other.id)]
    one, two = [await ask("POST", "/refunds", "refund.request", {"pack_id": each.id, "reason": ""}) for each in packs]
    await ask("POST", "/refunds/{refund_id}/approval", "refund.approved", refund_id=one["id"])
    await ask("POST", "/refunds/{refund_id}/rejection", "refund.rejected", refund_id=two["id"])
    await ask("POST", "/import", "import.apply", {"records": company("云上公司", "扫描前台"), "apply": True})
    route = {"app_id": app_id, "capability": "general"}
    await ask("PUT", "/apps/{app_id}/routes/{capability}", "takeover.route", {"mode": "mirror"}, **route)
    await ask("DELETE", "/apps/{app_id}/routes/{capability}", "takeover.forget", **route)
    await ask("PUT", "/takeover/override", "takeover.off", {"override": "local"})
    changing = {
        f"{method} {route.path}" for router in admin_app.ROUTERS for route in router.routes
        if isinstance(route, APIRoute) for method in route.methods - {"GET"}
    }  # fmt: skip
    assert recorder.tried == {each for each in changing if OF_NOTICES not in each}

    await recorder.new()
    await client.get(f"/accounts/{account}/apps")
    await client.get(f"/accounts/{account}/apps")
    (look,) = await recorder.new()
    assert (look.action, look.subject, look.account_name) == ("admin.view", "GET /accounts/{account_id}/apps", "青禾")
    assert (await client.get("/accounts", headers={"authorization": f"Bearer {reader}"})).status_code == 403
    assert (await client.get("/accounts", headers={"authorization": "Bearer x"})).status_code == 401
    refused = await recorder.new()
    assert [(each.actor, each.result, each.detail) for each in refused] == [
        ("admin:reader", "refused", {"permission": "accounts.see"}),
        ("anonymous", "refused", {"reason": "no valid token"}),
    ]
    lines = (await client.get("/audit/export")).text.splitlines(keepends=True)
    assert json.loads(lines[-1])["end"] == len(lines) - 2
    assert (await client.get("/audit/proof")).json()["sound"] is True
    assert (await client.get("/audit/keys")).json() == []
    assert [each["result"] for each in (await client.get("/audit?result=refused")).json()] == ["refused"] * 2


@ON_SQLITE
async def test_no_secret_is_in_any_event(console: ConsoleFixture) -> None:
    """All secrets that answers have shown, and every stored hash, against every value of every event."""
    await test_every_form_of_the_console(console)
    async with work.read_session(console.engine) as session:
        events = list(await session.scalars(select(EventRow)))
        found = await user_rows.users(session, None, limit=100)
    secrets = {PASSWORD, "another quiet noon", WALL_KEY, "my password", *(each.password_hash for each in found)}
    assert len(events) > 40
    for event in events:
        text = json.dumps([event.detail, event.subject, event.subject_name, event.actor], ensure_ascii=False)
        assert not [each for each in secrets if each in text], event.action
        assert not {"password", "secret", "sk", "token"} & {*event.detail, *event.detail.get("after", {})}, event.action


def _verbs() -> Iterator[str]:
    group = Commands(name="inkgate")
    for name in COMMANDS:
        command = group.get_command(None, name)
        if isinstance(command, typer.core.TyperGroup):
            yield from (f"{name} {verb}" for verb in command.commands)
            yield from [name] * command.invoke_without_command
        else:
            yield name


def test_every_command_leaves_its_event(inkgate: Shell, tmp_path: Any) -> None:  # noqa: F811
    tried: set[str] = set()

    def events() -> list[tuple[str, str, str]]:
        with sqlite3.connect(tmp_path / "inkgate.db") as database:
            return database.execute(
                "SELECT action, surface, coalesce(address, '') FROM audit_event ORDER BY sequence"
            ).fetchall()

    def run(verb: str, action: str, *words: str) -> str:
        before = len(events())
        out = inkgate(*verb.split(), *words)
        new = events()[before:]
        assert action in [each[0] for each in new], f"{verb}: {new}"
        assert all(each[1] == "cli" and each[2] for each in new if each[0] not in ("audit.adopt", "audit.archive")), new
        tried.add(verb)
        return out

    key = dict(line.split("=", 1) for line in run("account create", "account.create", "demo").splitlines())
    run("account list", "cli.view")
    run("account suspend", "account.suspend", "demo")
    run("account suspend", "account.resume", "demo", "--resume")
    run("account key-create", "key.create", "demo")
    run("account key-rotate", "key.rotate", key["AK"])
    run("account key-disable", "key.disable", key["AK"])
    run("app create", "app.create", "demo", "demo_app")
    run("app open", "app.open", "demo_app")
    run("app show", "cli.view", "demo_app")
    run("app reveal", "app.reveal", "demo_app")
    run("app allow", "app.allow", "demo_app", "192.0.2.0/24")
    run("app qps", "app.qps", "demo_app", "general", "3")
    run("app extras", "app.extras", "demo_app", "--off") if "app extras" in set(_verbs()) else None
    run("pack grant", "pack.grant", "demo", "general", "1000")
    run("order product", "product.set", "general-5", "general", "5", "4.50")
    order = dict(line.split("=", 1) for line in run("order place", "order.place", "demo", "general-5").splitlines())
    run("order list", "cli.view")
    run("order approve", "order.active", order["ORDER"])
    other = dict(line.split("=", 1) for line in inkgate("order", "place", "demo", "general-5").splitlines())
    run("order reject", "order.rejected", other["ORDER"])
    run("order voucher", "voucher.issue", "credit", "5")
    run("order voucher-list", "cli.view")
    run("order top-up", "balance.top-up", "demo", "10")
    run("order balance", "cli.view", "demo")
    packs = [each["id"] for each in json.loads(inkgate("pack", "list", "demo", "--json")) if each["total"] == 5]
    asked = dict(line.split("=", 1) for line in run("order refund-request", "refund.request", packs[0]).splitlines())
    run("order refund-list", "cli.view")
    run("order refund-reject", "refund.rejected", asked["REFUND"])
    again = dict(line.split("=", 1) for line in inkgate("order", "refund-request", packs[0]).splitlines())
    run("order refund-approve", "refund.approved", again["REFUND"])
    run("admin token-create", "token.create", "olga", "--scope", "audit:read")
    run("admin token-disable", "token.disable", "olga")
    run("usage", "cli.view")
    run("ledger verify", "cli.view")
    run("ledger export", "export.ledger", "demo", "--to", str(tmp_path / "ledger.jsonl"))
    run("ledger maintain", "ledger.recheck", "--from-start")
    run("keys reseal", "master_key.reseal")
    run("user list", "cli.view")
    run("user create", "user.create", "deputy", "--role", "auditor")
    run("user role", "user.role", "deputy", "system")
    run("user reset", "user.reset", "deputy")
    session = asyncio.run(_signed_in_with_factor(tmp_path / "inkgate.db", "deputy"))
    assert session in run("user sessions", "cli.view")
    run("user session-end", "session.end", session)
    run("user second-factor-reset", "factor.reset", "deputy")
    run("user create", "user.create", "chief", "--operator")
    run("user disable", "user.disable", "deputy")
    run("audit", "cli.view")
    run("audit export", "export.audit", "--to", str(tmp_path / "audit.jsonl"))
    run("attest", "attest.make", "--out", str(tmp_path / "pack.zip"))
    assert "the pack holds" in inkgate("attest", "verify", str(tmp_path / "pack.zip"))
    run("app delete", "app.delete", "demo_app", "--yes")
    assert "hold" in inkgate("audit", "verify", str(tmp_path / "audit.jsonl"))
    untried = set(_verbs()) - tried - READ_ONLY_COMMANDS
    assert {each for each in untried if OF_NOTICES not in each} == UNTRIED


async def _signed_in_with_factor(path: Any, login: str) -> str:
    """Give a user a second factor and a session; the name of the session."""
    engine, vault = engines.create(Database(url=f"sqlite+aiosqlite:///{path}")), Vault([new_key()])
    async with work.unit_of_work(engine, "test") as unit:
        user = await user_rows.user_named(unit.session, login)
        assert user is not None
        lifetime = users.Lifetime(users.Lock().duration, users.Lock().duration)
        token = await users.sign_in(unit, login, user.password_hash, lifetime)
        await factor.begin(unit, vault, user.id)
        await unit.session.refresh(user)
        key = factor.pending_key(vault, user)
        assert token is not None and key is not None
        await factor.confirm(unit, vault, login, totp.code_of(key, totp.step_of(await unit.now())))
    await engine.dispose()
    return users.hash_token(token)[:SESSION_NAME_LENGTH]


UNTRIED = {
    *("account key-list", "app list", "pack list", "audit key", "audit verify", "audit checkpoint"),
    "attest verify",
    *("account import", "app import", "app sm2-import", "ledger repair-clock"),
    *("takeover route", "takeover forget", "takeover off", "takeover status", "takeover report", "app lift"),
}
"""Commands whose events other tests see: of the import, of the clock, of the takeover; or that are looks."""


def test_every_action_and_object_has_words() -> None:
    """Actions and subjects in the source against the tables of words."""
    import ast
    from pathlib import Path

    from inkgate import service

    actions: set[str] = set()
    fields: set[str] = set()
    for path in Path(service.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in (
                "record", "record_at", "record_look", "_record", "Look", "look",
            ):  # fmt: skip
                for argument in node.args:
                    for each in ast.walk(argument):
                        if isinstance(each, ast.Constant) and isinstance(each.value, str):
                            actions.add(each.value)
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("trail.record", "trail.record_at"):
                fields |= {each.arg for each in node.keywords if each.arg}
                changes = [each.value for each in node.keywords if each.arg in ("before", "after")]
                for change in changes:
                    keys = change.keys if isinstance(change, ast.Dict) else []
                    fields |= {each.value for each in keys if isinstance(each, ast.Constant)}
    assert len(fields) > 20 and fields - {"name", "result", "before", "after"} <= words.FIELDS.keys()
    named = {each for each in actions if re.fullmatch(r"[a-z_0-9]+\.[a-z_0-9]+", each)}
    assert named <= ACTIONS.keys()
    assert all(each.kind in KINDS and each.zh != each.en for each in ACTIONS.values())
    assert list(ACTIONS) == sorted(ACTIONS)
    assert words.subject_words("pack 123", "general 5", "zh") == "资源包 general 5"
    assert words.subject_words("account 青禾", None, "en") == "Account 青禾"
    assert words.subject_words("ledger of 青禾", None, "zh") == "账本：青禾"
    assert words.subject_words("something else", None, "zh") == "something else"


def test_changes_are_shown_in_words_and_money_in_yuan() -> None:
    detail = {
        "before": {"price_fen": 45_000, "on_sale": True},
        "after": {"price_fen": 90, "on_sale": True},
        "units": 5_000,
    }
    shown = [(each.label, each.before, each.value) for each in words.parts(detail, "zh")]
    assert shown == [("价格", "¥450.00", "¥0.90"), ("次数", None, "5,000")]
    assert [each.value for each in words.parts({"fen": 100, "reason": "password"}, "zh")] == ["¥1.00", "密码不正确"]
    old = {"before": "none", "after": "mirror 0"}  # of the release before
    assert [(each.before, each.value) for each in words.parts(old, "en")] == [("none", "mirror 0")]
