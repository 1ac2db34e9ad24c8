"""The import in a browser: the chosen file stays chosen between check and import; looks in both languages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.console.walkthrough import OPERATOR, Walkthrough, keep
from tests.unit.importing.files import as_csv, company

pytestmark = pytest.mark.browser


def operator(walk: Walkthrough):  # type: ignore[no-untyped-def]
    """The operator of the walkthrough, made on the first run when this module runs alone."""
    chief = walk.person()
    page = chief.go("/")
    if page.url.endswith("/setup"):
        page.fill("#login", OPERATOR[0])
        page.fill("#password", OPERATOR[1])
        page.click("form.form button")
    else:
        chief.sign_in(*OPERATOR)
    page.wait_for_selector("main h1")
    return chief


def test_a_file_is_chosen_once_checked_and_imported(walk: Walkthrough, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    from tests.console.page_checks import axe, page_problems

    chief, records = operator(walk), company("云上公司", "扫描前台")
    assert list(page_problems(chief, "/operator/import")) == []
    records[4]["seals"] = "yes"
    good, bad = tmp_path / "keys.csv", tmp_path / "bad.csv"
    good.write_bytes(as_csv(records))
    bad.write_bytes(as_csv([*records[:2], records[2] | {"secret": "x" * 32}, *records[3:], records[4]]))
    chief.page.set_viewport_size({"width": 1440, "height": 900})
    page = chief.go("/operator/import")
    page.set_input_files("#file", str(bad))
    page.click("#import-form button >> nth=0")
    page.wait_for_selector("#import-result .alert.bad")
    assert "容易猜中" in page.inner_text("#import-result")
    keep(page, "import-refused")
    assert list(axe(page)) == []
    page.set_input_files("#file", str(good))
    page.click("#import-form button >> nth=0")
    page.wait_for_selector("#import-result .alert.good")
    keep(page, "import")
    page.click("#import-form button >> nth=1")  # the file is still chosen
    expect(page.locator("#import-result .alert.good")).to_contain_text("已导入")
    assert page.locator("#import-result [data-copy]").get_attribute("data-copy", timeout=1000)
    assert list(axe(page)) == []
    chief.speak("en")
    page = chief.go("/operator/import")
    page.set_input_files("#file", str(good))
    page.click("#import-form button >> nth=1")
    page.wait_for_selector("#import-result .alert.bad")
    assert "Is an account here already" in page.inner_text("#import-result")
    page.screenshot(path=str(tmp_path / "english.png"))
    page.set_viewport_size({"width": 375, "height": 812})
    page.screenshot(path=str(tmp_path / "phone.png"))
    chief.leave()
