"""Queue admission: limits, forecast, and recovery from a wrong forecast."""

from __future__ import annotations

import pytest

from inkgate.service.broker.admission import QueueAdmission
from inkgate.service.broker.interface import Task
from inkgate.service.errors import Overloaded


def call(images: int, *, left: float = 10.0, size: int = 1, app: str = "") -> list[Task]:
    return [Task("c", number, "general", left, b"x" * size, app=app) for number in range(images)]


def test_acquire_and_release() -> None:
    admission = QueueAdmission(max_tasks=4, max_bytes=100)
    first = call(3, size=20)
    admission.acquire(first, {}, 1, now=0)
    assert (admission.tasks, admission.bytes) == (3, 60)
    with pytest.raises(Overloaded, match="images"):
        admission.acquire(call(2), {}, 1, now=0)
    with pytest.raises(Overloaded, match="bytes"):
        admission.acquire(call(1, size=41), {}, 1, now=0)
    assert (admission.tasks, admission.bytes) == (3, 60), "a refusal counts nothing"
    admission.release(first)
    assert (admission.tasks, admission.bytes) == (0, 0)


@pytest.mark.parametrize(
    ("waiting", "workers", "images", "admitted"),
    [
        (0, 1, 8, True),  # 8 s of work, 10 s left, 15 % margin
        (0, 1, 9, False),
        (7, 1, 1, True),
        (8, 1, 1, False),
        (16, 2, 1, False),
        (15, 2, 1, True),
        (900, 200, 50, True),
    ],
)
def test_forecast(waiting: int, workers: int, images: int, admitted: bool) -> None:
    admission = QueueAdmission(max_tasks=10_000, max_bytes=10_000)
    admission.record_service_time("general", 1.0)
    admission.acquire(call(1), {}, 1, now=0)  # one call is in progress
    if admitted:
        admission.acquire(call(images), {"general": {"": waiting}}, workers, now=0)
    else:
        with pytest.raises(Overloaded) as refused:
            admission.acquire(call(images), {"general": {"": waiting}}, workers, now=0)
        assert refused.value.retry_after is not None and refused.value.retry_after >= 1


def test_unknown_service_times_admit() -> None:
    admission = QueueAdmission(max_tasks=1000, max_bytes=1000)
    admission.acquire(call(1), {}, 1, now=0)
    admission.acquire(call(50), {"general": {"": 900}}, 1, now=0)


def test_an_idle_gateway_admits_regardless_of_the_forecast() -> None:
    admission = QueueAdmission(max_tasks=1000, max_bytes=1000)
    admission.record_service_time("general", 500.0)
    admission.acquire(call(1), {}, 1, now=0)
    with pytest.raises(Overloaded):
        admission.acquire(call(1), {}, 1, now=0)


def test_the_mean_is_smoothed() -> None:
    admission = QueueAdmission(max_tasks=1, max_bytes=1)
    admission.record_service_time("general", 1.0)
    admission.record_service_time("general", 2.0)
    assert admission.mean_service("general") == pytest.approx(1.1)
    assert admission.mean_service("plate") == 0.0


def test_the_forecast_counts_the_work_ahead_of_the_apps_images() -> None:
    admission = QueueAdmission(max_tasks=10_000, max_bytes=10_000, weights={"heavy": 2.0})
    admission.record_service_time("general", 1.0)
    admission.record_service_time("idcard", 1.0)
    admission.acquire(call(1), {}, 1, now=0)
    flood = {"general": {"flood": 900}}
    admission.acquire(call(4, app="well-behaved"), flood, 1, now=0)  # 4 of its own, 4 of the flood's between them
    with pytest.raises(Overloaded):
        admission.acquire(call(5, app="well-behaved"), flood, 1, now=0)
    with pytest.raises(Overloaded):
        admission.acquire(call(1, app="flood"), flood, 1, now=0)
    admission.acquire(call(5, app="heavy"), flood, 1, now=0)
    three = {"general": {"flood": 900}, "idcard": {"flood": 900}, "plate": {}}
    admission.acquire(call(2, app="well-behaved"), three, 1, now=0)
    with pytest.raises(Overloaded):
        admission.acquire(call(3, app="well-behaved"), three, 1, now=0)


def test_a_flood_leaves_capacity_for_others() -> None:
    admission = QueueAdmission(max_tasks=1000, max_bytes=10_000)
    calls = 0
    with pytest.raises(Overloaded, match="800 of them this app's"):
        while True:
            admission.acquire(call(50, app="flood"), {}, 1, now=0)
            calls += 1
    assert calls == 16
    admission.acquire(call(50, app="well-behaved"), {}, 1, now=0)
