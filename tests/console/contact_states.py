"""What pages look like after something was done or refused, for contact_sheets.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page

from inkgate.service.demo import customers
from tests.console.walkthrough import CUSTOMER, OPERATOR, User


@dataclass(frozen=True)
class State:
    """A page as `who` sees it after `act`; `whole` with what is below the window."""

    name: str
    who: User | None
    path: str
    act: Callable[[Page], None] = lambda _: None
    whole: bool = True


def _palette(page: Page) -> None:
    page.keyboard.press("Control+k")
    page.keyboard.type("a")
    page.wait_for_timeout(600)


def _refused_app(page: Page) -> None:
    page.click("[data-opens=new-app]")
    page.fill("#new-app #name", "1")
    page.click("#new-app .main-action")
    page.wait_for_load_state()


def _refused_login(page: Page) -> None:
    page.fill("#login", "unknown")
    page.fill("#password", "nothing of this kind")
    page.click("form.form button")
    page.wait_for_load_state()


def _refused_code(page: Page) -> None:
    page.locator("input[name=code]").first.fill("NOSUCHCODE")
    page.locator("form:has(input[name=code]) button").first.click()
    page.wait_for_load_state()


def _sample(page: Page) -> None:
    page.locator("[data-sample]").first.click()
    page.wait_for_selector("#answer-json", timeout=90_000)


def _table(page: Page) -> None:
    page.locator("[role=tab]").nth(1).click()


def _another_account(page: Page) -> None:
    page.select_option("#account", index=1)
    page.wait_for_url("**account=*")
    page.select_option("#capability", "general")
    page.wait_for_url("**capability=general*")
    page.wait_for_load_state("networkidle")


def _verified(page: Page) -> None:
    page.click(".head form button")
    page.wait_for_selector("main > .alert")


def _new_key(page: Page) -> None:
    page.click("form[action$='/keys'] button")
    page.wait_for_selector(".secret")


def _first_row(page: Page) -> None:
    page.click("tbody a")
    page.wait_for_load_state("networkidle")


def _voucher(page: Page) -> None:
    page.select_option("#kind", "credit")
    page.fill("#value", "50")
    page.fill("#name", "开学季")
    page.fill("#account", customers.MAIN)
    page.click("form[action$='/operator/vouchers'] .main-action")
    page.wait_for_selector(".secret")


def _top_up(page: Page) -> None:
    page.fill("form[action$='/balances'] #account >> nth=0", customers.MAIN)
    page.fill("#amount", "2000")
    page.click("form[action$='/operator/balances'] .main-action")
    page.click("#confirm [data-sure]")
    page.wait_for_selector(".toast")
    page.click(f"tbody a:text-is('{customers.MAIN}')")
    page.wait_for_load_state("networkidle")


def _channel(page: Page) -> None:
    page.fill("#name", "值班群")
    page.select_option("#kind", "wecom")
    page.fill("#url", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=00000000")
    page.click("form[action$='/channels'] .main-action")
    page.wait_for_load_state("networkidle")


def _import(page: Page) -> None:
    template = page.request.get(page.url + "/template.csv").body()
    page.set_input_files("#file", files=[{"name": "keys.csv", "mimeType": "text/csv", "buffer": template}])
    page.click("#import-form button >> nth=0")
    page.wait_for_selector("#import-result .alert")


STATES = (
    State("palette", CUSTOMER, "/", _palette, False),
    State("palette-operator", OPERATOR, "/operator/accounts", _palette, False),
    State("toast", CUSTOMER, "/?done=password", whole=False),
    State("missing", CUSTOMER, "/nowhere"),
    State("forbidden", CUSTOMER, "/operator/accounts"),
    State("app", CUSTOMER, "/apps", _first_row),
    State("app-refused", CUSTOMER, "/apps", _refused_app, False),
    State("key-shown", CUSTOMER, "/keys", _new_key),
    State("voucher-refused", CUSTOMER, "/vouchers", _refused_code),
    State("voucher-issued", OPERATOR, "/operator/vouchers", _voucher),
    State("vouchers", CUSTOMER, "/vouchers"),
    State("balance-entries", OPERATOR, "/operator/balances", _top_up),
    State("channel", CUSTOMER, "/notices", _channel),
    State("import-checked", OPERATOR, "/operator/import", _import),
    State("numbers", CUSTOMER, "/", _table),
    State("login-refused", None, "/login", _refused_login),
    State("monitor-90", CUSTOMER, "/monitor?days=90"),
    State("ledger-account", OPERATOR, "/operator/ledger", _another_account),
    State("ledger-verified", OPERATOR, "/operator/ledger", _verified),
    *(
        State(f"try-{each}", CUSTOMER, f"/try?capability={each}", _sample)
        for each in ("general", "idcard", "plate", "licence")
    ),
)
