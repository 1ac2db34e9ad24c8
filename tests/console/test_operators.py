"""Operators can be disabled and reset, except the last one; unknown decisions and switch values are rejected."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from inkgate.service.audit import repository as audit
from inkgate.service.db import work
from inkgate.service.errors import Misuse
from inkgate.service.metering.service import packs_of
from inkgate.service.orders import refunds, repository
from inkgate.service.orders.service import place_order
from inkgate.service.users import service as users
from inkgate.service.users.models import UserRow
from tests.console.console_fixture import PASSWORD, ConsoleFixture

PAGE = "/operator/accounts"


async def user_id(console: ConsoleFixture, login: str) -> str:
    async with work.read_session(console.engine) as session:
        found = await session.scalar(select(UserRow.id).where(UserRow.login == login))
    assert found is not None
    return str(found)


async def actions(console: ConsoleFixture) -> list[tuple[str, str, str]]:
    async with work.read_session(console.engine) as session:
        events = await audit.events(session)
    return [(each.actor, each.action, each.subject) for each in events if not each.action.endswith(".view")]


@pytest.fixture
async def deputy(console: ConsoleFixture) -> str:
    """The id of a second operator, "deputy"."""
    hashed = await console.parts.passwords.hash(PASSWORD)
    async with console.begin() as unit:
        return (await users.create_user(unit, "deputy", hashed)).id


async def test_an_operator_is_disabled_at_once_and_enabled_again(console: ConsoleFixture, deputy: str) -> None:
    chief, second = await console.signed_in("chief"), await console.signed_in("deputy")
    await second.see(PAGE)
    done = await chief.submit(f"{PAGE}/operators/{deputy}/disable", page=PAGE)
    assert done.headers["location"].endswith("done=user-disabled")
    assert (await second.get(PAGE)).headers["location"].startswith("/console/login")
    refused = await console.visitor().submit("/login", login="deputy", password=PASSWORD)
    assert refused.status_code == 422
    assert "已停用" in await chief.see(PAGE)
    back = await chief.submit(f"{PAGE}/operators/{deputy}/disable", page=PAGE, enable="1")
    assert back.headers["location"].endswith("done=user-enabled")
    await console.signed_in("deputy")
    assert {("console:chief", "user.disable", "user deputy"), ("console:chief", "user.enable", "user deputy")} <= set(
        await actions(console)
    )


async def test_the_last_operator_who_may_sign_in_stays(console: ConsoleFixture, deputy: str) -> None:
    chief = await console.signed_in("chief")
    await chief.submit(f"{PAGE}/operators/{deputy}/disable", page=PAGE)
    mine = await user_id(console, "chief")
    kept = await chief.submit(f"{PAGE}/operators/{mine}/disable", page=PAGE)
    assert kept.status_code == 422 and "不能更改自己" in kept.text
    await chief.see(PAGE)
    with pytest.raises(Misuse, match="last operator"):
        async with console.begin() as unit:
            await users.disable_user(unit, mine)


async def test_an_operators_password_is_reset(console: ConsoleFixture, deputy: str) -> None:
    chief, second = await console.signed_in("chief"), await console.signed_in("deputy")
    shown = await chief.submitted(f"{PAGE}/operators/{deputy}/reset", page=PAGE)
    assert shown.status_code == 200 and "初始密码" in shown.text
    assert (await second.get(PAGE)).status_code == 303
    assert (await console.visitor().submit("/login", login="deputy", password=PASSWORD)).status_code == 422
    assert ("console:chief", "user.reset", "user deputy") in await actions(console)


async def test_a_disabled_customers_sessions_end_at_once(console: ConsoleFixture) -> None:
    chief, lin = await console.signed_in("chief"), await console.signed_in("lin")
    page = f"{PAGE}/{console.account_id}"
    await chief.submit(f"{page}/users/{await user_id(console, 'lin')}/disable", page=page)
    assert (await lin.get("/apps")).headers["location"].startswith("/console/login")


async def test_a_user_of_the_other_role_is_404_under_the_wrong_path(console: ConsoleFixture, deputy: str) -> None:
    chief = await console.signed_in("chief")
    lin = await user_id(console, "lin")
    for path in (
        f"{PAGE}/operators/{lin}",
        f"{PAGE}/{console.account_id}/users/{deputy}",
        f"{PAGE}/{console.other_id}/users/{lin}",
    ):
        for change in ("reset", "disable"):
            assert (await chief.submit(f"{path}/{change}", page=PAGE)).status_code == 404, path
    await console.signed_in("deputy")


@pytest.mark.parametrize(
    ("problem", "status", "text"),
    [
        (Misuse("user.not_found", user_id="x"), 404, "无法显示此页"),
        (Misuse("user.last_operator"), 422, "最后一位"),
    ],
)
async def test_a_problem_outside_a_form_has_the_status_of_its_kind(
    console: ConsoleFixture, deputy: str, monkeypatch: pytest.MonkeyPatch, problem: Misuse, status: int, text: str
) -> None:
    """As when another operator removes the user between page and click."""

    async def gone(*_: object) -> None:
        raise problem

    chief = await console.signed_in("chief")
    monkeypatch.setattr(users, "reset_password", gone)
    answer = await chief.submit(f"{PAGE}/operators/{deputy}/reset", page=PAGE)
    assert answer.status_code == status and text in answer.text


@pytest.mark.parametrize(
    ("language", "text"), [("zh", "没有订单 20260301000000000000。"), ("en", "No order 20260301000000000000")]
)
async def test_a_problem_is_shown_in_the_page_language(console: ConsoleFixture, language: str, text: str) -> None:
    chief = await console.signed_in("chief")
    chief.cookies.set("inkgate_language", language)
    answer = await chief.submit("/operator/orders/20260301000000000000/approve", page=PAGE)
    assert answer.status_code == 422 and text in answer.text


async def test_a_locked_user_shows_as_locked(console: ConsoleFixture) -> None:
    chief = await console.signed_in("chief")
    for _ in range(5):
        await console.visitor().submit("/login", login="lin", password="wrong")
    assert "已锁定" in await chief.see(f"{PAGE}/{console.account_id}")
    console.clock.advance(minutes=16)
    chief = await console.signed_in("chief")
    page = await chief.see(f"{PAGE}/{console.account_id}")
    assert "已锁定" not in page and "正常" in page


@pytest.mark.parametrize("word", ["Approve", "approved", "x", "%E2%80%8Bapprove", "reject ", "cancel"])
async def test_an_unknown_decision_is_404(console: ConsoleFixture, word: str) -> None:
    async with console.begin() as unit:
        await place_order(unit, console.account_id, {"idcard-100k": 1}, approval="immediate")
        order = await place_order(unit, console.account_id, {"general-100k": 1}, approval="operator")
        refund = await refunds.request_refund(unit, (await packs_of(unit.session, console.account_id))[0].id)
    chief = await console.signed_in("chief")
    assert (await chief.submit(f"/operator/orders/{order.number}/{word}", page=PAGE)).status_code == 404
    assert (await chief.submit(f"/operator/refunds/{refund.id}/{word}", page=PAGE)).status_code == 404
    async with work.read_session(console.engine) as session:
        kept, asked = await repository.order(session, order.number), await repository.refund(session, refund.id)
    assert kept is not None and asked is not None
    assert (kept.state, asked.state) == ("pending", "pending")


@pytest.mark.parametrize("value", ["0", "no", "false", "on"])
async def test_an_unknown_switch_value_is_rejected(console: ConsoleFixture, value: str) -> None:
    """Regression: any text counted as set, so `resume=no` resumed a suspended account."""
    chief = await console.signed_in("chief")
    page = f"{PAGE}/{console.account_id}"
    before = await actions(console)
    lin = await user_id(console, "lin")
    for path, name in (
        (f"{page}/suspend", "resume"),
        (f"{page}/users/{lin}/disable", "enable"),
        ("/operator/products/general-100k", "on_sale"),
    ):
        answer = await chief.submit(path, page=PAGE, price="1", **{name: value})
        assert answer.status_code == 400, path
    assert await actions(console) == before
