"""Forms take effect once, answer with a redirect, keep what was typed, and show secrets to their session alone."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.accounts import service as accounts
from inkgate.service.audit import repository as audit
from inkgate.service.console.pages.sign_in import MAX_PASSWORD_CHARACTERS
from inkgate.service.console.places import MAX_PLACE, nearest_page, place
from inkgate.service.db import work
from inkgate.service.orders.models import OrderRow
from inkgate.service.users import forms, repository, shown_secrets
from inkgate.service.users import service as users
from inkgate.service.users.models import FormUseRow, ShownSecretRow
from inkgate.service.users.service import hash_token
from tests.console.console_fixture import PASSWORD, BrowserClient, ConsoleFixture

ORDER = {"general-100k": "1", "agreed": "1"}
HERE = {"referer": "http://console.test/console/apps", "sec-fetch-site": "same-origin"}


async def count(console: ConsoleFixture, table: type) -> int:
    async with work.read_session(console.engine) as session:
        return int(await session.scalar(select(func.count()).select_from(table)) or 0)


async def order(client: BrowserClient, token: str, **changes: str) -> httpx.Response:
    return await client.post("/buy/general/order", data={"csrf": token, **ORDER, **changes})


async def test_sixty_equal_forms_at_once_make_one_order(console: ConsoleFixture) -> None:
    lin = await console.signed_in("lin")
    token = await lin.token("/buy/general")
    answers = await asyncio.gather(*(order(lin, token) for _ in range(60)))
    assert {each.status_code for each in answers} == {303}
    assert len({each.headers["location"] for each in answers}) == 1
    assert await count(console, OrderRow) == 1


async def test_a_repeat_gets_the_first_answer_and_another_form_is_another_order(console: ConsoleFixture) -> None:
    lin = await console.signed_in("lin")
    token = await lin.token("/buy/general")
    first, again = await order(lin, token), await order(lin, token)
    assert first.headers["location"] == again.headers["location"]
    changed = await order(lin, token, **{"general-100k": "2"})
    later = await order(lin, await lin.token("/buy/general"))
    assert len({each.headers["location"] for each in (first, changed, later)}) == 3
    assert await count(console, OrderRow) == 3


async def test_the_tokens_of_two_users_do_not_meet(console: ConsoleFixture) -> None:
    lin, east = await console.signed_in("lin"), await console.signed_in("east")
    await order(lin, await lin.token("/buy/general"))
    await order(east, await east.token("/buy/general"))
    assert await count(console, OrderRow) == 2


async def test_a_refused_form_may_be_sent_again(console: ConsoleFixture) -> None:
    lin = await console.signed_in("lin")
    token = await lin.token("/apps")
    for _ in range(2):
        refused = await lin.post("/apps", data={"csrf": token, "name": "1"})
        assert refused.status_code == 422 and 'data-form="refused"' in refused.text
    assert await count(console, FormUseRow) == 0
    assert (await lin.post("/apps", data={"csrf": token, "name": "some_app"})).status_code == 303


async def test_a_form_whose_answer_was_lost_is_not_executed_again(
    console: ConsoleFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ended between the order and the record of its answer."""
    monkeypatch.setattr(forms, "WAIT_SECONDS", 0.0)

    class Ended(BaseException):
        """The end of the process."""

    async def lost(*_: object) -> None:
        raise Ended

    lin = await console.signed_in("lin")
    token = await lin.token("/buy/general")
    with monkeypatch.context() as broken, pytest.raises(Ended):
        broken.setattr(forms, "answer", lost)
        await order(lin, token)
    again = await order(lin, token)
    assert again.status_code == 409 and "尚无结果" in again.text
    assert await count(console, OrderRow) == 1


async def test_remembered_forms_are_bounded_and_end_with_their_session(
    console: ConsoleFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forms, "MAX_USES", 3)
    lin = await console.signed_in("lin")
    for _ in range(6):
        console.clock.advance(seconds=1)
        await lin.submit("/notices/thresholds", page="/notices")
        await lin.submit("/keys", page="/keys")
    assert await count(console, FormUseRow) <= 4 and await count(console, ShownSecretRow) > 0
    await lin.submit("/logout", page="/apps")
    assert (await count(console, FormUseRow), await count(console, ShownSecretRow)) == (0, 0)


async def test_forms_that_change_nothing_answer_with_a_redirect_too(console: ConsoleFixture) -> None:
    """The other forms are tried with the events that they leave, see tests/integration/audit."""
    lin = await console.signed_in("lin")
    chosen = await lin.submit("/buy/general", page="/buy/general", **{"general-100k": "2", "general-1m": "0"})
    assert chosen.headers["location"] == "/console/buy/general/confirm?general-100k=2"
    assert 'name="general-100k" value="2"' in await lin.see("/buy/general/confirm?general-100k=2")
    assert (await lin.submit("/buy/general", page="/buy/general")).status_code == 422
    assert (await lin.get("/buy/general/confirm")).headers["location"] == "/console/buy/general"
    place_kept = await lin.submit("/preferences", page="/apps", language="en", next="/apps?q=portal&page=1")
    assert place_kept.headers["location"] == "/console/apps?q=portal&page=1"


async def test_the_choice_of_language_returns_to_the_page_with_its_query(console: ConsoleFixture) -> None:
    lin = await console.signed_in("lin")
    assert 'name="next" value="/buy/general/confirm?general-100k=2"' in await lin.see(
        "/buy/general/confirm?general-100k=2&done=kept"
    )
    refused = await lin.submit(f"/apps/{console.app_id}/allow", page="/apps", networks="nonsense")
    assert f'name="next" value="/apps/{console.app_id}"' in refused.text


def session_of(client: BrowserClient) -> str:
    return hash_token(client.cookies["inkgate_session"])


def keys_in(page: str) -> list[str]:
    return re.findall(r'data-copy="([0-9a-f]{32})"', page)


async def test_a_new_secret_survives_a_reload_for_its_session_alone(console: ConsoleFixture) -> None:
    lin, elsewhere = await console.signed_in("lin"), await console.signed_in("lin")
    created = await lin.submitted("/keys", page="/keys")
    ak, sk = keys_in(created.text)[:2]
    assert created.headers["cache-control"] == "no-store"
    console.clock.advance(minutes=4)
    assert sk in await lin.see("/keys") and sk not in await elsewhere.see("/keys")
    assert sk not in await lin.see("/apps")
    async with work.read_session(console.engine) as session:
        (row,) = await session.scalars(select(ShownSecretRow))
    assert sk.encode() not in row.sealed_secret and row.session == session_of(lin)
    console.clock.advance(minutes=2)
    page = await lin.see("/keys")
    assert sk not in page and ak in page
    assert await count(console, ShownSecretRow) == 0


async def test_a_saved_secret_is_forgotten_at_once(console: ConsoleFixture) -> None:
    lin = await console.signed_in("lin")
    created = await lin.submitted("/apps", page="/apps", name="some_app")
    assert "提示信息" in created.text and 'id="created"' in created.text
    secret = keys_in(created.text)[1]
    (forget,) = set(re.findall(r'action="/console(/secrets/[^"]+)"', created.text))
    east = await console.signed_in("east")
    assert (await east.submit(forget, page="/apps")).status_code == 404
    after = await lin.submitted(forget, page="/apps")
    assert secret not in after.text and 'id="created"' not in after.text
    assert await count(console, ShownSecretRow) == 0


async def test_a_secret_that_was_replaced_is_not_shown(console: ConsoleFixture) -> None:
    lin = await console.signed_in("lin")
    async with console.begin() as unit:
        for kind, values in (
            ("codes", {"codes": "old-codes"}),
            ("login", {"login": "clerk", "password": "old-password"}),
            ("login", {"login": "other", "password": "other-password"}),
            ("codes", {"codes": "new-codes"}),
            ("login", {"login": "clerk", "password": "new-password"}),
        ):
            await shown_secrets.keep(unit, console.parts.vault, session_of(lin), "/members", kind, values)
    page = await lin.see("/members")
    assert "new-password" in page and "other-password" in page and "new-codes" in page
    assert "old-password" not in page and "old-codes" not in page


async def test_secrets_of_one_session_are_bounded(console: ConsoleFixture) -> None:
    lin = await console.signed_in("lin")
    for number in range(shown_secrets.MAX_SECRETS + 3):
        console.clock.advance(seconds=1)
        async with console.begin() as unit:
            value = {"login": f"user-{number}", "password": "x"}
            await shown_secrets.keep(unit, console.parts.vault, session_of(lin), "/members", "login", value)
    page = await lin.see("/members")
    assert page.count("user-") > 0 and "user-0<" not in page
    assert await count(console, ShownSecretRow) == shown_secrets.MAX_SECRETS


async def test_a_security_key_is_shown_again_after_the_password_for_a_minute(console: ConsoleFixture) -> None:
    async with console.begin() as unit:
        pair = await accounts.create_access_key(unit, console.parts.vault, console.account_id)
    lin = await console.signed_in("lin")
    path = f"/keys/{pair.ak}/secret"
    assert pair.sk not in await lin.see("/keys")
    wrong = await lin.submit(path, page="/keys", password="wrong")
    assert wrong.status_code == 422 and pair.sk not in wrong.text
    shown = await lin.submitted(path, page="/keys", password=PASSWORD)
    assert pair.sk in shown.text and "一分钟后自动隐藏" in shown.text
    console.clock.advance(minutes=1, seconds=1)
    assert pair.sk not in await lin.see("/keys")
    async with work.read_session(console.engine) as session:
        events = await audit.events(session, action="key.reveal")
    assert [(each.actor, each.subject) for each in events] == [("console:lin", f"access key {pair.ak}")]
    east = await console.signed_in("east")
    assert (await east.submit(path, page="/keys", password=PASSWORD)).status_code == 404


async def test_the_setting_keeps_security_keys_hidden(engine: AsyncEngine) -> None:
    console = await ConsoleFixture.build(engine, console={"reveal_keys": False})
    async with console.begin() as unit:
        pair = await accounts.create_access_key(unit, console.parts.vault, console.account_id)
    lin = await console.signed_in("lin")
    assert "查看" not in await lin.see("/keys")
    assert (await lin.submit(f"/keys/{pair.ak}/secret", page="/keys", password=PASSWORD)).status_code == 404


async def test_a_form_of_an_ended_session_leads_back_to_its_page(console: ConsoleFixture) -> None:
    lin = await console.signed_in("lin")
    token = await lin.token("/apps")
    console.clock.advance(minutes=31)
    fields = {"csrf": token, "name": "typed_app"}
    late = await lin.post("/apps", data=fields, headers=HERE)
    assert late.headers["location"] == "/console/login?next=/apps%3Fdone%3Dkept"
    fragment = await lin.post("/apps", data=fields, headers=HERE | {"hx-request": "true"})
    assert (fragment.status_code, fragment.headers["hx-redirect"]) == (204, late.headers["location"])
    back = await lin.submit("/login", login="lin", password=PASSWORD, next="/apps?done=kept")
    page = await lin.get(back.headers["location"].removeprefix("/console"))
    assert 'data-form="kept"' in page.text and "请检查后重新提交" in page.text
    stale = await lin.post("/apps", data=fields, headers=HERE)  # the form of the session before
    assert stale.headers["location"] == "/console/apps?done=kept"
    assert "typed_app" not in await lin.see("/apps")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"referer": HERE["referer"]},
        {"sec-fetch-site": "same-origin"},
        HERE | {"sec-fetch-site": "cross-site"},
        HERE | {"origin": "https://evil.test"},
        HERE | {"referer": "https://evil.test/console/apps"},
        HERE | {"referer": "http://console.test/elsewhere"},
    ],
    ids=["nothing", "no proof", "no page", "cross site", "other origin", "other referer", "outside"],
)
async def test_only_forms_of_this_console_are_led_back(console: ConsoleFixture, headers: dict[str, str]) -> None:
    lin = await console.signed_in("lin")
    token = await lin.token("/apps")
    await lin.submit("/logout", page="/apps")
    answer = await lin.post("/apps", data={"csrf": token, "name": "some_app"}, headers=headers)
    assert answer.status_code == 403 and "location" not in answer.headers


def test_a_path_without_a_page_has_the_nearest_one() -> None:
    assert nearest_page("/apps/x/allow") == "/apps/x"
    assert nearest_page("/operator/accounts/x/apps/y/allow") == "/operator/accounts/x"
    assert nearest_page("/bills.csv") == nearest_page("/nowhere/at/all") == nearest_page("//evil.test") == "/"
    assert place("/apps", "q=a&done=opened") == "/apps?q=a"
    assert place("/apps/x/allow", "q=a", done="kept") == "/apps/x?done=kept"
    assert place("/apps", "q=" + "a" * MAX_PLACE) == "/apps"


async def test_a_refused_allow_list_stays_as_it_was_typed(console: ConsoleFixture) -> None:
    lin, chief = await console.signed_in("lin"), await console.signed_in("chief")
    page, theirs = f"/apps/{console.app_id}", f"/operator/accounts/{console.account_id}"
    await lin.submit(f"{page}/open", page=page, capability="general")
    typed = "192.0.2.0/24\r\nnonsense\r\n198.51.100.7"
    for client, path, within in ((lin, page, page), (chief, f"{theirs}/apps/{console.app_id}", theirs)):
        for capability in ("", "general"):
            answer = await client.submit(f"{path}/allow", page=within, networks=typed, capability=capability)
            assert answer.status_code == 422 and "nonsense" in answer.text
            assert typed in answer.text
            dialogs = re.findall(r'<dialog id="(allow-[^"]*)"[^>]* data-open', answer.text)
            assert len(dialogs) == (0 if client is lin and not capability else 1)
    async with console.begin() as unit:
        assert await accounts.set_allowed(unit, console.app_id, []) == []


@pytest.mark.parametrize("length", [16, 64, 400])
async def test_a_long_name_is_refused_and_not_cut(console: ConsoleFixture, length: int) -> None:
    lin = await console.signed_in("lin")
    answer = await lin.submit("/apps", page="/apps", name="a" * length)
    assert answer.status_code == 422 and "不符合规则" in answer.text and f'value="{"a" * length}"' in answer.text


async def test_a_field_above_its_limit_is_said(console: ConsoleFixture) -> None:
    lin = await console.signed_in("lin")
    answer = await lin.submit("/members", page="/members", login="x", role="a" * 17)
    assert answer.status_code == 422 and "有一项超过 16 个字符" in answer.text
    long = await lin.submit(
        "/password", page="/password", password="x" * (MAX_PASSWORD_CHARACTERS + 1), new="", again=""
    )
    assert long.status_code == 422 and str(MAX_PASSWORD_CHARACTERS) in long.text


async def test_a_suspended_account_sees_so_everywhere_and_cannot_order(engine: AsyncEngine) -> None:
    console = await ConsoleFixture.build(engine, console={"contact": "平台值班 010-0000"})
    hashed = await console.parts.passwords.hash(PASSWORD)
    async with console.begin() as unit:
        sub = await accounts.create_account(unit, "青禾二部", parent_id=console.account_id)
        await users.create_user(unit, "branch", hashed, account_id=sub.id)
        await accounts.suspend_account(unit, console.account_id)
    lin, branch = await console.signed_in("lin"), await console.signed_in("branch")
    for path in ("/", "/apps", "/keys", "/try", "/buy/general", "/orders", "/members", "/password"):
        assert "账号“青禾”已停用" in (page := await lin.see(path)) and "平台值班 010-0000" in page, path
    assert "主账号已停用" in await branch.see("/apps")
    assert "已停用" not in await (await console.signed_in("east")).see("/apps")
    refused = await order(lin, await lin.token("/buy/general"))
    assert refused.status_code == 422 and "恢复之前不能下单" in refused.text
    assert await count(console, OrderRow) == 0
    async with console.begin() as unit:
        await accounts.suspend_account(unit, console.account_id, suspended=False)
    assert "已停用" not in await lin.see("/apps")
    assert (await order(lin, await lin.token("/buy/general"))).status_code == 303


async def test_expired_secrets_are_deleted_by_any_request(console: ConsoleFixture) -> None:
    lin, east = await console.signed_in("lin"), await console.signed_in("east")
    await lin.submit("/keys", page="/keys")
    console.clock.advance(minutes=shown_secrets.NEW_VISIBLE / timedelta(minutes=1) + 1)
    await east.see("/apps")
    async with work.read_session(console.engine) as session:
        assert await repository.shown_secrets(session, session_of(lin), "/keys", console.clock.time) == []
    assert await count(console, ShownSecretRow) == 0
