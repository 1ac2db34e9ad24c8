"""The admin API over HTTP, on both databases: tokens, scopes, and each resource from creation to removal."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from inkgate.service.admin import reports, tokens
from inkgate.service.admin.app import MAX_BODY_BYTES, create_admin
from inkgate.service.db import work
from inkgate.service.errors import Misuse
from inkgate.service.messages import MESSAGES
from inkgate.service.settings import Settings
from tests.built_routes import with_built_routes
from tests.ledger_data import CustomerData


@pytest.fixture
async def anonymous(customer: CustomerData) -> AsyncIterator[httpx.AsyncClient]:
    app = with_built_routes(create_admin(customer.engine, customer.vault, Settings()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://admin") as client:
        yield client


@pytest.fixture
async def admin(customer: CustomerData, anonymous: httpx.AsyncClient) -> httpx.AsyncClient:
    """A client with every scope."""
    async with work.unit_of_work(customer.engine, "test") as unit:
        token = await tokens.create_token(unit, "olga", tokens.SCOPES)
    anonymous.headers["Authorization"] = f"Bearer {token}"
    return anonymous


async def test_a_request_without_a_valid_token_is_unauthorised(
    customer: CustomerData, anonymous: httpx.AsyncClient
) -> None:
    async with work.unit_of_work(customer.engine, "test") as unit:
        stopped = await tokens.create_token(unit, "stopped", ["audit:read"])
        await tokens.disable_token(unit, "stopped")
        over = await tokens.create_token(unit, "over", ["audit:read"], valid=timedelta(seconds=-1))
    for headers in ({}, *({"Authorization": f"Bearer {token}"} for token in ("x", stopped, over))):
        answer = await anonymous.get("/audit", headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


async def test_every_route_requires_a_token_with_one_scope(
    customer: CustomerData, anonymous: httpx.AsyncClient
) -> None:
    paths = (await anonymous.get("/openapi.json")).json()["paths"]
    routes = [(method.upper(), path.replace("{", "").replace("}", "")) for path in paths for method in paths[path]]
    assert len(routes) >= 25
    opened: dict[tuple[str, str], list[str]] = {route: [] for route in routes}
    async with work.unit_of_work(customer.engine, "test") as unit:
        held = {scope: await tokens.create_token(unit, scope.replace(":", "-"), [scope]) for scope in tokens.SCOPES}
    for method, path in routes:
        body = {} if method in ("PUT", "POST") else None
        assert (await anonymous.request(method, path, json=body)).status_code == 401, f"{method} {path}"
        for scope, token in held.items():
            headers = {"Authorization": f"Bearer {token}"}
            if (await anonymous.request(method, path, json=body, headers=headers)).status_code != 403:
                opened[method, path].append(scope)
    for (method, path), scopes in opened.items():
        assert len(scopes) == 1, f"{method} {path}: {scopes}"
        assert scopes[0].endswith(":read") == (method == "GET"), f"{method} {path}: {scopes}"


async def test_accounts_keys_and_apps(customer: CustomerData, admin: httpx.AsyncClient) -> None:
    account = (await admin.post("/accounts", json={"name": "acme"})).json()
    default = account["default_app"]
    assert default["name"] == "默认应用" and len(default["secret"]) == 32
    assert (await admin.get(f"/apps/{default['app_id']}")).json()["opened"] == []
    child = await admin.post("/accounts", json={"name": "acme child", "parent_id": account["id"]})
    assert child.status_code == 201
    assert (await admin.post("/accounts", json={"name": "acme"})).status_code == 409
    pair = (await admin.post(f"/accounts/{account['id']}/keys")).json()
    successor = (await admin.post(f"/keys/{pair['ak']}/rotation", json={"overlap_hours": 1})).json()
    await admin.put(f"/keys/{successor['ak']}/disabling", json={"disabled": True})
    keys = (await admin.get(f"/accounts/{account['id']}/keys")).json()
    assert keys[0]["ends_at"] and keys[1]["disabled_at"] and "sk" not in keys[0]
    app = (await admin.post(f"/accounts/{account['id']}/apps", json={"name": "acme_app"})).json()
    await admin.put(f"/apps/{app['app_id']}/capabilities/plate", json={"qps": 3})
    await admin.put(f"/apps/{app['app_id']}/networks", json={"networks": ["192.0.2.1"]})
    shown = (await admin.get(f"/apps/{app['app_id']}")).json()
    assert shown["opened"] == [{"capability": "plate", "qps": 3.0, "allowed": []}]
    assert shown["allowed"] == ["192.0.2.1/32"] and "secret" not in shown
    listed = (await admin.get(f"/accounts/{account['id']}/apps")).json()
    assert sorted((each["name"], each["account_id"]) for each in listed) == sorted(
        [("acme_app", account["id"]), ("默认应用", account["id"]), ("默认应用", child.json()["id"])]
    )
    suspended = await admin.put(f"/accounts/{account['id']}/suspension", json={"suspended": True})
    assert suspended.json()["suspended_at"]
    assert (await admin.delete(f"/apps/{app['app_id']}")).status_code == 204
    assert (await admin.get(f"/apps/{app['app_id']}")).status_code == 404
    assert len((await admin.get("/accounts", params={"search": "acme"})).json()) == 2


async def test_an_error_names_its_code_and_values(customer: CustomerData, admin: httpx.AsyncClient) -> None:
    """The status depends on the kind of the problem; code and values stand beside the text, for programs."""
    unknown = "00000000-0000-7000-8000-000000000000"
    home = f"/accounts/{customer.account_id}"
    order = (await admin.post(f"{home}/orders", json={"quantities": {"plate-100k": 1}})).json()["number"]
    await admin.post(f"/orders/{order}/rejection")
    asked: list[tuple[str, dict[str, object], int, str, dict[str, object]]] = [
        (f"/accounts/{unknown}/keys", {}, 404, "account.not_found", {"account_id": unknown}),
        (f"/refunds/{unknown}/approval", {}, 404, "refund.not_found", {"refund_id": unknown}),
        (f"/refunds/{unknown}/rejection", {}, 404, "refund.not_found", {"refund_id": unknown}),
        ("/refunds", {"pack_id": unknown}, 404, "pack.not_found", {"pack_id": unknown}),
        (f"/orders/{'9' * 20}/approval", {}, 404, "order.not_found", {"number": "9" * 20}),
        (f"/orders/{order}/approval", {}, 409, "order.decided", {"number": order, "state": "rejected"}),
        (f"{home}/orders", {"quantities": {"none": 1}}, 404, "product.not_on_sale", {"product_id": "none"}),
        (f"{home}/orders", {"quantities": {"plate-100k": 101}}, 400, "order.quantity_out_of_range", {"most": 100}),
        (f"{home}/orders", {"quantities": {}}, 400, "order.empty", {}),
        (f"{home}/packs", {"capability": "no", "units": 1}, 400, "capability.unknown", {"capability": "no"}),
        ("/nowhere", {}, 404, "request.address_unknown", {}),
    ]
    for path, body, status, code, params in asked:
        answer = await admin.post(path, json=body)
        assert answer.status_code == status, path
        error = answer.json()
        assert error.keys() == {"detail", "code", "params"} and error["detail"], path
        assert (error["code"], error["params"] | params) == (code, error["params"]), path
        assert error["params"].keys() == MESSAGES[code].params, path


async def test_the_error_of_a_token_without_the_scope_names_the_scope(
    customer: CustomerData, anonymous: httpx.AsyncClient
) -> None:
    async with work.unit_of_work(customer.engine, "test") as unit:
        token = await tokens.create_token(unit, "reader", ["audit:read"])
    answer = await anonymous.get("/accounts", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 403
    assert answer.json() == {
        "detail": "the token lacks the scope accounts:read",
        "code": "token.scope_missing",
        "params": {"scope": "accounts:read"},
    }


async def test_orders_packs_and_refunds(customer: CustomerData, admin: httpx.AsyncClient) -> None:
    home = f"/accounts/{customer.account_id}"
    assert len((await admin.get("/catalogue")).json()) == 12
    voucher = (await admin.post("/vouchers", json={"kind": "percent", "value": 10})).json()["code"]
    order = (await admin.post(f"{home}/orders", json={"quantities": {"plate-100k": 1}, "voucher": voucher})).json()
    assert (order["state"], order["amount_fen"], order["discount_fen"]) == ("pending", 135_000, 13_500)
    assert (await admin.post(f"/orders/{order['number']}/approval")).json()["state"] == "active"
    second = (await admin.post(f"{home}/orders", json={"quantities": {"plate-100k": 1}})).json()
    assert (await admin.post(f"/orders/{second['number']}/rejection")).json()["state"] == "rejected"
    granted = (await admin.post(f"{home}/packs", json={"capability": "general", "units": 5})).json()
    assert granted["state"] == "valid"
    (pack,) = (await admin.get(f"{home}/packs", params={"capability": "plate"})).json()
    refund = (await admin.post("/refunds", json={"pack_id": pack["id"]})).json()
    rejected = (await admin.post(f"/refunds/{refund['id']}/rejection", json={"note": "too late"})).json()
    assert (rejected["state"], rejected["note"]) == ("rejected", "too late")
    (used,) = (await admin.get("/vouchers")).json()
    assert used["used"] and used["number"] == order["voucher_number"] and "code" not in used
    topped = (await admin.post(f"{home}/balance", json={"amount_fen": 700, "note": "transfer"})).json()
    assert (topped["kind"], topped["balance_fen"], topped["entered_by"]) == ("top-up", 700, "admin:olga")
    assert (await admin.post(f"{home}/balance", json={"amount_fen": -701})).status_code == 409
    held = (await admin.get(f"{home}/balance")).json()
    assert held["balance_fen"] == 700 and [each["note"] for each in held["entries"]] == ["transfer"]
    refund = (await admin.post("/refunds", json={"pack_id": pack["id"]})).json()
    approved = (await admin.post(f"/refunds/{refund['id']}/approval")).json()
    assert (approved["state"], approved["amount_fen"], approved["decided_by"]) == ("approved", 121_500, "admin:olga")
    assert len((await admin.get("/refunds", params={"account_id": customer.account_id})).json()) == 2
    assert len((await admin.get("/orders", params={"state": "active"})).json()) == 1
    changed = {"capability": "plate", "units": 100_000, "price_fen": 1, "on_sale": True}
    assert (await admin.put("/catalogue/plate-mini", json=changed)).json()["price_fen"] == 1
    await admin.put("/catalogue/plate-mini", json=changed | {"on_sale": False})


async def test_usage_audit_and_verification(customer: CustomerData, admin: httpx.AsyncClient) -> None:
    await customer.grant(10)
    await customer.ledger().settle(customer.call(3))
    hour = customer.clock.time.replace(minute=0, second=0)
    period = {"since": hour.isoformat(), "until": (hour + timedelta(hours=1)).isoformat()}
    (sums,) = (await admin.get("/usage", params={**period, "by": ["capability", "code"]})).json()
    assert (sums["key"], sums["units"], sums["mean_ms"]) == (["general", 0], 3, 20.0)
    assert (await admin.get("/usage", params={**period, "by": "shoe-size"})).status_code == 400
    assert (await admin.get("/usage", params=period | {"since": period["until"]})).status_code == 400
    assert (await admin.get("/ledger/proof")).json() == {"sound": True, "lines": 1, "findings": []}
    events = (await admin.get("/audit", params={"account_id": customer.account_id})).json()
    assert events[0]["action"] == "pack.grant"


async def test_a_verification_is_limited_in_lines_time_and_findings(
    customer: CustomerData, admin: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await customer.grant(100)
    for _ in range(6):
        await customer.ledger().settle(customer.call(2))
    await customer.ledger().settle(customer.call(0, capability="licence"))
    async with customer.engine.begin() as connection:
        await connection.execute(text("UPDATE usage_record SET line = 1"))
    monkeypatch.setattr(reports, "MAX_PROOF_FINDINGS", 4)
    cut = (await admin.get("/ledger/proof")).json()
    assert (cut["sound"], cut["lines"], len(cut["findings"])) == (False, 7, 4)
    monkeypatch.setattr(reports, "MAX_PROOF_LINES", 5)
    refused = await admin.get("/ledger/proof", params={"account_id": customer.account_id, "capability": "general"})
    assert (refused.status_code, "inkgate ledger verify" in refused.json()["detail"]) == (400, True)
    assert (await admin.get("/ledger/proof", params={"capability": "licence"})).json()["lines"] == 1
    monkeypatch.setattr(reports, "MAX_PROOF_SECONDS", 0.0)
    slow = await admin.get("/ledger/proof", params={"capability": "licence"})
    assert (slow.status_code, "longer than 0 s" in slow.json()["detail"]) == (400, True)


async def test_one_verification_runs_at_a_time(customer: CustomerData, admin: httpx.AsyncClient) -> None:
    lock = admin._transport.app.state.context.verification_lock  # type: ignore[attr-defined]
    async with lock:
        busy = await admin.get("/ledger/proof")
        assert (busy.status_code, busy.headers["retry-after"]) == (503, "30")
    assert (await admin.get("/ledger/proof")).status_code == 200


async def test_the_audit_trail_names_the_token(customer: CustomerData, admin: httpx.AsyncClient) -> None:
    await admin.post("/accounts", json={"name": "acme"})
    events = (await admin.get("/audit", params={"limit": 2})).json()
    assert [(each["actor"], each["action"]) for each in events] == [
        ("admin:olga", "app.create"),
        ("admin:olga", "account.create"),
    ]


async def test_invalid_tokens_are_rejected(customer: CustomerData) -> None:
    async with work.unit_of_work(customer.engine, "test") as unit:
        await tokens.create_token(unit, "olga", ["audit:read"])
        for name, scopes in (("olga", ["audit:read"]), ("other", ["everything"]), ("other", []), ("", ["audit:read"])):
            with pytest.raises(Misuse):
                await tokens.create_token(unit, name, scopes)
        with pytest.raises(Misuse):
            await tokens.disable_token(unit, "unknown")


async def _endless() -> AsyncIterator[bytes]:
    for _ in range(64):
        yield b" " * 65_536


@pytest.mark.parametrize("mounted", [False, True])
async def test_the_body_limit_applies_before_the_token_is_checked(customer: CustomerData, mounted: bool) -> None:
    app = with_built_routes(create_admin(customer.engine, customer.vault, Settings()))
    if mounted:
        outer = FastAPI()
        outer.mount("/admin/v1", app)
    transport = httpx.ASGITransport(outer if mounted else app)
    base = "http://admin/admin/v1" if mounted else "http://admin"
    async with httpx.AsyncClient(transport=transport, base_url=base) as client:
        for body in (b'{"name":"' + b"x" * MAX_BODY_BYTES + b'"}', _endless()):
            answer = await client.post("/accounts", content=body, headers={"content-type": "application/json"})
            assert answer.status_code == 413
        fits = b'{"name":"' + b"x" * (MAX_BODY_BYTES - 11) + b'"}'
        answer = await client.post("/accounts", content=fits, headers={"content-type": "application/json"})
        assert answer.status_code == 401


async def test_deep_or_wide_json_of_a_known_caller_is_refused_quickly(admin: httpx.AsyncClient) -> None:
    """Bodies at the size limit: nested as deeply as possible, and with as many unknown fields as possible."""
    wide = "{" + ",".join(f'"{number:05}":1' for number in range(MAX_BODY_BYTES // 11)) + "}"
    for body in ("[" * MAX_BODY_BYTES, '{"a":' * (MAX_BODY_BYTES // 5), wide):
        began = time.process_time()
        answer = await admin.post("/accounts", content=body, headers={"content-type": "application/json"})
        assert answer.status_code in (400, 422)
        assert answer.status_code == 422 or answer.json()["code"] == "request.body_unreadable"
        assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/accounts/not-an-id/keys", 422),
        (f"/accounts/{'z' * 36}/keys", 422),
        ("/accounts?search=%00", 422),
        ("/accounts/00000000-0000-7000-8000-000000000000/packs", 404),
        ("/orders?account_id=1", 422),
        ("/audit?since=2026-03-01T00:00:00", 422),
        ("/audit?since=0001-01-01T00:00:00Z", 400),
        ("/audit?until=9999-12-31T23:59:59-14:00", 400),
        ("/audit?since=1767225600", 422),
        ("/ledger/proof?account_id=%00", 422),
        ("/orders?state=%00", 422),
    ],
)
async def test_an_invalid_address_gets_the_same_error_on_both_databases(
    admin: httpx.AsyncClient, path: str, status: int
) -> None:
    answer = await admin.get(path)
    assert answer.status_code == status and "input" not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        '{"kind": "credit", "value": NaN}',
        '{"kind": "credit", "value": 1e400}',
        '{"kind": "\\ud800"}',
        '{"\\ud800": 1}',
        '{"kind": "credit", "ends_at": "2030-01-01T00:00:00"}',
        '{"kind": "cre\\u0000dit"}',
        '{"kind": "credit", "account_id": "1"}',
    ],
)
async def test_json_values_that_a_column_cannot_store_are_422(admin: httpx.AsyncClient, body: str) -> None:
    """NaN and unpaired surrogates made the answer itself fail, since it repeated them."""
    answer = await admin.post("/vouchers", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert {"type", "loc", "msg"} == set(answer.json()["detail"][0])


@pytest.mark.parametrize("more", [{"ends_at": "2020-01-01T00:00:00Z"}, {"value": 10**30}, {"value": 0}])
async def test_an_expired_or_out_of_range_voucher_is_not_issued(
    admin: httpx.AsyncClient, more: dict[str, object]
) -> None:
    answer = await admin.post("/vouchers", json={"kind": "credit"} | more)
    assert answer.status_code == 400 and "voucher" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("PATCH", "/accounts", "GET, POST"), ("DELETE", "/orders", "GET"), ("PATCH", "/apps/x", "DELETE, GET")],
)
async def test_the_answer_to_a_wrong_method_names_the_allowed_ones(
    admin: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    answer = await admin.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
