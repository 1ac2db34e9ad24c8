"""The worker registry, from worker events."""

from __future__ import annotations

from dataclasses import dataclass

from inkgate.service.broker.worker_registry import LEAVING, READY, STARTING
from inkgate.service.worker.control import Done, EngineFacts, Gone, Leaving, WorkerReady
from inkgate.service.worker.supervisor_registry import RATE_WINDOW_SECONDS, SupervisorRegistry


@dataclass
class ManualClock:
    """A clock that a test sets."""

    time: float = 1000.0

    def __call__(self) -> float:
        return self.time


READY_EVENT = WorkerReady("host-7", EngineFacts("onnx", "det rec", "cpu"), "balanced", 200.0)
DONE = Done("general", "read", rss_mib=210.0)


def test_a_worker_starts_reads_exits_and_is_replaced() -> None:
    clock = ManualClock()
    registry = SupervisorRegistry(2, "balanced", clock)
    assert [record.state for record in registry.records()] == [STARTING, STARTING]
    clock.time += 5
    registry(0, READY_EVENT)
    record, other = registry.records()
    assert (record.name, record.state, record.since, record.engine, record.device) == (
        "host-7",
        READY,
        1005.0,
        "onnx",
        "cpu",
    )
    assert other.state == STARTING
    registry(0, DONE)
    assert (registry.records()[0].images, registry.records()[0].resident_bytes) == (1, 210 * 2**20)
    registry(0, Leaving("memory"))
    assert registry.records()[0].state == LEAVING
    registry(0, Gone(0, 7))
    registry(0, READY_EVENT)
    record = registry.records()[0]
    assert (record.state, record.recycles, record.reason, record.images) == (READY, 1, "memory", 1)


def test_a_worker_that_exits_without_a_message_has_crashed() -> None:
    registry = SupervisorRegistry(1, "balanced", ManualClock())
    registry(0, READY_EVENT)
    registry(0, Gone(-9, 7))
    assert (registry.records()[0].reason, registry.records()[0].recycles) == ("crash", 1)


def test_images_per_second_are_averaged_over_the_window() -> None:
    clock = ManualClock()
    registry = SupervisorRegistry(1, "balanced", clock)
    for _ in range(120):
        clock.time += 0.5
        registry(0, DONE)
    assert 1.9 < registry.records()[0].per_second <= 2.0
    clock.time += RATE_WINDOW_SECONDS / 2
    assert 0.9 < registry.records()[0].per_second < 1.1
    clock.time += RATE_WINDOW_SECONDS
    assert registry.records()[0].per_second == 0
