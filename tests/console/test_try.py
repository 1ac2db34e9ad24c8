"""The try page without a browser: what is refused before a call, one call per form, and the app that it begins with."""

from __future__ import annotations

import asyncio
import json
import re
import secrets

import pytest
from fastapi import FastAPI
from httpx import Response
from sqlalchemy import select

from inkgate.service.accounts import service as accounts
from inkgate.service.console import ConsoleDependencies, create_console, gateway_client, try_results
from inkgate.service.console.gateway_client import GatewayCall
from inkgate.service.console.pages import try_it
from inkgate.service.contract.capabilities import GENERAL
from inkgate.service.db import engine as engines
from inkgate.service.db import ids
from inkgate.service.db.base import Base
from inkgate.service.metering import SqlLedger
from inkgate.service.metering.interface import Settlement
from inkgate.service.metering.service import grant_pack, packs_of
from inkgate.service.samples import sample
from inkgate.service.settings import Database, Settings
from inkgate.service.users import service as users
from tests.console.console_fixture import PASSWORD, BrowserClient, ConsoleFixture, cheap_passwords
from tests.image_files import Image, saved


class Gateway:
    """Counts the calls that reach it. Each answer has its number."""

    def __init__(self, answer: dict[str, object] | None = None) -> None:
        self.calls = 0
        self._answer = answer

    async def __call__(self, *_: object) -> GatewayCall:
        self.calls += 1
        number = self.calls
        await asyncio.sleep(0.02)  # two calls at the same moment overlap
        text = {
            "statusCode": 0,
            "returnObj": [{"detail": [{"text": f"第 {number} 次", "box": [1, 1, 9, 1, 9, 9, 1, 9]}]}],
        }
        return GatewayCall(GENERAL, {}, 200, self._answer or text, "", 5)


@pytest.fixture
async def lin(console: ConsoleFixture) -> BrowserClient:
    """A customer with an access key and an app that has opened one capability."""
    async with console.begin() as unit:
        await accounts.create_access_key(unit, console.parts.vault, console.account_id)
        await accounts.open_capability(unit, console.app_id, "general")
    return await console.signed_in("lin")


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Gateway:
    found = Gateway()
    monkeypatch.setattr(gateway_client, "call", found)
    return found


async def form(lin: BrowserClient, app_id: str, **fields: str) -> dict[str, str]:
    page = await lin.see("/try")
    token = re.search(r'name="once" value="([^"]+)"', page)
    assert token
    return {"csrf": await lin.token("/keys"), "once": token[1], "app": app_id, **fields}


async def test_a_form_that_is_sent_many_times_makes_one_call(
    console: ConsoleFixture, lin: BrowserClient, gateway: Gateway
) -> None:
    fields = await form(lin, console.app_id, sample="1")
    answers = await asyncio.gather(*(lin.post("/try/general", data=fields) for _ in range(20)))
    answers.append(await lin.post("/try/general", data=fields))
    assert gateway.calls == 1
    assert all(answer.status_code == 200 and "第 1 次" in answer.text for answer in answers)
    tokens = {re.search(r'name="once" value="([^"]+)"', answer.text)[1] for answer in answers}  # type: ignore[index]
    assert len(tokens) == len(answers) and fields["once"] not in tokens
    again = await lin.post("/try/general", data={**fields, "once": tokens.pop()})
    assert gateway.calls == 2 and "第 2 次" in again.text


async def second_console(
    console: ConsoleFixture, lin: BrowserClient, database_url: str, **settings: object
) -> BrowserClient:
    """The browser of `lin` at another process of the console: of its own are engine, settings and all state."""
    parts = ConsoleDependencies(
        Settings(**settings),  # type: ignore[arg-type]
        engines.create(Database(url=database_url)),
        console.parts.vault,
        cheap_passwords(),
        console.clock,
    )
    root = FastAPI()
    root.mount("/console", create_console(parts))
    other = BrowserClient(root, "127.0.0.1")
    other.cookies = lin.cookies
    return other


async def used(console: ConsoleFixture) -> int:
    async with console.begin() as unit:
        return sum(each.used for each in await packs_of(unit.session, console.account_id))


async def test_two_processes_make_one_call_of_one_form(
    console: ConsoleFixture, lin: BrowserClient, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    """A call is charged in the real ledger once. A repeat, at the same time or later, shows its result in the process
    that made it; in the other one it says that the form was already sent."""
    async with console.begin() as unit:
        await grant_pack(unit, console.account_id, "general", 100)
    ledger = SqlLedger(console.engine, clock=console.clock)
    await ledger.start()
    gateway = Gateway()

    async def charged(*about: object) -> GatewayCall:
        found = await gateway(*about)
        call_id = ids.new()
        await ledger.settle(
            Settlement(call_id, console.account_id, console.app_id, "general", 1, 1, 0, 0, 9, 5, "192.0.2.1", call_id)
        )
        return found

    monkeypatch.setattr(gateway_client, "call", charged)
    elsewhere = await second_console(console, lin, database_url)
    fields = await form(lin, console.app_id, sample="1")
    answers: dict[BrowserClient, list[Response]] = {lin: [], elsewhere: []}

    async def send(browser: BrowserClient) -> None:
        answers[browser].append(await browser.post("/try/general", data=fields))

    await asyncio.gather(*(send(each) for each in (lin, elsewhere) * 5))
    for each in (elsewhere, lin):
        await send(each)
    assert (gateway.calls, await used(console)) == (1, 1)
    made, other = (lin, elsewhere) if answers[lin][-1].status_code == 200 else (elsewhere, lin)
    assert [(each.status_code, "第 1 次" in each.text) for each in answers[made]] == [(200, True)] * 6
    assert [(each.status_code, "已经完成，没有再次发出" in each.text) for each in answers[other]] == [(409, True)] * 6
    again = re.search(r'name="once" value="([^"]+)"', answers[other][-1].text)
    assert again and "第 2 次" in (await other.post("/try/general", data={**fields, "once": again[1]})).text
    assert await used(console) == 2
    await ledger.close()


async def test_a_result_is_in_memory_only_and_for_minutes_and_never_made_again(
    console: ConsoleFixture, lin: BrowserClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(try_results, "KEPT_SECONDS", 1.0)
    fields = await form(lin, console.app_id, sample="1")
    await lin.post("/try/general", data=fields)
    async with console.engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            rows = [str(tuple(row)) for row in await connection.execute(select(table))]
            assert not [row for row in rows if "第 1 次" in row or "returnObj" in row], table.name
    assert "第 1 次" in (await lin.post("/try/general", data=fields)).text
    await asyncio.sleep(1.1)
    answer = await lin.post("/try/general", data=fields)
    assert answer.status_code == 409 and "已经完成" in answer.text and gateway.calls == 1


async def test_no_result_is_kept_where_answers_are_not(
    console: ConsoleFixture, lin: BrowserClient, gateway: Gateway, database_url: str
) -> None:
    elsewhere = await second_console(console, lin, database_url, security={"kept_answers": "none"})
    fields = await form(lin, console.app_id, sample="1")
    answers = [await each.post("/try/general", data=fields) for each in (elsewhere, lin, elsewhere)]
    assert [answer.status_code for answer in answers] == [200, 409, 409] and gateway.calls == 1


async def test_a_call_that_fails_frees_its_form_and_one_that_is_cut_does_not(
    console: ConsoleFixture, lin: BrowserClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was cut may have been charged: its repeat waits, and is never sent."""
    gateway = Gateway()
    failing: list[type[BaseException]] = [OSError, asyncio.CancelledError]

    async def call(*about: object) -> GatewayCall:
        if failing:
            raise failing.pop(0)
        return await gateway(*about)

    monkeypatch.setattr(gateway_client, "call", call)
    fields = await form(lin, console.app_id, sample="1")
    with pytest.raises(OSError):
        await lin.post("/try/general", data=fields)
    with pytest.raises(asyncio.CancelledError):
        await lin.post("/try/general", data=fields)
    monkeypatch.setattr(try_it, "CALL_OVERHEAD_SECONDS", 0.2 - console.parts.settings.limits.deadline)
    answer = await lin.post("/try/general", data=fields)
    assert answer.status_code == 409 and "没有得到结果" in answer.text and gateway.calls == 0


async def test_a_token_of_another_image_or_session_is_another_call(
    console: ConsoleFixture, lin: BrowserClient, gateway: Gateway
) -> None:
    fields = await form(lin, console.app_id)
    for image in (sample("general"), sample("idcard")):
        assert (await lin.post("/try/general", data=fields, files={"image": image})).status_code == 200
    other = await console.signed_in("lin")
    fields["csrf"] = await other.token("/keys")
    assert (await other.post("/try/general", data=fields, files={"image": sample("general")})).status_code == 200
    assert gateway.calls == 3


async def test_a_call_without_a_token_is_refused(console: ConsoleFixture, lin: BrowserClient, gateway: Gateway) -> None:
    fields = await form(lin, console.app_id, sample="1")
    for token in ("", "short", "x" * 44):
        assert (await lin.post("/try/general", data={**fields, "once": token})).status_code == 400
    assert gateway.calls == 0


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(
    ("image", "zh", "en"),
    [
        (b"%PDF-1.7\n", "只支持 jpg、png、bmp", "Only jpg, png and bmp"),
        (b"GIF89a" + bytes(40), "只支持 jpg、png、bmp", "Only jpg, png and bmp"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "只支持 jpg、png、bmp", "Only jpg, png and bmp"),
        (b"\xff\xd8\xff\xd9", "图片已损坏", "The image is damaged"),
        (saved(Image.new("RGB", (31, 400)), "PNG"), "图片为 31 × 400 像素；每边须为 32-5000", "has 31 × 400 pixels"),
        (saved(Image.new("RGB", (5001, 40)), "PNG"), "图片为 5001 × 40 像素", "must have 32 to 5000"),
        (b"\xff\xd8\xff" + bytes(2 * 1024 * 1024), "不能超过 2 MiB", "2 MiB"),
        (b"", "请选择", "Choose"),
    ],
    ids=["pdf", "gif", "webp", "broken", "narrow", "wide", "large", "none"],
)
async def test_what_cannot_be_recognised_is_not_sent_and_the_reason_is_exact(
    console: ConsoleFixture, lin: BrowserClient, gateway: Gateway, image: bytes, zh: str, en: str, language: str
) -> None:
    fields = await form(lin, console.app_id)
    lin.cookies.set("inkgate_language", language)
    answer = await lin.post("/try/general", data=fields, files={"image": image})
    assert answer.status_code == 422 and {"zh": zh, "en": en}[language] in answer.text
    assert gateway.calls == 0


async def test_an_app_without_the_capability_makes_no_call_and_leads_to_opening_it(
    console: ConsoleFixture, lin: BrowserClient, gateway: Gateway
) -> None:
    answer = await lin.post("/try/plate", data=await form(lin, console.app_id, sample="1"))
    assert answer.status_code == 422 and gateway.calls == 0
    assert "应用“portal_app”未开通" in answer.text and f'href="/console/apps/{console.app_id}#open"' in answer.text


@pytest.mark.parametrize(
    ("code", "path"), [(50002, "/apps/{app}#open"), (51002, "/buy/general"), (51003, "/buy/general")]
)
async def test_a_refusal_leads_to_the_page_that_solves_it(
    console: ConsoleFixture, lin: BrowserClient, monkeypatch: pytest.MonkeyPatch, code: int, path: str
) -> None:
    monkeypatch.setattr(gateway_client, "call", Gateway({"statusCode": code, "message": "x", "details": "x"}))
    answer = await lin.post("/try/general", data=await form(lin, console.app_id, sample="1"))
    assert f'href="/console{path.format(app=console.app_id)}"' in answer.text


async def test_the_page_begins_with_an_opened_app_and_then_with_the_last_one(
    console: ConsoleFixture, lin: BrowserClient, gateway: Gateway
) -> None:
    def chosen(page: str) -> str:
        found = re.search(r'<option value="([^"]+)" selected', page)
        assert found
        return found[1]

    console.clock.advance(minutes=1)
    async with console.begin() as unit:
        newer = (await accounts.create_app(unit, console.parts.vault, console.account_id, "newer_app")).app_id
        hashed = await console.parts.passwords.hash(PASSWORD)
        await users.create_user(unit, "mei", hashed, account_id=console.account_id)
    assert chosen(await lin.see("/try")) == console.app_id
    assert "data-closed>newer_app" in await lin.see("/try")
    async with console.begin() as unit:
        await accounts.open_capability(unit, newer, "general")
    await lin.post("/try/general", data=await form(lin, console.app_id, sample="1"))
    assert chosen(await lin.see("/try")) == console.app_id
    await lin.post("/try/general", data=await form(lin, newer, sample="1"))
    assert chosen(await lin.see("/try")) == newer
    mei = await console.signed_in("mei")  # with the same browser: the choice was another user's
    mei.cookies.set("inkgate_app", lin.cookies["inkgate_app"].replace(newer, console.app_id))
    assert chosen(await mei.see("/try")) == newer
    lin.cookies.set("inkgate_app", secrets.token_hex(500), domain="console.test", path="/console")
    assert chosen(await lin.see("/try")) == newer


def test_coordinates_are_one_line_of_the_json_that_is_shown() -> None:
    answer = {"box": [1.5, -2, 3e-05], "text": "[\n1,\n2\n]", "lines": [{"words": ["1", "2"]}], "none": []}
    text = try_it.json_text(answer)
    assert json.loads(text) == answer
    assert '"box": [1.5, -2, 3e-05]' in text and '"1",\n' in text
