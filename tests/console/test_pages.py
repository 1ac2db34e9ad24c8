"""View models and pages without a browser, compared with the ledger."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import timedelta
from io import StringIO

import httpx
import pytest

from inkgate.service.accounts import repository as accounts_repository
from inkgate.service.accounts import service as accounts
from inkgate.service.accounts.models import Account
from inkgate.service.console import gateway_client
from inkgate.service.console.codes import search
from inkgate.service.console.downloads import csv_answer
from inkgate.service.console.gateway_client import CallerKeys
from inkgate.service.console.pages import capabilities, monitor, overview, refunds, try_it
from inkgate.service.console.pages.operator_system import settings_view, shown, with_code
from inkgate.service.console.scope import VisibleAccounts, scope_of, span_of
from inkgate.service.console.setting_texts import CHINESE, GROUPS
from inkgate.service.console.translations import Translator
from inkgate.service.contract.capabilities import CAPABILITIES, LICENCE
from inkgate.service.contract.requests import decode_and_check, parse
from inkgate.service.db import work
from inkgate.service.db.work import UnitOfWork
from inkgate.service.eop.header import parse as parse_header
from inkgate.service.eop.signature import verify
from inkgate.service.eop.signing import call_headers
from inkgate.service.metering import SqlLedger
from inkgate.service.metering.interface import Settlement
from inkgate.service.metering.service import grant_pack, packs_of
from inkgate.service.orders.service import place_order
from inkgate.service.samples import sample
from inkgate.service.settings import Settings
from tests.console.console_fixture import ConsoleFixture

ZH = Translator("zh")


async def scope(unit: UnitOfWork, account_id: str) -> VisibleAccounts:
    account = await accounts_repository.account(unit.session, account_id)
    assert isinstance(account, Account)
    return await scope_of(unit, account)


async def traffic(console: ConsoleFixture, *calls: Settlement) -> None:
    """Settle calls with the ledger."""
    ledger = SqlLedger(console.engine, clock=console.clock, balance_ttl=0.0)
    await ledger.start()
    for call in calls:
        await ledger.settle(call)
    await ledger.close()


def call(console: ConsoleFixture, capability: str = "general", **changes: object) -> Settlement:
    from inkgate.service.db import ids

    plain = Settlement(
        ids.new(), console.account_id, console.app_id, capability, 2, 2, 0, 0, 1000, 30, "192.0.2.7", "r"
    )
    return replace(plain, **changes)


async def bought(console: ConsoleFixture, **quantities: int) -> None:
    named = {name.replace("_", "-"): count for name, count in quantities.items()}
    async with console.begin() as unit:
        await place_order(unit, console.account_id, named, approval="immediate")


async def test_overview_and_monitor_show_what_the_ledger_wrote(console: ConsoleFixture) -> None:
    await bought(console, general_100k=1)
    await traffic(
        console,
        call(console),
        call(console, failed_images=1, duration_ms=70),
        call(console, code=400018, units=1, images=0, duration_ms=20, client_ip="198.51.100.9"),
        call(console, "licence", units=1, images=1),
    )
    async with work.read_session(console.engine) as session:
        unit = UnitOfWork(session, "test", console.clock)
        mine = await scope(unit, console.account_id)
        seen = await overview.view(unit, mine, ZH, "1")
        watched = await monitor.view(unit, mine, ZH, "7")
        other = await overview.view(unit, await scope(unit, console.other_id), ZH, "30")
    assert (seen.total.calls, seen.total.images, seen.total.failed_images) == (4, 5, 1)
    assert seen.total.mean_ms == pytest.approx((30 + 70 + 20 + 30) / 4)
    assert [(each.name, each.value) for each in seen.ranking] == [("通用型OCR", 4), ("营业执照识别", 1)]
    assert seen.error_share == pytest.approx(1 / 4)
    errors = {each.name: each.value for each in seen.errors}
    assert errors == {"400018 超过个数限制": 1, "单张图片识别失败": 1}
    assert {each["name"]: sum(each["data"]) for each in seen.calls["series"]} == {"通用型OCR": 4, "营业执照识别": 1}
    assert len(seen.calls["names"]) == 24 and seen.calls["names"][-1] == "16:00"  # 08:30 UTC is 16:30 in Beijing
    general = next(each for each in seen.balances if each.capability == "general")
    assert (general.left, general.total, general.soon) == (100_000 - 5, 100_000, False)
    assert [(each.name, each.totals.calls) for each in watched.apps.rows[:1]] == [("portal_app", 3)]
    assert [(each.code, each.requests) for each in watched.errors] == [(400018, 1)]
    assert watched.steps[0][1].body_bytes == 4000 and len(watched.requests["names"]) == 7
    assert other.total.requests == 0


async def test_a_foreign_app_as_filter_gives_no_calls(console: ConsoleFixture) -> None:
    await bought(console, general_100k=1)
    await traffic(console, call(console))
    async with work.read_session(console.engine) as session:
        unit = UnitOfWork(session, "test", console.clock)
        theirs = await scope(unit, console.other_id)
        seen = await monitor.view(unit, theirs, ZH, "7", app_id=console.app_id)
    assert seen.total.calls == 0


async def test_a_sub_account_sees_its_own_apps_only(console: ConsoleFixture) -> None:
    await bought(console, general_100k=1)
    async with console.begin() as unit:
        sub = await accounts.create_account(unit, "青禾-二部", parent_id=console.account_id)
        app = await accounts.create_app(unit, console.parts.vault, sub.id, "second_app")
    await traffic(console, call(console), call(console, account_id=sub.id, app_id=app.app_id, units=3, images=3))
    async with work.read_session(console.engine) as session:
        unit = UnitOfWork(session, "test", console.clock)
        whole = await overview.view(unit, await scope(unit, console.account_id), ZH, "1")
        part = await overview.view(unit, await scope(unit, sub.id), ZH, "1")
    assert (whole.total.images, part.total.images) == (5, 3)


def test_networks_are_counted_together() -> None:
    callers = [("192.0.2.7", 3), ("192.0.2.9", 2), ("2001:db8::1", 4), ("odd", 1)]
    assert overview.networks(callers) == [("192.0.2.0/24", 5), ("2001:db8::/56", 4), ("odd", 1)]


@pytest.mark.parametrize(("days", "hours"), [("1", 24), ("7", 7 * 24), ("30", 30 * 24), ("8", 7 * 24), ("x", 7 * 24)])
def test_spans_end_with_the_current_step(days: str, hours: int) -> None:
    from tests.console.console_fixture import NOW

    span = span_of(days, NOW)
    assert span.until - span.since == timedelta(hours=hours)
    assert span.since < NOW < span.until and NOW - span.steps()[-1] < timedelta(days=1)


async def test_a_pack_is_listed_with_its_state(console: ConsoleFixture) -> None:
    now = console.clock.time
    async with console.begin() as unit:
        await grant_pack(unit, console.account_id, "idcard", 5)
        await grant_pack(
            unit, console.account_id, "plate", 5, starts_at=now - timedelta(days=400), ends_at=now - timedelta(days=35)
        )
        await accounts.open_capability(unit, console.app_id, "idcard")
    await traffic(console, call(console, "idcard", units=5, images=5))
    async with work.read_session(console.engine) as session:
        unit = UnitOfWork(session, "test", console.clock)
        mine = await scope(unit, console.account_id)
        rows = await capabilities.view(unit, mine)
        seen = await capabilities.detail(unit, mine, "idcard")
    assert {row.name: row.state for row in rows} == {
        "general": "none",
        "idcard": "exhausted",
        "plate": "expired",
        "licence": "free",
    }
    assert seen.apps.rows == [("portal_app", 5)] and seen.packs.rows[0].left == 0


async def test_a_refund_is_offered_for_seven_days_and_never_after_use(console: ConsoleFixture) -> None:
    await bought(console, general_100k=1, idcard_100k=1)
    await traffic(console, call(console))

    async def states() -> dict[str, str]:
        async with work.read_session(console.engine) as session:
            unit = UnitOfWork(session, "test", console.clock)
            model = await refunds.view(unit, await scope(unit, console.account_id), refunds.Search())
        assert all((each.refundable_fen is None) == (each.state in ("used", "late")) for each in model.candidates)
        return {each.pack.capability: each.state for each in model.candidates}

    assert await states() == {"general": "used", "idcard": "open"}
    console.clock.advance(days=7, seconds=1)
    assert await states() == {"general": "used", "idcard": "late"}


async def test_customers_cannot_change_foreign_objects(console: ConsoleFixture) -> None:
    await bought(console, general_100k=1)
    async with console.begin() as unit:
        pair = await accounts.create_access_key(unit, console.parts.vault, console.account_id)
        packs = await packs_of(unit.session, console.account_id)
    east = await console.signed_in("east")
    token = await east.token("/keys")
    for path in (
        f"/apps/{console.app_id}/delete",
        f"/apps/{console.app_id}/secret",
        f"/apps/{console.app_id}/allow",
        f"/keys/{pair.ak}/disable",
        f"/keys/{pair.ak}/rotate",
        "/refunds",
    ):
        fields = {"csrf": token, "password": "x", "capability": "general", "pack": packs[0].id}
        answer = await east.post(path, data=fields)
        assert answer.status_code == 404, path
    for path in ("/operator/accounts", "/operator/audit.csv", "/operator/settings"):
        assert (await east.get(path)).status_code == 403
    assert (await (await console.signed_in("chief")).get("/apps")).status_code == 403


async def test_a_secret_is_shown_after_the_password_and_audited(console: ConsoleFixture) -> None:
    lin = await console.signed_in("lin")
    path = f"/apps/{console.app_id}"
    async with console.begin() as unit:
        secret = await accounts.app_secret(unit, console.parts.vault, console.app_id)
    assert secret not in await lin.see(path)
    wrong = await lin.submit(f"{path}/secret", page=path, password="wrong")
    assert wrong.status_code == 422 and secret not in wrong.text
    from tests.console.console_fixture import PASSWORD

    assert secret in (await lin.submitted(f"{path}/secret", page=path, password=PASSWORD)).text
    chief = await console.signed_in("chief")
    assert "console:lin" in await chief.see("/operator/audit?action=app")


async def test_an_order_waits_for_the_operator_and_then_counts(console: ConsoleFixture) -> None:
    lin, chief = await console.signed_in("lin"), await console.signed_in("chief")
    refused = await lin.submit("/buy/general/order", page="/buy/general", **{"general-100k": "2"})
    assert refused.status_code == 422 and "服务协议" in refused.text
    placed = await lin.submit("/buy/general/order", page="/buy/general", agreed="1", **{"general-100k": "2"})
    number = placed.headers["location"].split("/")[-2]
    paid = await lin.submit(f"/orders/{number}/pay", page=f"/orders/{number}/pay", method="offline")
    assert paid.headers["location"].endswith(f"/orders/{number}?paid=1")
    assert "¥900.00" in await lin.see(f"/orders/{number}")
    assert "有效</span>" not in await lin.see("/capabilities/general")
    done = await chief.submit(f"/operator/orders/{number}/approve", page="/operator/orders")
    assert done.headers["location"].endswith("done=approved")
    row = (await chief.see("/operator/orders?state=active")).split(number, 1)[1]
    assert "chief" in row and "console:" not in row  # who approved it, by name
    assert (await lin.see("/capabilities/general")).count("0 / 100,000") == 2
    again = await chief.submit(f"/operator/orders/{number}/approve", page="/operator/orders")
    assert again.status_code == 422 and "已处理" in again.text


@pytest.mark.parametrize("capability", list(CAPABILITIES.values()), ids=list(CAPABILITIES))
def test_the_call_of_the_try_page_is_a_correct_signed_request(capability) -> None:  # type: ignore[no-untyped-def]
    import hashlib

    body = gateway_client.body_of(capability, sample(capability.name))
    assert decode_and_check(capability, parse(capability, body)).valid_count == 1
    keys = CallerKeys("a" * 32, b"secret", "b" * 32)
    headers = call_headers(keys.ak, keys.secret, keys.appkey, body)
    lower = {name.lower(): value for name, value in headers.items()}
    assert verify(parse_header(headers["Eop-Authorization"]), b"secret", lower, "", hashlib.sha256(body).hexdigest())


async def test_an_unreachable_gateway_is_reported(console: ConsoleFixture) -> None:
    made = await gateway_client.call(
        "http://127.0.0.1:9", LICENCE, CallerKeys("a" * 32, b"s", "b" * 32), sample("licence"), 2
    )
    assert made.answer is None and "Connect" in made.failure


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_errors_of_one_code_are_added_up_over_capabilities(console: ConsoleFixture, language: str) -> None:
    """Capabilities word a code differently in Chinese; the page shows one bar, with the words of the most frequent."""
    fault = {"code": 400012, "units": 1, "images": 0}
    await bought(console, general_100k=1)
    await traffic(console, call(console, **fault), call(console, **fault), call(console, "licence", **fault))
    lin = await console.signed_in("lin")
    lin.headers["accept-language"] = language
    page = await lin.see("/")
    assert page.count("400012 ") == 1 and ("400012 文件格式不合法" in page) == (language == "zh")


def test_results_of_each_kind_are_drawn() -> None:
    box = [10.0, 10.0, 90.0, 12.0, 90.0, 40.0, 10.0, 38.0]
    general = try_it.result_view("general", {"statusCode": 0, "returnObj": [{"detail": [{"text": "甲", "box": box}]}]})
    assert general.marks[0].points == "10.0,10.0 90.0,12.0 90.0,40.0 10.0,38.0"
    assert general.marks[0].crop == (10, 10, 80, 30)
    corners = [[1, 2], [9, 2], [9, 5], [1, 5]]
    plate = {"box": corners, "plate_type": "蓝牌", "platelicense": "浙A8K26P", "confidence": 0.98}
    drawn = try_it.result_view("plate", {"statusCode": 0, "returnObj": [{"detail": [plate]}]})
    assert (drawn.marks[0].text, drawn.marks[0].note) == ("浙A8K26P", "蓝牌 · 98.0%")
    drawn = try_it.result_view("plate", {"statusCode": 0, "returnObj": [{"detail": [plate]}]}, "en")
    assert drawn.marks[0].note == "Blue plate · 98.0%"
    card = try_it.result_view("idcard", {"statusCode": 0, "returnObj": [{"detail": {"name": "林", "sex": "女"}}]})
    assert card.fields == [("姓名", "林"), ("性别", "女")]
    licence = try_it.result_view("licence", {"statusCode": 0, "returnObj": {"detail": {"union_id": "9"}}})
    assert licence.fields == [("统一社会信用代码", "9")]
    failed = {"statusCode": 0, "returnObj": [{"err_code": 400012, "err_msg": "文件格式不合法"}]}
    assert try_it.result_view("general", failed).fault == "400012 文件格式不合法"
    assert (
        try_it.result_view("general", {"statusCode": 51002, "message": "收费API未购买"}).fault == "51002 收费API未购买"
    )


def test_fields_have_labels_in_both_languages_and_unknown_ones_their_own_names(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"statusCode": 0, "returnObj": {"detail": {"odd": "1", "type": "2", "name": "3"}}}
    assert try_it.result_view("licence", answer).fields == [("名称", "3"), ("类型", "2"), ("odd", "1")]
    assert try_it.result_view("licence", answer, "en").fields == [("Name", "3"), ("Type", "2"), ("odd", "1")]
    added = replace(LICENCE, name="receipt", fields=())
    monkeypatch.setattr(try_it, "CAPABILITIES", {**CAPABILITIES, "receipt": added})
    assert try_it.result_view("receipt", answer).fields == [("odd", "1"), ("type", "2"), ("name", "3")]


async def test_an_invalid_image_is_not_sent(console: ConsoleFixture) -> None:
    lin = await console.signed_in("lin")
    token = await lin.token("/keys")
    for image, said in ((b"x" * (2 * 1024 * 1024 + 1), "2 MiB"), (b"GIF89a", "只支持"), (b"", "请选择")):
        answer = await lin.post("/try/general", data={"csrf": token, "app": console.app_id}, files={"image": image})
        assert said in answer.text


def test_codes_are_found_by_number_and_word() -> None:
    assert {row.code for row in search("51002")} == {"51002"}
    assert {"AI_OP_400013", "AI_OP_4010"} <= {row.code for row in search("大小")}
    assert search("no such thing") == []


@pytest.mark.parametrize("name", list(CAPABILITIES))
async def test_the_guide_of_a_call_has_the_callers_own_endpoint_and_keys(console: ConsoleFixture, name: str) -> None:
    async with console.begin() as unit:
        pair = await accounts.create_access_key(unit, console.parts.vault, console.account_id)
        app = await accounts_repository.app(unit.session, console.app_id)
    assert app is not None
    page = await (await console.signed_in("lin")).see(f"/reference/{name}")
    assert f"http://console.test{CAPABILITIES[name].paths[0]}" in page
    assert pair.ak in page and app.appkey in page and pair.sk not in page
    assert "&lt;AccessKey&gt;" in await (await console.signed_in("chief")).see(f"/reference/{name}")


async def test_a_pack_is_renewed_with_its_own_size(console: ConsoleFixture) -> None:
    await bought(console, general_100k=1)
    lin = await console.signed_in("lin")
    assert "/buy/general?renew=100000" in await lin.see("/capabilities/general")
    chosen = await lin.see("/buy/general?renew=100000")
    assert chosen.count('value="1"') == 1 and 'name="general-100k" min="0" max="100" step="1" value="1"' in chosen
    other = await lin.see("/buy/general?renew=1000000")
    assert other.count('value="1"') == 1 and 'name="general-1m" min="0" max="100" step="1" value="1"' in other


async def test_an_operator_sets_allow_lists(console: ConsoleFixture) -> None:
    chief = await console.signed_in("chief")
    page = f"/operator/accounts/{console.account_id}"
    done = await chief.submit(f"{page}/apps/{console.app_id}/allow", page=page, networks="192.0.2.0/24, 198.51.100.7")
    assert done.headers["location"].endswith("done=allowed")
    assert "192.0.2.0/24\n198.51.100.7" in await chief.see(page)
    wrong = await chief.submit(f"{page}/apps/{console.app_id}/allow", page=page, networks="nowhere")
    assert wrong.status_code == 422 and "nowhere" in wrong.text


def test_csv_cells_are_not_formulas() -> None:
    answer = csv_answer("a.csv", ("name",), [("=cmd()",), ("plain",)])
    rows = list(csv.reader(StringIO(bytes(answer.body).decode("utf-8-sig"))))
    assert rows == [["name"], ["'=cmd()"], ["plain"]]


def test_settings_are_shown_without_secrets() -> None:
    settings = Settings(
        database={"url": "postgresql+asyncpg://ink:hidden@db/ink"},
        redis={"url": "redis://cache:6379/0?password=hidden"},
        telemetry={"traces_endpoint": "http://ink:hidden@collector:4318/v1/traces"},
        console={"setup_code": "open sesame, sesame"},
    )  # type: ignore[arg-type]
    text = str(settings_view(settings, Translator("zh")))
    assert "hidden" not in text and "sesame" not in text and "INKGATE_DATABASE__URL" in text
    assert "redis://cache:6379/0?password=***" in text


def test_settings_are_shown_in_words() -> None:
    chinese, english = Translator("zh"), Translator("en")
    assert [shown(each, chinese) for each in ("", (), {}, None)] == ["–"] * 4
    assert (shown(True, chinese), shown(False, english)) == ("是", "No")
    assert (shown(600.0, chinese), shown(1.5, chinese), shown(600, chinese)) == ("600", "1.5", "600")
    assert shown(("general", "idcard"), english) == "general, idcard"
    assert shown({"blue": "蓝牌"}, english) == "blue: 蓝牌"
    assert with_code("a `b` <c>") == "a <code>b</code> &lt;c&gt;"


def test_every_setting_has_a_meaning_in_both_languages() -> None:
    groups = {name: type(getattr(Settings(), name)).model_fields for name in Settings.model_fields}
    assert set(GROUPS) == set(groups)
    assert set(CHINESE) == {f"{group}.{name}" for group, fields in groups.items() for name in fields}
    rows = [row for _, part in settings_view(Settings(), Translator("en")) for row in part]
    assert all(row.about for row in rows)
    assert [row.name for row in rows if "ADR" in row.about or "CONTRACT" in row.about or "`" in row.about] == []


async def test_static_files_are_compressed_and_immutable(console: ConsoleFixture) -> None:
    import re

    lin = await console.signed_in("lin")
    page = await lin.see("/")
    paths = re.findall(r'(?:src|href)="(/console/static/[^"]+)"', page)
    whole = 0
    for path in paths:
        async with httpx.AsyncClient(transport=lin._transport, base_url="http://console.test") as plain:
            answer = await plain.get(path, headers={"accept-encoding": "gzip"})
        assert answer.status_code == 200 and "immutable" in answer.headers["cache-control"]
        whole += int(answer.headers["content-length"])
    assert len(paths) == 11 and whole < 400_000  # the largest page, cold, without its HTML
    assert len(page.encode()) < 60_000
