"""The shop in a browser, from the price list to a refund: the amounts that the pages compute.

The looks of pages that follow a form are checked here, those of all others by test_walk_looks.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.console.test_walk import choose_own_password, new_customer
from tests.console.walkthrough import CUSTOMER, OPERATOR, Walkthrough

pytestmark = pytest.mark.browser


@pytest.fixture
def shop(walk: Walkthrough, tmp_path: Path) -> Iterator[Walkthrough]:
    """A new service without a reader, seen by the session's browser."""
    from tests.console.browser import service

    with service(tmp_path, ENGINE__RUNTIME="stub") as base:
        yield Walkthrough(base, walk.browser)


def test_a_customer_buys_pays_and_gives_back(shop: Walkthrough) -> None:
    from playwright.sync_api import expect

    from tests.console.page_checks import shown_problems

    problems: list[str] = []
    chief, lin = shop.person(), shop.person()
    page = chief.go("/setup")
    page.fill("#login", OPERATOR[0])
    page.fill("#password", OPERATOR[1])
    page.click("form.form button")
    page.wait_for_selector("main h1")
    choose_own_password(lin, new_customer(chief, "青禾软件", CUSTOMER), CUSTOMER)

    page = chief.go("/operator/balances")
    page.fill("#account", "青禾软件")
    page.fill("#amount", "1,000")
    page.click("main form .main-action")
    chief.sure()
    expect(page.locator("tbody >> nth=0")).to_contain_text("¥1,000.00")
    page = chief.go("/operator/vouchers")
    page.fill("#value", "100")
    page.fill("#name", "开业代金券")
    page.fill("#account", "青禾软件")
    page.click("main form .main-action")
    expect(page.locator("main .copyable code")).to_be_visible()

    page = lin.go("/buy/general")
    cost = page.locator("[data-cost]")
    expect(cost).to_have_text("¥450.00")
    page.fill("[name=general-100k]", "3")
    page.fill("[name=general-1m]", "1")
    expect(cost).to_have_text("¥4,550.00")
    page.fill("[name=general-1m]", "0")
    page.fill("[name=general-100k]", "2")
    page.click("main .main-action")
    assert page.locator("a[href$='/agreement']").count() == 1
    page.check("[name=agreed]")
    problems += shown_problems(page, thorough=False)
    page.click("main .main-action")
    page.wait_for_url("**/pay")
    expect(page.locator("[data-cost]")).to_have_text("¥900.00")
    assert page.locator("[value=balance]").is_checked()  # it covers the amount
    page.select_option("#own", index=1)
    expect(page.locator("[data-cost]")).to_have_text("¥800.00")
    problems += shown_problems(page, thorough=False)
    page.click("main .main-action")
    page.wait_for_url("**?paid=1")
    expect(page.locator("main [role=status]")).to_contain_text("支付成功")
    assert "¥800.00" in page.inner_text("main")
    problems += shown_problems(page, thorough=False)

    page = lin.go("/refunds")
    for box in page.locator("[name=pack]").all():
        box.check()
    page.click("#refund button")
    lin.sure()
    expect(page.locator("tbody >> nth=1 >> tr")).to_have_count(2)
    page.click("form[action$=withdraw] button >> nth=0")
    lin.sure()
    expect(page.get_by_text("已撤回", exact=True)).to_be_visible()
    page = chief.go("/operator/refunds")
    page.click("form[action$=approve] button")
    chief.sure()
    expect(page.get_by_text("没有退订", exact=True)).to_be_visible()
    assert "¥600.00" in lin.go("/expenses").inner_text("dl")  # 1,000 - 800 + 400

    assert problems == []
    lin.leave()
    chief.leave()


def test_a_price_of_zero_asks_in_the_browser(shop: Walkthrough) -> None:
    chief = shop.person()
    page = chief.go("/setup")
    page.fill("#login", OPERATOR[0])
    page.fill("#password", OPERATOR[1])
    page.click("form.form button")
    page.wait_for_selector("main h1")
    page = chief.go("/operator/products")
    row = page.locator("tr", has_text="general-10m")
    field = row.locator("[name=price]")
    assert field.input_value() == "22,000.00"
    assert field.evaluate("each => each.scrollWidth <= each.clientWidth")
    field.fill("0")
    row.locator("button").click()
    row.locator("[name=free]").check()
    row.locator("button").click()
    page.wait_for_url("**done=price-saved")
    assert page.locator("tr", has_text="general-10m").locator("[name=price]").input_value() == "0.00"
    chief.leave()
