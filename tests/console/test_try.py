"""The try page without a browser: what is refused before a call, one call per form, and the app that it begins with."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable

import pytest

from inkgate.service.accounts import service as accounts
from inkgate.service.console import gateway_client, once
from inkgate.service.console.gateway_client import GatewayCall
from inkgate.service.console.once import AlreadyDone, Once
from inkgate.service.contract.capabilities import GENERAL
from inkgate.service.samples import sample
from inkgate.service.users import service as users
from tests.console.console_fixture import PASSWORD, BrowserClient, ConsoleFixture
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
        (b"\xff\xd8\xff" + bytes(2 * 1024 * 1024), "不能超过 2 MB", "2 MB"),
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


async def test_work_runs_once_and_its_answer_is_kept_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    kept: Once[int] = Once(lambda: now)
    ran = 0

    async def work() -> int:
        nonlocal ran
        ran += 1
        return ran

    assert [await kept.run("a", work), await kept.run("a", work), await kept.run("b", work)] == [1, 1, 2]
    now = once.ANSWER_SECONDS + 1
    with pytest.raises(AlreadyDone):
        await kept.run("a", work)
    now = once.KEY_SECONDS + 1
    assert await kept.run("a", work) == 3
    monkeypatch.setattr(once, "MAX_ANSWERS", 2)
    monkeypatch.setattr(once, "MAX_KEYS", 4)
    for key in "cdef":
        await kept.run(key, work)
    with pytest.raises(AlreadyDone):
        await kept.run("c", work)
    assert await kept.run("f", work) == 7
    await kept.run("g", work)
    assert await kept.run("c", work) == 9  # forgotten: there is room for four


async def test_work_that_fails_can_be_tried_again_and_fails_for_those_who_wait() -> None:
    kept: Once[int] = Once()
    started, go_on = asyncio.Event(), asyncio.Event()

    async def fail() -> int:
        started.set()
        await go_on.wait()
        raise OSError("no route")

    async def succeed() -> int:
        return 1

    async def waits(work: Callable[[], Awaitable[int]]) -> int:
        return await kept.run("a", work)

    first = asyncio.create_task(waits(fail))
    await started.wait()
    second = asyncio.create_task(waits(succeed))
    await asyncio.sleep(0)
    go_on.set()
    outcomes = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(each) for each in outcomes] == [OSError, OSError]
    assert await kept.run("a", succeed) == 1
    cancelled = asyncio.create_task(kept.run("b", asyncio.Event().wait))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    cancelled.cancel()
    assert await asyncio.gather(cancelled, return_exceptions=True)
    assert await kept.run("b", succeed) == 1
