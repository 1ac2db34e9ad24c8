"""The takeover pages in a browser: figures, marked differences, routes, in both languages and on a phone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from inkgate.service.accounts import service as accounts
from inkgate.service.accounts.vault import Vault, new_key
from inkgate.service.db import engine as engines
from inkgate.service.db import work
from inkgate.service.settings import Database
from inkgate.service.takeover import routes
from inkgate.service.takeover.routes import Mode
from tests import takeover_data
from tests.console.walkthrough import OPERATOR, Walkthrough, keep

pytestmark = pytest.mark.browser


async def write_customer(database: Path) -> str:
    """A customer whose app is mirrored, with three days of figures; returns the id of the app."""
    engine = engines.create(Database(url=f"sqlite+aiosqlite:///{database}"))
    async with work.unit_of_work(engine, "test") as unit:
        account = await accounts.create_account(unit, "青禾社区银行")
        app = await accounts.create_app(unit, Vault([new_key()]), account.id, "柜面扫描")
        for capability in ("general", "idcard", "plate"):
            await accounts.open_capability(unit, app.app_id, capability)
            await routes.set_route(unit, app.app_id, capability, Mode.MIRROR, enabled=True)
    await takeover_data.write_figures(engine, account.id, app.app_id, datetime.now(UTC), personal=True)
    await engine.dispose()
    return app.app_id


@pytest.fixture
def takeover(walk: Walkthrough, tmp_path: Path) -> Iterator[tuple[Walkthrough, str]]:
    """A service that may send calls on (none is made here), seen by the session's browser; and the app with figures."""
    from tests.console.browser import service

    with service(tmp_path, TAKEOVER__URL="https://cloud.test", TAKEOVER__REPORT_PERSONAL="true") as base:
        with ThreadPoolExecutor(1) as thread:  # Playwright keeps an event loop running in this one
            app_id = thread.submit(asyncio.run, write_customer(tmp_path / "inkgate.db")).result()
        yield Walkthrough(base, walk.browser), app_id


def test_figures_are_compared_and_an_app_is_switched(takeover: tuple[Walkthrough, str]) -> None:
    from tests.console.page_checks import axe, page_problems

    walk, app_id = takeover
    chief = walk.person()
    page = chief.go("/setup")
    page.fill("#login", OPERATOR[0])
    page.fill("#password", OPERATOR[1])
    page.click("form.form button")
    page.wait_for_selector("main h1")
    page.set_viewport_size({"width": 1440, "height": 900})
    page = chief.go("/operator/takeover")
    assert "柜面扫描" in page.inner_text("main")
    keep(page, "takeover")
    assert list(axe(page)) == []
    page = chief.go(f"/operator/takeover/{app_id}/idcard")
    assert "97.0" in page.inner_text("main"), "15 of 500 names differ"
    assert page.locator("main mark").count() > 0
    keep(page, "takeover-idcard")
    assert list(axe(page)) == []
    for path in ("/operator/takeover", f"/operator/takeover/{app_id}/idcard", f"/operator/takeover/{app_id}/general"):
        assert list(page_problems(chief, path)) == []
    chief.leave()
