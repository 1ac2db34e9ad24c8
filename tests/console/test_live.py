"""Pages of the running service: workers and the status screen."""

from __future__ import annotations

from dataclasses import replace

from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.broker.interface import QueueState
from inkgate.service.broker.worker_registry import READY, STARTING, WorkerRecord, WorkerRegistryState
from inkgate.service.db import work
from inkgate.service.errors import BrokerUnavailable
from inkgate.service.users.models import SessionRow
from tests.console.console_fixture import BrowserClient, ConsoleFixture
from tests.console.test_pages import call, traffic

KEY = "a screen on a wall"
CARD = WorkerRecord(
    "ocr-1",
    0,
    "ocr-1-7",
    "1.2.3",
    "balanced",
    READY,
    1_774_000_000.0,
    "onnx",
    "det rec",
    "cpu",
    1234,
    2.5,
    300 * 2**20,
    1,
    "memory",
)


class Watched:
    """A fleet in a given state."""

    def __init__(self, state: WorkerRegistryState | None) -> None:
        self.state = state

    async def snapshot(self) -> WorkerRegistryState:
        if self.state is None:
            raise BrokerUnavailable("gone")
        return self.state


async def console_with(engine: AsyncEngine, fleet: Watched | None) -> ConsoleFixture:
    console = await ConsoleFixture.build(engine, console={"wall_key": KEY})
    console.app.routes[-1].app.state.parts = console.parts = replace(console.parts, fleet=fleet)  # type: ignore[attr-defined]
    return console


async def at_the_wall(console: ConsoleFixture) -> BrowserClient:
    visitor = console.visitor()
    assert (await visitor.submit("/wall", page="/wall", key=KEY)).status_code == 303
    return visitor


BUSY = WorkerRegistryState(QueueState(3, 2, 1.5, 2), [CARD, replace(CARD, slot=1, state=STARTING, per_second=0.0)])


async def test_workers_and_queue_are_shown(engine: AsyncEngine) -> None:
    chief = await (await console_with(engine, Watched(BUSY))).signed_in("chief")
    page = await chief.see("/operator/workers")
    for text in ("ocr-1 #0", "1.2.3", "onnx", "det rec", "1,234", "300 MiB", "达到内存上限", "启动中"):
        assert text in page, text
    assert "<dd>1 <small>/ 2" in page and "<dd>3 <small>/ 2" in page and "<dd>2.5" in page and "<dd>1.5" in page


async def test_an_unreachable_queue_and_a_separate_console_are_reported(engine: AsyncEngine) -> None:
    console = await console_with(engine, Watched(None))
    assert "队列没有应答" in await (await console.signed_in("chief")).see("/operator/workers")
    assert "需要处理" in await (await at_the_wall(console)).see("/wall")


async def test_a_separate_console_without_redis_names_what_it_needs(console: ConsoleFixture) -> None:
    assert "INKGATE_REDIS__URL" in await (await console.signed_in("chief")).see("/operator/workers")


async def test_the_status_screen_shows_numbers_without_names_to_holders_of_the_key(engine: AsyncEngine) -> None:
    console = await console_with(engine, Watched(BUSY))
    await traffic(console, call(console, "licence", units=1, images=1), call(console, "licence", code=400018, images=0))
    page = await (await at_the_wall(console)).see("/wall")
    assert "运行正常" in page and "<dd>2</dd>" in page and "50.0%" in page
    assert "青禾" not in page and "portal_app" not in page


async def test_the_status_screen_requires_its_key_and_never_reveals_it(engine: AsyncEngine) -> None:
    console = await console_with(engine, Watched(BUSY))
    visitor = console.visitor()
    assert 'type="password"' in await visitor.see("/wall")
    wrong = await visitor.submit("/wall", page="/wall", key="another key of some length")
    assert wrong.status_code == 422 and "大屏密钥不正确" in wrong.text and "inkgate_wall" not in visitor.cookies
    assert (await console.visitor().post("/wall", data={"key": KEY})).status_code == 403, "a form of another site"
    opened = await visitor.submit("/wall", page="/wall", key=KEY)
    assert (opened.status_code, opened.headers["location"]) == (303, "/console/wall")
    cookie = opened.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and KEY not in cookie
    page = await visitor.see("/wall")
    assert "运行正常" in page and KEY not in page and 'hx-get="/console/wall"' in page


async def test_a_key_in_the_path_does_not_open_the_screen(engine: AsyncEngine) -> None:
    console = await console_with(engine, Watched(BUSY))
    for path in (f"/wall/{KEY}", "/wall/wrong"):
        answer = await console.visitor().get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/wall")
        assert "inkgate_wall" not in answer.headers.get("set-cookie", "") and KEY not in answer.text


async def test_the_link_for_operators_has_the_key_in_the_fragment(engine: AsyncEngine) -> None:
    page = await (await (await console_with(engine, Watched(BUSY))).signed_in("chief")).see("/operator/workers")
    assert 'href="/console/wall#a%20screen%20on%20a%20wall"' in page


async def test_a_changed_key_closes_the_screen(engine: AsyncEngine) -> None:
    console = await console_with(engine, Watched(BUSY))
    visitor = await at_the_wall(console)
    changed = console.parts.settings.console.model_copy(update={"wall_key": SecretStr("yet another key for it")})
    console.app.routes[-1].app.state.parts = replace(  # type: ignore[attr-defined]
        console.parts, settings=console.parts.settings.model_copy(update={"console": changed})
    )
    assert 'type="password"' in await visitor.see("/wall")
    fetched = await visitor.get("/wall", headers={"HX-Request": "true", "X-Poll": "1"})
    assert (fetched.status_code, fetched.headers["hx-redirect"]) == (204, "/console/wall"), "the screen asks again"


async def test_without_a_key_there_is_no_status_screen(console: ConsoleFixture) -> None:
    for path in ("/wall", "/wall/None"):
        assert (await console.visitor().get(path)).status_code == 404
    assert (await console.visitor().submit("/wall", key="None")).status_code == 404


async def test_automatic_refreshes_do_not_extend_the_session(console: ConsoleFixture) -> None:
    chief = await console.signed_in("chief")

    async def seen() -> object:
        async with work.read_session(console.engine) as session:
            return await session.scalar(select(SessionRow.seen_at))

    before = await seen()
    console.clock.advance(minutes=5)
    await chief.get("/operator/workers", headers={"X-Poll": "1"})
    assert await seen() == before
    await chief.see("/operator/workers")
    assert await seen() != before
