"""Walkthrough of a new installation in a browser: from the first run to a refund, with the numbers checked."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.console.walkthrough import CUSTOMER, OPERATOR, OTHER, Walkthrough, keep

pytestmark = pytest.mark.browser
OPERATOR_LISTS = ("/operator/accounts", "/operator/orders", "/operator/refunds", "/operator/audit")


def new_customer(chief, account: str, who: tuple[str, str]) -> str:  # type: ignore[no-untyped-def]
    """The operator creates an account and a user; returns the initial password."""
    page = chief.go("/operator/accounts")
    page.click("[data-opens=new-account]")
    page.fill("#name", account)
    page.click("#new-account .main-action")
    page.click("[data-opens=new-user]")
    page.fill("#user-login", who[0])
    page.click("#new-user .main-action")
    return page.locator(".secret code").nth(1).inner_text()


def choose_own_password(person, initial: str, who: tuple[str, str]) -> None:  # type: ignore[no-untyped-def]
    person.sign_in(who[0], initial)
    page = person.page
    page.fill("#password", initial)
    page.fill("#new", who[1])
    page.fill("#again", who[1])
    page.click("main form .main-action")
    page.wait_for_url("**/console/?done=password")


def test_first_run_account_and_purchase(walk: Walkthrough) -> None:
    from playwright.sync_api import expect

    from tests.console.page_checks import page_problems

    chief = walk.person()
    assert list(page_problems(chief, "/setup")) == []
    page = chief.go("/")
    page.wait_for_url("**/console/setup")
    page.fill("#login", OPERATOR[0])
    page.fill("#password", OPERATOR[1])
    page.click("form.form button")
    page.wait_for_url("**/operator/accounts**")
    assert [each for path in OPERATOR_LISTS for each in page_problems(chief, path, thorough=False)] == []  # all empty
    lin, east = walk.person(), walk.person()
    choose_own_password(lin, new_customer(chief, "青禾软件", CUSTOMER), CUSTOMER)
    choose_own_password(east, new_customer(chief, "城东图书馆", OTHER), OTHER)
    for capability in ("general", "idcard", "plate"):
        page = lin.go(f"/buy/{capability}")
        page.fill(f"[name={capability}-100k]", "2" if capability == "general" else "1")
        page.click("main .main-action")
        page.check("[name=agreed]")
        page.click("main .main-action")
        page.wait_for_url("**/pay")
        page.click("main .main-action")
        assert "运营人员确认收款后" in page.inner_text("main [role=status]")
    page = chief.go("/operator/orders")
    # Not wait_for_function: it evaluates a string, which the console's own policy forbids.
    for left in (2, 1, 0):
        page.click("form[action$=approve] button >> nth=0")
        chief.sure()
        expect(page.locator("form[action$=approve]")).to_have_count(left)
    for person in (chief, lin, east):
        person.leave()


def test_app_keys_and_opening(walk: Walkthrough) -> None:
    from playwright.sync_api import expect

    lin = walk.person(CUSTOMER)
    page = lin.go("/apps")
    page.click(".head [data-opens=new-app]")
    page.type("#name", "1ab")
    page.wait_for_selector("#name-check .bad")
    page.fill("#name", "")
    page.type("#name", "门户网站")
    page.wait_for_selector("#name-check .good")
    page.click("#new-app .main-action")
    page.wait_for_selector("#created[open]")
    secret = page.locator(".secret code").inner_text()
    assert re.fullmatch("[0-9a-f]{32}", secret)
    page.click("#created .main-action")
    expect(page.locator("#created")).to_have_count(0)
    page.click("header [data-opens=open-more]")
    for name in ("general", "idcard", "plate", "licence"):
        page.check(f"[value={name}]")
    page.click("#open-more .main-action")
    page.wait_for_selector("#open tbody tr >> nth=3")
    assert page.locator(".secret").count() == 0
    page.click("[data-opens=reveal]")
    page.fill("#reveal-password", CUSTOMER[1])
    page.click("#reveal .main-action")
    assert page.locator(".secret code").inner_text() == secret
    page = lin.go("/keys")
    page.click(".head .main-action")
    page.wait_for_selector(".secret code >> nth=1")
    assert page.locator(".secret code").count() == 2
    page.click("[data-copy] >> nth=0")
    assert re.fullmatch("[0-9a-f]{32}", page.evaluate("navigator.clipboard.readText()"))
    lin.leave()


@pytest.mark.parametrize(
    ("name", "seen"),
    [("general", "图书馆开放通知"), ("idcard", "林知远"), ("plate", "浙A8K26P"), ("licence", "杭州青禾软件有限公司")],
)
def test_each_capability_is_tried_with_a_real_call(walk: Walkthrough, name: str, seen: str) -> None:
    lin = walk.person(CUSTOMER)
    page = lin.go(f"/try?capability={name}")
    page.click("[data-sample]")
    page.wait_for_selector("#answer-json", timeout=90_000)
    assert seen in page.inner_text("#try-result .grid")
    assert '"statusCode": 0' in page.inner_text("#answer-json")
    if name in ("general", "plate"):
        assert page.locator(".stage polygon").count() >= 1
    if name == "general":
        keep(page, "try-general")
    lin.leave()


def test_the_request_shown_is_the_request_sent(walk: Walkthrough, tmp_path: Path) -> None:
    from inkgate.service.samples import sample

    lin = walk.person(CUSTOMER)
    page = lin.go("/try?capability=general")
    page.set_input_files("#image", files=[{"name": "a.jpg", "mimeType": "image/jpeg", "buffer": sample("general")}])
    page.wait_for_selector("#answer-json", timeout=90_000)
    (tmp_path / "image.jpg").write_bytes(sample("general"))
    ran = subprocess.run(["bash", "-c", page.inner_text("#text-curl")], cwd=tmp_path, capture_output=True, text=True)
    assert '"statusCode":0' in ran.stdout and "图书馆" in ran.stdout, ran.stderr
    lin.leave()


def test_the_numbers_are_true(walk: Walkthrough) -> None:
    """Three general calls were made (one by curl), and one of each other; the licence is free."""
    lin = walk.person(CUSTOMER)
    for capability, used in (("general", 3), ("idcard", 1), ("plate", 1)):
        page = lin.go(f"/capabilities/{capability}")
        assert f"{used} / 100,000" in page.inner_text("tbody >> nth=0")
    page = lin.go("/monitor?days=1")
    assert "共 6 次" in page.inner_text("main")
    page = lin.go("/?days=1")
    assert page.inner_text(".figure dd >> nth=0").startswith("6")
    lin.leave()


def test_a_used_pack_stays_and_an_unused_one_goes_back(walk: Walkthrough) -> None:
    lin, chief = walk.person(CUSTOMER), walk.person(OPERATOR)
    page = lin.go("/refunds")
    assert page.inner_text("tbody >> nth=0").count("已使用，不可退订") == 3
    page.click("tbody button[name=only]")
    lin.sure()
    page.wait_for_selector("text=退订审批中")
    operator = chief.go("/operator/refunds")
    operator.click("form[action$=approve] button")
    chief.sure()
    operator.wait_for_selector("text=没有退订")
    assert "已退订" in lin.go("/refunds").inner_text("main")
    assert "已退订" in lin.go("/capabilities/general").inner_text("main")
    lin.leave()
    chief.leave()


def test_another_account_sees_none_of_it(walk: Walkthrough) -> None:
    lin, east = walk.person(CUSTOMER), walk.person(OTHER)
    app = lin.go("/apps").get_attribute("tbody a", "href") or ""
    order = lin.go("/orders").get_attribute("tbody a", "href") or ""
    for path in (app, order):
        answer = east.page.goto(walk.base + path)
        assert answer is not None and answer.status == 404
    for path in ("/apps", "/orders", "/refunds", "/monitor", "/keys"):
        text = east.go(path).inner_text("main")
        assert "门户网站" not in text and "100,000" not in text
    answer = east.page.goto(walk.base + "/console/operator/accounts")
    assert answer is not None and answer.status == 403
    lin.leave()
    east.leave()
