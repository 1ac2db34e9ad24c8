"""Imports of apps whose names several accounts use: each record reaches the app that it means, or none is written."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from inkgate.service.accounts import repository
from inkgate.service.accounts import service as accounts
from inkgate.service.accounts.models import Account, AppRow, OpenedRow
from inkgate.service.db import work
from inkgate.service.importing.records import APP_RECORDS
from inkgate.service.metering.models import PackRow
from tests.integration.importing.test_import import codes, contents, run
from tests.ledger_data import CustomerData
from tests.unit.importing.files import Fields, pair

DEFAULT = "默认应用"


def app(account: str, name: str = DEFAULT) -> Fields:
    return {"record": "app", "account": account, "app": name, **pair()}


def capability(app_: str, name: str = "plate", **more: str) -> Fields:
    return {"record": "capability", "app": app_, "capability": name, **more}


def pack(units: int, **of: str) -> Fields:
    return {"record": "pack", "capability": "plate", "units": str(units), "ends": "2027-03-31", **of}


async def opened(customer: CustomerData) -> set[tuple[str, str, str]]:
    """(account, app, capability) of everything opened, but for the app of the fixture."""
    query = select(Account.name, AppRow.name, OpenedRow.capability).join(AppRow, AppRow.account_id == Account.id)
    query = query.join(OpenedRow, OpenedRow.app_id == AppRow.id).where(AppRow.id != customer.app.app_id)
    async with work.read_session(customer.engine) as session:
        return {(row[0], row[1], row[2]) for row in await session.execute(query)}


async def packs(customer: CustomerData) -> set[tuple[str, str | None, int]]:
    """(account that pays, account of the app, units) of every pack."""
    async with work.read_session(customer.engine) as session:
        names = {each.id: each.name for each in await session.scalars(select(Account))}
        apps = {each.id: names[each.account_id] for each in await session.scalars(select(AppRow))}
        rows = await session.scalars(select(PackRow))
        return {(names[each.account_id], apps.get(each.app_id or ""), each.total) for each in rows}


@pytest.fixture
async def known(customer: CustomerData) -> dict[str, str]:
    """Account → AppKey of its default app, of three accounts that are there."""
    made = {}
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        for name in ("青禾", "城东", "河西"):
            account, new = await accounts.create_account_with_app(unit, customer.vault, name, default_app=DEFAULT)
            assert new is not None and account.name == name
            made[name] = new.appkey
    return made


async def test_a_file_with_the_same_name_in_two_accounts(customer: CustomerData) -> None:
    records = [
        {"record": "account", "account": "甲公司"},
        {"record": "account", "account": "甲公司分部", "parent": "甲公司"},
        main := app("甲公司"),
        app("甲公司分部"),
        capability(DEFAULT, account="甲公司"),
        capability(DEFAULT, account="甲公司分部"),
        capability(main["id"], "idcard"),
        pack(1, account="甲公司", app=DEFAULT),
        pack(2, account="甲公司分部", app=DEFAULT),
        pack(3, app=main["id"]),
        pack(4, account="甲公司"),
    ]
    assert (await run(customer, records)).problems == ()
    assert await opened(customer) == {
        ("甲公司", DEFAULT, "plate"), ("甲公司", DEFAULT, "idcard"), ("甲公司分部", DEFAULT, "plate")
    }  # fmt: skip
    assert await packs(customer) == {
        ("甲公司", "甲公司", 1), ("甲公司", "甲公司分部", 2), ("甲公司", "甲公司", 3), ("甲公司", None, 4)
    }  # fmt: skip
    async with work.read_session(customer.engine) as session:  # an imported account has the apps of its file alone
        for name in ("甲公司", "甲公司分部"):
            account = await repository.account_named(session, name)
            assert account is not None and await repository.count_apps(session, [account.id]) == 1


async def test_the_app_of_the_file_is_meant_before_those_of_other_customers(
    customer: CustomerData, known: dict[str, str]
) -> None:
    records = [{"record": "account", "account": "甲公司"}, app("甲公司"), capability(DEFAULT), pack(5, app=DEFAULT)]
    assert (await run(customer, records)).problems == ()
    assert await opened(customer) == {("甲公司", DEFAULT, "plate")}
    assert await packs(customer) == {("甲公司", "甲公司", 5)}


async def test_a_name_that_fits_several_apps_is_refused_with_their_accounts(
    customer: CustomerData, known: dict[str, str]
) -> None:
    before = await contents(customer.engine)
    report = await run(customer, [capability(DEFAULT), pack(5, app=DEFAULT)], kinds=APP_RECORDS)
    assert codes(report) == [(2, "app", "import.app_ambiguous"), (3, "app", "import.app_ambiguous")]
    listed = report.problems[0].text()
    assert all(account in listed for account in known) and "\n" not in listed
    assert await contents(customer.engine) == before
    filed = [app("青禾", "第二应用"), app("城东", "第二应用"), capability("第二应用")]
    assert codes(await run(customer, filed, kinds=APP_RECORDS)) == [(4, "app", "import.app_ambiguous")]


async def test_account_or_appkey_say_which_app_is_meant(customer: CustomerData, known: dict[str, str]) -> None:
    records = [
        capability(DEFAULT, account="城东"),
        capability(known["河西"], "idcard"),
        pack(6, account="城东", app=DEFAULT),
        pack(7, app=known["河西"]),
    ]
    assert (await run(customer, records, kinds=APP_RECORDS)).problems == ()
    assert await opened(customer) == {("城东", DEFAULT, "plate"), ("河西", DEFAULT, "idcard")}
    assert await packs(customer) == {("城东", "城东", 6), ("河西", "河西", 7)}
    wrong = [capability(known["河西"], "idcard", account="城东"), capability(DEFAULT, account="无此公司")]
    assert codes(await run(customer, wrong)) == [(2, "app", "import.app_missing"), (3, "app", "import.app_missing")]


async def test_one_app_named_in_two_ways_is_still_one(customer: CustomerData, known: dict[str, str]) -> None:
    """A pack that stands twice in the file would give its units twice."""
    records = [
        capability(DEFAULT, account="城东"),
        capability(known["城东"]),
        pack(6, account="城东", app=DEFAULT),
        pack(6, app=known["城东"]),
    ]
    assert codes(await run(customer, records)) == [
        (3, "capability", "import.repeated"),
        (5, "", "import.pack_repeated"),
    ]
    assert await packs(customer) == set()


async def test_the_name_of_an_app_is_free_in_another_account(customer: CustomerData, known: dict[str, str]) -> None:
    assert codes(await run(customer, [app("青禾")])) == [(2, "app", "import.app_exists")]
    sealing = app(customer.name) | {"seals": "yes"}
    report = await run(customer, [sealing])
    assert report.applied and [(each.name, each.account) for each in report.sealing] == [(DEFAULT, customer.name)]
