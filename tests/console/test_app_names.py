"""Pages with apps whose name several accounts use: none is mixed with another or hidden; default apps of accounts."""

from __future__ import annotations

import csv
import io
import re

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.accounts import repository
from inkgate.service.accounts import service as accounts
from inkgate.service.db import ids, work
from inkgate.service.metering import SqlLedger
from inkgate.service.metering.interface import Settlement
from inkgate.service.metering.service import grant_pack
from inkgate.service.takeover import routes
from inkgate.service.takeover.routes import Mode
from inkgate.service.users import service as users
from tests.console.console_fixture import PASSWORD, ConsoleFixture

DEFAULT = "默认应用"
IMAGES = {"own": 3, "sub": 5, "gone": 7, "other": 11}  # of the calls of each app


class Named:
    """Four apps of one name: of the main account, of its sub-account, a deleted one of the main account, and of
    another customer; with calls of the first three and of the last."""

    def __init__(self, console: ConsoleFixture) -> None:
        self.console = console
        self.ids: dict[str, str] = {}

    async def build(self) -> Named:
        console, vault = self.console, self.console.parts.vault
        async with console.begin() as unit:
            sub = await accounts.create_account(unit, "青禾-北门", parent_id=console.account_id)
            for name, owner in (
                ("gone", console.account_id), ("own", console.account_id), ("sub", sub.id), ("other", console.other_id)
            ):  # fmt: skip
                app = await accounts.create_app(unit, vault, owner, DEFAULT)
                await accounts.open_capability(unit, app.app_id, "general")
                self.ids[name] = app.app_id
                if name == "gone":
                    await accounts.delete_app(unit, app.app_id)
            await grant_pack(unit, console.account_id, "general", 1000)
            await grant_pack(unit, console.account_id, "general", 500, app_id=self.ids["sub"])
            await grant_pack(unit, console.other_id, "general", 1000)
        ledger = SqlLedger(console.engine, clock=console.clock)
        await ledger.start()
        for name, images in IMAGES.items():
            payer = console.other_id if name == "other" else console.account_id
            call_id = ids.new()
            about = (payer, self.ids[name], "general", images, images, 0, 0, 9, 5, "192.0.2.1", call_id)
            await ledger.settle(Settlement(call_id, *about))
        await ledger.close()
        return self

    @property
    def gone(self) -> str:
        return f"{DEFAULT} #{self.ids['gone'][-8:]}"


@pytest.fixture
async def named(console: ConsoleFixture) -> Named:
    return await Named(console).build()


SUB = f"{DEFAULT} · 青禾-北门"


async def test_statistics_keep_apps_of_one_name_apart(console: ConsoleFixture, named: Named) -> None:
    lin = await console.signed_in("lin")
    monitor, overview = await lin.see("/monitor?days=7"), await lin.see("/?days=7")
    for page in (monitor, overview):
        options = re.findall(r'<option value="[^"]+"[^>]*>([^<]*默认应用[^<]*)</option>', page)
        assert sorted(options) == sorted([DEFAULT, SUB, named.gone])
    rows = list(csv.DictReader(io.StringIO((await lin.see("/monitor.csv?days=7")).removeprefix("\ufeff"))))
    assert {each["应用"]: int(each["抵扣次数"]) for each in rows} == {
        DEFAULT: IMAGES["own"], SUB: IMAGES["sub"], named.gone: IMAGES["gone"]
    }  # fmt: skip
    ranked = dict(re.findall(r'class="name">([^<]+)</span><span class="num">(\d+)', overview))
    assert [ranked[each] for each in (DEFAULT, SUB, named.gone)] == ["3", "5", "7"]
    used = await lin.see("/capabilities/general")
    assert all(f">{each}<" in used for each in (DEFAULT, SUB, named.gone))
    assert "11" not in ranked.values() and "城东" not in monitor + used


async def test_the_apps_of_sub_accounts_are_listed_with_their_account(console: ConsoleFixture, named: Named) -> None:
    lin = await console.signed_in("lin")
    page = await lin.see("/apps")
    assert page.count(f"<strong>{DEFAULT}</strong>") == 2 and page.count("青禾-北门") >= 1
    assert f"删除应用“{DEFAULT}”？" in page and f"删除应用“{SUB}”？" in page
    assert "青禾-北门" in await lin.see(f"/apps/{named.ids['sub']}")
    async with console.begin() as unit:
        await accounts.create_access_key(unit, console.parts.vault, console.account_id)
    offered = re.findall(r"<option[^>]*>([^<]*默认应用[^<·]*(?: · 青禾-北门)?)</option>", await lin.see("/try"))
    assert sorted(offered) == sorted([DEFAULT, SUB])
    found = await lin.see(f"/palette?q={DEFAULT}")
    assert found.count(DEFAULT) >= 2 and "青禾-北门" in found and named.ids["other"] not in found


async def test_a_name_is_free_that_another_account_uses(console: ConsoleFixture, named: Named) -> None:
    lin = await console.signed_in("lin")
    assert "同一账号内名称不能重复" in await lin.see(f"/apps/name?name={DEFAULT}")
    async with console.begin() as unit:
        await accounts.create_app(unit, console.parts.vault, console.other_id, "only_theirs")
    assert "名称可用" in await lin.see("/apps/name?name=only_theirs")
    made = await lin.submit("/apps", page="/apps", name="only_theirs", description="")
    assert made.status_code == 303
    refused = await lin.submit("/apps", page="/apps", name="only_theirs", description="")
    assert refused.status_code == 422 and "账号中已有应用“only_theirs”" in refused.text


async def test_operators_see_the_account_beside_the_app(engine: AsyncEngine) -> None:
    console = await ConsoleFixture.build(engine, takeover={"url": "https://cloud.test"})
    named = await Named(console).build()
    async with console.begin() as unit:
        for name in ("own", "sub", "other"):
            await routes.set_route(unit, named.ids[name], "general", Mode.MIRROR, percent=None, enabled=True)
    chief = await console.signed_in("chief")
    page = await chief.see("/operator/takeover")
    for name, account in (("own", "青禾"), ("sub", "青禾-北门"), ("other", "城东")):
        beside = f'{named.ids[name]}/general?days=30">{DEFAULT}</a><div class="muted">{account}</div>'
        assert beside in page
        assert account in await chief.see(f"/operator/takeover/{named.ids[name]}/general")
    form = {"page": "/operator/takeover", "capability": "general", "mode": "local"}
    refused = await chief.submit("/operator/takeover/route", app=DEFAULT, **form)
    assert refused.status_code == 422 and "有 3 个应用名为“默认应用”" in refused.text
    async with work.read_session(console.engine) as session:
        other = await repository.app(session, named.ids["other"])
        before = {each.app_id: each.mode for each in (await routes.overview(session, enabled=True)).routes}
    assert other is not None and f"城东 ({other.appkey})" in refused.text and set(before.values()) == {Mode.MIRROR}
    assert (await chief.submit("/operator/takeover/route", app=other.appkey, **form)).status_code == 303
    async with work.read_session(console.engine) as session:
        after = {each.app_id: each.mode for each in (await routes.overview(session, enabled=True)).routes}
    assert {key for key in after if after[key] != before[key]} == {other.id}
    account = await chief.see(f"/operator/accounts/{console.account_id}")
    assert SUB in account  # the pack that is bound to an app of the sub-account
    ledger = await chief.see(f"/operator/ledger?account={console.account_id}&capability=general")
    assert all(f"{each}<" in ledger for each in (DEFAULT, SUB, named.gone))


async def test_an_order_names_the_app_of_a_sub_account_with_it(console: ConsoleFixture, named: Named) -> None:
    lin = await console.signed_in("lin")
    confirm = "/buy/general/confirm?general-100k=1"
    offered = re.findall(r'<option value="([^"]+)"[^>]*>([^<]*默认应用[^<]*)<', await lin.see(confirm))
    assert dict(offered) == {named.ids["own"]: DEFAULT, named.ids["sub"]: SUB}
    form = {"general-100k": "1", "agreed": "1", "app": named.ids["sub"]}
    placed = await lin.submit("/buy/general/order", page=confirm, **form)
    where = placed.headers["location"].removeprefix("/console").removesuffix("/pay")
    assert SUB in await lin.see(where)


@pytest.mark.parametrize("default_app", [DEFAULT, ""])
async def test_accounts_made_in_the_console_have_their_default_app(engine: AsyncEngine, default_app: str) -> None:
    console = await ConsoleFixture.build(engine, accounts={"default_app": default_app})
    chief, lin = await console.signed_in("chief"), await console.signed_in("lin")
    assert (await chief.submit("/operator/accounts", page="/operator/accounts", name="河西")).status_code == 303
    assert (await lin.submit("/members/accounts", page="/members", name="青禾-东门")).status_code == 303
    async with console.begin() as unit:
        made = [await repository.account_named(unit.session, name) for name in ("河西", "青禾-东门")]
        for account in made:
            assert account is not None
            apps = await repository.apps(unit.session, [account.id])
            assert [each.name for each in apps] == ([default_app] if default_app else [])
        assert made[0] is not None
        hashed = await console.parts.passwords.hash(PASSWORD)
        await users.create_user(unit, "west", hashed, account_id=made[0].id)
    west = await console.signed_in("west")
    page = await west.see("/")
    assert ("已有应用“默认应用”" in page and "#open" in page) is bool(default_app)
    assert ("还没有应用" in await west.see("/apps")) is not bool(default_app)
