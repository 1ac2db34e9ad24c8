"""Sign-in with the password of a real slapd: binds, StartTLS and ldaps, groups to roles, and what must be refused."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.audit import repository as audit
from inkgate.service.console.directory import Directory, DirectoryError
from inkgate.service.db import work
from inkgate.service.errors import ConfigurationError
from inkgate.service.permissions import Role
from inkgate.service.settings import Ldap
from inkgate.service.users import service as users
from inkgate.service.users.models import UserRow
from tests.console.console_fixture import PASSWORD, ConsoleFixture
from tests.console.ldap_server import GROUPS, PEOPLE, READER, READER_PASSWORD, SUFFIX, LdapServer, ldap_server
from tests.console.test_second_factor import code_at, next_step, set_up
from tests.tls.authority import Authority

SECRET = "their directory password"
TEMPLATE = f"uid={{login}},{PEOPLE}"
SEARCH: dict[str, Any] = {"base": SUFFIX, "bind_dn": READER, "bind_password": READER_PASSWORD}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LdapServer]:
    people = {"lin": SECRET, "wang": SECRET, "chen": SECRET, "no-group": SECRET}
    groups = {"security": ["wang"], "finance": ["lin"], "audit": ["chen"]}
    with ldap_server(tmp_path_factory.mktemp("slapd"), people, groups) as server:
        yield server


def ldap(server: LdapServer, **more: Any) -> Ldap:
    return Ldap(**({"url": server.url, "ca_file": server.ca, "user_dn": TEMPLATE} | more))


WAYS: dict[str, dict[str, Any]] = {
    "template": {},
    "search": {"user_dn": "", **SEARCH},
    "groups searched": {"group_base": GROUPS, "bind_dn": READER, "bind_password": READER_PASSWORD},
    "own groups searched": {"group_base": GROUPS},
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("secure", [False, True], ids=["starttls", "ldaps"])
async def test_a_user_is_known_by_password_and_groups(directory: LdapServer, way: dict[str, Any], secure: bool) -> None:
    url = directory.tls_url if secure else directory.url
    asked = Directory(ldap(directory, url=url, roles={"x": "auditor"}, **way))
    person = await asked.authenticate("wang", SECRET)
    assert person is not None
    assert person.dn == f"uid=wang,{PEOPLE}" and person.groups == (f"cn=security,{GROUPS}",)
    assert await asked.authenticate("wang", "wrong") is None
    assert await asked.authenticate("unknown", SECRET) is None
    assert await asked.authenticate("wang", "") is None


@pytest.mark.parametrize(
    "login", ["*", "lin)(uid=*", "wan*", "lin,ou=x", "lin\\2a", "\0lin", "lin)(|(uid=*", "li\u0442", "", "lin\n"]
)
@pytest.mark.parametrize("way", ["template", "search"])
async def test_a_login_cannot_change_the_question(directory: LdapServer, login: str, way: str) -> None:
    assert await Directory(ldap(directory, **WAYS[way])).authenticate(login, SECRET) is None


async def test_an_unknown_authority_is_refused(directory: LdapServer, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other-ca").path
    for url in (directory.url, directory.tls_url):
        with pytest.raises(DirectoryError):
            await Directory(ldap(directory, url=url, ca_file=other)).authenticate("wang", SECRET)


async def test_another_host_name_is_refused(directory: LdapServer) -> None:
    with pytest.raises(DirectoryError):
        await Directory(ldap(directory, url=f"ldaps://127.0.0.1:{directory.tls_port}")).authenticate("wang", SECRET)


async def test_several_entries_that_fit_are_refused(directory: LdapServer) -> None:
    asked = Directory(ldap(directory, filter="(|(uid={login})(uid=chen))", **WAYS["search"]))
    with pytest.raises(DirectoryError, match="several entries"):
        await asked.authenticate("wang", SECRET)


async def test_a_wrong_reader_is_an_error_and_not_a_wrong_password(directory: LdapServer) -> None:
    asked = Directory(ldap(directory, **(WAYS["search"] | {"bind_password": "wrong"})))
    with pytest.raises(DirectoryError, match="reader") as caught:
        await asked.authenticate("wang", SECRET)
    assert SECRET not in str(caught.value) and "wrong" not in str(caught.value)


async def test_a_silent_server_is_given_up() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        held: list[socket.socket] = []
        threading.Thread(target=lambda: held.append(silent.accept()[0]), daemon=True).start()
        settings = Ldap(url=f"ldap://127.0.0.1:{silent.getsockname()[1]}", user_dn=TEMPLATE, timeout=1)
        with pytest.raises(DirectoryError):
            await Directory(settings).authenticate("wang", SECRET)


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"url": "http://x"}, "INKGATE_LDAP__URL"),
        ({"url": "ldap://"}, "INKGATE_LDAP__URL"),
        ({"start_tls": False}, "INKGATE_LDAP__START_TLS"),
        ({"user_dn": ""}, "INKGATE_LDAP__USER_DN"),
        ({"user_dn": "uid=lin"}, "INKGATE_LDAP__USER_DN"),
        ({"base": SUFFIX}, "INKGATE_LDAP__USER_DN"),
        ({"filter": "(uid=lin)"}, "INKGATE_LDAP__FILTER"),
        ({"group_base": GROUPS, "group_filter": "(cn=x)"}, "INKGATE_LDAP__FILTER"),
    ],
)
def test_wrong_settings_are_one_line(wrong: dict[str, Any], name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        Directory(Ldap(**({"url": "ldap://localhost", "user_dn": TEMPLATE} | wrong)))


def test_a_connection_without_tls_has_to_be_allowed() -> None:
    Directory(Ldap(url="ldap://localhost", user_dn=TEMPLATE, start_tls=False, plain=True))


async def build(engine: AsyncEngine, server: LdapServer, **more: Any) -> ConsoleFixture:
    console = await ConsoleFixture.build(engine, ldap=ldap(server, **more).model_dump())
    parts = replace(console.parts, directory=Directory(console.parts.settings.ldap))
    console.app.routes[-1].app.state.parts = console.parts = parts  # type: ignore[attr-defined]
    async with console.begin() as unit:  # lin has no password here
        lin = await unit.session.scalar(select(UserRow).where(UserRow.login == "lin"))
        assert lin is not None
        lin.password_hash = users.NO_PASSWORD
    return console


async def test_a_user_signs_in_with_the_directorys_password(engine: AsyncEngine, directory: LdapServer) -> None:
    console = await build(engine, directory)
    lin = console.visitor()
    assert (await lin.submit("/login", login="lin", password=PASSWORD)).status_code == 422
    assert (await lin.submit("/login", login="Lin", password=SECRET)).status_code == 303
    await lin.see("/apps")
    assert "LDAP" in await lin.see("/sessions")
    page = f"/apps/{console.app_id}"
    assert (await lin.submit(f"{page}/secret", page=page, password="wrong")).status_code == 422
    assert 'class="secret"' in (await lin.submitted(f"{page}/secret", page=page, password=SECRET)).text
    await console.signed_in("chief")  # whose password is here


async def test_groups_give_roles_at_each_sign_in(engine: AsyncEngine, directory: LdapServer) -> None:
    roles = {f"CN=Finance, {GROUPS}": "finance", f"cn=security,{GROUPS}": "security"}
    console = await build(engine, directory, roles=roles)
    lin = console.visitor()
    await lin.submit("/login", login="lin", password=SECRET)
    assert (await lin.get("/keys")).status_code == 403
    await lin.see("/orders")
    async with work.read_session(console.engine) as session:
        (event,) = await audit.events(session, action="user.role")
    assert event.detail["after"] == {"role": "finance"}


async def test_a_user_without_a_group_is_refused(engine: AsyncEngine, directory: LdapServer) -> None:
    console = await build(engine, directory, roles={f"cn=security,{GROUPS}": "security"}, create=True)
    for login in ("lin", "no-group", "chen"):
        refused = await console.visitor().submit("/login", login=login, password=SECRET)
        assert refused.status_code == 422 and "没有对应的可用用户或角色" in refused.text


async def test_an_operator_is_created_by_a_group(engine: AsyncEngine, directory: LdapServer) -> None:
    console = await build(engine, directory, roles={f"cn=security,{GROUPS}": "security"}, create=True)
    wang = console.visitor()
    assert (await wang.submit("/login", login="wang", password=SECRET)).status_code == 303
    assert "安全管理员" in await wang.see("/operator/sessions")
    async with work.read_session(console.engine) as session:
        made = await session.scalar(select(UserRow).where(UserRow.login == "wang"))
    assert made is not None and made.held_role is Role.SECURITY and made.password_hash == users.NO_PASSWORD


async def test_wrong_passwords_lock_the_user_here(engine: AsyncEngine, directory: LdapServer) -> None:
    console = await build(engine, directory)
    for _ in range(5):
        await console.visitor().submit("/login", login="lin", password="wrong")
    assert (await console.visitor().submit("/login", login="lin", password=SECRET)).status_code == 422
    await console.visitor().submit("/login", login="my password", password=SECRET)
    async with work.read_session(console.engine) as session:
        events = (await audit.events(session, action="user.login"))[::-1]
        (lock,) = await audit.events(session, action="user.lock")
    assert [(each.subject, each.detail["reason"]) for each in events] == [
        *[("user lin", "password")] * 5, ("user lin", "locked"), ("unknown user", "unknown"),
    ]  # fmt: skip
    assert all((each.result, each.address, each.detail["by"]) == ("failed", "127.0.0.1", "ldap") for each in events)
    assert lock.subject == "user lin"
    console.clock.advance(minutes=16)
    assert (await console.visitor().submit("/login", login="lin", password=SECRET)).status_code == 303


async def test_the_second_factor_counts_for_the_directory_too(engine: AsyncEngine, directory: LdapServer) -> None:
    console = await build(engine, directory, roles={f"cn=finance,{GROUPS}": "developer"})
    lin = console.visitor()
    await lin.submit("/login", login="lin", password=SECRET)
    key, _ = await set_up(console, lin)
    again = console.visitor()
    asked = await again.submit("/login", login="lin", password=SECRET)
    assert asked.status_code == 200 and "inkgate_session" not in again.cookies
    assert (await again.submit("/login/code", code="000000")).status_code == 422
    assert (await again.submit("/login/code", code=code_at(console, key))).status_code == 303
    next_step(console)
    await again.see("/keys")


async def test_a_directory_that_is_down_is_said(engine: AsyncEngine, directory: LdapServer) -> None:
    console = await build(engine, directory, url="ldap://localhost:1", timeout=1)
    answer = await console.visitor().submit("/login", login="lin", password=SECRET)
    assert answer.status_code == 503 and "暂时不可用" in answer.text
    await console.signed_in("chief")
