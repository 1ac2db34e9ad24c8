"""English pages have no Chinese: every page, every refusal of every form, every error page, and every short message."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import update

from inkgate.service.accounts import service as accounts
from inkgate.service.accounts.models import Account
from inkgate.service.console import field_texts, gateway_client
from inkgate.service.console.code_texts import ENGLISH, in_language
from inkgate.service.console.codes import code_name, codes
from inkgate.service.console.gateway_client import CallerKeys, GatewayCall
from inkgate.service.console.pages.reference import guide
from inkgate.service.console.translations import preferred_language
from inkgate.service.contract.capabilities import CAPABILITIES, GENERAL
from inkgate.service.metering.service import grant_pack, packs_of
from inkgate.service.orders.refunds import request_refund
from inkgate.service.orders.service import place_order
from inkgate.service.users import repository as user_queries
from tests.console.console_fixture import BrowserClient, ConsoleFixture
from tests.console.test_pages import call, traffic
from tests.console.test_tenants import TEMPLATES, routes
from tests.postgres import ON_SQLITE

CHINESE = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uff60]+")
OF_THE_MANUAL = re.compile(r'<(\w+)[^>]*\blang="zh-CN"[^>]*>.*?</\1>', re.S)
"""Texts that the wire contract fixes, and the button that chooses Chinese; both say that they are Chinese."""
ESCAPED_TAG = re.compile(r"&lt;/?(?:wbr|br|code|span|a|small)\b")
"""HTML of ours that a template has escaped, so that a reader sees it."""
AN_ERROR = 400018  # of the capability `general`


DATA = re.compile("青禾|城东|默认应用")
"""Names that the accounts had when they were made, in the audit trail, and that of default apps, which is a setting."""
NO_PAGES = {
    "/samples/{name}.jpg",
    "/operator/import/template.csv",
    "/operator/import/template.json",
    "/operator/settings",
}
"""An image, examples of data, and descriptions that quote values."""


def chinese(text: str) -> list[str]:
    return CHINESE.findall(DATA.sub("", OF_THE_MANUAL.sub("", text)))


@pytest.fixture
async def examples(console: ConsoleFixture) -> dict[str, str]:
    """An installation whose own data are in English: every list has a row. Returns the values of route parameters."""
    async with console.begin() as unit:
        for old, new in ((console.account_id, "Greenfield"), (console.other_id, "Eastside")):
            await unit.session.execute(update(Account).where(Account.id == old).values(name=new))
        keys = await accounts.create_access_key(unit, console.parts.vault, console.account_id)
        for name in ("general", "idcard"):
            await accounts.open_capability(unit, console.app_id, name)
            await grant_pack(unit, console.account_id, name, 1000)
        await place_order(unit, console.account_id, {"plate-100k": 1}, approval="immediate")
        waiting = await place_order(unit, console.account_id, {"general-100k": 1}, approval="operator")
        pack = (await packs_of(unit.session, console.account_id, "plate"))[0]
        refund = await request_refund(unit, pack.id, "too many")
        user = await user_queries.user_named(unit.session, "lin")
        assert user is not None
    await traffic(
        console,
        call(console),
        call(console, code=AN_ERROR, units=1, images=0),
        call(console, "idcard", failed_images=1),
    )
    return {
        "app_id": console.app_id,
        "account_id": console.account_id,
        "ak": keys.ak,
        "number": waiting.number,
        "pack_id": pack.id,
        "refund_id": refund.id,
        "user_id": user.id,
        "product_id": "general-100k",
        "name": "general",
        "capability": "general",
        "decision": "approve",
        "session": "0" * 12,
        "secret_id": console.app_id,
        "channel_id": console.app_id,
        "notice_id": console.app_id,
        "change": "test",
        "key": "guess",
    }


def english(client: BrowserClient) -> BrowserClient:
    client.headers["accept-language"] = "en-US,en;q=0.9"
    return client


@ON_SQLITE
@pytest.mark.parametrize("who", ["lin", "chief", ""])
async def test_every_page_and_every_refusal_is_in_english(
    console: ConsoleFixture, examples: dict[str, str], who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_: object) -> GatewayCall:
        text = "应用未开通"
        return GatewayCall(GENERAL, {}, 403, {"statusCode": 50002, "message": text, "details": text}, "", 5)

    monkeypatch.setattr(gateway_client, "call", refused)
    fields = {name for file in TEMPLATES.glob("*.html") for name in re.findall(r'\bname="([\w-]+)"', file.read_text())}
    wrong, seen, client = {}, 0, english(console.visitor())
    for method, route in routes():
        if route.path in NO_PAGES:
            continue
        path = route.path.format_map(examples)
        if who and (await client.get("/reference")).status_code != 200:  # the last request ended the session
            client = english(await console.signed_in(who))
        token = await client.token("/reference" if who else "/login")
        if method == "GET":
            bodies = [{}]
        else:
            typed = dict.fromkeys(fields, "1") | {"csrf": token, "once": "x" * 43, "app": console.app_id}
            bodies = [{"csrf": token}, typed, {"csrf": "wrong"}]
        for body in bodies:
            answer = await client.request(method, path, data=body) if body else await client.get(path)
            seen += 1
            if found := chinese(answer.text) + ESCAPED_TAG.findall(answer.text):
                wrong[f"{method} {route.path} {answer.status_code} {sorted(body)[:3]}"] = found[:5]
    assert seen > 150
    assert wrong == {}


@ON_SQLITE
async def test_every_error_page_and_short_message_is_in_english(
    console: ConsoleFixture, examples: dict[str, str]
) -> None:
    lin = english(await console.signed_in("lin"))
    token = await lin.token("/keys")
    large = b"x" * (4 * 1024 * 1024)
    answers = {
        404: [await lin.get("/nowhere"), await lin.get("/apps/00000000-0000-7000-8000-000000000000")],
        403: [await lin.get("/operator/accounts"), await lin.post("/keys", data={"csrf": "no"})],
        400: [
            await lin.get("/orders?page=first"),
            await lin.post("/try/general", data={"csrf": token, "sample": "1"}),
            await lin.post("/login", content=b"no boundary", headers={"content-type": "multipart/form-data"}),
        ],
        405: [await lin.request("PUT", "/apps", data={"csrf": token})],
        413: [await lin.post("/keys", content=large, headers={"content-type": "text/plain"})],
    }
    visitor = english(console.visitor())
    for _ in range(40):
        last = await visitor.submit("/login", login="lin", password="wrong")
    answers[429] = [last]
    for status, given in answers.items():
        for answer in given:
            assert answer.status_code == status, (answer.url, answer.status_code)
            assert answer.text and not chinese(answer.text) and "{" not in answer.text[:1], answer.text[:300]
    done = re.findall(r'^        "([\w-]+)": _\(', (TEMPLATES.parent / "notices.py").read_text(), re.M)
    assert len(done) > 20
    for name in done:
        page = await lin.see(f"/reference?done={name}")
        said = re.search(r'data-notice="([^"]*)"', page)
        assert said and said[1] and not chinese(said[1]), name


@ON_SQLITE
async def test_a_chosen_language_outweighs_the_browser(console: ConsoleFixture) -> None:
    visitor = english(console.visitor())
    assert 'lang="en"' in await visitor.see("/login")
    await visitor.submit("/preferences", language="zh", next="/login")
    assert "登录控制台" in await visitor.see("/login")
    visitor.cookies.set("inkgate_language", "fr", domain="console.test", path="/console")
    other = console.visitor()
    other.cookies.set("inkgate_language", "fr")
    assert "登录控制台" in await other.see("/login")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "zh"),
        ("*", "zh"),
        ("en-US,en;q=0.9", "en"),
        ("EN", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en;q=0.4, zh-TW;q=0.5", "zh"),
        ("zh;q=0,en;q=0.1", "en"),
        ("fr-FR,fr;q=0.9,en;q=0.8,zh;q=0.1", "en"),
        ("fr, de;q=0.7", "zh"),
        ("en;q=0", "zh"),
        ("en ; q=1.000 , zh", "en"),
        ("en;q=nan,zh;q=inf", "zh"),
        ("en;q=9", "zh"),
        (";;,,=;q", "zh"),
        ("x" * 100_000 + ",en", "zh"),
        ("zhuang, english", "zh"),
    ],
)
def test_the_language_of_the_browser_is_chosen_by_weight(header: str, language: str) -> None:
    assert preferred_language(header) == language


def test_every_text_of_a_code_has_its_english() -> None:
    texts = {text for row in codes() for text in (row.message, row.details)}
    texts |= {fault.message for each in CAPABILITIES.values() for fault in each.faults.values()}
    assert texts == set(ENGLISH)
    assert [text for text in ENGLISH.values() if CHINESE.search(text) or text.endswith(".")] == []
    assert code_name("general", 50002) == "应用未开通"
    assert (
        code_name("general", 50002, "en")
        == in_language("应用未开通", "en")
        == "The capability is not enabled in the app"
    )
    assert code_name("general", 1, "en") == "" and in_language("其他", "en") == "其他"


def test_every_meaning_of_headers_and_fields_has_its_english() -> None:
    guides = [guide(each, CallerKeys("ak", b"", "appkey"), "http://gateway") for each in CAPABILITIES.values()]
    texts = {about for each in guides for _, _, about in (*each.headers, *each.fields)}
    assert {text for text in texts if CHINESE.search(text)} == set(field_texts.ENGLISH)
    assert [text for text in field_texts.ENGLISH.values() if CHINESE.search(text)] == []
