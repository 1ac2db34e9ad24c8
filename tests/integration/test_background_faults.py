"""Every long-lived loop survives an unexpected exception: it is restarted, and readiness reports the failure."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from functools import partial
from http.server import ThreadingHTTPServer
from typing import Any

import pytest
import redis

from inkgate.service import background as background_module
from inkgate.service.background import Background
from inkgate.service.broker import frames
from inkgate.service.broker.streams import StreamsBroker, StreamsPort
from inkgate.service.broker.streams import state as state_module
from inkgate.service.broker.streams.worker_registry import RedisWorkerRegistry, WorkerRegistryPublisher
from inkgate.service.broker.worker_registry import STARTING, WorkerRecord
from inkgate.service.composition import gateway_process
from inkgate.service.db import engine as databases
from inkgate.service.db import migrate
from inkgate.service.metering.housekeeping import Housekeeper
from inkgate.service.settings import Database, Ledger
from inkgate.service.telemetry.health import Health
from inkgate.service.telemetry.metrics import Metrics
from inkgate.service.telemetry.probe_server import ProbeServer
from inkgate.service.telemetry.sampling import Sampler, SamplerRunner
from inkgate.service.usage.refusals import Refusals, RefusalWriter, RefusedCall
from tests.integration.broker.conftest import StreamsTable, answer, pull, serve, tasks
from tests.unit.telemetry.test_metrics import page, value
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back-off long enough to look at readiness in between, and short enough for a test."""
    monkeypatch.setattr(background_module, "MIN_BACKOFF_SECONDS", 0.05)
    monkeypatch.setattr(background_module, "UP_AFTER_SECONDS", 0.3)


@pytest.fixture
async def table(valkey_server: str) -> AsyncIterator[StreamsTable]:
    made = StreamsTable(valkey_server)
    yield made
    await made.close()


class Process:
    """What every process of the product has: metrics, background tasks, and readiness that asks them."""

    def __init__(self) -> None:
        self.metrics = Metrics("gateway", "1")
        self.background = Background(self.metrics)
        self.health = Health({"tasks": self.background.check})
        self.health.mark_started()

    def restarts(self, task: str) -> float:
        return page(self.metrics).get(("inkgate_background_task_restarts_total", (("task", task),)), 0.0)

    async def fails(self, task: str, times: int = 1) -> None:
        """Wait until `task` has failed so often."""
        await wait_until(lambda: self.restarts(task) >= times)

    async def recovers(self, task: str) -> None:
        """Wait until `task` counts as up again."""
        await wait_until(lambda: value(self.metrics, "inkgate_background_task_up", task=task) == 1)
        assert (await self.health.ready()).ok


class Fault:
    """Raises an exception that no loop of ours names, so many times, before it does what it stands for."""

    def __init__(self, function: Callable[..., Any], times: int = 1) -> None:
        self._function, self.left, self.calls = function, times, 0

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.calls += 1
        if self.left > 0:
            self.left -= 1
            raise LookupError("unforeseen")
        return self._function(*arguments, **named)


@pytest.mark.parametrize("times", [1, 3])
async def test_the_reply_listener(table: StreamsTable, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    process = Process()
    broker = StreamsBroker(table.url, table.keys, max_tasks=99, max_bytes=1 << 30, background=process.background)
    table.brokers.append(broker)
    await broker.start()
    port = await table.port()
    first = asyncio.create_task(broker.submit(tasks("before", b"0")))
    await serve(port, 1)
    await first
    monkeypatch.setattr(broker, "_read", Fault(broker._read, times))
    call = asyncio.create_task(broker.submit(tasks("call", b"1")))  # its reply wakes the listener
    task = await pull(port)
    assert task is not None
    await asyncio.to_thread(port.reply, task, answer(task))
    await process.fails("reply-listener")
    assert (await process.health.ready()).parts["tasks"] == "TaskDown"
    async with asyncio.timeout(30):
        assert (await call)[0].element == {"text": "1"}, "replies that arrived during the failure are read"
    await process.recovers("reply-listener")
    assert process.restarts("reply-listener") == times


async def test_the_watch_of_the_queue(table: StreamsTable, monkeypatch: pytest.MonkeyPatch) -> None:
    process = Process()
    monkeypatch.setattr(state_module, "read_state", Fault(state_module.read_state, 2))
    broker = StreamsBroker(table.url, table.keys, max_tasks=99, max_bytes=1 << 30, background=process.background)
    table.brokers.append(broker)
    await broker.start()
    await process.fails("queue-watch")
    assert not (await process.health.ready()).ok
    await process.recovers("queue-watch")
    assert (await broker.state()).depth == 0 and process.restarts("queue-watch") == 2


async def test_a_workers_heartbeat(table: StreamsTable, monkeypatch: pytest.MonkeyPatch) -> None:
    process = Process()
    fault = Fault(dict, 0)
    monkeypatch.setattr(StreamsPort, "_held_entries", lambda self: fault(self._held))
    port = StreamsPort(table.url, table.keys, "w", lease=table.lease, background=process.background)
    table.ports.append(port)
    await wait_until(lambda: port.heartbeat_ok)
    fault.left = 2
    await process.fails("heartbeat", 2)
    calls = fault.calls
    await wait_until(lambda: fault.calls > calls + 3)
    broker = await table.broker()
    call = asyncio.create_task(broker.submit(tasks("long", b"0")))
    held = await pull(port)
    assert held is not None
    await asyncio.sleep(3 * table.lease)  # longer than a lease: its heartbeat keeps the task
    other = await table.port()
    assert await asyncio.to_thread(other.pull, 0.5) is None
    await asyncio.to_thread(port.reply, held, answer(held))
    assert (await call)[0].element == {"text": "0"}


async def test_the_list_of_workers(table: StreamsTable) -> None:
    process = Process()
    card = WorkerRecord("h", 0, "w", "1", "balanced", STARTING, time.time())
    poster = WorkerRegistryPublisher(table.url, table.keys, Fault(lambda: [card]), process.background)
    poster.start()
    fleet = RedisWorkerRegistry(table.url, table.keys)
    try:
        await process.fails("worker-list")
        async with asyncio.timeout(30):
            while not (await fleet.snapshot()).workers:
                await asyncio.sleep(0.05)
        assert list((await fleet.snapshot()).workers) == [card]
    finally:
        await poster.close()
        await fleet.close()


@pytest.mark.parametrize(
    "card",
    [
        b"",
        b"soon []",
        b"{now} nonsense",
        b"{now} {}",
        b"{now} [7]",
        b'{now} [{"host": "h"}]',
        b'{now} [{"host": "h", "slot": "1", "name": "", "version": "", "profile": "", "state": "ready", "since": 1}]',
    ],
)
async def test_a_hosts_card_that_cannot_be_read_hides_no_other(table: StreamsTable, card: bytes) -> None:
    good = WorkerRecord("h", 0, "w", "1", "balanced", STARTING, 1.0)
    poster = WorkerRegistryPublisher(table.url, table.keys, lambda: [good])
    fleet = RedisWorkerRegistry(table.url, table.keys)
    with redis.Redis.from_url(table.url, protocol=2) as server:
        seconds, _ = server.time()
        server.hset(table.keys.worker_registry, "odd", card.replace(b"{now}", str(seconds * 1000).encode()))
    poster.start()
    try:
        async with asyncio.timeout(30):
            while not (await fleet.snapshot()).workers:
                await asyncio.sleep(0.05)
        assert list((await fleet.snapshot()).workers) == [good]
    finally:
        await poster.close()
        await fleet.close()


@pytest.fixture
async def engine(tmp_path: Any) -> AsyncIterator[Any]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}"
    await asyncio.to_thread(migrate.upgrade, url)
    made = databases.create(Database(url=url))
    yield made
    await made.dispose()


async def test_housekeeping(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    process, reported = Process(), list[int]()
    keeper = Housekeeper(engine, Ledger(), reported.append, background=process.background)
    monkeypatch.setattr(keeper, "run_round", Fault(keeper.run_round, 2))
    await keeper.start()
    await process.fails("housekeeping")
    assert (await process.health.ready()).ok, "calls do not need it"
    await wait_until(lambda: bool(reported))
    assert process.restarts("housekeeping") == 2
    await keeper.close()


async def test_statistics_of_refused_calls(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    process, refusals = Process(), Refusals()
    writer = RefusalWriter(engine, refusals, seconds=0.01, background=process.background)
    write = Fault(writer.write)
    monkeypatch.setattr(writer, "write", write)
    refusals.count(RefusedCall("", "", "general", 50000))
    await writer.start()
    await process.fails("refusal-statistics")
    await wait_until(lambda: write.calls >= 3)
    assert not refusals.drain(), "what was counted has been written"
    await writer.close()


async def test_samplers() -> None:
    process, read = Process(), list[int]()

    async def sample() -> None:
        read.append(1)
        if len(read) == 1:
            raise asyncio.CancelledError  # what a cancelled future of a library raises: no Exception

    watch = SamplerRunner([Sampler("queue", sample, 0.01)], process.background)
    await watch.start()
    await process.fails("sampler-queue")
    await wait_until(lambda: len(read) > 3)
    await watch.close()


async def test_the_probe_server(monkeypatch: pytest.MonkeyPatch) -> None:
    process = Process()
    fault = Fault(ThreadingHTTPServer.serve_forever)
    monkeypatch.setattr(ThreadingHTTPServer, "serve_forever", lambda server: fault(server))
    probes = ProbeServer(process.health, process.metrics, "127.0.0.1", 0, process.background)
    probes.start()
    await process.fails("probes")

    def ask() -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{probes.port}/livez", timeout=30) as reply:
            return int(reply.status)

    assert await asyncio.to_thread(ask) == 200
    await asyncio.to_thread(probes.close)


async def test_the_report_of_a_gateways_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    process = Process()
    monkeypatch.setattr(gateway_process, "REPORT_SECONDS", 0.01)
    monkeypatch.setattr(process.metrics, "snapshot", Fault(process.metrics.snapshot))
    ours, theirs = socket.socketpair()
    report = process.background.task("metrics-report", partial(gateway_process.report_metrics, process.metrics, theirs))
    report.start()
    received = list[dict[str, Any]]()
    reading = threading.Thread(target=lambda: received.append(frames.receive_frame(ours)[0]), daemon=True)
    reading.start()
    await process.fails("metrics-report")
    await wait_until(lambda: bool(received))
    assert received[0]["kind"] == "metrics" and received[0]["families"]
    await report.close()
    ours.close()
    theirs.close()


async def test_a_supervisor_that_does_not_read_stops_no_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its socket is full after some reports; the event loop goes on, and so do the calls."""
    process = Process()
    monkeypatch.setattr(gateway_process, "REPORT_SECONDS", 0.0)
    ours, theirs = socket.socketpair()
    unblock = threading.Timer(20.0, ours.shutdown, (socket.SHUT_RDWR,))  # a loop that is blocked shall fail, not hang
    unblock.daemon = True
    unblock.start()
    turns, begun = 0, time.monotonic()
    report = asyncio.create_task(gateway_process.report_metrics(process.metrics, theirs))
    while turns < 2000 and not report.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns == 2000 and time.monotonic() - begun < 20
    report.cancel()
    unblock.cancel()
    ours.close()
    theirs.close()
