"""The report equals the planted differences: from the database, by command and over the admin API."""

from __future__ import annotations

import asyncio
import csv
import json
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from inkgate.service.admin import tokens
from inkgate.service.admin.app import create_admin
from inkgate.service.db import engine as engines
from inkgate.service.db import work
from inkgate.service.orders import repository as orders
from inkgate.service.settings import Database, Settings
from inkgate.service.takeover.report import RouteReport, cost_fen, pack_for, report
from inkgate.service.takeover.verdict import Verdict, judge
from tests import takeover_data as planted
from tests.ledger_data import START, CustomerData
from tests.unit.cli.test_money_commands import Shell

IMAGES = planted.CARDS
CARD_CALLS = planted.CARDS + planted.SHED + planted.FAULTS + planted.BAD_GATEWAYS


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """`inkgate …` in this process, with a database, an account and an app."""
    monkeypatch.setenv("INKGATE_DATABASE__URL", f"sqlite+aiosqlite:///{tmp_path}/inkgate.db")
    made = Shell(capsys, monkeypatch)
    for command in (("migrate",), ("account", "create", "demo"), ("app", "create", "demo", "demo_app")):
        made(*command)
    return made


@pytest.fixture
async def admin(customer: CustomerData) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the admin API that may read usage."""
    app = create_admin(customer.engine, customer.vault, Settings())
    async with work.unit_of_work(customer.engine, "test") as unit:
        token = await tokens.create_token(unit, "olga", ["usage:read"])
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://admin", headers=headers) as made:
        yield made


async def all_reports(customer: CustomerData, **period: datetime) -> dict[str, RouteReport]:
    await planted.write_figures(customer.engine, customer.account_id, customer.app.app_id, START, personal=True)
    async with work.read_session(customer.engine) as session:
        found = await report(session, period.get("since", START - timedelta(days=3)), period.get("until", START))
    return {each.capability.name: each for each in found}


async def test_figures_equal_what_was_planted(customer: CustomerData) -> None:
    found = await all_reports(customer)
    assert list(found) == ["idcard", "general", "plate"]  # most calls first
    cards = found["idcard"]
    by_name = {each.name: each for each in cards.fields}
    assert (by_name["name"].equal, by_name["name"].differs) == (IMAGES - planted.OTHER_NAMES, planted.OTHER_NAMES)
    assert (by_name["addr"].equal, by_name["addr"].folded) == (
        IMAGES - planted.SPACED_ADDRESSES,
        planted.SPACED_ADDRESSES,
    )
    assert by_name["birthday"].only_cloud == planted.MISSING_SIDES and by_name["org"].values == 0
    assert by_name["idn"].agreement.value == 1 and by_name["idn"].values == IMAGES
    assert (cards.calls, cards.compared, cards.images) == (CARD_CALLS, IMAGES + planted.FAULTS, IMAGES)
    assert cards.skipped == {"shed": planted.SHED}
    assert [(each.cloud, each.local, each.count) for each in cards.image_codes] == [("4010", "0", planted.FAULTS)]
    assert [(each.cloud, each.local, each.count) for each in cards.codes] == [
        ("0", "0", IMAGES + planted.FAULTS),
        ("http_502", "0", planted.BAD_GATEWAYS),
    ]
    assert cards.weakest_field is by_name["addr"] and judge(cards).verdict is Verdict.REVIEW
    assert cards.cloud_time.p50 == pytest.approx(300, rel=0.2) and cards.local_time.p50 == pytest.approx(75, rel=0.2)


async def test_running_text_and_few_images(customer: CustomerData) -> None:
    found = await all_reports(customer)
    text = found["general"].text
    assert text is not None and text.edits == planted.PAGES // 50 == text.folded_edits
    assert (text.cloud_lines, text.equal_lines) == (3 * planted.PAGES, 3 * planted.PAGES - planted.PAGES // 50)
    assert judge(found["general"]).verdict is Verdict.READY
    assert judge(found["plate"]).verdict is Verdict.INSUFFICIENT


async def test_savings_are_units_at_the_price_of_the_pack_that_fits(customer: CustomerData) -> None:
    found = (await all_reports(customer))["idcard"]
    assert found.units == IMAGES + planted.SHED + planted.FAULTS  # nothing for what the gateway of the cloud refused
    assert found.price == "idcard-100k"
    assert found.saved_fen == round(found.units * 1350 * 100 / 100_000)
    async with work.read_session(customer.engine) as session:
        products = [each for each in await orders.products(session) if each.capability == "idcard"]
    sizes = [getattr(pack_for(units, products), "id", None) for units in (1, 100_000, 100_001, 10**9)]
    assert sizes == ["idcard-100k", "idcard-100k", "idcard-1m", "idcard-10m"]
    assert cost_fen(7, None) == 0 and pack_for(1, []) is None


async def test_only_the_wanted_days_apps_and_capabilities(customer: CustomerData) -> None:
    assert sum(each.calls for each in (await all_reports(customer, since=START)).values()) == 337
    async with work.read_session(customer.engine) as session:
        only = await report(session, START - timedelta(days=9), START, capability="plate")
        none = await report(session, START - timedelta(days=9), START, app_id=customer.account_id)
        theirs = await report(session, START - timedelta(days=9), START, account_id=customer.account_id)
    assert [each.capability.name for each in only] == ["plate"] and not none and len(theirs) == 3


async def seed(file: Path) -> None:
    """Write the figures of today for the app of a database."""
    with sqlite3.connect(file) as base:
        ((app_id, account_id),) = base.execute("SELECT id, account_id FROM app WHERE name = 'demo_app'").fetchall()
    engine = engines.create(Database(url=f"sqlite+aiosqlite:///{file}"))
    await planted.write_figures(engine, account_id, app_id, datetime.now(UTC), personal=False)
    await engine.dispose()


def test_the_command_prints_tables_csv_and_json(shell: Shell, tmp_path: Path) -> None:
    asyncio.run(seed(tmp_path / "inkgate.db"))
    text = shell("takeover", "report")
    assert (
        "demo_app (demo) · Identity card" in text
        and "Lowest agreement of a field: 92.0% (89.3–94.1%) of 500 values" in text
    )
    assert "other codes (cloud/here) http_502/0 6" in text
    assert "可以切换。" in shell("takeover", "report", "--capability", "general", "--zh")
    (cards,) = json.loads(shell("takeover", "report", "--app", "demo_app", "--capability", "idcard", "--json"))
    name = next(each for each in cards["fields"] if each["name"] == "name")
    assert (name["differs"], name["values"], name["agreement"]) == (planted.OTHER_NAMES, IMAGES, 0.97)
    assert 0.95 < name["low"] < 0.97 < name["high"] < 0.99 and cards["verdict"] == "review"
    rows = list(csv.DictReader(shell("takeover", "report", "--csv").splitlines()))
    cells = {(row["capability"], row["section"], row["name"], row["measure"]): row["value"] for row in rows}
    assert cells["idcard", "field", "name", "differs"] == str(planted.OTHER_NAMES)
    assert cells["general", "text", "", "edits"] == str(planted.PAGES // 50)
    assert cells["idcard", "codes", "http_502 / 0", "count"] == str(planted.BAD_GATEWAYS)
    assert "no capability 'x'" in (shell("takeover", "report", "--capability", "x", status=2) or shell.error)
    assert "No mirrored calls" in shell("takeover", "report", "--until", "2020-01-01")


async def test_the_admin_api_gives_the_same_figures(customer: CustomerData, admin: httpx.AsyncClient) -> None:
    await planted.write_figures(customer.engine, customer.account_id, customer.app.app_id, START, personal=True)
    period = {"since": (START - timedelta(days=3)).isoformat(), "until": START.isoformat()}
    cards, *_ = (await admin.get("/takeover/report", params=period)).json()
    name = next(each for each in cards["fields"] if each["name"] == "name")
    assert name["label_en"] == "Name" and name["differs"] == planted.OTHER_NAMES
    path = "/takeover/differences"
    rows = (await admin.get(path, params={"field": "name", "capability": "idcard", **period})).json()
    (row,) = rows  # of three days
    assert (row["cloud"], row["local"], row["count"]) == ("林知远", "林知运", planted.OTHER_NAMES)
    refused = await admin.get("/takeover/report", params={"since": period["until"], "until": period["since"]})
    assert (refused.status_code, refused.json()["code"]) == (400, "usage.period_invalid")
    refused = await admin.get(path, params={"capability": "x", **period})
    assert (refused.status_code, refused.json()["code"]) == (400, "command.capability_unknown")
