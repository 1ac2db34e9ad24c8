"""The second factor through the pages: set-up, sign-in, reuse, lock, recovery codes, secrets, reset."""

from __future__ import annotations

import asyncio
import base64
import re

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.accounts import rotation
from inkgate.service.accounts.vault import Vault, new_key
from inkgate.service.audit import repository as audit
from inkgate.service.db import work
from inkgate.service.tables import metadata
from inkgate.service.users import factor, totp
from inkgate.service.users.models import UserRow
from tests.console.console_fixture import PASSWORD, BrowserClient, ConsoleFixture

PAGE = "/second-factor"


def code_at(console: ConsoleFixture, key: bytes, drift: int = 0) -> str:
    return totp.code_of(key, totp.step_of(console.clock.time) + drift)


def next_step(console: ConsoleFixture) -> None:
    console.clock.advance(seconds=totp.STEP_SECONDS)


async def set_up(console: ConsoleFixture, client: BrowserClient) -> tuple[bytes, list[str]]:
    """Set the second factor up as a user does; its key and the recovery codes."""
    begun = await client.submitted(PAGE, page=PAGE)
    shown = re.search(r"<code>([A-Z2-7]{32})</code>", begun.text)
    assert shown and "<svg" in begun.text and "style=" not in begun.text.split("<svg")[1].split("</svg>")[0]
    key = base64.b32decode(shown[1])
    wrong = await client.submit(PAGE, page=PAGE, code="000000")
    assert wrong.status_code == 422 and "验证码不正确" in wrong.text
    done = await client.submitted(PAGE, page=PAGE, code=code_at(console, key))
    codes = re.findall(r"<li><code>([a-z0-9-]{19})</code>", done.text)
    assert done.status_code == 200 and len(set(codes)) == factor.RECOVERY_CODES
    next_step(console)
    return key, codes


async def first_step(console: ConsoleFixture, login: str = "lin") -> BrowserClient:
    visitor = console.visitor()
    asked = await visitor.submit("/login", login=login, password=PASSWORD, next="/apps")
    assert asked.status_code == 200 and "两步验证" in asked.text
    assert "inkgate_session" not in visitor.cookies
    return visitor


async def test_signing_in_takes_password_and_code(console: ConsoleFixture) -> None:
    key, _ = await set_up(console, await console.signed_in("lin"))
    visitor = await first_step(console)
    assert (await visitor.get("/apps")).headers["location"].startswith("/console/login")
    wrong = await visitor.submit("/login/code", code="000000")
    assert wrong.status_code == 422 and "inkgate_session" not in visitor.cookies
    done = await visitor.submit("/login/code", code=code_at(console, key))
    assert done.headers["location"] == "/console/apps"
    await visitor.see("/apps")


async def test_a_code_counts_once(console: ConsoleFixture) -> None:
    key, _ = await set_up(console, await console.signed_in("lin"))
    code = code_at(console, key)
    assert (await (await first_step(console)).submit("/login/code", code=code)).status_code == 303
    assert (await (await first_step(console)).submit("/login/code", code=code)).status_code == 422


async def test_of_concurrent_sign_ins_with_one_code_one_succeeds(console: ConsoleFixture) -> None:
    key, _ = await set_up(console, await console.signed_in("lin"))
    code = code_at(console, key)
    visitors = [await first_step(console) for _ in range(4)]
    tokens = [await each.token() for each in visitors]
    answers = await asyncio.gather(
        *(
            each.post("/login/code", data={"csrf": token, "code": code})
            for each, token in zip(visitors, tokens, strict=True)
        )
    )
    assert sorted(each.status_code for each in answers) == [303, 422, 422, 422]


async def test_wrong_codes_lock_the_user_like_wrong_passwords(console: ConsoleFixture) -> None:
    key, _ = await set_up(console, await console.signed_in("lin"))
    visitor = await first_step(console)
    for _ in range(5):
        assert (await visitor.submit("/login/code", code="000000")).status_code == 422
    assert (await visitor.submit("/login/code", code=code_at(console, key))).status_code == 422
    refused = await console.visitor().submit("/login", login="lin", password=PASSWORD)
    assert refused.status_code == 422
    console.clock.advance(minutes=16)
    assert (await (await first_step(console)).submit("/login/code", code=code_at(console, key))).status_code == 303


async def test_a_recovery_code_replaces_a_code_once(console: ConsoleFixture) -> None:
    _, codes = await set_up(console, await console.signed_in("lin"))
    assert (await (await first_step(console)).submit("/login/code", code=codes[0].upper())).status_code == 303
    assert (await (await first_step(console)).submit("/login/code", code=codes[0])).status_code == 422
    assert (await (await first_step(console)).submit("/login/code", code=codes[1].replace("-", " "))).status_code == 303


async def test_the_second_step_needs_the_first_one(console: ConsoleFixture) -> None:
    key, _ = await set_up(console, await console.signed_in("lin"))
    outsider = console.visitor()
    answer = await outsider.submit("/login/code", code=code_at(console, key))
    assert answer.headers["location"] == "/console/login" and "inkgate_session" not in outsider.cookies
    forged = console.visitor()
    forged.cookies.set("inkgate_step", base64.urlsafe_b64encode(b"x" * 80).decode())
    assert (await forged.submit("/login/code", code=code_at(console, key))).headers["location"] == "/console/login"


async def test_a_password_changed_between_the_steps_ends_them(console: ConsoleFixture) -> None:
    lin = await console.signed_in("lin")
    key, _ = await set_up(console, lin)
    visitor = await first_step(console)
    fields = {
        "password": PASSWORD,
        "code": code_at(console, key),
        "new": "another afternoon",
        "again": "another afternoon",
    }
    assert (await lin.submit("/password", page="/password", **fields)).status_code == 303
    next_step(console)
    answer = await visitor.submit("/login/code", code=code_at(console, key))
    assert answer.headers["location"] == "/console/login"


async def test_a_secret_is_shown_after_password_and_code(console: ConsoleFixture) -> None:
    lin = await console.signed_in("lin")
    key, _ = await set_up(console, lin)
    page = f"/apps/{console.app_id}"
    assert 'name="code"' in await lin.see(page)
    assert (await lin.submit(f"{page}/secret", page=page, password=PASSWORD)).status_code == 422
    assert (
        await lin.submit(f"{page}/secret", page=page, password="wrong", code=code_at(console, key))
    ).status_code == 422
    shown = await lin.submitted(f"{page}/secret", page=page, password=PASSWORD, code=code_at(console, key))
    assert 'class="secret"' in shown.text


async def test_a_role_can_be_required_to_set_it_up(engine: AsyncEngine) -> None:
    console = await ConsoleFixture.build(engine, access={"second_factor": ("operator",)})
    chief = await console.signed_in("chief")
    assert (await chief.get("/operator/accounts")).headers["location"] == "/console/second-factor"
    key, _ = await set_up(console, chief)
    await chief.see("/operator/accounts")
    kept = await chief.submit(f"{PAGE}/remove", page=PAGE, password=PASSWORD, code=code_at(console, key))
    assert kept.status_code == 422 and "不能关闭" in kept.text
    await (await console.signed_in("lin")).see("/apps")


async def test_a_user_turns_it_off_with_password_and_code(console: ConsoleFixture) -> None:
    lin = await console.signed_in("lin")
    key, _ = await set_up(console, lin)
    assert (await lin.submit(f"{PAGE}/remove", page=PAGE, password=PASSWORD)).status_code == 422
    gone = await lin.submit(f"{PAGE}/remove", page=PAGE, password=PASSWORD, code=code_at(console, key))
    assert gone.headers["location"].endswith("done=factor-removed")
    await console.signed_in("lin")


async def test_an_operator_resets_it_and_that_is_recorded(console: ConsoleFixture) -> None:
    lin = await console.signed_in("lin")
    await set_up(console, lin)
    chief = await console.signed_in("chief")
    async with work.read_session(console.engine) as session:
        user_id = await session.scalar(select(UserRow.id).where(UserRow.login == "lin"))
    page = f"/operator/accounts/{console.account_id}"
    done = await chief.submit(f"{page}/users/{user_id}/second-factor", page=page)
    assert done.headers["location"].endswith("done=factor-reset")
    assert (await lin.get("/apps")).status_code == 303
    await console.signed_in("lin")
    async with work.read_session(console.engine) as session:
        found = [(each.actor, each.action) for each in await audit.events(session, action="factor")]
    assert found == [("console:chief", "factor.reset"), ("console:lin", "factor.set_up")]
    again = await chief.submit(f"{page}/users/{user_id}/second-factor", page=page)
    assert again.status_code == 422 and "未启用" in again.text


async def test_a_key_is_not_shown_to_a_browser_left_open(console: ConsoleFixture) -> None:
    lin = await console.signed_in("lin")
    await lin.submit(PAGE, page=PAGE)
    console.clock.advance(minutes=6)
    assert '<svg class="qr"' not in (await lin.see(PAGE)).replace("width", "")
    refused = await lin.submit(PAGE, page=PAGE, password="wrong")
    assert refused.status_code == 422


async def test_keys_and_codes_are_not_stored_readably_and_keys_are_resealed(console: ConsoleFixture) -> None:
    key, codes = await set_up(console, await console.signed_in("lin"))
    async with work.read_session(console.engine) as session:
        stored = [repr(tuple(row)) for table in metadata.sorted_tables for row in await session.execute(select(table))]
    for secret in (
        totp.text_of(key),
        key.decode("latin1"),
        key.hex(),
        *codes,
        *(each.replace("-", "") for each in codes),
    ):
        assert not any(secret in row for row in stored)
    old = console.parts.vault
    fresh_key = new_key()
    async with console.begin() as unit:
        user = await unit.session.scalar(select(UserRow).where(UserRow.login == "lin"))
        assert user is not None and user.sealed_factor is not None
        assert old.open(user.sealed_factor, factor.context_of(user.id)) == key
    both = Vault([fresh_key])
    both._ciphers |= old._ciphers  # the new key first, the old one still known
    assert await rotation.reseal(console.begin, both) > 0
    async with work.read_session(console.engine) as session:
        sealed = await session.scalar(select(UserRow.sealed_factor).where(UserRow.login == "lin"))
    assert sealed is not None and Vault([fresh_key]).open(sealed, factor.context_of(user.id)) == key
