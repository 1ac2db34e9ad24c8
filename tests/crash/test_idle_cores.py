"""Real worker processes with real networks: one page uses the idle worker's core, several pages do not, and the answers
are the same; a killed worker leaves no core counted as used."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from inkgate.service.broker.interface import Outcome, Task
from inkgate.service.composition.fleet import EmbeddedBroker, embedded_fleet
from inkgate.service.settings import Settings, Worker
from inkgate.service.worker import policy
from tests.waiting import wait_until

IMAGE = (Path(__file__).parents[2] / "service" / "samples" / "general.jpg").read_bytes()
PAGES = 6


def settings(page_cores: int) -> Settings:
    return Settings(worker=Worker(processes=2, page_cores=page_cores))


def call(name: str, count: int) -> list[Task]:
    return [Task(name, number, "general", time.time() + 240, IMAGE) for number in range(count)]


def used(broker: EmbeddedBroker) -> int:
    """Cores that the workers use at present."""
    (fd,) = broker.supervisor._inherited
    return sum(os.pread(fd, 4096, 0))


async def read_and_watch(broker: EmbeddedBroker, tasks: list[Task]) -> tuple[list[object], int]:
    """The elements, and the largest number of cores seen in use."""
    answers, largest = asyncio.create_task(broker.submit(tasks)), 0
    while not answers.done():
        largest = max(largest, used(broker))
        await asyncio.sleep(0.0005)
    replies = await answers
    assert [reply.outcome for reply in replies] == [Outcome.READ] * len(tasks)
    return [reply.element for reply in replies], largest


async def test_a_lone_page_uses_both_cores_and_many_pages_one_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "usable_cores", lambda: 2)
    async with embedded_fleet(settings(page_cores=1)) as broker:
        await broker.wait_ready(2)
        (alone,), largest = await read_and_watch(broker, call("one core", 1))
        assert largest == 1
    async with embedded_fleet(settings(page_cores=4)) as broker:
        await broker.wait_ready(2)
        lone, largest = await read_and_watch(broker, call("lone", 1))
        assert lone == [alone] and largest == 2
        many, largest = await read_and_watch(broker, call("many", PAGES))
        assert many == [alone] * PAGES
        assert largest <= 3, "two in hand, and one that was lent when the second image came"
        await wait_until(lambda: used(broker) == 0)


async def test_a_worker_killed_with_a_borrowed_core_leaves_none_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "usable_cores", lambda: 2)
    async with embedded_fleet(settings(page_cores=4)) as broker:
        await broker.wait_ready(2)
        answers = asyncio.create_task(broker.submit(call("killed", 1)))
        await wait_until(lambda: used(broker) == 2, what="a borrowed core")
        for pid in broker.supervisor.pids:
            os.kill(pid, signal.SIGKILL)
        await answers  # failed, if the second worker had it in hand already when it was killed
        await wait_until(lambda: broker.supervisor.restarts == 2)
        await broker.wait_ready(2)
        await wait_until(lambda: used(broker) == 0)
        _, largest = await read_and_watch(broker, call("again", 1))
        assert largest == 2
