"""Forms in a browser: sent twice, reloaded, over a sign-in, refused in a dialog, pasted too long, in two languages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.console.walkthrough import CUSTOMER, OPERATOR, OTHER, Walkthrough

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.console.browser import BrowserUser

pytestmark = pytest.mark.browser
ACCOUNT = "青禾软件"


@pytest.fixture(scope="module")
def stub(walk: Walkthrough, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walkthrough]:
    """A new service without a reader, with an operator and two customers."""
    from tests.console.browser import service
    from tests.console.test_walk import choose_own_password, new_customer

    with service(tmp_path_factory.mktemp("forms"), ENGINE__RUNTIME="stub") as base:
        stub = Walkthrough(base, walk.browser)
        chief = stub.person()
        page = chief.go("/setup")
        page.fill("#login", OPERATOR[0])
        page.fill("#password", OPERATOR[1])
        page.click("form.form button")
        page.wait_for_selector("main h1")
        for account, who in ((ACCOUNT, CUSTOMER), ("城东图书馆", OTHER)):
            initial = new_customer(chief, account, who)
            person = stub.person()
            choose_own_password(person, initial, who)
            person.leave()
        chief.leave()
        yield stub


@pytest.fixture
def lin(stub: Walkthrough) -> Iterator[BrowserUser]:
    person = stub.person(CUSTOMER)
    yield person
    person.leave()


def new_app(person: BrowserUser, name: str, description: str) -> Page:
    """The dialog of a new app, filled in."""
    page = person.go("/apps")
    page.click(".head [data-opens=new-app]")
    page.fill("#name", name)
    page.fill("#description", description)
    return page


def enter(page: Page, who: tuple[str, str]) -> None:
    """Sign in on the page that asks for it."""
    page.wait_for_selector("#password")
    page.fill("#login", who[0])
    page.fill("#password", who[1])
    page.click("form.form button")
    page.wait_for_selector("main h1")


def stored(page: Page) -> str:
    return str(page.evaluate("sessionStorage.getItem('inkgate.form') || ''"))


def expect_app_form(page: Page, name: str, description: str) -> None:
    from playwright.sync_api import expect

    expect(page.locator("#new-app")).to_have_attribute("open", "")
    expect(page.locator("#name")).to_have_value(name)
    expect(page.locator("#description")).to_have_value(description)


def test_a_form_sent_twice_makes_one_key(lin: BrowserUser) -> None:
    page = lin.go("/keys")
    rows = page.locator("tbody tr")
    before = rows.count()
    with page.expect_navigation(url="**done=key-created"):
        page.evaluate("() => { const form = document.querySelector('.head form'); form.submit(); form.submit(); }")
    lin.go("/keys")
    assert rows.count() == before + 1


def test_a_new_key_is_there_after_a_reload_until_it_is_saved(lin: BrowserUser) -> None:
    from tests.console.page_checks import shown_problems

    page = lin.go("/keys")
    page.click(".head .main-action")
    page.wait_for_url("**done=key-created")
    sk = page.locator(".secret code").nth(1).inner_text()
    page.reload()
    assert page.locator(".secret code").nth(1).inner_text() == sk
    assert list(shown_problems(page)) == []
    while page.locator("form[action*='/forget'] button").count():
        page.locator("form[action*='/forget'] button").first.click()
        page.wait_for_load_state()
    assert sk not in page.content()
    page.go_back()
    assert sk not in page.content()


def test_a_security_key_is_shown_again_and_hidden_after_a_minute(lin: BrowserUser) -> None:
    from playwright.sync_api import expect

    from tests.console.page_checks import axe

    lin.page.clock.install()
    page = lin.go("/keys")
    page.locator("[data-opens^=reveal-]").first.click()
    assert list(axe(page)) == []
    page.locator("dialog[open] [name=password]").fill(CUSTOMER[1])
    page.locator("dialog[open] .main-action").click()
    expect(page.locator(".secret code")).to_have_count(2)
    assert "查看已记入操作审计" in page.inner_text(".secret")
    page.clock.fast_forward(61_000)
    expect(page.locator(".secret code")).to_have_count(0)
    assert CUSTOMER[1] not in stored(page)


def test_what_was_typed_survives_the_end_of_the_session(lin: BrowserUser) -> None:
    from tests.console.page_checks import axe

    page = new_app(lin, "过期应用", "两行\n概述")
    lin.context.clear_cookies(name="inkgate_session")
    page.click("#new-app .main-action")
    page.wait_for_url("**/login?next=**")
    enter(page, CUSTOMER)
    expect_app_form(page, "过期应用", "两行\n概述")
    assert "请检查后重新提交" in page.inner_text("#new-app .alert")
    assert list(axe(page)) == []
    assert stored(page) == ""
    page.click("#new-app .main-action")
    page.wait_for_selector("#created[open]")


def test_what_was_typed_survives_a_sign_in_in_another_tab(lin: BrowserUser) -> None:
    page = new_app(lin, "另一标签", "说明")
    other = lin.context.new_page()
    other.goto(f"{lin.base}/console/apps")
    other.click("form[action$='/logout'] button")
    enter(other, CUSTOMER)
    other.close()
    page.click("#new-app .main-action")
    page.wait_for_url("**done=kept")
    expect_app_form(page, "另一标签", "说明")
    page.reload()
    assert page.input_value("#name") == ""  # once


def test_another_user_does_not_see_what_was_typed(stub: Walkthrough) -> None:
    person = stub.person(CUSTOMER)
    page = new_app(person, "别人的应用", "秘密的概述")
    person.context.clear_cookies(name="inkgate_session")
    page.click("#new-app .main-action")
    enter(page, OTHER)
    assert page.input_value("#name") == "" and page.locator("#new-app[open]").count() == 0
    assert stored(page) == ""
    person.leave()


def test_a_refused_dialog_opens_again_with_its_input_and_the_reason(lin: BrowserUser) -> None:
    from playwright.sync_api import expect

    from tests.console.page_checks import axe

    page = lin.go("/members")
    page.click("[data-opens=new-user]")
    page.fill("#user-login", CUSTOMER[0])
    page.select_option("#user-role", "finance")
    page.click("#new-user .main-action")
    expect(page.locator("#new-user")).to_have_attribute("open", "")
    assert page.input_value("#user-login") == CUSTOMER[0] and page.input_value("#user-role") == "finance"
    assert "已存在" in page.inner_text("#new-user .alert")
    assert list(axe(page)) == []


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(
    ("path", "dialog", "field", "typed"),
    [("/members", "new-user", "#user-login", CUSTOMER[0]), ("/apps", "new-app", "#name", "1234 5678")],
)
def test_the_reason_of_a_refusal_is_said_once(
    lin: BrowserUser, path: str, dialog: str, field: str, typed: str, language: str
) -> None:
    from playwright.sync_api import expect

    from tests.console.page_checks import LOOKS

    lin.speak(language)
    page = lin.go(path)
    page.click(f"[data-opens={dialog}] >> nth=0")
    page.fill(field, typed)
    page.evaluate("document.querySelectorAll('form').forEach(form => form.noValidate = true)")
    page.click(f"#{dialog} .main-action")
    expect(page.locator(f"#{dialog}")).to_have_attribute("open", "")
    expect(page.locator(".alert.bad:visible")).to_have_count(1)
    assert [each for each in page.evaluate(LOOKS) if "twice" in each] == []


def test_only_what_destroys_is_asked_in_red(lin: BrowserUser) -> None:
    page = lin.go("/keys")
    page.click(".head .main-action")
    page.wait_for_selector(".secret")
    for action, colour in (("rotate", "main-action"), ("disable", "danger")):
        page.click(f"form[action$={action}] button >> nth=0")
        assert colour in (page.get_attribute("#confirm [data-sure]", "class") or "")
        page.click("#confirm [data-closes]")


def test_a_bill_is_printed_without_what_is_clicked(lin: BrowserUser) -> None:
    page = lin.go("/bills")
    page.emulate_media(media="print", color_scheme="dark")
    shown = {
        each: page.locator(each).first.is_visible()
        for each in ("h1", ".card", "#nav", ".top", ".foot", ".head .button")
    }
    assert shown == {"h1": True, ".card": True, "#nav": False, ".top": False, ".foot": False, ".head .button": False}
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(22, 29, 40)", "dark ink on white paper"


def test_an_allow_list_with_a_bad_line_is_not_lost(lin: BrowserUser) -> None:
    from playwright.sync_api import expect

    page = new_app(lin, "白名单应用", "")
    page.click("#new-app .main-action")
    page.click("#created .main-action")
    page.fill("#networks", "192.0.2.0/24\nnonsense")
    page.click("form:has(#networks) .button")
    assert "nonsense" in page.inner_text("main > .alert.bad")
    expect(page.locator("#networks")).to_have_value("192.0.2.0/24\nnonsense")
    page.fill("#networks", "192.0.2.0/24")
    page.click("form:has(#networks) .button")
    page.wait_for_url("**done=allowed")
    expect(page.locator("#networks")).to_have_value("192.0.2.0/24")


def test_a_name_that_is_pasted_too_long_is_said(lin: BrowserUser) -> None:
    page = lin.go("/apps")
    page.click(".head [data-opens=new-app]")
    page.evaluate("navigator.clipboard.writeText('a234567890123456')")
    page.focus("#name")
    page.keyboard.press("Control+V")
    assert page.input_value("#name") == "a234567890123456"
    assert "最多 15 个字符，现在有 16 个" in page.evaluate("document.getElementById('name').validationMessage")
    page.click("#new-app .main-action")
    assert page.locator("#new-app[open]").count() == 1, "the browser sends nothing"
    page.keyboard.press("End")
    page.press("#name", "Backspace")
    assert page.evaluate("document.getElementById('name').validationMessage") == ""


def test_a_change_of_language_keeps_the_cart_and_the_dialog(lin: BrowserUser) -> None:
    from playwright.sync_api import expect

    language = "form[action$='/preferences'] [name=language]"
    page = lin.go("/buy/general")
    page.fill("[name=general-100k]", "3")
    page.click(language)
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("[name=general-100k]")).to_have_value("3")
    page.click("main .main-action")
    page.wait_for_url("**/buy/general/confirm?general-100k=3")
    page.check("[name=agreed]")
    page.click(language)
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    page.wait_for_url("**/buy/general/confirm?general-100k=3")
    expect(page.locator("[name=agreed]")).to_be_checked()


def test_a_suspended_customer_sees_why(stub: Walkthrough) -> None:
    from playwright.sync_api import expect

    from tests.console.page_checks import shown_problems

    chief, lin = stub.person(OPERATOR), stub.person(CUSTOMER)
    page = chief.go("/operator/accounts")
    page.click(f"a:has-text('{ACCOUNT}')")
    page.click("form[action$='/suspend'] button")
    chief.sure()
    page.wait_for_url("**done=account-suspended")
    banner = lin.go("/try").locator(".alert.bad")
    expect(banner).to_contain_text(f"账号“{ACCOUNT}”已停用")
    assert list(shown_problems(lin.page)) == []
    page.click("form[action$='/suspend'] button")
    page.wait_for_url("**done=account-resumed")
    chief.leave()
    lin.leave()
