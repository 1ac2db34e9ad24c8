"""`inkgate worker` with a real Valkey: killed, paused, crashed by images, drained; every call gets its answer."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import redis

from inkgate.service.broker.holdoff import OVERRUNS_PER_DEATH
from inkgate.service.broker.interface import Outcome, Task
from inkgate.service.broker.streams import StreamsBroker
from inkgate.service.broker.streams.keys import Keys
from inkgate.service.broker.streams.worker_registry import RedisWorkerRegistry
from inkgate.service.errors import DeadlineMissed
from inkgate.service.worker.stub import stub_text
from tests.crash.processes import WorkerHost, gone, python

Start = Callable[..., Any]


class Stage:
    """One gateway's broker and any number of worker hosts in a namespace of their own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.namespace = f"crash-{uuid.uuid4().hex[:8]}"
        self.broker = StreamsBroker(url, Keys(self.namespace, "balanced"), max_tasks=1000, max_bytes=1 << 30)
        self.hosts: list[WorkerHost] = []

    def host(self, processes: int = 2, **settings: object) -> WorkerHost:
        host = WorkerHost(self.url, self.namespace, processes, **settings)
        self.hosts.append(host)
        return host


@asynccontextmanager
async def stage_on(url: str) -> AsyncIterator[Stage]:
    made = Stage(url)
    await made.broker.start()
    try:
        yield made
    finally:
        for host in made.hosts:
            await asyncio.to_thread(host.end)
        await made.broker.close()


@pytest.fixture
async def stage(valkey_server: str) -> AsyncIterator[Stage]:
    async with stage_on(valkey_server) as made:
        yield made


def call(name: str, images: list[bytes], seconds: float = 60.0) -> list[Task]:
    return [Task(name, number, "general", time.time() + seconds, image) for number, image in enumerate(images)]


def texts(replies: list[Any]) -> list[str | None]:
    return [reply.element["detail"][0]["text"] if reply.element else None for reply in replies]


async def test_no_image_of_a_killed_wide_worker_is_lost(stage: Stage) -> None:
    host = stage.host(1, ENGINE__STUB_MS=500, WORKER__AT_ONCE=4)
    await host.ready()
    images = [f"image {n}".encode() for n in range(8)]
    assert texts(await stage.broker.submit(call("calm", images[:4]))) == [stub_text(image) for image in images[:4]]
    async with asyncio.timeout(10):  # replies overtake the worker's events to its supervisor
        while await host.metric("inkgate_batch_size_count") < 4:
            await asyncio.sleep(0.01)
    assert await host.metric("inkgate_batch_size_sum") > 4, "several at once"
    waiting = asyncio.create_task(stage.broker.submit(call("wide", images)))
    async with asyncio.timeout(10):
        while (await stage.broker.state()).in_flight != 4:
            await asyncio.sleep(0.01)
    os.kill(host.children[0], signal.SIGKILL)
    assert texts(await waiting) == [stub_text(image) for image in images]


async def test_another_process_sees_queue_and_workers_until_they_stop(stage: Stage) -> None:
    host = stage.host(2)
    await host.ready(2)
    await stage.broker.submit(call("seen", [b"one", b"two", b"three"]))
    fleet = RedisWorkerRegistry(stage.url, Keys(stage.namespace, "balanced"))
    async with asyncio.timeout(20):
        seen = await fleet.snapshot()
        while sum(card.images for card in seen.workers) < 3:
            await asyncio.sleep(0.1)
            seen = await fleet.snapshot()
        assert [(card.slot, card.state) for card in seen.workers] == [(0, "ready"), (1, "ready")]
        assert (seen.queue.depth, seen.queue.workers) == (0, 2)
        await asyncio.to_thread(host.end)
        while (await fleet.snapshot()).workers:
            await asyncio.sleep(0.1)
    await fleet.close()


async def test_a_killed_workers_image_is_read_by_another(stage: Stage) -> None:
    host = stage.host(ENGINE__STUB_MS=300)
    await host.ready(2)
    images = [f"image {n}".encode() for n in range(8)]
    waiting = asyncio.create_task(stage.broker.submit(call("k", images, seconds=60)))
    await asyncio.sleep(0.4)
    os.kill(host.children[0], signal.SIGKILL)
    assert texts(await waiting) == [stub_text(image) for image in images]
    await host.ready(2)
    assert await host.metric("inkgate_tasks_reclaimed_total") == 1
    assert await host.metric('inkgate_worker_recycles_total{reason="crash"}') == 1


async def test_a_crashing_image_affects_none_of_the_other_49(stage: Stage) -> None:
    host = stage.host()
    await host.ready(2)
    images = [f"image {n}".encode() for n in range(50)]
    images[31] = b"inkgate-stub:crash"
    replies = await stage.broker.submit(call("poison", images))
    assert replies[31].outcome is Outcome.FAILED
    assert [reply.outcome for reply in replies].count(Outcome.READ) == 49
    await host.ready(2)
    assert await host.metric("inkgate_poison_images_total") == 1
    assert await host.metric('inkgate_worker_recycles_total{reason="crash"}') == 1
    assert texts(await stage.broker.submit(call("next", [b"x"]))) == [stub_text(b"x")]


async def test_an_app_whose_images_crash_workers_is_held_off_and_its_queue_harms_no_worker(stage: Stage) -> None:
    host = stage.host(2, LIMITS__KILLED_WORKERS=3, LIMITS__HOLD_OFF=60, WORKER__OVERRUN=1)
    await host.ready(2)
    killers = [replace(task, app="killer") for task in call("k", [b"inkgate-stub:crash"] * 40)]
    fine = [replace(task, app="another") for task in call("f", [b"one", b"two"])]
    replies, others = await asyncio.gather(stage.broker.submit(killers), stage.broker.submit(fine))
    assert {reply.outcome for reply in replies} == {Outcome.FAILED}
    assert texts(others) == [stub_text(b"one"), stub_text(b"two")]
    async with asyncio.timeout(5):
        while not stage.broker.held("killer"):
            await asyncio.sleep(0.05)
    assert 50 < stage.broker.held("killer") <= 60 and not stage.broker.held("another")
    await host.ready(2)
    assert await host.metric('inkgate_worker_recycles_total{reason="crash"}') <= 12, "not one for each of the forty"


async def test_hanging_images_count_when_their_workers_held_them_throughout(stage: Stage) -> None:
    # Heartbeats, every 0.37 s here, count an overrun in the second half of the grace: 1 s of it, 2.5 s by default.
    host = stage.host(2, LIMITS__KILLED_WORKERS=1, WORKER__OVERRUN=2)
    for n in range(OVERRUNS_PER_DEATH):
        await host.ready(2)
        workers = set(host.children)
        assert not stage.broker.held("killer")
        (hangs,) = call(f"h{n}", [b"inkgate-stub:hang"], seconds=1.0)
        with pytest.raises(DeadlineMissed):
            await stage.broker.submit([replace(hangs, app="killer")])
        async with asyncio.timeout(20):  # with both workers hanging, the next image would begin late and not count
            while workers <= set(host.children):
                await asyncio.sleep(0.05)
    async with asyncio.timeout(15):
        while not stage.broker.held("killer"):
            await asyncio.sleep(0.05)


async def test_workers_killed_from_outside_cause_no_hold_off(stage: Stage) -> None:
    host = stage.host(2, LIMITS__KILLED_WORKERS=1, ENGINE__STUB_MS=100)
    await host.ready(2)
    images = [f"image {n}".encode() for n in range(8)]
    waiting = asyncio.create_task(stage.broker.submit([replace(task, app="a") for task in call("a", images)]))
    await asyncio.sleep(0.25)
    for pid in host.children:
        os.kill(pid, signal.SIGKILL)
    assert texts(await waiting) == [stub_text(image) for image in images]
    await asyncio.sleep(0.7)
    assert not stage.broker.held("a") and (await stage.broker.state()).held == 0


async def test_tasks_of_a_paused_worker_host_are_redelivered(stage: Stage) -> None:
    paused, other = stage.host(1, ENGINE__STUB_MS=200), stage.host(1, ENGINE__STUB_MS=200)
    await paused.ready()
    await other.ready()
    images = [f"image {n}".encode() for n in range(6)]
    waiting = asyncio.create_task(stage.broker.submit(call("p", images)))
    await asyncio.sleep(0.3)
    (pid,) = paused.children
    os.kill(pid, signal.SIGSTOP)
    try:
        assert texts(await waiting) == [stub_text(image) for image in images]
    finally:
        os.kill(pid, signal.SIGCONT)
    assert texts(await stage.broker.submit(call("q", [b"y"] * 4))) == [stub_text(b"y")] * 4


async def test_sigterm_finishes_the_image_in_progress_and_removes_the_consumer(stage: Stage) -> None:
    leaving, staying = stage.host(1, ENGINE__STUB_MS=500), stage.host(1, ENGINE__STUB_MS=500)
    await leaving.ready()
    await staying.ready()
    images = [f"image {n}".encode() for n in range(6)]
    waiting = asyncio.create_task(stage.broker.submit(call("d", images)))
    await asyncio.sleep(0.2)
    leaving.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(leaving.process.wait, 10) == 0
    assert texts(await waiting) == [stub_text(image) for image in images]
    assert await staying.metric("inkgate_tasks_reclaimed_total") == 0
    await asyncio.sleep(0.6)
    assert (await stage.broker.state()).workers == 1


async def test_a_worker_at_its_image_limit_exits_between_two_images_and_is_replaced(stage: Stage) -> None:
    host = stage.host(1, ENGINE__STUB_MS=1, WORKER__MAX_IMAGES=5)
    await host.ready()
    (first,) = host.children
    images = [f"image {n}".encode() for n in range(12)]
    assert texts(await stage.broker.submit(call("limit", images))) == [stub_text(image) for image in images]
    await host.ready()
    assert await gone(first, 2.0)
    assert await host.metric('inkgate_worker_recycles_total{reason="images"}') >= 1
    assert await host.metric('inkgate_worker_recycles_total{reason="crash"}') == 0
    assert await host.metric("inkgate_tasks_reclaimed_total") == 0, "what it had begun it finished"


async def test_workers_die_with_their_supervisor(stage: Stage) -> None:
    host = stage.host()
    await host.ready(2)
    children = host.children
    host.process.kill()
    host.process.wait()
    for pid in children:
        assert await gone(pid, 2.0)


async def test_health_distinguishes_startup_readiness_and_liveness(stage: Stage) -> None:
    host = stage.host(1)
    await host.ready()
    for path in ("/livez", "/readyz", "/startupz"):
        assert (await host.get(path)).status_code == 200
    os.kill(host.children[0], signal.SIGKILL)
    assert (await host.get("/livez")).status_code == 200
    codes = [(await host.get("/readyz")).status_code for _ in range(3)]
    assert 503 in codes, "no worker is warm"
    await host.ready()


async def test_without_redis_url_the_error_names_the_setting(capfd: pytest.CaptureFixture[str]) -> None:
    process = python("-m", "inkgate.service.cli", "worker", REDIS__URL="")
    assert await asyncio.to_thread(process.wait, 60) == 2
    assert "INKGATE_REDIS__URL" in capfd.readouterr().err


async def test_a_malformed_entry_stops_no_worker(stage: Stage) -> None:
    host = stage.host(1)
    await host.ready()
    keys = Keys(stage.namespace, "balanced")
    with redis.Redis.from_url(stage.url, protocol=2) as server:
        for bad in ({"call": "x"}, {"n": "0", "ttl": "60000", "to": "unknown"}, {"call": "x", "n": "0", "ttl": "soon"}):
            server.xadd(keys.stream("general"), bad)
    assert [reply.outcome for reply in await stage.broker.submit(call("after", [b"image"]))] == [Outcome.READ]
    async with asyncio.timeout(30):
        while await host.metric('inkgate_malformed_messages_total{kind="task"}') < 3:
            await asyncio.sleep(0.1)
    assert await host.metric("inkgate_worker_recycles_total") == 0.0
    assert (await host.get("/readyz")).json()["parts"]["tasks"] == "ok"


async def test_a_host_without_file_descriptors_starts_its_worker_when_some_are_free(stage: Stage) -> None:
    host = stage.host(1)
    await host.ready()
    (worker,) = host.children
    limits = resource.prlimit(host.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(host.process.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
    os.kill(worker, signal.SIGKILL)
    await asyncio.sleep(2)  # several starts that fail
    assert not host.children and host.process.poll() is None
    resource.prlimit(host.process.pid, resource.RLIMIT_NOFILE, limits)
    async with asyncio.timeout(60):
        while not host.children or (await host.get("/readyz")).status_code != 200:
            await asyncio.sleep(0.1)
    assert [reply.outcome for reply in await stage.broker.submit(call("after", [b"image"]))] == [Outcome.READ]
    assert await host.metric('inkgate_background_task_restarts_total{task="worker-slot-0"}') >= 1
