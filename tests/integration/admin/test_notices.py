"""Notices over the admin API, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from inkgate.service.accounts import service as accounts
from inkgate.service.admin import tokens
from inkgate.service.admin.app import create_admin
from inkgate.service.db import work
from inkgate.service.settings import Notices, Settings
from tests.built_routes import with_built_routes
from tests.ledger_data import CustomerData

HOOK = {"channel_kind": "webhook", "name": "ops", "url": "https://hook.example/x?key=secret-in-the-url"}


@pytest.fixture
async def admin(customer: CustomerData) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(notices=Notices(customer_hosts=("hook.example",)))
    app = with_built_routes(create_admin(customer.engine, customer.vault, settings))
    async with work.unit_of_work(customer.engine, "test") as unit:
        token = await tokens.create_token(unit, "olga", tokens.SCOPES)
    headers = {"Authorization": f"Bearer {token}"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://admin", headers=headers) as client:
        yield client


async def test_a_channel_from_creation_to_removal(admin: httpx.AsyncClient, customer: CustomerData) -> None:
    made = (await admin.post("/notice-channels", json=HOOK)).json()
    assert len(made["secret"]) == 48 and made["target"] == "https://hook.example/…"
    own = await admin.post("/notice-channels", json=HOOK | {"account_id": customer.account_id, "secret": "given"})
    assert own.status_code == 201 and own.json()["secret"] == ""
    [listed] = (await admin.get("/notice-channels")).json()
    assert (listed["id"], listed["secret"]) == (made["id"], "")
    queued = await admin.post(f"/notice-channels/{made['id']}/test")
    assert queued.status_code == 202
    assert [row["id"] for row in (await admin.get("/notices", params={"state": "waiting"})).json()] == [
        queued.json()["id"]
    ]
    assert (await admin.delete(f"/notice-channels/{made['id']}")).status_code == 204
    gone = await admin.delete(f"/notice-channels/{made['id']}")
    assert (gone.status_code, gone.json()["code"]) == (404, "notice.channel_not_found")
    assert [row["state"] for row in (await admin.get("/notices")).json()] == ["cancelled"]


async def test_thresholds_of_an_account(admin: httpx.AsyncClient, customer: CustomerData) -> None:
    path = f"/accounts/{customer.account_id}/notice-thresholds"
    default = {"low_percent": 10, "low_days": 7, "expiry_days": 14, "own": False}
    assert (await admin.get(path)).json() == default
    assert (await admin.put(path, json={"low_percent": 50, "low_days": 0, "expiry_days": 1})).status_code == 204
    assert (await admin.get(path)).json() == {"low_percent": 50, "low_days": 0, "expiry_days": 1, "own": True}
    assert (await admin.put(path, json={"low_percent": 101, "low_days": 0, "expiry_days": 1})).status_code == 422
    assert (await admin.delete(path)).status_code == 204
    assert (await admin.get(path)).json() == default
    async with work.unit_of_work(customer.engine, "test") as unit:
        sub = await accounts.create_account(unit, "sub", parent_id=customer.account_id)
    refused = await admin.get(f"/accounts/{sub.id}/notice-thresholds")
    assert (refused.status_code, refused.json()["code"]) == (409, "notice.sub_account")
