"""The takeover pages: figures, routes, the main switch, and who may see them."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.accounts import service as accounts
from inkgate.service.audit import repository as audit
from inkgate.service.console.export_heads import headings
from inkgate.service.console.pages import operator_takeover
from inkgate.service.db import work
from inkgate.service.takeover import routes
from inkgate.service.takeover.report_document import CSV_COLUMNS
from inkgate.service.takeover.routes import Mode, Override
from tests import takeover_data as planted
from tests.console.console_fixture import NOW, BrowserClient, ConsoleFixture

PAGE = "/operator/takeover"
CLOUD = {"takeover": {"url": "https://cloud.test"}}


@pytest.fixture
async def console(engine: AsyncEngine) -> ConsoleFixture:
    """A console whose settings name a cloud; the app of "lin" has opened two capabilities."""
    made = await ConsoleFixture.build(engine, **CLOUD)
    async with made.begin() as unit:
        for capability in ("idcard", "general"):
            await accounts.open_capability(unit, made.app_id, capability)
    return made


async def with_figures(console: ConsoleFixture, *, personal: bool = True) -> BrowserClient:
    await planted.write_figures(console.engine, console.account_id, console.app_id, NOW, personal=personal)
    return await console.signed_in("chief")


async def route(console: ConsoleFixture) -> list[tuple[str, Mode, int]]:
    async with work.read_session(console.engine) as session:
        overview = await routes.overview(session, enabled=True)
    return [(each.capability, each.mode, each.percent) for each in overview.routes]


async def test_an_empty_page_says_how_to_begin(console: ConsoleFixture) -> None:
    chief = await console.signed_in("chief")
    page = await chief.see(PAGE)
    assert "还没有接管的应用" in page and "INKGATE_TAKEOVER__URL" not in page
    assert "还没有镜像的调用" in await chief.see(f"{PAGE}/{console.app_id}/idcard")


async def test_without_a_cloud_the_page_says_so_and_no_call_can_be_sent_there(engine: AsyncEngine) -> None:
    console = await ConsoleFixture.build(engine)
    async with console.begin() as unit:
        await accounts.open_capability(unit, console.app_id, "idcard")
    chief = await console.signed_in("chief")
    assert "INKGATE_TAKEOVER__URL" in await chief.see(PAGE)
    refused = await chief.submit(f"{PAGE}/route", page=PAGE, app="portal_app", capability="idcard", mode="mirror")
    assert refused.status_code == 422 and await route(console) == []
    assert (await chief.submit(f"{PAGE}/override", page=PAGE, target="cloud")).status_code == 422
    assert (await chief.submit(f"{PAGE}/override", page=PAGE, target="local")).status_code == 303


async def test_the_list_shows_verdict_figures_and_savings(console: ConsoleFixture) -> None:
    chief = await with_figures(console)
    page = await chief.see(PAGE)
    assert page.index("身份证识别") < page.index("通用型OCR") < page.index("车牌识别")
    assert "92.0% (89.3–94.1%)" in page and "住址" in page and "先看差异" in page and "数据不足" in page
    assert "¥7.07" in page and "未接管" in page


async def test_a_shorter_period_has_its_own_figures(console: ConsoleFixture) -> None:
    days_ago = NOW - timedelta(days=10)
    await planted.write_figures(console.engine, console.account_id, console.app_id, days_ago, personal=True)
    chief = await console.signed_in("chief")
    assert "530" not in await chief.see(f"{PAGE}?days=7") and "530" in await chief.see(f"{PAGE}?days=30")
    assert "530" in await chief.see(f"{PAGE}?days=12")  # not offered: the default


async def test_the_page_of_an_app_shows_every_field_and_its_different_values(console: ConsoleFixture) -> None:
    chief = await with_figures(console)
    page = await chief.see(f"{PAGE}/{console.app_id}/idcard")
    assert "97.0% (95.1–98.2%)" in page and "公民身份号码" in page and "http_502" in page and "4010" in page
    assert "林知<mark>运</mark>" in page and "西湖区<mark> </mark>青禾路" in page and "未比较：本地繁忙" in page
    only = await chief.see(f"{PAGE}/{console.app_id}/idcard?field=name")
    assert "<mark>运</mark>" in only and "青禾路" not in only
    english = BrowserClient(console.app, "127.0.0.1")
    english.cookies = chief.cookies
    english.cookies.set("inkgate_language", "en", domain="console.test", path="/console")
    page = await english.see(f"{PAGE}/{console.app_id}/idcard")
    assert "Close; look at the differences" in page and "Citizen number" in page
    text = await english.see(f"{PAGE}/{console.app_id}/general")
    assert "Character agreement" in text and "99.9%" in text and "5<mark>S</mark>50" in text


async def test_personal_values_are_not_there_unless_they_are_allowed(console: ConsoleFixture) -> None:
    chief = await with_figures(console, personal=False)
    page = await chief.see(f"{PAGE}/{console.app_id}/idcard")
    assert "<mark>" not in page and "没有保存的值" in page and "INKGATE_TAKEOVER__REPORT_PERSONAL" in page


async def test_unknown_apps_and_capabilities_are_not_found(console: ConsoleFixture) -> None:
    chief = await console.signed_in("chief")
    for path in (f"/{console.account_id}/idcard", "/x/idcard", f"/{console.app_id}/x"):
        assert (await chief.get(PAGE + path)).status_code == 404


async def test_routes_are_changed_by_form_and_audited(console: ConsoleFixture) -> None:
    chief = await console.signed_in("chief")
    fields = {"app": "portal_app", "capability": "idcard"}
    done = await chief.submit(f"{PAGE}/route", page=PAGE, **fields, mode="mirror", percent="10")
    assert done.headers["location"].endswith(f"{PAGE}?done=routed")
    assert await route(console) == [("idcard", Mode.MIRROR, 0)] and "镜像" in await chief.see(PAGE)
    fields = {"app": console.app_id, "capability": "idcard", "back": "detail"}
    done = await chief.submit(f"{PAGE}/route", page=PAGE, **fields, mode="split", percent="25")
    assert done.headers["location"].endswith(f"{PAGE}/{console.app_id}/idcard?done=routed")
    assert await route(console) == [("idcard", Mode.SPLIT, 25)]
    assert "本地 25%" in await chief.see(f"{PAGE}/{console.app_id}/idcard")
    await chief.submit(f"{PAGE}/route", page=PAGE, **fields, mode="local")
    assert await route(console) == [("idcard", Mode.LOCAL, 100)]
    async with work.read_session(console.engine) as session:
        events = await audit.events(session, action="takeover")
    assert [each.actor for each in events] == ["console:chief"] * 3


@pytest.mark.parametrize(
    ("fields", "status", "text"),
    [
        ({"mode": "split", "percent": "101"}, 422, "0 到 100"),
        ({"mode": "split", "percent": "-1"}, 422, "0 到 100"),
        ({"mode": "split", "percent": ""}, 422, "0 到 100"),
        ({"mode": "sideways"}, 400, ""),
        ({"mode": "mirror", "app": "nothing"}, 422, "nothing"),
        ({"mode": "mirror", "capability": "plate"}, 422, "plate"),  # not opened
    ],
)
async def test_what_cannot_be_routed(console: ConsoleFixture, fields: dict[str, str], status: int, text: str) -> None:
    chief = await console.signed_in("chief")
    given = {"app": "portal_app", "capability": "idcard", **fields}
    refused = await chief.submit(f"{PAGE}/route", page=PAGE, **given)
    assert refused.status_code == status and text in refused.text and await route(console) == []


async def test_the_main_switch(console: ConsoleFixture) -> None:
    chief = await console.signed_in("chief")
    async with console.begin() as unit:
        await routes.set_route(unit, console.app_id, "idcard", Mode.SPLIT, percent=10, enabled=True)
    for target, override, shown in (
        ("cloud", Override.CLOUD, "总开关：云端"),
        ("local", Override.LOCAL, "总开关：本地"),
        ("none", Override.NONE, "本地 10%"),
    ):
        assert (await chief.submit(f"{PAGE}/override", page=PAGE, target=target)).status_code == 303
        async with work.read_session(console.engine) as session:
            assert (await routes.overview(session, enabled=True)).override is override
        assert shown in await chief.see(PAGE)
    assert (await chief.submit(f"{PAGE}/override", page=PAGE, target="moon")).status_code == 400


async def test_only_operators(console: ConsoleFixture) -> None:
    lin = await console.signed_in("lin")
    for path in (PAGE, f"{PAGE}/report.csv", f"{PAGE}/{console.app_id}/idcard"):
        assert (await lin.get(path)).status_code == 403
    for path in ("/route", "/override"):
        assert (await lin.submit(PAGE + path, page="/apps", mode="mirror", target="local")).status_code == 403
    assert await route(console) == []


async def test_the_export_has_every_figure(console: ConsoleFixture) -> None:
    chief = await with_figures(console)
    text = (await chief.see(f"{PAGE}/report.csv")).removeprefix("\ufeff")
    head, *cells = csv.reader(io.StringIO(text))
    assert head == headings(CSV_COLUMNS, "zh")
    rows = [dict(zip(CSV_COLUMNS, each, strict=True)) for each in cells]
    assert {row["capability"] for row in rows} == {"idcard", "general", "plate"}
    (cell,) = [row["value"] for row in rows if (row["name"], row["measure"]) == ("name", "differs")]
    assert cell == str(planted.OTHER_NAMES) and rows[0]["account"] == "青禾"
    assert {row["app_id"] for row in rows} == {console.app_id}


def test_periods_are_those_of_the_page() -> None:
    assert [operator_takeover._days(each) for each in ("7", "90", "", "8", "7.0")] == [7, 90, 30, 30, 30]
