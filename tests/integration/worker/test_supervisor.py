"""The supervisor's slots: a child that cannot be started, or talks as no child of ours does, costs none of them."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from inkgate.service import background as background_module
from inkgate.service.background import Background, TaskDown
from inkgate.service.telemetry.health import Health
from inkgate.service.telemetry.metrics import Metrics
from inkgate.service.worker import supervisor as module
from inkgate.service.worker.control import Event, WorkerReady
from inkgate.service.worker.observe import WorkerEventMetrics
from inkgate.service.worker.supervisor import Supervisor
from inkgate.service.worker.supervisor_registry import SupervisorRegistry
from tests.integration.worker import odd_child
from tests.unit.telemetry.test_metrics import value
from tests.waiting import wait_until

CHILD = "tests.integration.worker.odd_child"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def children_find_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """The supervisor starts its children with -P and only the product on the path; this child is part of the tests."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.mark.parametrize("failures", [1, 3])
@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM, errno.EMFILE])
async def test_a_child_that_could_not_be_started_is_started_later(
    monkeypatch: pytest.MonkeyPatch, failures: int, number: int
) -> None:
    monkeypatch.setattr(background_module, "MIN_BACKOFF_SECONDS", 0.05)
    metrics, tries = Metrics("worker", "1"), 0
    background = Background(metrics)
    health = Health({"tasks": background.check})
    health.mark_started()
    spawn = module.spawn

    def no_process(*arguments: Any, **named: Any) -> Any:
        nonlocal tries
        tries += 1
        if tries <= failures:
            raise OSError(number, os.strerror(number))
        return spawn(*arguments, **named)

    monkeypatch.setattr(module, "spawn", no_process)
    supervisor = Supervisor(CHILD, 1, {}, background=background, essential=True)
    supervisor.start()
    await wait_until(lambda: tries == 1)
    await asyncio.sleep(0)
    assert (await health.ready()).parts["tasks"] == TaskDown.__name__
    await supervisor.wait_ready()
    await wait_until(lambda: value(metrics, "inkgate_background_task_up", task="worker-slot-0") == 1)
    assert (await health.ready()).ok
    assert value(metrics, "inkgate_background_task_restarts_total", task="worker-slot-0") == failures
    await supervisor.stop(20)
    assert not supervisor.pids


async def test_a_start_that_fails_leaves_no_file_descriptor_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_module, "MIN_BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr(background_module, "MAX_BACKOFF_SECONDS", 0.001)
    metrics = Metrics("worker", "1")

    def no_process(*arguments: Any, **named: Any) -> Any:
        raise OSError(errno.EAGAIN, "no process left")

    monkeypatch.setattr(module, "spawn", no_process)
    supervisor = Supervisor(CHILD, 1, {}, on_spawn=lambda slot: [socket.socket()], background=Background(metrics))
    before = len(os.listdir("/proc/self/fd"))
    supervisor.start()

    def restarts() -> float:
        return value(metrics, "inkgate_background_task_restarts_total", task="worker-slot-0")

    await asyncio.sleep(0)
    await wait_until(lambda: restarts() >= 20)
    await supervisor.stop(20)
    assert len(os.listdir("/proc/self/fd")) <= before + 1


async def test_a_child_that_has_failed_for_hours_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two to the number of failures is no float after a thousand of them: the slot's task would fail itself."""
    monkeypatch.setattr(module, "MAX_BACKOFF_SECONDS", 0.0)
    metrics, starts = Metrics("worker", "1"), 0
    supervisor = Supervisor(CHILD, 1, {}, background=Background(metrics))

    async def failing(slot: int) -> int:
        nonlocal starts
        starts += 1
        return 1

    monkeypatch.setattr(supervisor, "_run_child", failing)
    supervisor.start()
    await wait_until(lambda: starts > 1100)
    await supervisor.stop(20)
    assert value(metrics, "inkgate_background_task_restarts_total", task="worker-slot-0") == 0


async def test_events_of_another_release_cost_no_child() -> None:
    metrics, received, known = Metrics("worker", "1"), Counter[str](), Counter[type]()
    registry, counted = SupervisorRegistry(1, "balanced"), WorkerEventMetrics(metrics)

    def receive(slot: int, event: Event) -> None:
        known[type(event)] += 1
        registry(slot, event)
        counted(slot, event)

    supervisor = Supervisor(CHILD, 1, {}, on_event=receive, on_malformed=lambda kind: received.update([kind]))
    supervisor.start()
    await wait_until(lambda: known[WorkerReady] == 1)
    (card,) = registry.records()
    assert (card.name, card.state, card.recycles) == ("odd", "ready", 0), "one life, and what it said last counts"
    assert supervisor.ready == 1 and supervisor.restarts == 0
    assert received == {"event": 5}, odd_child.ODD
    await supervisor.stop(20)
