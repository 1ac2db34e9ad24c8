"""Lists that can grow are shown page by page to their end; the ledger begins with an account that has traffic."""

from __future__ import annotations

import re

import pytest

from inkgate.service.accounts import service as accounts
from inkgate.service.audit import repository as audit
from inkgate.service.audit.models import EventRow
from inkgate.service.audit.words import actor_words
from inkgate.service.console.pages import keys, members, operator_ledger, operator_orders
from inkgate.service.db import ids
from inkgate.service.metering.service import grant_pack, packs_of
from inkgate.service.orders.refunds import request_refund
from inkgate.service.orders.service import place_order
from tests.console.console_fixture import BrowserClient, ConsoleFixture
from tests.console.test_pages import call, traffic


async def walked(client: BrowserClient, path: str, row: str) -> list[list[str]]:
    """What `row` finds on each page of a list, by the links to the next page."""
    found = []
    address: str | None = path
    while address is not None:
        page = await client.see(address)
        found.append(re.findall(row, page))
        following = re.search(r'rel="next" href="/console([^"]*page=(\d+))">下一页', page)
        assert following is None or int(following[2]) == len(found) + 1
        address = following[1].replace("&amp;", "&") if following else None
    return found


async def test_every_order_and_refund_can_be_decided(console: ConsoleFixture) -> None:
    count = operator_orders.PER_PAGE + 2
    async with console.begin() as unit:
        for _ in range(count):
            console.clock.advance(seconds=1)
            await place_order(unit, console.account_id, {"general-100k": 1}, approval="operator")
            await place_order(unit, console.account_id, {"plate-100k": 1}, approval="immediate")
        for pack in await packs_of(unit.session, console.account_id, "plate"):
            await request_refund(unit, pack.id, "too many")
    chief = await console.signed_in("chief")
    for path, row in (
        ("/operator/orders", r'action="[^"]*/orders/(\d+)/approve"'),
        ("/operator/refunds", r'action="[^"]*/refunds/([0-9a-f-]{36})/approve"'),
    ):
        pages = await walked(chief, f"{path}?state=pending", row)
        assert [len(each) for each in pages] == [operator_orders.PER_PAGE, 2]
        assert len({each for page in pages for each in page}) == count
        assert "没有" in await chief.see(f"{path}?state=pending&page=1000000")


async def test_every_key_is_listed(console: ConsoleFixture) -> None:
    count = keys.PER_PAGE + 3
    async with console.begin() as unit:
        for _ in range(count):
            console.clock.advance(seconds=1)
            pair = await accounts.create_access_key(unit, console.parts.vault, console.account_id)
            await accounts.disable_access_key(unit, pair.ak)
    pages = await walked(await console.signed_in("lin"), "/keys", r'action="[^"]*/keys/(\w+)/enable"')
    assert [len(each) for each in pages] == [keys.PER_PAGE, 3]
    assert len({each for page in pages for each in page}) == count


async def test_every_sub_account_is_listed(console: ConsoleFixture) -> None:
    count = members.ACCOUNTS_PER_PAGE + 4
    async with console.begin() as unit:
        for number in range(count):
            await accounts.create_account(unit, f"分部 {number:03}", parent_id=console.account_id)
    lin = await console.signed_in("lin")
    pages = await walked(lin, "/members", r"<h2>(分部 \d{3})")
    assert [len(each) for each in pages] == [members.ACCOUNTS_PER_PAGE - 1, 5]  # the own account comes first
    assert len({each for page in pages for each in page}) == count
    assert (await lin.see("/members?page=2")).count("<option") >= count  # a user can be made in each of them


async def test_the_ledger_begins_with_the_account_and_capability_of_most_entries(console: ConsoleFixture) -> None:
    async with console.begin() as unit:
        await grant_pack(unit, console.account_id, "general", 100)
        await accounts.create_account(unit, "空账号")
        late = await accounts.create_account(unit, "繁忙的账号")
        app = await accounts.create_app(unit, console.parts.vault, late.id, "busy_app")
    busy = [call(console, "licence", account_id=late.id, app_id=app.app_id) for _ in range(3)]
    await traffic(console, call(console), *busy)
    chief = await console.signed_in("chief")
    page = await chief.see("/operator/ledger")
    assert re.findall(r'<option value="([^"]+)" selected', page) == [late.id, "licence"]
    assert page.count('class="mono" title=') == 3
    assert [name for _, name in re.findall(r'<option value="([0-9a-f-]{36})"[^>]*>([^<]+)', page)][:2] == [
        "繁忙的账号",
        "青禾",
    ]
    found = await chief.see("/operator/ledger?q=%E9%9D%92%E7%A6%BE")
    assert "繁忙的账号" not in found and re.findall(r'<option value="([^"]+)" selected', found)[0] == console.account_id
    assert "没有找到账号" in await chief.see("/operator/ledger?q=unknown")
    assert (await chief.get(f"/operator/ledger?account={ids.new()}")).status_code == 404
    assert (await chief.get("/operator/ledger?account=x")).status_code == 404


async def test_the_ledger_offers_a_bounded_number_of_accounts(
    console: ConsoleFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operator_ledger, "MAX_ACCOUNTS", 2)
    async with console.begin() as unit:
        made = [await accounts.create_account(unit, f"account {number}") for number in range(4)]
    chief = await console.signed_in("chief")
    page = await chief.see("/operator/ledger")
    assert len(re.findall(r'<option value="[0-9a-f-]{36}"', page)) == 2
    page = await chief.see(f"/operator/ledger?account={made[3].id}")
    assert re.findall(r'<option value="([0-9a-f-]{36})" selected', page) == [made[3].id]


async def test_actors_money_and_failed_sign_ins_are_in_words(console: ConsoleFixture) -> None:
    chief = await console.signed_in("chief")
    visitor = console.visitor()
    await visitor.submit("/login", login="lin", password="wrong")
    await visitor.submit("/login", login="unknown", password="wrong")
    async with console.begin() as unit:
        await place_order(unit, console.account_id, {"general-100k": 1}, approval="operator")
        await accounts.open_capability(unit, console.app_id, "plate")
        for actor in ("console:-", "console:"):  # as earlier releases wrote them
            what = {"action": "user.sign_in", "subject": "user lin", "detail": {}}
            audit.append(unit.session, [EventRow(id=ids.new(), at=console.clock.time, actor=actor, **what)])
    page = await chief.see("/operator/audit")
    text = re.sub(r"<[^>]+>", " ", page)
    assert "console:" not in text and "anonymous" not in text and "_fen" not in text and "fen" not in text
    assert "未登录" in text and "密码不正确" in text and "没有此用户" in text and "¥" in text
    assert "能力：车牌识别" in text
    await chief.submit("/operator/ledger", page="/operator/ledger")
    ledger = re.sub(r"<[^>]+>", " ", await chief.see("/operator/ledger"))
    assert "console:" not in ledger and "chief" in ledger
    chief.cookies.set("inkgate_language", "en")
    assert "Not signed in" in await chief.see("/operator/audit")


@pytest.mark.parametrize(
    ("actor", "zh", "en"),
    [
        ("console:lin", ("控制台", "lin"), ("Console", "lin")),
        ("console:-", ("控制台", "未登录"), ("Console", "Not signed in")),
        ("console:", ("控制台", "未登录"), ("Console", "Not signed in")),
        ("anonymous", ("", "未登录"), ("", "Not signed in")),
        ("cli:root", ("命令行", "root"), ("Command line", "root")),
        ("admin:deploy", ("管理接口", "deploy"), ("Admin API", "deploy")),
        ("gateway", ("", "gateway"), ("", "gateway")),
        ("other:name", ("", "other:name"), ("", "other:name")),
    ],
)
def test_an_actor_has_a_surface_and_a_name(actor: str, zh: tuple[str, str], en: tuple[str, str]) -> None:
    assert actor_words(actor, "zh") == zh
    assert actor_words(actor, "en") == en
