"""Faults specific to the Redis broker: restarts, full memory, broken connections, paused workers, leftover keys."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis

from inkgate.service.broker.interface import Outcome, WorkerPort
from inkgate.service.broker.streams import StreamsBroker, StreamsPort
from inkgate.service.broker.streams import port as port_module
from inkgate.service.broker.streams.keys import GROUP
from inkgate.service.errors import BrokerUnavailable, Overloaded
from tests.integration.broker.conftest import StreamsTable, answer, pull, serve, tasks
from tests.valkey import Valkey


@asynccontextmanager
async def serving(port: WorkerPort) -> AsyncIterator[list[tuple[str, int]]]:
    """A worker that answers every task until the block ends."""
    done: list[tuple[str, int]] = []
    stop = asyncio.Event()

    async def work() -> None:
        while not stop.is_set():
            task = await asyncio.to_thread(port.pull, 0.1)
            if task is not None:
                await asyncio.to_thread(port.reply, task, answer(task))
                done.append((task.call_id, task.number))

    worker = asyncio.create_task(work())
    try:
        yield done
    finally:
        stop.set()
        await worker


@pytest.fixture
async def table(valkey_server: str) -> AsyncIterator[StreamsTable]:
    made = StreamsTable(valkey_server)
    yield made
    await made.close()


@pytest.fixture
async def own(own_valkey: Valkey) -> AsyncIterator[tuple[Valkey, StreamsTable]]:
    """A broker on its own server, with one call answered."""
    made = StreamsTable(own_valkey.url)
    broker = await made.broker()
    async with serving(await made.port()):
        await broker.submit(tasks("first", b"0"))
    yield own_valkey, made
    await made.close()


def texts(replies: list[Any]) -> list[str]:
    return [reply.element["text"] for reply in replies]


async def test_two_gateways_get_their_own_replies(table: StreamsTable) -> None:
    one, two = await table.broker(), await table.broker()
    async with serving(await table.port()):
        answers = await asyncio.gather(
            *(
                gateway.submit(tasks(f"{name}{n}", f"{name}{n}".encode()))
                for n in range(20)
                for name, gateway in (("a", one), ("b", two))
            )
        )
    assert [texts(reply)[0] for reply in answers] == [f"{name}{n}" for n in range(20) for name in "ab"]


async def test_no_keys_are_left_behind(table: StreamsTable) -> None:
    broker = await table.broker()
    port = await table.port()
    gone = asyncio.create_task(broker.submit(tasks("gone", b"0", b"1")))
    await asyncio.sleep(0.1)
    gone.cancel()
    async with serving(port):
        await asyncio.gather(*(broker.submit(tasks(f"c{n}", b"0", b"1")) for n in range(10)))
        await asyncio.sleep(0.3)
    await asyncio.to_thread(port.close)
    table.ports.clear()
    with redis.Redis.from_url(table.url, protocol=2) as server:
        keys = {key.decode() for key in server.scan_iter(f"{{{table.keys.namespace}}}:*")}
        assert not [key for key in keys if ":img:" in key], "payloads"
        for stream in table.keys.streams():
            assert server.xlen(stream) == 0
            (group,) = server.xinfo_groups(stream)
            assert (group["pending"], group["lag"], group["consumers"]) == (0, 0, 0), "autoscalers read the lag"
        assert not server.exists(table.keys.workers)


async def test_a_resumed_worker_and_its_successor_both_reply(table: StreamsTable) -> None:
    broker = await table.broker()
    paused = await table.port()
    call = asyncio.create_task(broker.submit(tasks("p", b"0")))
    held = await pull(paused)
    assert held is not None
    paused._heartbeat._thread.expect_exit()
    paused._heartbeat._stop.set()  # what SIGSTOP does to the heartbeat
    heir = await table.port()
    async with asyncio.timeout(5):
        (served,) = await serve(heir, 1)
    assert served.delivery == 2
    assert texts(await call) == ["0"]
    again = asyncio.create_task(broker.submit(tasks("q", b"1")))
    await asyncio.to_thread(paused.reply, held, answer(held, "late"))
    await serve(heir, 1)
    assert texts(await again) == ["1"]


async def test_a_silent_workers_task_is_claimed_within_two_seconds(table: StreamsTable) -> None:
    table.lease = 1.5  # the default
    broker, dying, heir = await table.broker(), await table.port(), await table.port()
    call = asyncio.create_task(broker.submit(tasks("s", b"0")))
    assert await pull(dying) is not None
    await table.kill(dying)
    killed = time.monotonic()
    task = await pull(heir)
    assert task is not None and task.delivery == 2
    assert time.monotonic() - killed < 2.0
    await asyncio.to_thread(heir.reply, task, answer(task))
    await call


async def test_a_slow_worker_with_a_heartbeat_keeps_its_task(table: StreamsTable) -> None:
    broker, slow, other = await table.broker(), await table.port(), await table.port()
    call = asyncio.create_task(broker.submit(tasks("s", b"0")))
    held = await pull(slow)
    assert held is not None
    assert await pull(other, 2.0) is None, "three leases long"
    await asyncio.to_thread(slow.reply, held, answer(held))
    await call


async def test_deadlines_follow_the_servers_clock(table: StreamsTable, monkeypatch: pytest.MonkeyPatch) -> None:
    broker = await table.broker()
    hour_ahead = type(
        "Clock",
        (),
        {
            "time": staticmethod(lambda: time.time() + 3600),
            "monotonic": staticmethod(time.monotonic),
            "sleep": staticmethod(time.sleep),
        },
    )
    monkeypatch.setattr(port_module, "time", hour_ahead)
    port = await table.port()
    call = asyncio.create_task(broker.submit(tasks("c", b"0", seconds=5)))
    task = await pull(port)
    assert task is not None, "this worker's host is an hour ahead"
    assert task.deadline - 3600 == pytest.approx(time.time() + 5, abs=0.5)
    await asyncio.to_thread(port.reply, task, answer(task))
    await call


async def test_calls_survive_a_restart_without_data(own: tuple[Valkey, StreamsTable]) -> None:
    server, table = own
    broker, port = table.brokers[0], table.ports[0]
    call = asyncio.create_task(broker.submit(tasks("r", b"0", b"1", b"2")))
    held = await pull(port)
    assert held is not None
    await asyncio.to_thread(server.kill)
    during = asyncio.create_task(broker.submit(tasks("during", b"3")))
    await asyncio.sleep(0.3)
    await asyncio.to_thread(server.start)
    begun = time.monotonic()
    await asyncio.to_thread(port.reply, held, answer(held))
    async with serving(port):
        assert texts(await call) == ["0", "1", "2"]
        assert texts(await during) == ["3"]
    assert time.monotonic() - begun < 5


async def test_tasks_answered_during_an_interruption_are_not_resubmitted(table: StreamsTable) -> None:
    deaf = StreamsBroker(table.url, table.keys, max_tasks=10, max_bytes=1000)  # not started: it reads nothing
    call = asyncio.create_task(deaf.submit(tasks("c", b"0")))
    await serve(await table.port(), 1)
    await deaf._resubmit_lost(b"0")
    assert texts(await call) == ["0"]
    assert await pull(table.ports[0], 0.5) is None
    await deaf.close()


async def test_an_unreachable_server_is_an_error_after_a_limited_wait(
    own: tuple[Valkey, StreamsTable], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, table = own
    await asyncio.to_thread(server.kill)
    monkeypatch.setattr("inkgate.service.broker.streams.broker._RECONNECT_WAIT_SECONDS", 0.5)
    with pytest.raises(BrokerUnavailable):
        await table.brokers[0].submit(tasks("x", b"0"))
    with pytest.raises(BrokerUnavailable):
        await table.brokers[0].check()


async def test_a_full_server_refuses_new_calls_and_finishes_accepted_ones(own: tuple[Valkey, StreamsTable]) -> None:
    server, table = own
    broker, port = table.brokers[0], table.ports[0]
    call = asyncio.create_task(broker.submit(tasks("old", b"0" * 100)))
    held = await pull(port)
    assert held is not None
    with redis.Redis.from_url(server.url) as admin:
        admin.config_set("maxmemory", "1kb")
        with pytest.raises(Overloaded):
            await broker.submit(tasks("new", b"1"))
        await asyncio.sleep(1.0)  # longer than the lease: heartbeats go through as well
        await asyncio.to_thread(port.reply, held, answer(held))
        assert texts(await call) == ["0" * 100]
        admin.config_set("maxmemory", "0")
    async with serving(port):
        assert texts(await broker.submit(tasks("new", b"1"))) == ["1"]


async def test_broken_connections_lose_nothing(own: tuple[Valkey, StreamsTable]) -> None:
    server, table = own
    broker = table.brokers[0]
    with redis.Redis.from_url(server.url) as admin:
        async with serving(table.ports[0]), serving(await table.port()):
            calls = []
            for n in range(40):
                calls.append(asyncio.create_task(broker.submit(tasks(f"c{n}", str(n).encode()))))
                await asyncio.sleep(0.02)
                if n % 5 == 0:
                    await asyncio.to_thread(_drop_all, admin)
            answers = await asyncio.gather(*calls)
    assert [texts(replies) for replies in answers] == [[str(n)] for n in range(40)]


def _drop_all(admin: redis.Redis) -> None:
    admin.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


async def test_an_emptied_server_recovers(own: tuple[Valkey, StreamsTable]) -> None:
    server, table = own
    async with serving(table.ports[0]):
        with redis.Redis.from_url(server.url) as admin:
            for _ in range(5):  # while the worker waits in a blocking read, and between two of them
                admin.flushall()
                await asyncio.sleep(0.13)
        assert texts(await table.brokers[0].submit(tasks("again", b"0"))) == ["0"]


async def test_a_leaving_worker_releases_tasks_it_did_not_start(table: StreamsTable) -> None:
    broker = await table.broker()
    leaving = await table.port()
    assert isinstance(leaving, StreamsPort)
    await pull(leaving, 0.5)
    call = asyncio.create_task(broker.submit(tasks("l", b"0")))
    await asyncio.sleep(0.2)
    leaving._buffer.append(await asyncio.to_thread(leaving._poll, 0.1))  # type: ignore[arg-type]
    await asyncio.to_thread(leaving.close)
    table.ports.clear()
    begun = time.monotonic()
    (task,) = await serve(await table.port(), 1)
    assert task.delivery == 1 and time.monotonic() - begun < 0.6
    assert (await call)[0].outcome is Outcome.READ


async def test_names_of_silent_workers_are_removed(table: StreamsTable) -> None:
    port = await table.port()
    await pull(port, 0.5)
    await table.kill(port)
    other = await table.port()
    await pull(other, 0.5)
    assert isinstance(other, StreamsPort)
    other._heartbeat._leave(
        keys=[table.keys.workers, table.keys.fair_order_workers, *table.keys.streams()], args=[GROUP, "", 0]
    )
    with redis.Redis.from_url(table.url, protocol=2) as server:
        names = [consumer["name"] for consumer in server.xinfo_consumers(table.keys.stream("general"), GROUP)]
    assert b"w0" not in names
