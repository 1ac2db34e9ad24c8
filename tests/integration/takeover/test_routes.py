"""Routes as operators change them and as gateways see them; on both databases."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.accounts import service as accounts
from inkgate.service.admin import tokens
from inkgate.service.admin.app import create_admin
from inkgate.service.audit import repository as audit
from inkgate.service.db import work
from inkgate.service.errors import DatabaseDown, Misuse
from inkgate.service.settings import Settings, Takeover
from inkgate.service.takeover import routes
from inkgate.service.takeover.routes import Mode, Override, Route, RouteWatcher
from tests.ledger_data import CustomerData

SECONDS = 10


@pytest.fixture
def watcher(customer: CustomerData) -> RouteWatcher:
    return RouteWatcher(customer.engine, poll_seconds=0.02)


async def change(
    customer: CustomerData, mode: Mode, percent: int | None = None, *, capability: str = "general", enabled: bool = True
) -> None:
    async with work.unit_of_work(customer.engine, "test") as unit:
        await routes.set_route(unit, customer.app.app_id, capability, mode, percent=percent, enabled=enabled)


async def override(engine: AsyncEngine, target: Override) -> None:
    async with work.unit_of_work(engine, "test") as unit:
        await routes.set_override(unit, target)


async def test_a_gateway_sees_each_change(customer: CustomerData, watcher: RouteWatcher) -> None:
    app_id = customer.app.app_id
    await watcher.refresh()
    assert watcher.find(app_id, "general") is None
    for mode, percent, expected in (
        (Mode.MIRROR, None, Route(Mode.MIRROR, 0)),
        (Mode.SPLIT, 10, Route(Mode.SPLIT, 10)),
        (Mode.LOCAL, None, Route(Mode.LOCAL, 100)),
    ):
        await change(customer, mode, percent)
        await watcher.refresh()
        assert watcher.find(app_id, "general") == expected
        assert watcher.find(app_id, "plate") is None and watcher.find("another", "general") is None


async def test_a_running_gateway_follows_by_itself(customer: CustomerData, watcher: RouteWatcher) -> None:
    await watcher.start()
    try:
        await change(customer, Mode.MIRROR)
        async with asyncio.timeout(SECONDS):
            while watcher.find(customer.app.app_id, "general") is None:
                await asyncio.sleep(0.01)
    finally:
        await watcher.close()


async def test_the_override_concerns_apps_with_a_route_only(customer: CustomerData, watcher: RouteWatcher) -> None:
    await change(customer, Mode.SPLIT, 50)
    for target, expected in (
        (Override.CLOUD, Route(Mode.SPLIT, 0)),
        (Override.LOCAL, Route(Mode.LOCAL, 100, fallback=False)),
        (Override.NONE, Route(Mode.SPLIT, 50)),
    ):
        await override(customer.engine, target)
        await watcher.refresh()
        assert watcher.find(customer.app.app_id, "general") == expected
        assert watcher.find(customer.app.app_id, "idcard") is None


async def test_a_forgotten_route_is_no_route(customer: CustomerData, watcher: RouteWatcher) -> None:
    await change(customer, Mode.MIRROR)
    async with work.unit_of_work(customer.engine, "test") as unit:
        assert await routes.routed(unit, customer.app.app_id) == ["general"]
        await routes.remove_route(unit, customer.app.app_id, "general")
    await watcher.refresh()
    assert watcher.find(customer.app.app_id, "general") is None
    with pytest.raises(Misuse, match="no such route"):
        async with work.unit_of_work(customer.engine, "test") as unit:
            await routes.remove_route(unit, customer.app.app_id, "general")


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"mode": Mode.SPLIT}, "takeover.percent_invalid"),
        ({"mode": Mode.SPLIT, "percent": 101}, "takeover.percent_invalid"),
        ({"mode": Mode.SPLIT, "percent": -1}, "takeover.percent_invalid"),
        ({"mode": Mode.MIRROR, "percent": 5}, "takeover.percent_without_split"),
        ({"mode": Mode.MIRROR, "enabled": False}, "takeover.disabled"),
        ({"mode": Mode.SPLIT, "percent": 100, "enabled": False}, "takeover.disabled"),
        ({"mode": Mode.MIRROR, "capability": "x"}, "capability.unknown"),
    ],
)
async def test_a_bad_change_is_one_plain_line_and_changes_nothing(
    customer: CustomerData, given: dict[str, object], code: str
) -> None:
    with pytest.raises(Misuse) as refused:
        await change(customer, **given)  # type: ignore[arg-type]
    assert refused.value.code == code
    async with work.read_session(customer.engine) as session:
        assert await routes.overview(session, enabled=True) == routes.Overview(True, Override.NONE, 0, ())


async def test_a_capability_that_is_not_opened_has_no_route(customer: CustomerData) -> None:
    app = await customer.another_app()
    with pytest.raises(Misuse, match="not enabled"):
        async with work.unit_of_work(customer.engine, "test") as unit:
            await routes.set_route(unit, app.app_id, "general", Mode.LOCAL, enabled=True)


async def test_too_many_routes_are_refused(customer: CustomerData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "MAX_ROUTES", 1)
    await change(customer, Mode.MIRROR)
    await change(customer, Mode.LOCAL)  # the same one
    with pytest.raises(Misuse, match="1 routes"):
        await change(customer, Mode.MIRROR, capability="plate")


async def test_concurrent_changes_are_all_seen(customer: CustomerData, watcher: RouteWatcher) -> None:
    names = ("general", "idcard", "plate", "licence")
    await asyncio.gather(*(change(customer, Mode.SPLIT, number, capability=name) for number, name in enumerate(names)))
    await watcher.refresh()
    assert [watcher.find(customer.app.app_id, name) for name in names] == [
        Route(Mode.SPLIT, number) for number in range(len(names))
    ]
    async with work.read_session(customer.engine) as session:
        assert (await routes.overview(session, enabled=True)).version == len(names)


async def test_every_change_is_in_the_audit_trail(customer: CustomerData) -> None:
    await change(customer, Mode.MIRROR)
    await change(customer, Mode.SPLIT, 10)
    await override(customer.engine, Override.CLOUD)
    await override(customer.engine, Override.CLOUD)  # already so: no entry
    async with work.unit_of_work(customer.engine, "test") as unit:
        await routes.remove_route(unit, customer.app.app_id, "general")
    async with work.read_session(customer.engine) as session:
        found = await audit.events(session, action="takeover")
    assert [(each.action, each.detail.get("before"), each.detail.get("after")) for each in reversed(found)] == [
        ("takeover.route", None, {"mode": "mirror", "percent": 0}),
        ("takeover.route", {"mode": "mirror", "percent": 0}, {"mode": "split", "percent": 10}),
        ("takeover.off", None, None),
        ("takeover.forget", {"mode": "split", "percent": 10}, None),
    ]


async def test_the_overview_leaves_deleted_apps_out(customer: CustomerData) -> None:
    await change(customer, Mode.SPLIT, 10)
    async with work.read_session(customer.engine) as session:
        [line] = (await routes.overview(session, enabled=True)).routes
    assert (line.app_name, line.capability, line.mode, line.percent) == ("main_app", "general", Mode.SPLIT, 10)
    async with work.unit_of_work(customer.engine, "test") as unit:
        await accounts.delete_app(unit, customer.app.app_id)
    async with work.read_session(customer.engine) as session:
        assert (await routes.overview(session, enabled=True)).routes == ()


async def test_a_gateway_does_not_start_without_its_routes_and_keeps_the_last_ones(
    customer: CustomerData, watcher: RouteWatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    await change(customer, Mode.MIRROR)
    await watcher.start()
    failures = 0

    async def fail(session: object) -> None:
        nonlocal failures
        failures += 1
        raise OSError("away")

    monkeypatch.setattr(routes.repository, "switch", fail)
    with pytest.raises(DatabaseDown):
        await RouteWatcher(customer.engine).start()
    async with asyncio.timeout(SECONDS):
        while failures < 4:
            await asyncio.sleep(0.01)
    assert watcher.find(customer.app.app_id, "general") == Route(Mode.MIRROR, 0)
    monkeypatch.undo()
    await change(customer, Mode.LOCAL)
    async with asyncio.timeout(SECONDS):
        while watcher.find(customer.app.app_id, "general") != Route(Mode.LOCAL, 100):
            await asyncio.sleep(0.01)
    await watcher.close()


async def test_the_admin_api_shows_and_changes_routes(customer: CustomerData) -> None:
    async with work.unit_of_work(customer.engine, "test") as unit:
        token = await tokens.create_token(unit, "olga", tokens.SCOPES)
    app_id, headers = customer.app.app_id, {"Authorization": f"Bearer {token}"}
    for url, mirrored, switched in (("", 409, 409), ("https://cloud.test", 204, 204)):
        app = create_admin(customer.engine, customer.vault, Settings(takeover=Takeover(url=url)))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://admin", headers=headers) as client:
            answer = await client.put(f"/apps/{app_id}/routes/plate", json={"mode": "mirror"})
            assert answer.status_code == mirrored
            answer = await client.put("/takeover/override", json={"override": "cloud"})
            assert answer.status_code == switched
            answer = await client.put(f"/apps/{app_id}/routes/plate", json={"mode": "split", "percent": 101})
            assert answer.status_code == 422
            shown = (await client.get("/takeover/routes")).json()
            assert shown["enabled"] == bool(url)
    assert (shown["override"], shown["version"]) == ("cloud", 2)
    assert [(each["capability"], each["mode"], each["percent"]) for each in shown["routes"]] == [("plate", "mirror", 0)]
    async with httpx.AsyncClient(transport=transport, base_url="http://admin", headers=headers) as client:
        assert (await client.delete(f"/apps/{app_id}/routes/plate")).status_code == 204
        assert (await client.delete(f"/apps/{app_id}/routes/plate")).status_code == 404
        assert (await client.put("/takeover/override", json={"override": ""})).status_code == 204
        assert (await client.get("/takeover/routes")).json()["override"] == ""
