"""A pool does the work of all who wait in one go, gives each its own results, and lets one's failure be its own."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from inkgate.engines.text.pool import BatchingPool


class Device:
    """Doubles numbers; the first batch waits to be let go. A zero breaks the batch that it is in."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun, self.go = threading.Event(), threading.Event()

    def __call__(self, items: list[int]) -> list[int]:
        self.batches.append(items)
        if len(self.batches) == 1:
            self.begun.set()
            assert self.go.wait(10)
        if 0 in items:
            raise ZeroDivisionError
        return [2 * item for item in items]


def all_at_once(lists: list[list[int]]) -> tuple[Device, list[Future[list[int]]]]:
    """The first list occupies the device until all the others wait at it."""
    device = Device()
    pool = BatchingPool(device)
    with ThreadPoolExecutor(len(lists)) as threads:
        futures = [threads.submit(pool, lists[0])]
        assert device.begun.wait(10)
        futures += [threads.submit(pool, items) for items in lists[1:]]
        while len(pool._waiting) < len(lists) - 1:
            threading.Event().wait(0.001)
        device.go.set()
    return device, futures


def test_those_who_wait_go_together() -> None:
    lists = [[1], [2, 3], [], [4], [5, 6, 7]]
    device, futures = all_at_once([items for items in lists if items])
    assert [future.result() for future in futures] == [[2], [4, 6], [8], [10, 12, 14]]
    assert device.batches[0] == [1] and len(device.batches) == 2
    assert sorted(device.batches[1]) == [2, 3, 4, 5, 6, 7]
    assert BatchingPool(device)([]) == []


def test_a_failure_is_its_own() -> None:
    device, futures = all_at_once([[1], [2], [0, 3], [4]])
    assert [futures[at].result() for at in (0, 1, 3)] == [[2], [4], [8]]
    with pytest.raises(ZeroDivisionError):
        futures[2].result()
    assert len(device.batches) == 5  # alone, together, then each of the three by itself


def test_the_pool_works_on_after_a_failure() -> None:
    device = Device()
    device.go.set()
    pool = BatchingPool(device)
    with pytest.raises(ZeroDivisionError):
        pool([0])
    assert pool([8]) == [16]
