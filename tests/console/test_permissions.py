"""Every role asks for every page over HTTP: it gets what the table of permissions gives it, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.audit import repository as audit
from inkgate.service.audit.chain import MAX_UNSUCCESSFUL_OF_ADDRESS
from inkgate.service.db import ids, work
from inkgate.service.permissions import CUSTOMER_ROLES, OPERATOR_ROLES, ROLES, SEPARATE_ROLES, Permission, Role
from inkgate.service.permissions.permission import OPEN
from inkgate.service.permissions.routes import CONSOLE
from inkgate.service.users import service as users
from inkgate.service.users.models import UserRow
from tests.console.console_fixture import PASSWORD, BrowserClient, ConsoleFixture
from tests.postgres import ON_SQLITE

REFUSED = "没有“"  # of the text that names the missing permission
NOTHING = "00000000-0000-7000-8000-000000000000"


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    permission: Permission


ROUTES = [Asked(method, path, permission) for (method, path), permission in CONSOLE.items()]


async def with_roles(console: ConsoleFixture) -> None:
    """One user of each role, named after it."""
    hashed = await console.parts.passwords.hash(PASSWORD)
    async with console.begin() as unit:
        for role in (*OPERATOR_ROLES, *CUSTOMER_ROLES):
            account_id = console.account_id if role in CUSTOMER_ROLES else None
            await users.create_user(unit, f"the-{role}", hashed, account_id=account_id, role=role)


async def ask(client: BrowserClient, asked: Asked, token: str) -> tuple[int, bool]:
    """Status, and whether the answer is the refusal of a permission. The address names nothing that exists."""
    path = asked.path
    for name in ("app_id", "ak", "number", "pack_id", "account_id", "user_id", "refund_id", "product_id", "session"):
        path = path.replace(f"{{{name}}}", NOTHING)
    path = path.replace("{capability}", "general").replace("{name}", "unknown").replace("{decision}", "none")
    data = {} if asked.method == "GET" else {"csrf": token}
    answer = await client.request(asked.method, path, data=data)
    return answer.status_code, answer.status_code == 403 and REFUSED in answer.text


@ON_SQLITE
@pytest.mark.parametrize("separate", [False, True])
async def test_every_role_gets_every_page_that_the_table_gives_it_and_no_other(
    engine: AsyncEngine, separate: bool
) -> None:
    console = await ConsoleFixture.build(engine, access={"separate_duties": separate})
    await with_roles(console)
    checked = 0
    roles = OPERATOR_ROLES if separate else (*OPERATOR_ROLES, *CUSTOMER_ROLES)
    for role in roles:
        held = ROLES[role] if not (separate and role is Role.OPERATOR) else frozenset()
        client = await console.signed_in(f"the-{role}")
        token = await client.token("/reference")
        for asked in ROUTES:
            if asked.permission in OPEN:
                continue
            status, refused = await ask(client, asked, token)
            allowed = asked.permission in held
            if separate and role is Role.OPERATOR:
                assert status == 403, (role, asked)
            else:
                assert refused is not allowed, (role, asked, status)
            assert status < 500, (role, asked, status)
            checked += 1
    assert checked == len(roles) * len([each for each in ROUTES if each.permission not in OPEN])


async def test_a_refused_permission_is_said_in_words_and_recorded(console: ConsoleFixture) -> None:
    await with_roles(console)
    viewer = await console.signed_in("the-viewer")
    answer = await viewer.get("/keys")
    assert answer.status_code == 403
    assert "您的角色是“只读”，没有“查看 AccessKey”的权限" in answer.text
    async with work.read_session(console.engine) as session:
        (event,) = await audit.events(session, action="access.refuse")
    assert (event.actor, event.subject, event.result) == ("console:the-viewer", "GET /keys", "refused")
    assert (event.account_id, event.detail) == (console.account_id, {"permission": "keys.see"})


async def test_recorded_refusals_are_bounded(console: ConsoleFixture) -> None:
    await with_roles(console)
    viewer = await console.signed_in("the-viewer")
    for _ in range(MAX_UNSUCCESSFUL_OF_ADDRESS + 10):
        assert (await viewer.get("/keys")).status_code == 403
    async with work.read_session(console.engine) as session:
        events = await audit.events(session, action="access.refuse", limit=1000)
    assert len(events) == MAX_UNSUCCESSFUL_OF_ADDRESS
    assert "further_omitted_seconds" in events[0].detail, "the last one says that there are more"


async def test_the_menu_has_only_pages_that_the_role_may_see(console: ConsoleFixture) -> None:
    await with_roles(console)
    for role in (*OPERATOR_ROLES, *CUSTOMER_ROLES):
        client = await console.signed_in(f"the-{role}")
        start = await client.get("/", follow_redirects=True)
        assert start.status_code == 200, role
        for path in {
            part.split('"')[0] for part in start.text.split("<nav")[1].split("</nav>")[0].split('href="/console')[1:]
        }:
            assert (await client.get(path, follow_redirects=True)).status_code == 200, (role, path)


async def test_the_all_in_one_operator_sees_that_duties_are_separate(engine: AsyncEngine) -> None:
    console = await ConsoleFixture.build(engine, access={"separate_duties": True})
    chief = await console.signed_in("chief")
    answer = await chief.get("/")
    assert answer.status_code == 403 and "三员分立" in answer.text
    await chief.see("/password")


async def test_the_first_operator_with_separate_duties_is_a_security_administrator(engine: AsyncEngine) -> None:
    console = await ConsoleFixture.empty(engine, access={"separate_duties": True})
    visitor = console.visitor()
    await visitor.submit("/setup", page="/setup", login="first", password=PASSWORD)
    page = await visitor.see("/operator/accounts")
    assert "安全管理员" in page
    made = await visitor.submitted(
        "/operator/accounts/operators", page="/operator/accounts", login="second", role="auditor"
    )
    assert made.status_code == 200 and "初始密码" in made.text
    refused = await visitor.submit("/operator/accounts/operators", page="/operator/accounts", login="third")
    assert refused.status_code == 422 and "三员分立" in refused.text
    assert (await visitor.get("/operator/audit")).status_code == 403
    assert (await visitor.submit("/operator/accounts", page="/operator/accounts", name="x")).status_code == 403


async def held(console: ConsoleFixture, login: str) -> tuple[str, Role | None]:
    async with work.read_session(console.engine) as session:
        user = await session.scalar(select(UserRow).where(UserRow.login == login))
    assert user is not None
    return user.id, user.held_role


async def test_a_role_is_changed_counts_at_once_and_is_recorded(console: ConsoleFixture) -> None:
    await with_roles(console)
    chief, viewer = await console.signed_in("chief"), await console.signed_in("the-viewer")
    user_id, _ = await held(console, "the-viewer")
    page = f"/operator/accounts/{console.account_id}"
    done = await chief.submit(f"{page}/users/{user_id}/role", page=page, role="developer")
    assert done.headers["location"].endswith("done=role-saved")
    await viewer.see("/keys")
    async with work.read_session(console.engine) as session:
        (event,) = await audit.events(session, action="user.role")
    assert (event.actor, event.subject) == ("console:chief", "user the-viewer")
    assert event.detail == {"before": {"role": "viewer"}, "after": {"role": "developer"}}


@pytest.mark.parametrize("role", ["operator", "auditor", "root", "", "OWNER"])
async def test_a_role_of_the_other_kind_is_refused(console: ConsoleFixture, role: str) -> None:
    await with_roles(console)
    chief = await console.signed_in("chief")
    user_id, before = await held(console, "the-viewer")
    page = f"/operator/accounts/{console.account_id}"
    answer = await chief.submit(f"{page}/users/{user_id}/role", page=page, role=role)
    assert answer.status_code == 422 and "角色可选" in answer.text
    assert (await held(console, "the-viewer"))[1] is before


@pytest.mark.parametrize("action", ["role", "reset", "disable", "second-factor"])
async def test_a_user_cannot_change_itself(console: ConsoleFixture, action: str) -> None:
    chief, lin = await console.signed_in("chief"), await console.signed_in("lin")
    mine, _ = await held(console, "chief")
    theirs, _ = await held(console, "lin")
    own = await chief.submit(f"/operator/accounts/operators/{mine}/{action}", page="/operator/accounts", role="auditor")
    assert own.status_code == 422 and "不能更改自己" in own.text
    own = await lin.submit(f"/members/{theirs}/{action}", page="/members", role="viewer")
    assert own.status_code == 422 and "不能更改自己" in own.text


async def test_an_operator_who_can_change_users_remains(console: ConsoleFixture) -> None:
    """Two operators who make each other auditors: the second one is refused."""
    hashed = await console.parts.passwords.hash(PASSWORD)
    async with console.begin() as unit:
        await users.create_user(unit, "deputy", hashed)
    chief, deputy = await console.signed_in("chief"), await console.signed_in("deputy")
    first, second = (await held(console, "chief"))[0], (await held(console, "deputy"))[0]
    page = "/operator/accounts"
    token = await deputy.token(page)
    await chief.submit(f"{page}/operators/{second}/role", page=page, role="system")
    late = await deputy.post(f"{page}/operators/{first}/role", data={"csrf": token, "role": "auditor"})
    assert late.status_code == 403
    assert (await held(console, "chief"))[1] is Role.OPERATOR


async def test_an_owner_invites_users_and_makes_sub_accounts(console: ConsoleFixture) -> None:
    lin = await console.signed_in("lin")
    made = await lin.submitted("/members", page="/members", login="clerk", role="finance")
    assert made.status_code == 200 and "初始密码" in made.text
    user_id, role = await held(console, "clerk")
    assert role is Role.FINANCE
    taken = await lin.submit("/members", page="/members", login="Clerk", role="finance")
    assert taken.status_code == 422 and "已存在" in taken.text
    assert (await lin.submit("/members/accounts", page="/members", name="二部")).status_code == 303
    assert "二部" in await lin.see("/members")
    east = await console.signed_in("east")
    for action in ("role", "reset", "disable", "second-factor"):
        assert (await east.submit(f"/members/{user_id}/{action}", page="/members", role="owner")).status_code == 404
    foreign = await east.submit("/members", page="/members", login="spy", role="owner", account=console.account_id)
    assert foreign.status_code == 404
    await lin.submit(f"/members/{user_id}/disable", page="/members")
    assert (await console.visitor().submit("/login", login="clerk", password=PASSWORD)).status_code == 422


async def test_an_unknown_stored_role_may_do_nothing(console: ConsoleFixture) -> None:
    """As after a downgrade from a release that has further roles."""
    lin = await console.signed_in("lin")
    async with console.begin() as unit:
        row = await unit.session.scalar(select(UserRow).where(UserRow.login == "lin"))
        assert row is not None
        row.duty = "later-release"
    assert (await lin.get("/apps")).status_code == 403
    assert ids.is_canonical_uuid(NOTHING)


def test_the_separate_roles_cover_every_page_of_operators() -> None:
    pages = {permission for (_, path), permission in CONSOLE.items() if path.startswith("/operator")}
    assert pages <= frozenset().union(*(ROLES[each] for each in SEPARATE_ROLES))
