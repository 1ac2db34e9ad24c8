"""Sessions are listed and ended; logins ignore case; rules, age and history of passwords; limits of sign-ins."""

from __future__ import annotations

import re
from typing import Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.audit import repository as audit
from inkgate.service.audit.models import EventRow
from inkgate.service.db import work
from inkgate.service.errors import Misuse
from inkgate.service.users import service as users
from inkgate.service.users import throttle
from inkgate.service.users.models import AttemptRow, OldPasswordRow, UserRow
from inkgate.service.users.passwords import PasswordRules, validate_password
from tests.console.console_fixture import PASSWORD, BrowserClient, ConsoleFixture

NEW = "another afternoon"


def names(page: str) -> list[str]:
    return re.findall(r'name="session" value="(\w+)"', page)


async def browser(console: ConsoleFixture, agent: str, peer: str, login: str = "lin") -> BrowserClient:
    visitor = console.visitor(peer)
    visitor.headers["user-agent"] = agent
    assert (await visitor.submit("/login", login=login, password=PASSWORD)).status_code == 303
    return visitor


async def test_a_user_sees_and_ends_the_own_sessions(console: ConsoleFixture) -> None:
    here = await browser(console, "Firefox 1", "192.0.2.1")
    there = await browser(console, "Chrome <2>\u00e9", "192.0.2.2")
    page = await here.see("/sessions")
    for shown in ("Firefox 1", "192.0.2.1", "Chrome &lt;2&gt;", "192.0.2.2", "当前"):
        assert shown in page
    (other,) = names(page)
    ended = await here.submit("/sessions/end", page="/sessions", session=other)
    assert ended.headers["location"].endswith("done=session-ended")
    assert (await there.get("/apps")).status_code == 303
    await here.see("/apps")
    again = await here.submit("/sessions/end", page="/sessions", session=other)
    assert again.status_code == 404


async def test_a_user_ends_all_others(console: ConsoleFixture) -> None:
    here = await console.signed_in("lin")
    others = [await console.signed_in("lin") for _ in range(3)]
    await here.submit("/sessions/end", page="/sessions", others="1")
    assert [(await each.get("/apps")).status_code for each in others] == [303] * 3
    await here.see("/apps")
    async with work.read_session(console.engine) as session:
        (event,) = await audit.events(session, action="session.end")
    assert event.subject == "user lin"


async def test_a_user_cannot_end_the_session_of_another_user(console: ConsoleFixture) -> None:
    lin, east = await console.signed_in("lin"), await console.signed_in("east")
    name = users.hash_token(lin.cookies["inkgate_session"])[:16]
    for wanted in (name, name[:8], "%" * 16, "", "_" * 16):
        assert (await east.submit("/sessions/end", page="/sessions", session=wanted)).status_code == 404
    await lin.see("/apps")


async def test_an_operator_ends_the_session_of_a_user(console: ConsoleFixture) -> None:
    chief, lin = await console.signed_in("chief"), await browser(console, "Opera 3", "192.0.2.3")
    page = await chief.see("/operator/sessions")
    assert "Opera 3" in page and "青禾" in page and "192.0.2.3" in page
    name = users.hash_token(lin.cookies["inkgate_session"])[:16]
    await chief.submit(f"/operator/sessions/{name}/end", page="/operator/sessions")
    assert (await lin.get("/apps")).status_code == 303
    async with work.read_session(console.engine) as session:
        (event,) = await audit.events(session, action="session.end")
    assert (event.actor, event.subject, event.detail["session"]) == ("console:chief", "user lin", name)


async def test_ended_sessions_are_not_listed(console: ConsoleFixture) -> None:
    await browser(console, "Old 1", "192.0.2.4")
    console.clock.advance(minutes=31)
    assert "Old 1" not in await (await console.signed_in("lin")).see("/sessions")


async def test_a_login_counts_whatever_its_case(console: ConsoleFixture) -> None:
    await console.signed_in("LIN")
    chief = await console.signed_in("Chief")
    page = f"/operator/accounts/{console.account_id}"
    taken = await chief.submit(f"{page}/users", page=page, login="Lin")
    assert taken.status_code == 422 and "已存在" in taken.text


async def test_logins_that_differed_by_case_before_keep_working(console: ConsoleFixture) -> None:
    hashed = await console.parts.passwords.hash(NEW)
    async with console.begin() as unit:
        await users.create_user(unit, "lin-2", hashed, account_id=console.account_id)
        await unit.session.execute(update(UserRow).where(UserRow.login == "lin-2").values(login="Lin", login_key=None))
    await console.signed_in("lin")
    await console.signed_in("LIN")
    assert (await console.visitor().submit("/login", login="Lin", password=NEW)).status_code == 303
    assert (await console.visitor().submit("/login", login="Lin", password=PASSWORD)).status_code == 422
    with pytest.raises(Misuse, match="already"):
        async with console.begin() as unit:
            await users.create_user(unit, "lIN", hashed)


async def change(client: BrowserClient, old: str, new: str) -> Any:
    return await client.submit("/password", page="/password", password=old, new=new, again=new)


async def test_an_old_password_must_be_changed_at_sign_in(engine: AsyncEngine) -> None:
    console = await ConsoleFixture.build(engine, access={"password_days": 90})
    await (await console.signed_in("lin")).see("/apps")
    console.clock.advance(days=91)
    lin = await console.signed_in("lin")
    assert (await lin.get("/apps")).headers["location"] == "/console/password"
    assert "超过规定的天数" in await lin.see("/password")
    same = await change(lin, PASSWORD, PASSWORD)
    assert same.status_code == 422 and "曾用过" in same.text
    assert (await change(lin, PASSWORD, NEW)).status_code == 303
    await lin.see("/apps")


async def test_earlier_passwords_are_refused_and_only_as_many_are_kept(engine: AsyncEngine) -> None:
    console = await ConsoleFixture.build(engine, access={"password_history": 2})
    lin, old = await console.signed_in("lin"), PASSWORD
    for number in range(4):
        console.clock.advance(seconds=1)
        new = f"{NEW} {number}"
        assert (await change(lin, old, new)).status_code == 303
        old = new
    for number, status in ((3, 422), (2, 422), (1, 422), (0, 303)):
        console.clock.advance(seconds=1)
        answer = await change(lin, old, f"{NEW} {number}")
        assert answer.status_code == status, (number, re.findall(r"alert[^<]*<?[^<]*", answer.text))
    async with work.read_session(console.engine) as session:
        kept = list(await session.scalars(select(OldPasswordRow)))
    assert len(kept) == 2
    for each in kept:
        assert PasswordHasher().check_needs_rehash(each.password_hash) and NEW not in each.password_hash


@pytest.mark.parametrize(
    ("password", "classes", "code"),
    [
        ("only lower", 2, ""),
        ("onlylowercase", 2, "password.too_few_classes"),
        ("LowerUpper1", 3, ""),
        ("LowerUpper", 3, "password.too_few_classes"),
        ("密码密码一二三四五六", 1, ""),
        ("Aa1!Aa1!Aa1!", 4, ""),
        ("aaaaaaaaaaaa", 0, "password.too_simple"),
        ("Short1!", 0, "password.length_out_of_range"),
    ],
)
def test_the_classes_of_a_password(password: str, classes: int, code: str) -> None:
    rules = PasswordRules(classes=classes)
    if not code:
        assert validate_password(password, "lin", rules) == password
        return
    with pytest.raises(Misuse) as caught:
        validate_password(password, "lin", rules)
    assert caught.value.code == code


async def test_the_rules_hold_on_the_pages(engine: AsyncEngine) -> None:
    console = await ConsoleFixture.build(engine, access={"password_characters": 14, "password_classes": 3})
    lin = await console.signed_in("lin")
    page = await lin.see("/password")
    assert 'minlength="14"' in page and "至少 3 种" in page
    assert "14-128" in (await change(lin, PASSWORD, "Short 1")).text
    assert "3 种" in (await change(lin, PASSWORD, "long but lower only")).text
    assert (await change(lin, PASSWORD, "Long with 3 classes")).status_code == 303


async def test_the_lock_is_a_setting(engine: AsyncEngine) -> None:
    console = await ConsoleFixture.build(engine, access={"lock_after": 2, "lock_minutes": 60})
    for _ in range(2):
        wrong = await console.visitor().submit("/login", login="lin", password="wrong")
    assert "连续输错 2 次将锁定 60 分钟" in wrong.text
    console.clock.advance(minutes=59)
    assert (await console.visitor().submit("/login", login="lin", password=PASSWORD)).status_code == 422
    console.clock.advance(minutes=2)
    await console.signed_in("lin")


async def test_failed_sign_ins_are_limited_per_address(console: ConsoleFixture) -> None:
    for number in range(30):
        answer = await console.visitor("192.0.2.9").submit("/login", login=f"unknown-{number}", password="wrong")
        assert answer.status_code == 422
    late = await console.visitor("192.0.2.9").submit("/login", login="lin", password=PASSWORD)
    assert late.status_code == 429 and 0 < int(late.headers["retry-after"]) <= throttle.WINDOW.total_seconds()
    assert "过于频繁" in late.text
    for _ in range(11):
        await console.visitor("192.0.2.9").submit("/login", login="lin", password=PASSWORD)
    found = await refusals(console)
    assert [(each.subject, each.address, each.detail["by"], each.detail["count"]) for each in found] == [
        ("sign-ins", "192.0.2.9", "address", 1), ("sign-ins", "192.0.2.9", "address", 10)
    ]  # fmt: skip
    await browser(console, "elsewhere", "192.0.2.10")


async def test_failed_sign_ins_are_limited_per_login_also_of_unknown_ones(console: ConsoleFixture) -> None:
    for number in range(20):
        await console.visitor(f"198.51.100.{number}").submit("/login", login="Unknown", password="wrong")
    late = await console.visitor("203.0.113.1").submit("/login", login="unknown", password="wrong")
    assert late.status_code == 429
    (found,) = await refusals(console)
    assert (found.subject, found.result, found.detail["by"]) == ("unknown user", "refused", "login")
    assert 0 < found.detail["wait_seconds"] <= throttle.WINDOW.total_seconds()


async def refusals(console: ConsoleFixture) -> list[EventRow]:
    """The events of refused sign-ins, oldest first."""
    async with work.read_session(console.engine) as session:
        return list(reversed(await audit.events(session, action="user.throttle")))


async def test_attempts_count_again_after_the_window_and_old_ones_are_deleted(console: ConsoleFixture) -> None:
    for _ in range(2):
        for number in range(20):
            await console.visitor(f"198.51.100.{number}").submit("/login", login="unknown", password="wrong")
        answer = await console.visitor("203.0.113.1").submit("/login", login="unknown", password="wrong")
        assert answer.status_code == 429
        console.clock.advance(minutes=15)
    await console.signed_in("lin")
    async with work.read_session(console.engine) as session:
        rows = list(await session.scalars(select(AttemptRow)))
    assert [each.count for each in rows] == [0, 0]  # of the good sign-in, taken back


async def test_good_sign_ins_are_not_limited(console: ConsoleFixture) -> None:
    for _ in range(40):
        await console.signed_in("lin")
