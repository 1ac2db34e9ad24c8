"""The list of workers, from what they tell."""

from __future__ import annotations

from dataclasses import dataclass

from inkgate.service.broker.worker_registry import LEAVING, READY, STARTING
from inkgate.service.worker.control import Done, EngineFacts, Gone, Leaving, WorkerReady
from inkgate.service.worker.roster import WINDOW, Roster


@dataclass
class Hand:
    """A clock that stands where a test puts it."""

    time: float = 1000.0

    def __call__(self) -> float:
        return self.time


READY_EVENT = WorkerReady("host-7", EngineFacts("onnx", "det rec", "cpu"), "balanced", 200.0)
DONE = Done("general", "read", rss_mib=210.0)


def test_a_worker_starts_reads_leaves_and_is_replaced() -> None:
    clock = Hand()
    roster = Roster(2, "balanced", clock)
    assert [card.state for card in roster.cards()] == [STARTING, STARTING]
    clock.time += 5
    roster(0, READY_EVENT)
    card, other = roster.cards()
    assert (card.name, card.state, card.since, card.engine, card.device) == ("host-7", READY, 1005.0, "onnx", "cpu")
    assert other.state == STARTING
    roster(0, DONE)
    assert (roster.cards()[0].images, roster.cards()[0].resident_bytes) == (1, 210 * 2**20)
    roster(0, Leaving("memory"))
    assert roster.cards()[0].state == LEAVING
    roster(0, Gone(0, 7))
    roster(0, READY_EVENT)
    card = roster.cards()[0]
    assert (card.state, card.recycles, card.reason, card.images) == (READY, 1, "memory", 1)


def test_a_worker_that_goes_without_a_word_has_crashed() -> None:
    roster = Roster(1, "balanced", Hand())
    roster(0, READY_EVENT)
    roster(0, Gone(-9, 7))
    assert (roster.cards()[0].reason, roster.cards()[0].recycles) == ("crash", 1)


def test_images_a_second_are_those_of_the_last_minute() -> None:
    clock = Hand()
    roster = Roster(1, "balanced", clock)
    for _ in range(120):
        clock.time += 0.5
        roster(0, DONE)
    assert 1.9 < roster.cards()[0].per_second <= 2.0
    clock.time += WINDOW / 2
    assert 0.9 < roster.cards()[0].per_second < 1.1
    clock.time += WINDOW
    assert roster.cards()[0].per_second == 0
