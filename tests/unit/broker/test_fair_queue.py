"""The fair queue: turns, weights, removal, and the latency of a well-behaved app during a flood."""

from __future__ import annotations

import heapq
import itertools
import random
import statistics
from collections.abc import Iterable
from dataclasses import replace

import pytest

from inkgate.service.broker.admission import QueueAdmission
from inkgate.service.broker.fair_queue import BURST_IMAGES, FairQueue
from inkgate.service.broker.interface import Task
from inkgate.service.errors import Overloaded


def tasks(app: str, count: int, call: str = "", capability: str = "general") -> list[Task]:
    return [Task(call or app, number, capability, 1e9, b"x", app=app) for number in range(count)]


def push(queue: FairQueue, new: Iterable[Task], since: float = 0.0) -> None:
    for task in new:
        queue.push(task, since)


def pop(queue: FairQueue, count: int) -> str:
    popped = [queue.pop() for _ in range(count)]
    return "".join(entry.task.app for entry in popped if entry is not None)


def test_a_single_app_is_served_in_order() -> None:
    queue = FairQueue()
    push(queue, tasks("a", 3))
    assert [entry.task.number for _ in range(3) if (entry := queue.pop())] == [0, 1, 2]
    assert queue.pop() is None and not len(queue)


def test_an_app_with_little_traffic_is_served_before_a_backlog() -> None:
    queue = FairQueue()
    push(queue, tasks("f", 50))
    assert pop(queue, 20) == "f" * 20
    push(queue, tasks("p", 5))
    assert pop(queue, 6) == "pppppf"


def test_apps_take_turns_and_none_is_starved() -> None:
    queue = FairQueue()
    push(queue, tasks("f", 100))
    push(queue, tasks("p", 10))
    push(queue, tasks("q", 10))
    order = pop(queue, 30)
    assert order.count("f") == order.count("p") == order.count("q") == 10
    assert pop(queue, 90) == "f" * 90, "the leftover is the flood's"


def test_weights() -> None:
    queue = FairQueue({"h": 3.0})
    push(queue, tasks("h", 40))
    push(queue, tasks("l", 40))
    assert pop(queue, 40).count("h") == 30


def test_unused_share_is_not_accumulated() -> None:
    queue = FairQueue()
    push(queue, tasks("a", 40))
    pop(queue, 20)
    push(queue, tasks("b", 30))  # was idle all the time
    assert pop(queue, 28).count("b") == pytest.approx((28 - BURST_IMAGES) / 2 + BURST_IMAGES, abs=1)


def test_an_app_that_used_an_empty_queue_is_not_behind_a_later_flood() -> None:
    queue = FairQueue()
    for _ in range(100):
        push(queue, tasks("p", 1))
        assert pop(queue, 1) == "p"
    push(queue, tasks("f", 50))
    pop(queue, 2)
    push(queue, tasks("p", 1))
    assert pop(queue, 1) == "p"


def test_a_requeued_task_comes_first() -> None:
    queue = FairQueue()
    push(queue, tasks("a", 5))
    first = queue.pop()
    assert first is not None
    push(queue, tasks("b", 5))
    queue.requeue(first)
    assert pop(queue, 1) == "a" and len(queue) == 9


def test_a_requeued_task_leaves_an_empty_queue_empty_again() -> None:
    queue = FairQueue()
    push(queue, tasks("a", 1))
    only = queue.pop()
    assert only is not None
    queue.requeue(only)
    assert pop(queue, 2) == "a" and not queue.waiting["general"]


def test_removed_tasks_cost_their_app_nothing() -> None:
    queue = FairQueue()
    push(queue, tasks("a", 50, "gone"))
    for number in range(50):
        queue.remove(("gone", number))
    queue.remove(("gone", 0))
    push(queue, tasks("a", 2, "next"))
    push(queue, tasks("b", 2))
    assert sorted(pop(queue, 2)) == ["a", "b"]


def test_removed_tasks_are_freed() -> None:
    queue = FairQueue()
    push(queue, tasks("a", 1, "stays"))
    for n in range(2000):
        push(queue, tasks(f"app {n}", 1))
        queue.remove((f"app {n}", 0))
    assert len(queue) == 1
    assert len(queue._heap) < 100 and len(queue._finish) <= 2001, "as many as there are apps"
    assert queue.waiting == {"general": {"a": 1}}


def test_oldest_since_is_independent_of_the_order() -> None:
    queue = FairQueue()
    assert queue.oldest_since() is None
    push(queue, tasks("f", 3, "early"), since=1.0)
    push(queue, tasks("p", 1), since=2.0)
    assert queue.oldest_since() == 1.0


def simulate(*, flood: bool, workers: int, service: float, seconds: float = 600.0) -> tuple[list[float], int]:
    """Latencies of a well-behaved app's single images on a virtual clock, and the number of flood images read.

    The flood sends ten calls of fifty images per second through the same admission; a call is abandoned at its deadline
    of 60 s, as by a gateway.
    """
    dice, queue, admission = random.Random(11), FairQueue(), QueueAdmission(max_tasks=1000, max_bytes=1 << 30)
    admission.record_service_time("general", service)
    numbers = itertools.count()
    arrivals, due = [], 0.0
    while due < seconds:
        due += dice.expovariate(1.0)
        arrivals.append((due, next(numbers), "p"))
    if flood:
        arrivals += [(n / 10, next(numbers), "f") for n in range(int(seconds * 10))]
    events: list[tuple[float, int, str]] = sorted(arrivals)
    idle, read, took = workers, 0, []
    while events:
        now, number, what = heapq.heappop(events)
        if what == "done":
            idle += 1
        else:
            call = [Task(str(number), n, "general", now + 60, b"x", app=what) for n in range(50 if what == "f" else 1)]
            try:
                admission.acquire(call, queue.waiting, workers, now)
            except Overloaded:
                assert what == "f", "the well-behaved app is never refused"
                continue
            push(queue, call, now)
        while idle and (entry := queue.pop()):
            idle -= 1
            admission.release([entry.task])
            heapq.heappush(events, (now + service, next(numbers), "done"))
            if entry.task.app == "p":
                took.append(now + service - entry.since)
            else:
                read += 1
    return took, read


@pytest.mark.parametrize("workers", [2, 8])
def test_beside_a_flood_a_well_behaved_apps_p99_at_most_doubles(workers: int) -> None:
    service = 0.25
    quiet, _ = simulate(flood=False, workers=workers, service=service)
    beside, read = simulate(flood=True, workers=workers, service=service)
    assert len(quiet) == len(beside) > 500
    p99 = [statistics.quantiles(took, n=100)[98] for took in (quiet, beside)]
    assert p99[1] <= 2 * p99[0]
    assert max(beside) <= max(quiet) + service, "what is being read is read to its end, nothing else is waited for"
    assert read + len(beside) > 0.95 * 600 * workers / service, "the flood gets what is left"


def test_what_waits_to_be_read_in_isolation_cannot_be_withdrawn() -> None:
    queue = FairQueue()
    push(queue, tasks("a", 2))
    begun, given_back = queue.pop(), queue.pop()
    assert begun is not None and given_back is not None
    queue.requeue(replace(begun, task=replace(begun.task, delivery=2)))
    queue.requeue(given_back)
    for entry in (begun, given_back):
        queue.remove(entry.key)
    assert pop(queue, 2) == "a" and not len(queue)
