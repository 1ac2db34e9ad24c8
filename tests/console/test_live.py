"""Pages that look at the running service: workers, the screen on a wall."""

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
from tests.console.house import ConsoleHouse, Visitor
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
    """A fleet that stands as a test says."""

    def __init__(self, state: WorkerRegistryState | None) -> None:
        self.state = state

    async def snapshot(self) -> WorkerRegistryState:
        if self.state is None:
            raise BrokerUnavailable("gone")
        return self.state


async def house_with(engine: AsyncEngine, fleet: Watched | None) -> ConsoleHouse:
    house = await ConsoleHouse.build(engine, console={"wall_key": KEY})
    house.app.routes[-1].app.state.parts = house.parts = replace(house.parts, fleet=fleet)  # type: ignore[attr-defined]
    return house


async def at_the_wall(house: ConsoleHouse) -> Visitor:
    visitor = house.visitor()
    assert (await visitor.submit("/wall", page="/wall", key=KEY)).status_code == 303
    return visitor


BUSY = WorkerRegistryState(QueueState(3, 2, 1.5, 2), [CARD, replace(CARD, slot=1, state=STARTING, per_second=0.0)])


async def test_workers_and_queue_are_shown_as_they_stand(engine: AsyncEngine) -> None:
    chief = await (await house_with(engine, Watched(BUSY))).signed_in("chief")
    page = await chief.see("/operator/workers")
    for text in ("ocr-1 #0", "1.2.3", "onnx", "det rec", "1,234", "300.0 MiB", "达到内存上限", "启动中"):
        assert text in page, text
    assert "<dd>1 <small>/ 2" in page and "<dd>3 <small>/ 2" in page and "<dd>2.5" in page and "<dd>1.5" in page


async def test_a_queue_that_is_away_and_a_console_alone_say_so(engine: AsyncEngine) -> None:
    house = await house_with(engine, Watched(None))
    assert "队列没有应答" in await (await house.signed_in("chief")).see("/operator/workers")
    assert "需要处理" in await (await at_the_wall(house)).see("/wall")


async def test_without_redis_a_console_alone_says_what_it_needs(console: ConsoleHouse) -> None:
    assert "INKGATE_REDIS__URL" in await (await console.signed_in("chief")).see("/operator/workers")


async def test_the_wall_shows_true_numbers_to_whoever_has_the_key_and_no_name(engine: AsyncEngine) -> None:
    house = await house_with(engine, Watched(BUSY))
    await traffic(house, call(house, "licence", units=1, images=1), call(house, "licence", code=400018, images=0))
    page = await (await at_the_wall(house)).see("/wall")
    assert "运行正常" in page and "<dd>2</dd>" in page and "50.0%" in page
    assert "青禾" not in page and "portal_app" not in page


async def test_the_wall_asks_for_its_key_and_tells_it_to_nobody(engine: AsyncEngine) -> None:
    house = await house_with(engine, Watched(BUSY))
    visitor = house.visitor()
    assert 'type="password"' in await visitor.see("/wall")
    wrong = await visitor.submit("/wall", page="/wall", key="another key of some length")
    assert wrong.status_code == 422 and "大屏密钥不正确" in wrong.text and "inkgate_wall" not in visitor.cookies
    assert (await house.visitor().post("/wall", data={"key": KEY})).status_code == 403, "a form of another site"
    opened = await visitor.submit("/wall", page="/wall", key=KEY)
    assert (opened.status_code, opened.headers["location"]) == (303, "/console/wall")
    cookie = opened.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and KEY not in cookie
    page = await visitor.see("/wall")
    assert "运行正常" in page and KEY not in page and 'hx-get="/console/wall"' in page


async def test_an_address_with_the_key_in_its_path_opens_nothing(engine: AsyncEngine) -> None:
    house = await house_with(engine, Watched(BUSY))
    for path in (f"/wall/{KEY}", "/wall/wrong"):
        answer = await house.visitor().get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/wall")
        assert "inkgate_wall" not in answer.headers.get("set-cookie", "") and KEY not in answer.text


async def test_the_link_for_operators_has_the_key_where_no_server_sees_it(engine: AsyncEngine) -> None:
    page = await (await (await house_with(engine, Watched(BUSY))).signed_in("chief")).see("/operator/workers")
    assert 'href="/console/wall#a%20screen%20on%20a%20wall"' in page


async def test_another_key_shuts_the_wall(engine: AsyncEngine) -> None:
    house = await house_with(engine, Watched(BUSY))
    visitor = await at_the_wall(house)
    changed = house.parts.settings.console.model_copy(update={"wall_key": SecretStr("yet another key for it")})
    house.app.routes[-1].app.state.parts = replace(  # type: ignore[attr-defined]
        house.parts, settings=house.parts.settings.model_copy(update={"console": changed})
    )
    assert 'type="password"' in await visitor.see("/wall")
    fetched = await visitor.get("/wall", headers={"HX-Request": "true", "X-Poll": "1"})
    assert (fetched.status_code, fetched.headers["hx-redirect"]) == (204, "/console/wall"), "the screen asks again"


async def test_there_is_no_wall_without_a_key(console: ConsoleHouse) -> None:
    for path in ("/wall", "/wall/None"):
        assert (await console.visitor().get(path)).status_code == 404
    assert (await console.visitor().submit("/wall", key="None")).status_code == 404


async def test_a_page_that_fetches_itself_does_not_keep_a_session_alive(console: ConsoleHouse) -> None:
    chief = await console.signed_in("chief")

    async def seen() -> object:
        async with work.read_session(console.engine) as session:
            return await session.scalar(select(SessionRow.seen_at))

    before = await seen()
    console.clock.pass_(minutes=5)
    await chief.get("/operator/workers", headers={"X-Poll": "1"})
    assert await seen() == before
    await chief.see("/operator/workers")
    assert await seen() != before
