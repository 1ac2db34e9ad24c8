"""The import over the admin API, on both databases: dry run, refusal, scopes, bounds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import httpx
import pytest

from inkgate.service.accounts import SqlDirectory
from inkgate.service.admin import tokens
from inkgate.service.admin.app import create_admin
from inkgate.service.db import work
from inkgate.service.settings import Settings
from tests.built_routes import with_built_routes
from tests.ledger_data import CustomerData
from tests.unit.importing.files import company


@pytest.fixture
async def client(customer: CustomerData) -> AsyncIterator[httpx.AsyncClient]:
    app = with_built_routes(create_admin(customer.engine, customer.vault, Settings(), customer.clock))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://admin") as client:
        yield client


async def sign_in(customer: CustomerData, client: httpx.AsyncClient, scopes: Sequence[str]) -> None:
    async with work.unit_of_work(customer.engine, "test") as unit:
        token = await tokens.create_token(unit, f"olga-{len(scopes)}", scopes)
    client.headers["Authorization"] = f"Bearer {token}"


async def test_an_import_is_tried_and_then_done(customer: CustomerData, client: httpx.AsyncClient) -> None:
    await sign_in(customer, client, tokens.SCOPES)
    records: list[dict[str, object]] = [dict(each) for each in company()]
    records[4] |= {"seals": True, "allowed": ["127.0.0.0/8"]}
    records[7]["units"] = 1200
    directory = SqlDirectory(customer.engine, customer.vault, ttl=0.0)
    tried = await client.post("/import", json={"records": records})
    assert tried.status_code == 200, tried.text
    assert tried.json()["applied"] is False and await directory.app(str(records[4]["id"])) is None
    done = (await client.post("/import", json={"records": records, "apply": True})).json()
    assert done["applied"] and done["counts"]["app"] == 1
    (sealing,) = done["sealing"]
    app = await directory.app(str(records[4]["id"]))
    assert app is not None and sealing["app"] == app.name and len(sealing["enckey"]) == 124
    events = (await client.get("/audit", params={"limit": 50})).json()
    assert {each["actor"] for each in events if each["detail"].get("imported")} == {"admin:olga-6"}
    assert not any(str(records[place]["secret"]) in str(events) for place in (2, 3, 4))


async def test_a_refusal_lists_each_problem_without_keys(customer: CustomerData, client: httpx.AsyncClient) -> None:
    await sign_in(customer, client, tokens.SCOPES)
    records = company()
    records[2]["secret"] = "guessable" * 3
    records[5]["qps"] = "-1"
    answer = await client.post("/import", json={"records": records, "apply": True})
    assert answer.status_code == 400
    problem = answer.json()
    assert (problem["code"], problem["params"]) == ("import.refused", {"problems": 2})
    assert [(each["row"], each["field"], each["code"]) for each in problem["problems"]] == [
        (3, "secret", "import.secret_weak"),
        (6, "qps", "qps.out_of_range"),
    ]
    assert "guessable" not in answer.text


async def test_packs_need_the_scope_of_orders(customer: CustomerData, client: httpx.AsyncClient) -> None:
    await sign_in(customer, client, ["accounts:write"])
    records = company()
    refused = await client.post("/import", json={"records": records})
    assert (refused.status_code, refused.json()["params"]) == (403, {"scope": "orders:write"})
    allowed = await client.post("/import", json={"records": records[:7], "apply": True})
    assert allowed.status_code == 200 and allowed.json()["applied"]


@pytest.mark.parametrize("body", [{}, {"records": []}, {"records": ["x"]}, {"records": [{}], "apply": "yes"}])
async def test_a_malformed_request_is_refused(
    customer: CustomerData, client: httpx.AsyncClient, body: dict[str, object]
) -> None:
    await sign_in(customer, client, tokens.SCOPES)
    assert (await client.post("/import", json=body)).status_code == 422


async def test_a_longer_key_of_another_issuer_is_rotated_and_disabled(
    customer: CustomerData, client: httpx.AsyncClient
) -> None:
    await sign_in(customer, client, tokens.SCOPES)
    records = company()
    await client.post("/import", json={"records": records, "apply": True})
    ak = records[2]["id"]
    assert len(ak) == 31
    assert (await client.post(f"/keys/{ak}/rotation", json={})).status_code == 201
    assert (await client.put(f"/keys/{ak}/disabling", json={"disabled": True})).status_code == 204
    assert await SqlDirectory(customer.engine, customer.vault, ttl=0.0).access_key(ak) is None
