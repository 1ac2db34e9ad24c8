"""The second factor in a browser: a QR code that a camera reads, recovery codes, the sign-in with a code."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import cv2
import numpy as np
import pytest

from inkgate.service.users import totp
from tests.console.walkthrough import CUSTOMER, OPERATOR, Walkthrough

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
PAGE = "/second-factor"
SCALES = (1.0, 1.5, 2.0, 3.0)
LONG_LOGIN = "a.very.long.name.of.an.operator@computing-centre.city.example.cn"


@pytest.fixture
def stub(walk: Walkthrough, tmp_path: Path) -> Iterator[Walkthrough]:
    """A new service without a reader, seen by the session's browser."""
    from tests.console.browser import service

    with service(tmp_path, ENGINE__RUNTIME="stub") as base:
        yield Walkthrough(base, walk.browser)


def scanned(page: Page) -> str:
    """What a camera reads from the page as it is shown, from one of several distances; "" if nothing."""
    page.locator(".qr-frame").scroll_into_view_if_needed()
    image = cv2.imdecode(np.frombuffer(page.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    closer = (cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC) for scale in SCALES)
    read = (str(cv2.QRCodeDetector().detectAndDecode(each)[0]) for each in closer)
    return next(filter(None, read), "")


def sign_up(walk: Walkthrough, login: str):  # type: ignore[no-untyped-def]
    """The first operator of the service, signed in."""
    chief = walk.person()
    page = chief.go("/setup")
    page.fill("#login", login)
    page.fill("#password", OPERATOR[1])
    page.click("form.form button")
    page.wait_for_selector("main h1")
    return chief


def code_of(address: str, *, drift: int = 0) -> str:
    key = base64.b32decode(parse_qs(urlsplit(address).query)["secret"][0])
    return totp.code_of(key, totp.step_of(datetime.now(UTC) + timedelta(seconds=drift * totp.STEP_SECONDS)))


def test_a_second_factor_is_scanned_set_up_and_asked_for(stub: Walkthrough) -> None:
    from tests.console.page_checks import NARROW, WIDE, page_problems, shown_problems

    chief = sign_up(stub, LONG_LOGIN)
    assert list(page_problems(chief, PAGE)) == []
    page = chief.page
    page.click("main form .main-action")
    page.wait_for_selector(".qr")
    read = set()
    for size in (WIDE, NARROW):
        for scheme in ("light", "dark"):
            page.set_viewport_size(size)
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            read.add(scanned(page))
    assert len(read) == 1, read
    address = read.pop()
    assert address.startswith(f"otpauth://totp/InkGate:{LONG_LOGIN.replace('@', '%40')}?")
    assert parse_qs(urlsplit(address).query)["secret"] == [page.inner_text(".copyable code")]
    assert list(shown_problems(page)) == []
    page.fill("#code", "000000")
    page.click("main form .main-action")
    page.wait_for_selector(".alert.bad")
    assert list(shown_problems(page)) == []
    page.fill("#code", code_of(address))
    page.click("main form .main-action")
    page.wait_for_selector(".codes")
    assert page.locator(".codes li").count() == 10
    assert list(shown_problems(page)) == []
    recovery = page.inner_text(".codes li >> nth=0")
    assert list(page_problems(chief, PAGE)) == []  # now with the second factor on
    chief.leave()
    again = stub.person()
    again.sign_in(LONG_LOGIN, OPERATOR[1])
    again.page.wait_for_selector("#code")
    assert list(shown_problems(again.page)) == []
    again.page.fill("#code", recovery)
    again.page.click("form.form button")
    again.page.wait_for_url("**/operator/accounts**")
    again.leave()


def test_users_roles_and_sessions_are_managed(stub: Walkthrough) -> None:
    """The table of users holds a select and four buttons, also at 375 px."""
    from tests.console.page_checks import axe, page_problems, shown_problems

    chief = sign_up(stub, OPERATOR[0])
    page = chief.go("/operator/accounts")
    page.click("[data-opens=new-operator]")
    assert list(axe(page)) == []
    page.fill("#operator-login", "inspector")
    page.select_option("#operator-role", "auditor")
    page.click("#new-operator .main-action")
    password = page.locator(".secret code").nth(1).inner_text()
    assert list(shown_problems(page)) == []
    inspector = stub.person()
    inspector.sign_in("inspector", password)
    inspector.page.fill("#password", password)
    inspector.page.fill("#new", CUSTOMER[1])
    inspector.page.fill("#again", CUSTOMER[1])
    inspector.page.click("main form .main-action")
    inspector.page.wait_for_url("**done=password")
    for path in ("/sessions", "/operator/audit", "/operator/ledger", "/password", PAGE):
        assert list(page_problems(inspector, path, thorough=False)) == []
    page = inspector.go("/operator/audit")
    page.click("form[action$='/operator/audit'][method=post] button")
    page.wait_for_selector(".alert.good")
    for path in ("/operator/accounts", "/operator/sessions"):
        assert list(page_problems(chief, path)) == []
    page = chief.go("/operator/sessions")
    page.set_viewport_size({"width": 1440, "height": 900})
    assert page.locator(".scroll").evaluate("each => each.scrollWidth <= each.clientWidth")
    page.click("tr:has-text('inspector') form[action$='/end'] button")
    page.wait_for_url("**done=session-ended")
    page = inspector.go("/operator/audit")
    page.wait_for_url("**/login**")
    page = chief.go("/operator/accounts")
    row = page.locator("tr:has-text('inspector')")
    row.locator("form[action$='/disable'] button").click()
    assert "停用用户 inspector？" in page.inner_text("#confirm")
    chief.sure()
    page.wait_for_url("**done=user-disabled")
    assert "已停用" in page.locator("tr:has-text('inspector')").inner_text()
    inspector.leave()
    chief.leave()
