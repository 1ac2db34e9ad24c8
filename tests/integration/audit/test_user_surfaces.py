"""What the pages of users, second factors, sessions and notices change leaves its event, and no secret is in any."""

from __future__ import annotations

import base64
import json
import re
from secrets import token_urlsafe
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.admin import app as admin_app
from inkgate.service.admin import tokens
from inkgate.service.audit import words
from inkgate.service.audit.models import EventRow
from inkgate.service.db import work
from inkgate.service.notices.models import NoticeRow
from inkgate.service.permissions import Permission, Role
from inkgate.service.tables import metadata
from inkgate.service.users import repository as user_rows
from inkgate.service.users import totp
from inkgate.service.users.administration import SESSION_NAME_LENGTH
from inkgate.service.users.models import SessionRow, UserRow
from tests.console.console_fixture import PASSWORD, ConsoleFixture
from tests.console.test_second_factor import code_at, next_step
from tests.integration.audit.surfaces import NOTICE_FORMS, USER_FORMS, Recorder, Steps
from tests.postgres import ON_SQLITE

CHANNEL_SECRET = "the-secret-of-a-robot"
URL_SECRET = "secret-in-the-url"
NOTICES = {"networks": ("127.0.0.0/8",), "plain_http": True, "customer_hosts": ("hook.example",)}
HOOK = {"kind": "webhook", "url": f"https://hook.example/x?key={URL_SECRET}"}
SECRET_SHAPES = re.compile(r"[A-Z2-7]{32}|[a-z0-9]{4}(-[a-z0-9]{4}){3}(?!-)\b|[0-9a-f]{48}|[A-Za-z0-9_-]{43}")
"""Key of a second factor, recovery code, secret of a webhook, token of a session or of the admin API."""


@pytest.fixture
async def console(engine: AsyncEngine) -> ConsoleFixture:
    return await ConsoleFixture.build(engine, notices=NOTICES)


async def steps_of(console: ConsoleFixture) -> Steps:
    visitors = {"": console.visitor(), "chief": await console.signed_in("chief"), "lin": await console.signed_in("lin")}
    return Steps(console, Recorder(console.engine), visitors)


async def user(console: ConsoleFixture, login: str) -> UserRow:
    async with work.read_session(console.engine) as session:
        found = await user_rows.user_named(session, login)
    assert found is not None
    return found


async def set_up_factor(steps: Steps, login: str, secrets: set[str]) -> tuple[bytes, list[str]]:
    """Set a second factor up by the pages; what they show is added to the secrets."""
    visitor, console = steps.visitors[login], steps.console
    begun = await visitor.submitted("/second-factor", page="/second-factor")
    shown = re.search(r"<code>([A-Z2-7]{32})</code>", begun.text)
    assert shown, begun.text[-600:]
    key = base64.b32decode(shown[1])
    done = await steps.form(login, "/second-factor", "factor.set_up", code=code_at(console, key))
    assert (done.actor, done.subject) == (f"console:{login}", f"user {login}")
    codes = re.findall(r"<li><code>([a-z0-9-]{19})</code>", steps.answer)
    assert len(codes) == 10
    next_step(console)
    secrets |= {shown[1], key.hex(), key.decode("latin1"), *codes, *(each.replace("-", "") for each in codes)}
    return key, codes


async def walk_the_factor(steps: Steps, secrets: set[str]) -> None:
    """A second factor from set-up to removal, with sign-ins by code and by recovery code."""
    console = steps.console
    key, codes = await set_up_factor(steps, "lin", secrets)
    await steps.visitors[""].submit("/login", login="lin", password=PASSWORD)
    failed = await steps.form("", "/login/code", "user.login", "failed", code="000000")
    assert (failed.subject, failed.detail) == ("user lin", {"reason": "second factor"})
    code = code_at(console, key)
    entered = await steps.form("", "/login/code", "user.login", code=code)
    assert entered.actor == "console:lin"
    next_step(console)
    steps.visitors[""] = console.visitor()
    await steps.visitors[""].submit("/login", login="lin", password=PASSWORD)
    await steps.form("", "/login/code", "factor.recovery", code=codes[0])
    steps.visitors[""] = console.visitor()
    wrong = {"password": PASSWORD, "code": "000000"}
    await steps.form("lin", "/second-factor/codes", "user.prove", "failed", **wrong)
    proved = {"password": PASSWORD, "code": code_at(console, key)}
    await steps.form("lin", "/second-factor/codes", "factor.codes", **proved)
    secrets |= {code, *re.findall(r"<li><code>([a-z0-9-]{19})</code>", steps.answer)}
    next_step(console)
    await steps.form("lin", "/second-factor/remove", "user.prove", "failed", **wrong)
    proved["code"] = code_at(console, key)
    await steps.form("lin", "/second-factor/remove", "factor.remove", **proved)
    next_step(console)


async def walk_the_members(steps: Steps, secrets: set[str]) -> None:
    """An owner manages the users of the account."""
    console = steps.console
    made = await steps.form("lin", "/members", "user.create", login="member", role="viewer")
    assert (made.subject, made.account_id, made.detail) == ("user member", console.account_id, {"role": "viewer"})
    secrets |= {*initial_passwords(steps)}
    created = await steps.form("lin", "/members/accounts", "account.create", name="青禾分公司")
    assert created.detail["parent_id"] == console.account_id
    member = await user(console, "member")
    changed = await steps.form("lin", "/members/{user_id}/role", "user.role", user_id=member.id, role="developer")
    assert changed.detail == {"before": {"role": "viewer"}, "after": {"role": "developer"}}
    await steps.form("lin", "/members/{user_id}/reset", "user.reset", user_id=member.id)
    initial = initial_passwords(steps)[0]  # the latest first
    secrets.add(initial)
    await steps.form("lin", "/members/{user_id}/disable", "user.disable", user_id=member.id)
    await steps.form("lin", "/members/{user_id}/disable", "user.enable", user_id=member.id, enable="1")
    steps.visitors["member"] = console.visitor()
    await steps.visitors["member"].submit("/login", login="member", password=initial)
    await set_up_factor(steps, "member", secrets)
    reset = await steps.form("lin", "/members/{user_id}/second-factor", "factor.reset", user_id=member.id)
    assert (reset.actor, reset.subject, reset.account_id) == ("console:lin", "user member", console.account_id)


async def walk_the_operators(steps: Steps, secrets: set[str]) -> None:
    """An operator changes roles, second factors and sessions of others."""
    console = steps.console
    lin = await user(console, "lin")
    of_account = "/operator/accounts/{account_id}/users/{user_id}"
    names: dict[str, Any] = {"account_id": console.account_id, "user_id": lin.id}
    for role in ("finance", "owner"):
        await steps.form("chief", f"{of_account}/role", "user.role", role=role, **names)
    await set_up_factor(steps, "lin", secrets)
    await steps.form("chief", f"{of_account}/second-factor", "factor.reset", **names)
    steps.visitors["lin"] = await console.signed_in("lin")
    await console.signed_in("lin")
    own = await steps.form("lin", "/sessions/end", "session.end", others="1")
    assert own.detail == {"session": "others"}
    async with work.read_session(console.engine) as session:
        (token_hash,) = await session.scalars(select(SessionRow.token_hash).where(SessionRow.user_id == lin.id))
    secrets.add(token_hash)
    name = token_hash[:SESSION_NAME_LENGTH]
    ended = await steps.form("chief", "/operator/sessions/{session}/end", "session.end", session=name)
    assert (ended.subject, ended.detail, own.session) == ("user lin", {"session": name}, name)
    await steps.visitors["chief"].submit("/operator/accounts/operators", page="/operator/accounts", login="deputy")
    deputy, operators = await user(console, "deputy"), "/operator/accounts/operators/{user_id}"
    await steps.form("chief", f"{operators}/role", "user.role", user_id=deputy.id, role="auditor")
    await steps.form("chief", f"{operators}/reset", "user.reset", user_id=deputy.id)
    steps.visitors["deputy"] = console.visitor()
    initial = initial_passwords(steps)[0]  # the latest first
    secrets.add(initial)
    await steps.visitors["deputy"].submit("/login", login="deputy", password=initial)
    await set_up_factor(steps, "deputy", secrets)
    await steps.form("chief", f"{operators}/second-factor", "factor.reset", user_id=deputy.id)


async def walk_the_notices(steps: Steps, secrets: set[str]) -> None:
    """Channels of a customer and of the operators, by the pages."""
    console = steps.console
    secrets |= {URL_SECRET, CHANNEL_SECRET}
    for login, prefix in (("lin", ""), ("chief", "/operator")):
        if login == "lin":
            steps.visitors["lin"] = await console.signed_in("lin")
        owner_id = console.account_id if login == "lin" else None
        channels = f"{prefix}/notices/channels"
        made = await steps.form(login, channels, "notice.channel_create", name="值班", **HOOK)
        assert (made.account_id, made.detail["kind"], made.subject_name) == (owner_id, "webhook", "值班")
        shown = re.search(r'data-copy="([0-9a-f]{48})"', steps.answer)
        assert shown
        secrets.add(shown[1])
        given = {**HOOK, "kind": "dingtalk", "secret": CHANNEL_SECRET}
        if login == "chief":
            await steps.form(login, channels, "notice.channel_create", name="钉钉", **given)
        named = {"channel_id": made.subject.rpartition(" ")[2]}
        change = f"{channels}/{{channel_id}}/{{change}}"
        await steps.form(login, change, "notice.test", change="test", **named)
        await steps.form(login, change, "notice.channel_pause", change="pause", **named)
        await steps.form(login, change, "notice.channel_resume", change="resume", **named)
        async with console.begin() as unit:
            (tried,) = await unit.session.scalars(select(NoticeRow).where(NoticeRow.channel_id == named["channel_id"]))
            tried.state = "failed"
        await steps.form(login, f"{prefix}/notices/{{notice_id}}/retry", "notice.retry", notice_id=tried.id)
        await steps.form(login, change, "notice.channel_remove", change="remove", **named)
    days = {"low_percent": "20", "low_days": "3", "expiry_days": "5"}
    limits = await steps.form("lin", "/notices/thresholds", "notice.thresholds", **days)
    assert limits.detail == {"low_percent": 20, "low_days": 3, "expiry_days": 5}


def initial_passwords(steps: Steps) -> list[str]:
    """The initial passwords that the last page shows, latest first."""
    found = list(dict.fromkeys(re.findall(r'data-copy="([A-Za-z0-9_-]{12,})"', steps.answer)))
    assert found
    return found


@ON_SQLITE
async def test_every_form_of_users_and_sessions(console: ConsoleFixture) -> None:
    steps = await steps_of(console)
    for walk in (walk_the_factor, walk_the_members, walk_the_operators):
        await walk(steps, set())
    assert steps.recorder.tried - {"/operator/accounts/operators/{user_id}/reset"} == USER_FORMS


@ON_SQLITE
async def test_every_form_of_notices(console: ConsoleFixture) -> None:
    steps = await steps_of(console)
    await walk_the_notices(steps, set())
    assert steps.recorder.tried == NOTICE_FORMS


@ON_SQLITE
async def test_every_request_of_notices_to_the_admin_api(console: ConsoleFixture) -> None:
    secrets: set[str] = set()
    assert await ask_the_admin_api(console, secrets) and len(secrets) == 3


async def ask_the_admin_api(console: ConsoleFixture, secrets: set[str]) -> set[str]:
    """Every request about notices; those that were sent."""
    async with console.begin() as unit:
        token = await tokens.create_token(unit, "olga", tokens.SCOPES)
    app = admin_app.create_admin(console.engine, console.parts.vault, console.parts.settings, console.clock)
    transport, headers = httpx.ASGITransport(app, client=("192.0.2.33", 1)), {"authorization": f"Bearer {token}"}
    client = httpx.AsyncClient(transport=transport, base_url="http://admin", headers=headers)
    recorder = Recorder(console.engine)

    async def ask(method: str, route: str, action: str, body: Any = None, **names: str) -> Any:
        await recorder.new()
        answer = await client.request(method, route.format_map(names), json=body)
        assert answer.status_code < 300, answer.text
        (event,) = [each for each in await recorder.new() if each.action == action]
        assert (event.actor, event.surface, event.address) == ("admin:olga", "admin", "192.0.2.33")
        assert event.result == "done"
        recorder.tried.add(f"{method} {route}")
        return answer.json() if answer.content else None

    body = {"channel_kind": "webhook", "name": "值班", "url": HOOK["url"]}
    made = await ask("POST", "/notice-channels", "notice.channel_create", body)
    channel = {"channel_id": made["id"]}
    await ask("POST", "/notice-channels/{channel_id}/test", "notice.test", **channel)
    await ask("DELETE", "/notice-channels/{channel_id}", "notice.channel_remove", **channel)
    thresholds, account = "/accounts/{account_id}/notice-thresholds", {"account_id": console.account_id}
    limits = {"low_percent": 20, "low_days": 3, "expiry_days": 5}
    await ask("PUT", thresholds, "notice.thresholds", limits, **account)
    await ask("DELETE", thresholds, "notice.thresholds", **account)
    secrets |= {made["secret"], URL_SECRET, token}
    return recorder.tried


@ON_SQLITE
async def test_no_key_code_or_secret_is_in_any_event(console: ConsoleFixture) -> None:
    """Every secret that the pages and the admin API have shown, every stored hash of one, and what looks like one."""
    steps, secrets = await steps_of(console), {PASSWORD}
    for walk in (walk_the_factor, walk_the_members, walk_the_operators, walk_the_notices):
        await walk(steps, secrets)
    await ask_the_admin_api(console, secrets)
    hashed = ("token_hash", "password_hash", "code_hash", "csrf", "sealed_factor", "sealed_config")
    async with work.read_session(console.engine) as session:
        events = [tuple(row) for row in await session.execute(select(EventRow.__table__))]
        for table in metadata.sorted_tables:
            for name in {*hashed} & {*table.columns.keys()}:
                for value in await session.scalars(select(table.columns[name])):
                    secrets |= {value} if isinstance(value, str) else {value.hex()} if value else set()
        details = [
            (row.action, row.detail, row.subject, row.subject_name) for row in await session.scalars(select(EventRow))
        ]
    assert len(secrets) > 70 and len(events) > 50 and min(map(len, secrets)) >= 6
    for row in events:
        assert not [each for each in secrets if each in str(row)], row
    for action, *said in details:
        text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "an id", json.dumps(said, ensure_ascii=False))
        assert SECRET_SHAPES.search(text) is None, (action, text)


def test_the_shapes_are_those_of_secrets() -> None:
    """What the scan above looks for is what the product makes."""
    made = [totp.text_of(totp.new_key()), "abcd-efgh-2345-wxyz", "0f" * 24, token_urlsafe(32)]
    assert all(SECRET_SHAPES.search(each) for each in made)
    assert not any(SECRET_SHAPES.search(each) for each in ("user lin", "general 100,000", "0123456789abcdef"))


def test_roles_and_permissions_of_events_are_said_in_words() -> None:
    for role in Role:
        (part,) = words.parts({"before": {"role": None}, "after": {"role": role.value}}, "zh")
        assert part.label == "角色" and part.before == "–" and part.value != role.value
    for permission in Permission:
        (part,) = words.parts({"permission": permission.value}, "zh")
        assert part.label == "所需权限" and part.value != permission.value
