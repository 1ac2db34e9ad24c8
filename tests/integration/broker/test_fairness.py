"""Fairness between apps in both brokers: weighted turns, and hold-off of apps whose images kill workers."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import redis

from inkgate.service.broker.holdoff import HoldOffRule
from inkgate.service.broker.interface import Outcome, Task
from inkgate.service.broker.streams import StreamsBroker, holds
from inkgate.service.broker.streams.keys import GROUP
from inkgate.service.broker.streams.state import read_state, script
from inkgate.service.errors import DeadlineMissed
from tests.integration.broker.conftest import RULE, StreamsTable, answer, pull, serve, tasks


async def queued(broker: Any, name: str, count: int, app: str, **options: Any) -> asyncio.Task[Any]:
    """Submit a call of `count` images and return once it is in the queue."""
    before = await depth(broker)
    call = asyncio.create_task(broker.submit(tasks(name, *[b"x"] * count, app=app, **options)))
    async with asyncio.timeout(5):
        while await depth(broker) < before + count:
            await asyncio.sleep(0.02)
    return call


async def depth(broker: Any) -> int:
    """The number of images waiting now."""
    state = (await read_state(script(broker._redis), broker._keys)).state if isinstance(broker, StreamsBroker) else None
    return (state or await broker.state()).depth


def order(served: list[Task]) -> str:
    return "".join(task.app for task in served)


async def test_a_flood_does_not_hold_up_a_well_behaved_app(table: Any) -> None:
    broker, port = await table.broker(), await table.port()
    flood = [await queued(broker, f"f{n}", 50, "f") for n in range(4)]
    await serve(port, 20)
    well_behaved = await queued(broker, "p", 3, "p")
    served = await serve(port, 5)
    assert order(served).count("p") == 3, "ahead of 180 others"
    await well_behaved
    await serve(port, 178)
    assert all(len(replies) == 50 for replies in await asyncio.gather(*flood))


async def test_no_app_is_starved_and_the_flood_gets_the_rest(table: Any) -> None:
    broker, port = await table.broker(), await table.port()
    calls = [await queued(broker, app, count, app) for app, count in (("f", 60), ("a", 20), ("b", 20))]
    counts = Counter(order(await serve(port, 45)))
    assert all(13 <= count <= 17 for count in counts.values()), counts
    assert set(order(await serve(port, 55))[-25:]) == {"f"}
    await asyncio.gather(*calls)


async def test_an_app_that_used_an_empty_queue_is_not_behind_a_later_flood(table: Any) -> None:
    broker, port = await table.broker(), await table.port()
    for n in range(12):
        call = asyncio.create_task(broker.submit(tasks(f"p{n}", b"x", app="p")))
        await serve(port, 1)
        await call
    flood = await queued(broker, "f", 30, "f")
    await serve(port, 2)
    well_behaved = await queued(broker, "p", 1, "p")
    assert order(await serve(port, 1)) == "p"
    await well_behaved
    flood.cancel()


async def test_weights_divide_the_workers(table: Any) -> None:
    broker, port = await table.broker(weights={"h": 3.0}), await table.port()
    calls = [await queued(broker, app, 40, app) for app in "lh"]
    assert order(await serve(port, 40)).count("h") == pytest.approx(30, abs=2)
    await serve(port, 40)
    await asyncio.gather(*calls)


async def test_a_single_app_gets_every_worker_in_order(table: Any) -> None:
    broker = await table.broker()
    ports = [await table.port() for _ in range(4)]
    call = await queued(broker, "a", 12, "a")
    held = [await pull(port) for port in ports]
    assert sorted(task.number for task in held if task) == [0, 1, 2, 3]
    for port, task in zip(ports, held, strict=True):
        assert task is not None
        await asyncio.to_thread(port.reply, task, answer(task))
    await serve(ports[0], 8)
    await call


async def test_idle_workers_are_woken_for_a_batch(table: Any) -> None:
    table.lease = 4.0  # four times as long as a worker sleeps at most
    broker = await table.broker()
    ports = [await table.port() for _ in range(4)]
    for port in ports:
        await pull(port, 0.01)
    sleeping = [asyncio.create_task(asyncio.to_thread(port.pull, 5.0)) for port in ports]
    await asyncio.sleep(0.2)
    begun = time.monotonic()
    call = asyncio.create_task(broker.submit(tasks("a", *[b"x"] * 4, app="a")))
    held = await asyncio.gather(*sleeping)
    assert sum(task is not None for task in held) == 4 and time.monotonic() - begun < 0.6, "not at the next read_state"
    for port, task in zip(ports, held, strict=True):
        await asyncio.to_thread(port.reply, task, answer(task))
    await call


async def test_a_dead_workers_task_comes_first_again(table: Any) -> None:
    broker, dying = await table.broker(), await table.port()
    flood = await queued(broker, "f", 20, "f")
    held = await pull(dying)
    well_behaved = await queued(broker, "p", 1, "p")
    await table.kill(dying)
    port = await table.port()
    await asyncio.sleep(getattr(table, "lease", 0.0) + 0.1)
    served = await serve(port, 2)
    assert held is not None and (served[0].number, served[0].delivery) == (held.number, 2)
    assert order(served) == "fp"
    await well_behaved
    await serve(port, 19)
    await flood


async def test_withdrawn_and_expired_tasks_cost_their_app_nothing(table: Any) -> None:
    broker, port = await table.broker(), await table.port()
    other = await queued(broker, "o", 30, "o")
    gone = await queued(broker, "gone", 30, "a")
    late = await queued(broker, "late", 5, "a", seconds=0.5)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    with pytest.raises(DeadlineMissed):
        await late
    await asyncio.sleep(0.7)
    assert await depth(broker) == 30
    again = await queued(broker, "again", 10, "a")
    assert order(await serve(port, 20)).count("a") >= 9
    await serve(port, 20)
    await asyncio.gather(other, again)


async def test_the_forecast_of_a_well_behaved_app_excludes_the_flood(table: Any) -> None:
    broker, port = await table.broker(), await table.port()
    first = asyncio.create_task(broker.submit(tasks("learn", b"x", app="f")))
    task = await pull(port)
    assert task is not None
    await asyncio.to_thread(port.reply, task, replace(answer(task), busy=1.0))
    await first
    flood = await queued(broker, "f", 50, "f", seconds=90.0)
    well_behaved = await queued(broker, "p", 1, "p", seconds=10.0)  # of 50 s of work
    await serve(port, 2)
    await well_behaved
    flood.cancel()


async def strike(broker: Any, port: Any, name: str, app: str) -> None:
    """A reply for an image that killed the process of its isolated read."""
    call = asyncio.create_task(broker.submit(tasks(name, b"x", app=app)))
    task = await pull(port)
    assert task is not None
    await asyncio.to_thread(port.reply, task, replace(answer(task, outcome=Outcome.FAILED), killed=True))
    await call


async def test_an_app_whose_images_kill_workers_is_held_off(table: Any) -> None:
    broker, port = await table.broker(), await table.port()
    await strike(broker, port, "one", "k")
    await asyncio.sleep(0.6)
    assert broker.held("k") == 0 and (await broker.state()).held == 0
    waiting = [await queued(broker, name, 8, name) for name in ("k", "p")]
    task = await pull(port)
    assert task is not None
    while task.app != "k":
        await asyncio.to_thread(port.reply, task, answer(task))
        task = await pull(port)
        assert task is not None
    await asyncio.to_thread(port.reply, task, replace(answer(task, outcome=Outcome.FAILED), killed=True))
    served = []
    while (task := await pull(port, 1.0)) is not None:
        await asyncio.to_thread(port.reply, task, answer(task))
        served.append(task)
    assert {each.app for each in served} == {"p"}, [(each.app, each.number, each.delivery) for each in served]
    killers, others = await asyncio.gather(*waiting)
    assert {reply.outcome for reply in killers} == {Outcome.FAILED}
    assert {reply.outcome for reply in others} == {Outcome.READ}
    async with asyncio.timeout(3):
        while not (await broker.state()).held:
            await asyncio.sleep(0.05)
    assert 0 < broker.held("k") <= RULE.seconds and broker.held("p") == 0


async def test_a_hold_off_ends(table: Any) -> None:
    table.rule = HoldOffRule(deaths=1, window=60.0, seconds=1.5)
    broker, port = await table.broker(), await table.port()
    await strike(broker, port, "one", "k")
    async with asyncio.timeout(10):
        while not broker.held("k"):
            await asyncio.sleep(0.02)
        while broker.held("k") or (await broker.state()).held:
            await asyncio.sleep(0.1)
    call = asyncio.create_task(broker.submit(tasks("after", b"x", app="k")))
    await serve(port, 1)
    assert (await call)[0].outcome is Outcome.READ


async def test_workers_killed_from_outside_cause_no_hold_off(table: Any) -> None:
    broker = await table.broker()
    for n in range(4):
        port = await table.port()
        call = asyncio.create_task(broker.submit(tasks(f"c{n}", b"x", app="a", seconds=2.0)))
        assert await pull(port) is not None
        await table.kill(port)
        if n % 2:
            await asyncio.sleep(2.6)  # no worker takes over before the deadline
        else:
            await serve(await table.port(), 1)
        await asyncio.gather(call, return_exceptions=True)
    await pull(await table.port(), 1.0)
    await asyncio.sleep(0.6)
    assert (await broker.state()).held == 0


@pytest.fixture
async def streams(valkey_server: str) -> Any:
    made = StreamsTable(valkey_server)
    yield made
    await made.close()


async def test_all_gateways_know_of_a_hold_off(streams: StreamsTable) -> None:
    one, two, port = await streams.broker(), await streams.broker(), await streams.port()
    await strike(one, port, "1", "k")
    await strike(two, port, "2", "k")
    async with asyncio.timeout(3):
        while not (one.held("k") and two.held("k")):
            await asyncio.sleep(0.05)


async def test_an_operator_sees_and_lifts_a_hold_off(streams: StreamsTable) -> None:
    broker, port = await streams.broker(), await streams.port()
    await strike(broker, port, "1", "k")
    await strike(broker, port, "2", "k")
    assert 50 < (await holds.apps_held_off(streams.url, streams.keys))["k"] <= 60
    assert await holds.lift_hold_off(streams.url, streams.keys, "k")
    assert not await holds.lift_hold_off(streams.url, streams.keys, "k")
    assert not await holds.apps_held_off(streams.url, streams.keys)
    await strike(broker, port, "3", "k")
    assert not await holds.apps_held_off(streams.url, streams.keys), "its deaths are forgotten"


async def test_a_worker_of_the_previous_release_gets_entries(streams: StreamsTable) -> None:
    """It reads only the stream, sends only its own heartbeat, and replies with the entry's fields."""
    broker = await streams.broker()
    keys, stream = streams.keys, streams.keys.stream("general")
    with redis.Redis.from_url(streams.url, protocol=2) as server:
        server.xgroup_create(stream, GROUP, id="0", mkstream=True)
        server.zadd(keys.workers, {"old": int(time.time() * 1000)})
        await asyncio.sleep(0.6)
        call = asyncio.create_task(broker.submit(tasks("c", b"0", b"1", b"2", app="a")))
        numbers = []
        async with asyncio.timeout(10):
            while len(numbers) < 3:
                server.zadd(keys.workers, {"old": int(time.time() * 1000)})
                found: Any = await asyncio.to_thread(server.xreadgroup, GROUP, "old", {stream: ">"}, 1, 100)
                for entry_id, fields in found[0][1] if found else []:
                    assert {b"call", b"n", b"ttl", b"to", b"extras", b"trace"} <= fields.keys()
                    assert int(fields[b"ttl"]) <= 20_000
                    numbers.append(int(fields[b"n"]))
                    message = b'{"call_id":"c","number":%d,"outcome":"read","element":{"text":"x"}}' % numbers[-1]
                    server.xadd(fields[b"to"], {"reply": message})
                    server.xack(stream, GROUP, entry_id)
                    server.xdel(stream, entry_id)
        assert len(await call) == 3


async def test_a_gateway_of_the_previous_release_is_served(streams: StreamsTable) -> None:
    port = await streams.port()
    await pull(port, 0.3)
    with redis.Redis.from_url(streams.url, protocol=2) as server:
        server.set(f"{streams.keys.images}old:0", b"x", px=20_000)
        fields: Any = {"call": "old", "n": 0, "ttl": 20_000, "to": streams.keys.replies("g"), "extras": 0, "trace": ""}
        server.xadd(streams.keys.stream("plate"), fields)
        (task,) = await serve(port, 1)
        assert (task.call_id, task.capability, task.image, task.app) == ("old", "plate", b"x", "")
        assert server.xlen(streams.keys.replies("g")) == 1
        server.delete(streams.keys.replies("g"))


async def test_the_fair_queue_leaves_no_keys_behind(streams: StreamsTable) -> None:
    broker, port = await streams.broker(), await streams.port()
    gone = await queued(broker, "gone", 20, "a")
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    calls = [await queued(broker, app, 5, app) for app in "abc"]
    await serve(port, 15)
    await asyncio.gather(*calls)
    await asyncio.to_thread(port.close)
    streams.ports.clear()
    with redis.Redis.from_url(streams.url, protocol=2) as server:
        left = {key.decode().rsplit(":", 1)[1] for key in server.scan_iter(f"{{{streams.keys.namespace}}}:q:*")}
        assert left <= {"balanced", "tags"}
        assert 0 < server.pttl(streams.keys.stream("general") + ":tags") <= 3_600_000


async def test_a_flood_beside_a_busy_worker_stays_in_fair_order(streams: StreamsTable) -> None:
    """Workers idle on the streams of other capabilities must not cause entries in this one."""
    broker, port = await streams.broker(), await streams.port()
    flood = await queued(broker, "f", 50, "f")
    assert await pull(port) is not None
    with redis.Redis.from_url(streams.url, protocol=2) as server:
        assert server.xlen(streams.keys.stream("general")) == 1, "what the worker holds"
    flood.cancel()
