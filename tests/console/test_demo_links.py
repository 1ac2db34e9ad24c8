"""The links of `inkgate demo`: once, for a short time, from this machine, and nowhere but in a demo."""

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.audit import repository as audit
from inkgate.service.console import DemoLinks, create_console
from inkgate.service.console.demo_links import VALID_SECONDS
from inkgate.service.db import work
from tests.console.console_fixture import BrowserClient, ConsoleFixture


@pytest.fixture
async def demo(console: ConsoleFixture) -> AsyncIterator[tuple[ConsoleFixture, DemoLinks, FastAPI]]:
    links, app = DemoLinks(), FastAPI()
    app.mount("/console", create_console(console.parts, links))
    yield console, links, app


async def test_a_link_signs_in_once(demo: tuple[ConsoleFixture, DemoLinks, FastAPI], engine: AsyncEngine) -> None:
    _, links, app = demo
    path = links.issue("lin")
    visitor = BrowserClient(app, "127.0.0.1")
    answer = await visitor.get(path)
    assert answer.status_code == 303 and answer.headers["location"] == "/console/"
    assert "青禾" in await visitor.see("/")
    assert (await visitor.get("/operator/accounts")).status_code == 403
    second = BrowserClient(app, "127.0.0.1")
    assert (await second.get(path)).status_code == 404
    assert (await second.get("/")).headers["location"].startswith("/console/login")
    async with work.read_session(engine) as session:
        assert [each.subject for each in await audit.events(session, action="user.login")] == ["user lin"]


@pytest.mark.parametrize(("peer", "headers"), [("192.0.2.1", {}), ("127.0.0.1", {"x-forwarded-for": "127.0.0.1"})])
async def test_a_link_is_for_this_machine(
    demo: tuple[ConsoleFixture, DemoLinks, FastAPI], peer: str, headers: dict[str, str]
) -> None:
    _, links, app = demo
    path = links.issue("lin")
    assert (await BrowserClient(app, peer).get(path, headers=headers)).status_code == 404
    assert (await BrowserClient(app, "127.0.0.1").get(path)).status_code == 303, "the refused visit has not used it"


async def test_unknown_links_and_users_are_not_found(demo: tuple[ConsoleFixture, DemoLinks, FastAPI]) -> None:
    _, links, app = demo
    for path in ("/demo/", "/demo/guessed", links.issue("unknown-user")):
        assert (await BrowserClient(app, "127.0.0.1").get(path)).status_code == 404


async def test_without_links_there_is_no_route(console: ConsoleFixture) -> None:
    links = DemoLinks()
    assert (await console.visitor().get(links.issue("lin"))).status_code == 404
    served = create_console(console.parts)
    assert not [route for route in served.routes if "demo" in getattr(route, "path", "")]


def test_a_link_lasts_ten_minutes() -> None:
    now = 0.0
    links = DemoLinks(lambda: now)
    early, late = (links.issue("lin").removeprefix("/demo/") for _ in range(2))
    now = VALID_SECONDS - 1.0
    assert links.take(early) == "lin"
    now = VALID_SECONDS + 1.0
    assert links.take(late) is None
